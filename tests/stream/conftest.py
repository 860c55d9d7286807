"""What tests of the rooms of stream have in common."""

import pytest

from stream import archive_store


@pytest.fixture
def short_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a record be ten seconds."""
    monkeypatch.setattr(archive_store, "RECORD_S", 10.0)
