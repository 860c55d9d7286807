"""Times of day as the person at the screen reads them."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def zone() -> tzinfo | None:
    """Return the browser's time zone; None, which is the server's, where it does not say one."""
    name = st.context.timezone
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def clock(ns: int) -> str:
    """Return date and time in the browser's zone; the server's is named, as it may be another."""
    where = zone()
    form = "%Y-%m-%d %H:%M:%S" if where is not None else "%Y-%m-%d %H:%M:%S %Z"
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).astimezone(where).strftime(form)
