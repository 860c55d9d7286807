"""Alarms and trends: what there is now, what was, the strip before each alarm."""

import re

import streamlit as st

from dashboard.component import monitor, who
from dashboard.feed import text_of
from dashboard.live import live
from dashboard.plots import strip_figure, trend_figure
from dashboard.times import clock, zone
from ecg.alarm import AlarmEvent
from stream.actions import BrokerError
from stream.view import DecodeError

REFRESH_S = 2.0
HISTORY_REFRESH_S = 10.0
NEWEST = 200
COLOURS = {"high": "red", "medium": "yellow", "low": "blue"}
STARS = {"high": "***", "medium": "**", "low": "*"}


def page() -> None:
    """Show current alarms, the history with its strips, and trends, under a line that sounds."""
    monitor("watch", key="watch")
    who_is_here()
    now, history, trends = st.tabs(["Current alarms", "History and strips", "Trends"])
    with now:
        _current()
    with history:
        _history()
    with trends:
        _trends()


def who_is_here() -> None:
    """Ask for the name that is written beside every action."""
    st.session_state.setdefault("author", "")
    # a widget's own key is forgotten when its page is left
    st.session_state["author_field"] = st.session_state["author"]
    st.text_input(
        "Your name (written beside every acknowledgement)",
        key="author_field",
        max_chars=60,
        placeholder="unnamed",
        width=360,
        on_change=lambda: st.session_state.update(author=st.session_state["author_field"]),
    )


def bed_of(patient: str) -> str:
    """Return what a screen calls a patient: bed and id."""
    with live().view.reading() as patients:
        recent = patients.get(patient)
        bed = recent.bed if recent is not None else ""
    return f"{bed} · {patient}" if bed else patient


def plain(text: str) -> str:
    """Return text of which Markdown changes nothing: names and ids come from outside."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|$:~])", r"\\\1", text)


@st.fragment(run_every=REFRESH_S)
def _current() -> None:
    view = live().view
    down = live().down()
    for trouble, beds in down.items():
        whom = f" of {_whom(beds)}" if beds else ""
        st.error(f"SYSTEM DOWN — {trouble.part}{whom}: {trouble.text}. {trouble.step}")
        if not beds:
            # what is remembered is old
            return
    with view.reading() as patients:
        alarms = [event for recent in patients.values() for event in recent.current_alarms()]
    if not alarms:
        if not view.patients():
            st.info("No alarms: no patient is being monitored.")
        elif not down:
            st.success("No alarms at this moment.")
        return
    rank = {"high": 0, "medium": 1, "low": 2}
    for event in sorted(alarms, key=lambda e: (rank[e.priority], e.acknowledged, -e.onset_ns)):
        _row(event)


def _whom(patients: list[str]) -> str:
    """Return the beds that a trouble concerns, in few words where that is everybody's."""
    if 1 < len(patients) == len(live().view.patients()):
        return f"all {len(patients)} patients"
    return ", ".join(plain(bed_of(patient)) for patient in patients)


def _row(event: AlarmEvent) -> None:
    what, since, action = st.columns([3, 4, 2], vertical_alignment="center")
    stars = STARS[event.priority].replace("*", r"\*")
    words = plain(f"{bed_of(event.patient)}: {text_of(event)}")
    what.markdown(f":{COLOURS[event.priority]}-background[**{stars}**]  **{words}**")
    state = "active" if event.holds else "over"
    seen = f"acknowledged by {event.author or 'somebody'}" if event.acknowledged else "not seen yet"
    since.markdown(plain(f"since {clock(event.onset_ns)} · {state}, {seen}"))
    # by the alarm's id, never by its place in the list: the list changes under the hand
    if not event.acknowledged and action.button("Acknowledge", key=f"ack-{event.alarm_id}"):
        try:
            live().actions.acknowledge(event.patient, event.alarm_id, author=who())
        except BrokerError as error:
            st.error(f"Not acknowledged: {error}")


@st.fragment(run_every=HISTORY_REFRESH_S)
def _history() -> None:
    with live().view.reading() as patients:
        events = [event for recent in patients.values() for event in recent.events.after(0)]
    events.sort(key=lambda event: (event.detected_ns, event.sequence), reverse=True)
    if not events:
        st.info("No alarm has been raised in the last 12 hours.")
        return
    st.dataframe(
        [
            {
                "time": clock(event.detected_ns),
                "patient": bed_of(event.patient),
                "priority": f"{STARS[event.priority]} {event.priority}",
                "alarm": text_of(event),
                "event": event.event.replace("_", " "),
                "by": event.author or "",
                "reason": event.reason or "",
            }
            for event in events[:NEWEST]
        ],
        hide_index=True,
        height=300,
    )
    if len(events) > NEWEST:
        st.caption(f"The newest {NEWEST} of {len(events)} events; the strips are of all alarms.")
    raised = {event.alarm_id: event for event in events if event.event == "raised"}
    if not raised:
        return
    chosen = st.selectbox(
        "Strip: the 10 s before",
        list(raised),
        key="strip",  # what is looked at stays when a new alarm comes
        format_func=lambda key: (
            f"{clock(raised[key].detected_ns)} · {bed_of(raised[key].patient)} · "
            f"{STARS[raised[key].priority]} {text_of(raised[key])}"
        ),
    )
    _strip(raised[chosen])


def _strip(event: AlarmEvent) -> None:
    # read once, not with every refresh: it may come from Kafka
    known, strip = st.session_state.get("strip_read", (None, None))
    if known != event.alarm_id:
        try:
            with st.spinner("Reading the waveform back"):
                strip = live().follower.strip(event)
        except (BrokerError, DecodeError) as error:
            st.error(f"The strip cannot be read: {error}")
            return
        st.session_state["strip_read"] = (event.alarm_id, strip)
    if strip is None:
        st.info("The waveform of that time is no longer kept (24 hours by default).")
        return
    title = f"{bed_of(event.patient)} · {text_of(event)} · up to {clock(event.detected_ns)}"
    st.plotly_chart(strip_figure(strip, title=title), theme=None, key=f"strip-{event.alarm_id}")


@st.fragment(run_every=HISTORY_REFRESH_S)
def _trends() -> None:
    view = live().view
    present = view.patients()
    if not present:
        st.info("No patient is being monitored yet.")
        return
    patient = st.selectbox("Patient", present, key="trend_patient", format_func=bed_of)
    hours = st.segmented_control("Hours", [1, 4, 12, 24], default=1) or 1
    with view.reading() as patients:
        recent = patients.get(patient)
        minutes = list(recent.trends) if recent is not None else []
        registry = recent.registry if recent is not None else None
    if not minutes:
        st.info("The first minute of this patient is not complete yet.")
        return
    limits = (registry.limits.hr_low, registry.limits.hr_high) if registry else None
    figure = trend_figure(minutes, hours=hours, now_ns=view.wall_ns(), limits=limits, zone=zone())
    st.plotly_chart(figure, theme=None, key=f"trend-{patient}-{hours}")
