"""Numbers for Prometheus: what is said where they cannot be served."""

import socket

import pytest

from stream import metrics
from stream.errors import SettingsError


def test_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}: Address already in use"):
            metrics.serve(port)
