"""The script that Streamlit runs for every page: which pages there are, and who is asking."""

from pathlib import Path

import streamlit as st

from dashboard import alarms, bedside, central

# a file of ours: Streamlit fetches named icons from the internet
ICON = Path(__file__).parent / "waveform" / "icon.svg"
st.set_page_config(page_title="RhythmWatch", page_icon=str(ICON), layout="wide")
st.html(
    "<style>"
    ".stMainBlockContainer{padding:3.6rem 0.8rem 1rem}"
    "header.stAppHeader{background:#000}"
    "</style>"
)
pages = {
    "central": st.Page(central.page, title="Central station", default=True),
    "bedside": st.Page(bedside.page, title="Bedside", url_path="bedside"),
    "alarms": st.Page(alarms.page, title="Alarms and trends", url_path="alarms"),
}
st.session_state["pages"] = pages
st.navigation(list(pages.values()), position="top").run()
