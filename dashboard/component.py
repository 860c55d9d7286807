"""The browser component that draws live waveforms: one line of script that loads its files."""

import functools
from typing import Any

import streamlit as st

from dashboard.access import Pass
from dashboard.asgi import ASSETS
from dashboard.live import live

LOADER = f"""const at = new URL("{ASSETS}/main.js", window.location.origin);
const {{ default: mount }} = await import(at);
export default mount;
"""


@functools.cache
def _component() -> Any:
    return st.components.v2.component("rhythmwatch_monitor", js=LOADER)


def who() -> str:
    """Return the name that is written beside every action of this session."""
    name = str(st.session_state.get("author", "")).strip()
    return name or "unnamed"


def _remember(key: str) -> None:
    """Take the name back that a page kept when it had to be loaded anew."""
    st.session_state["author"] = str(st.session_state[key].author or "")


def monitor(view: str, *, patient: str | None = None, key: str) -> Any:
    """Mount the live component; its ``open`` is the patient whose tile was clicked.

    Parameters
    ----------
    view : {"central", "bedside", "watch"}
        What it shows; ``watch`` is the line over a page without traces.
    patient : str, optional
        Whose ECG; everybody's without it.
    key : str
        The element's key.
    """
    token = live().gate.token(Pass(author=who(), patient=patient))
    return _component()(
        key=key,
        data={"view": view, "patient": patient, "token": token, "assets": ASSETS, "author": who()},
        on_open_change=lambda: None,
        on_author_change=lambda: _remember(key),
    )
