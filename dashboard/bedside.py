"""Bedside: one patient's live ECG, numbers and alarms."""

import streamlit as st

from dashboard.component import monitor
from dashboard.live import live


def page() -> None:
    """Show the patient of the address (``?patient=``), else the first one."""
    present = live().view.patients()
    patient = st.query_params.get("patient") or (present[0] if present else None)
    if patient is None:
        st.info(
            "No patient is being monitored yet. Start a source: `rhythmwatch replay` "
            "or `rhythmwatch simulate`; this page finds it when you reload."
        )
        return
    st.query_params["patient"] = patient
    monitor("bedside", patient=patient, key=f"bedside-{patient}")
