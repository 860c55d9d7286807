"""Bedside: one patient's live ECG, numbers and alarms."""

import streamlit as st

from dashboard.alarms import bed_of, who_is_here
from dashboard.component import monitor, who
from dashboard.live import live
from ecg.alarm import Limits
from stream.actions import BrokerError


def page() -> None:
    """Show the patient of the address (``?patient=``), else the first one."""
    present = live().view.patients()
    patient = st.query_params.get("patient") or (present[0] if present else None)
    if patient is None:
        st.info(
            "No patient is being monitored yet. Start a source, `rhythmwatch replay` or "
            "`rhythmwatch simulate`, and choose the patient at the central station."
        )
        return
    st.query_params["patient"] = patient
    monitor("bedside", patient=patient, key=f"bedside-{patient}")
    with st.expander(f"Alarm limits of {bed_of(patient)}, and who is at this screen"):
        who_is_here()
        _limits(patient)


def _limits(patient: str) -> None:
    with live().view.reading() as patients:
        recent = patients.get(patient)
        registry = recent.registry if recent is not None else None
    now = registry.limits if registry is not None else Limits()
    with st.form(f"limits-{patient}", width=720):
        left, middle, right = st.columns(3)
        high = left.number_input("HR high, 1/min", 40, 300, round(now.hr_high))
        low = middle.number_input("HR low, 1/min", 15, 200, round(now.hr_low))
        v = right.number_input("V per minute", 1, 99, round(now.v_per_min))
        asystole = left.number_input("Asystole, s", 3.0, 10.0, now.asystole_s, 0.5)
        pause = middle.number_input("Pause, s", 1.5, 3.0, now.pause_s, 0.1)
        if not st.form_submit_button("Set limits"):
            return
    try:
        limits = Limits(hr_high=high, hr_low=low, v_per_min=v, asystole_s=asystole, pause_s=pause)
        live().actions.limits(patient, limits, author=who())
    except (ValueError, BrokerError) as error:
        st.error(f"The limits stay as they were: {error}")
    else:
        st.success("Asked for; the new limits stand beside the heart rate when they hold.")
