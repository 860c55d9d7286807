"""Central station: every patient, a sector per bed."""

import streamlit as st

from dashboard.component import monitor


def page() -> None:
    """Show all patients; a click on one opens the bedside page."""
    chosen = monitor("central", key="central").open
    if chosen:
        st.switch_page(st.session_state["pages"]["bedside"], query_params={"patient": chosen})
