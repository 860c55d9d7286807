"""Bedside: one patient's live ECG, numbers and alarms."""

import itertools

import msgspec
import streamlit as st

from dashboard.alarms import REFRESH_S, bed_of, plain, who_is_here
from dashboard.component import monitor, who
from dashboard.live import live
from ecg.alarm import Limits
from stream.actions import BrokerError
from stream.view import Id

FIELDS = {
    "hr_high": ("HR high, 1/min", 40.0, 300.0, 1.0),
    "hr_low": ("HR low, 1/min", 15.0, 200.0, 1.0),
    "v_per_min": ("V per minute", 1.0, 99.0, 1.0),
    "asystole_s": ("Asystole, s", 3.0, 10.0, 0.5),
    "pause_s": ("Pause, s", 1.5, 3.0, 0.1),
}
"""Label, least, greatest and step of each limit."""


def page() -> None:
    """Show the patient of the address (``?patient=``), else the first one."""
    present = live().view.patients()
    patient = st.query_params.get("patient") or (present[0] if present else None)
    if patient is None:
        monitor("watch", key="watch")
        _wait_for_a_patient()
        return
    try:
        msgspec.convert(patient, Id)
    except msgspec.ValidationError:
        st.error("The address names no patient: choose one at the central station.")
        return
    if st.query_params.get("patient") != patient:
        # what is set is a step of the browser's history, also where nothing changes
        st.query_params["patient"] = patient
    monitor("bedside", patient=patient, key=f"bedside-{patient}")
    with st.expander(f"Alarm limits of {plain(bed_of(patient))}, and who is at this screen"):
        who_is_here()
        _limits(patient)


@st.fragment(run_every=REFRESH_S)
def _wait_for_a_patient() -> None:
    if live().view.patients():
        st.rerun()
    if not live().down():
        st.info(
            "No patient is being monitored yet. Start a source, `rhythmwatch replay` or "
            "`rhythmwatch simulate`, and choose the patient at the central station."
        )


@st.fragment(run_every=REFRESH_S)
def _say_in_force(patient: str) -> None:
    """Say which limits hold: the fields may show what somebody is about to ask for."""
    limits = _in_force(patient)
    said = (f"{label}: {getattr(limits, name):g}" for name, (label, *_) in FIELDS.items())
    st.markdown("**In force now:** " + " · ".join(said))


def _limits(patient: str) -> None:
    keys = _keys(patient)
    if any(key not in st.session_state for key in keys.values()):
        # a widget's own key is forgotten when its page or its patient is left
        _show(patient, _in_force(patient))
    _say_in_force(patient)
    with st.form(f"limits-{patient}", width=720):
        for place, (name, (label, least, most, step)) in zip(
            itertools.cycle(st.columns(3)), FIELDS.items(), strict=False
        ):
            place.number_input(label, least, most, step=step, format="%g", key=keys[name])
        st.form_submit_button("Set limits", on_click=_ask, args=(patient,))
    said = st.session_state.pop("limits_said", None)
    if said is not None:
        succeeded, text = said
        (st.success if succeeded else st.error)(text)


def _keys(patient: str) -> dict[str, str]:
    return {name: f"limits-{patient}-{name}" for name in FIELDS}


def _in_force(patient: str) -> Limits:
    with live().view.reading() as patients:
        recent = patients.get(patient)
        registry = recent.registry if recent is not None else None
    return registry.limits if registry is not None else Limits()


def _show(patient: str, limits: Limits) -> None:
    """Put limits into the fields; they are what the person at the screen goes by."""
    for name, key in _keys(patient).items():
        st.session_state[key] = float(getattr(limits, name))
    st.session_state["limits_known"] = (limits,)


def _ask(patient: str) -> None:
    """Ask for what the fields say, unless somebody has set the limits since they were shown."""
    state, now = st.session_state, _in_force(patient)
    if now not in state["limits_known"]:
        _show(patient, now)
        state["limits_said"] = (
            False,
            "Nothing was set: the limits were changed meanwhile, and the fields show them now.",
        )
        return
    try:
        limits = Limits(**{name: state[key] for name, key in _keys(patient).items()})
        live().actions.limits(patient, limits, author=who())
    except (ValueError, BrokerError) as error:
        state["limits_said"] = (False, f"The limits stay as they were: {error}")
    else:
        # they hold when the alarm role says so; until then those before them do
        state["limits_known"] = (now, limits)
        state["limits_said"] = (
            True,
            "Asked for; the line over the fields says when they hold.",
        )
