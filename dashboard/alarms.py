"""Alarms and trends of all patients: what was, beside what is."""

import streamlit as st


def page() -> None:
    """Show the history."""
    st.write("soon")
