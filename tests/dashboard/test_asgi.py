"""The web application: names it answers to, files and health it serves."""

import asyncio
import json
from typing import Any
from unittest import mock

import pytest
from starlette.types import ASGIApp

from dashboard.access import Gate
from dashboard.asgi import ASSETS, OnlyOurNames, make_app
from dashboard.live import Live
from dashboard.sockets import REFUSED
from stream.actions import Actions
from stream.view import Follower, View
from tests.dashboard.synthetic import Clocks, hear, new_view, ramp, waveform


def ask(
    app: ASGIApp, path: str = "/", *, host: str = "localhost:8501", kind: str = "http"
) -> tuple[list[dict[str, Any]], bytes]:
    """Return what the application sends to a request, and its body."""
    sent: list[dict[str, Any]] = []
    asked: list[dict[str, str]] = []
    first = {"type": "http.request"} if kind == "http" else {"type": "websocket.connect"}
    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", host.encode())],
    }

    async def receive() -> dict[str, Any]:
        if not asked:
            asked.append(first)
            return first
        # the browser stays
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    async def serve() -> None:
        await asyncio.wait_for(app(scope, receive, send), timeout=20)

    asyncio.run(serve())
    return sent, b"".join(message.get("body", b"") for message in sent)


def test_only_our_names_are_answered() -> None:
    inner = mock.AsyncMock()
    guarded = OnlyOurNames(inner, Gate(["localhost", "monitor.ward"]))
    for host in ("localhost:8501", "monitor.ward"):
        ask(guarded, host=host)
    assert inner.await_count == 2
    for host in ("rebound.example", "rebound.example:8501", ""):
        sent, body = ask(guarded, host=host)
        assert sent[0]["status"] == 421
        assert b"RHYTHMWATCH_DASHBOARD_NAMES" in body
    sent, _ = ask(guarded, host="rebound.example", kind="websocket")
    assert [(m["type"], m["code"]) for m in sent] == [("websocket.close", REFUSED)]
    assert inner.await_count == 2


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def view(clocks: Clocks) -> View:
    view = new_view(clocks)
    hear(view, waveform(0, ramp(0, 100)))
    return view


@pytest.fixture
def routes(view: View) -> dict[str, ASGIApp]:
    """Return our own routes by path."""
    live = Live(view, Follower(view), mock.Mock(spec=Actions), Gate(["localhost"]))
    with mock.patch("streamlit.App") as app:
        make_app(live)
    found: dict[str, ASGIApp] = {}
    for route in app.call_args.kwargs["routes"]:
        found[route.path] = route
    return found


def test_health_says_what_is_down(routes: dict[str, ASGIApp], view: View, clocks: Clocks) -> None:
    sent, body = ask(routes["/ecg/health"], "/ecg/health")
    assert sent[0]["status"] == 200
    assert json.loads(body) == {"patients": 1, "down": []}
    for _ in range(4):
        clocks.s += 1
        view.broker_answered()
    sent, body = ask(routes["/ecg/health"], "/ecg/health")
    assert sent[0]["status"] == 503
    assert json.loads(body) == {"patients": 1, "down": ["alarm", "score"]}
    clocks.s += 60
    sent, body = ask(routes["/ecg/health"], "/ecg/health")
    assert sent[0]["status"] == 503
    assert json.loads(body) == {"patients": 1, "down": ["broker"]}


def test_central_station_has_a_name_to_keep(routes: dict[str, ASGIApp]) -> None:
    sent, _ = ask(routes["/central"], "/central")
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"location"]) == (307, b"/")


def test_browsers_ask_for_the_component_each_time(routes: dict[str, ASGIApp]) -> None:
    mount: Any = routes[ASSETS]
    sent, body = ask(mount.app, "/main.js")
    headers = dict(sent[0]["headers"])
    assert headers[b"cache-control"] == b"no-cache"
    assert b"etag" in headers
    assert b"export default function mount" in body
