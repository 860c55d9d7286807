"""The live socket: who gets in, what comes back."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from starlette.websockets import WebSocket

from dashboard.access import TOKEN_S, Gate, Pass
from dashboard.feed import Feed
from dashboard.sockets import EXPIRED, FAILED, REFUSED, LiveSocket
from stream.actions import Actions, BrokerError
from tests.dashboard.synthetic import Clocks, hear, new_view, ramp, waveform

HERE = "dashboard.test:8501"


@pytest.fixture
def gate() -> Gate:
    return Gate(["dashboard.test"])


@pytest.fixture
def actions() -> mock.Mock:
    return mock.Mock(spec=Actions)


def token_of(gate: Gate, patient: str | None = "p1") -> str:
    return gate.token(Pass(author="nurse", patient=patient))


def talk(
    gate: Gate,
    actions: Actions,
    asks: Sequence[object] = (),
    *,
    token: str,
    origin: str | None = f"http://{HERE}",
    host: str = HERE,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Open the socket as a browser does, ask, and leave when every ask has its reply.

    Returns the replies and everything that the server sent.
    """
    view = new_view(Clocks())
    hear(view, waveform(0, ramp(0, 100)))
    sent: list[dict[str, Any]] = []
    replies: list[dict[str, Any]] = []
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    scope = {
        "type": "websocket",
        "path": "/ecg/ws",
        "headers": headers,
        "query_string": f"token={quote(token)}".encode(),
        "extensions": {},
    }

    async def serve() -> None:
        news = asyncio.Event()
        waiting: list[dict[str, Any]] = [{"type": "websocket.connect"}]
        waiting += [{"type": "websocket.receive", "text": json.dumps(ask)} for ask in asks]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop(0)
            # leave when all is answered and the first news are here
            while len(replies) < len(asks) or not any(message.get("bytes") for message in sent):
                news.clear()
                await news.wait()
            return {"type": "websocket.disconnect", "code": 1001}

        async def send(message: Any) -> None:
            sent.append(message)
            for said in json.loads(message.get("text") or "[]"):
                if said["type"] == "reply":
                    replies.append(said)
            news.set()

        socket = WebSocket(scope, receive, send)
        await asyncio.wait_for(LiveSocket(view, actions, gate).serve(socket), timeout=20)

    asyncio.run(serve())
    return replies, sent


def closed(sent: list[dict[str, Any]]) -> int | None:
    """Return the code with which the server closed the socket."""
    return next((m["code"] for m in sent if m["type"] == "websocket.close"), None)


def test_news_come_after_the_handshake(gate: Gate, actions: mock.Mock) -> None:
    _, sent = talk(gate, actions, token=token_of(gate))
    assert [message["type"] for message in sent[:4]] == ["websocket.accept"] + [
        "websocket.send"
    ] * 3
    assert json.loads(sent[1]["text"]) == [{"type": "begun", "sent_s": 1000.0}]
    assert {said["type"] for said in json.loads(sent[2]["text"])} == {"stream", "state"}
    assert sent[3]["bytes"][0] == 1


def test_acknowledgement_is_written_with_its_author(gate: Gate, actions: mock.Mock) -> None:
    ask = {"type": "acknowledge", "patient": "p1", "alarm_id": "vt-1"}
    replies, _ = talk(gate, actions, [ask], token=token_of(gate))
    assert replies == [{"type": "reply", "ok": True, "patient": "p1", "alarm_id": "vt-1"}]
    actions.acknowledge.assert_called_once_with("p1", "vt-1", author="nurse")


def test_central_station_may_act_for_everybody(gate: Gate, actions: mock.Mock) -> None:
    ask = {"type": "silence", "patient": "p7", "seconds": 120}
    replies, _ = talk(gate, actions, [ask], token=token_of(gate, None))
    assert replies[0]["ok"]
    actions.silence.assert_called_once_with("p7", seconds=120, author="nurse")


def test_socket_whose_sending_fails_is_closed_with_its_reason_in_the_log(
    gate: Gate, actions: mock.Mock, caplog: pytest.LogCaptureFixture
) -> None:
    with mock.patch.object(Feed, "tick", side_effect=ArithmeticError("a bug")):
        _, sent = talk(gate, actions, token=token_of(gate))
    assert closed(sent) == FAILED
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        ({"type": "acknowledge", "patient": "p2", "alarm_id": "x"}, "this screen shows p1, not p2"),
        ({"type": "acknowledge", "patient": "p1"}, "acknowledge needs alarm_id"),
        ({"type": "open", "patient": "p1"}, "acknowledge needs alarm_id, silence needs seconds"),
        ({"patient": "p1"}, "type"),
        ([], "Expected `object`"),
    ],
)
def test_wrong_ask_is_refused_in_words_and_the_socket_stays(
    gate: Gate, actions: mock.Mock, ask: object, words: str
) -> None:
    right = {"type": "silence", "patient": "p1", "seconds": 120}
    replies, _ = talk(gate, actions, [ask, right], token=token_of(gate))
    assert [reply["ok"] for reply in replies] == [False, True]
    assert words in replies[0]["text"]
    actions.acknowledge.assert_not_called()


def test_action_that_the_broker_does_not_take_is_said(gate: Gate, actions: mock.Mock) -> None:
    actions.acknowledge.side_effect = BrokerError("the broker is away")
    ask = {"type": "acknowledge", "patient": "p1", "alarm_id": "vt-1"}
    replies, _ = talk(gate, actions, [ask], token=token_of(gate))
    assert not replies[0]["ok"]
    assert replies[0]["text"] == "the broker is away"


@pytest.mark.parametrize("token", ["", "forged", "WyJ4IiwgbnVsbF0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb"])
def test_socket_without_our_token_is_closed(gate: Gate, actions: mock.Mock, token: str) -> None:
    _, sent = talk(gate, actions, token=token)
    assert closed(sent) == EXPIRED
    assert not any(message["type"] == "websocket.send" for message in sent)


def test_token_is_good_for_a_minute(gate: Gate) -> None:
    token = token_of(gate)
    assert gate.admit(token) == Pass(author="nurse", patient="p1")
    now = time.time()
    with mock.patch("time.time", return_value=now + TOKEN_S + 2):
        assert gate.admit(token) is None


def test_token_of_another_process_is_not_good(gate: Gate) -> None:
    assert Gate(["dashboard.test"]).admit(token_of(gate)) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://elsewhere.example", HERE),
        ("http://dashboard.test:9999", HERE),
        # another site's name pointed at our address
        ("http://rebound.example", "rebound.example"),
    ],
)
def test_socket_from_another_page_is_refused(
    gate: Gate, actions: mock.Mock, origin: str, host: str
) -> None:
    _, sent = talk(gate, actions, token=token_of(gate), origin=origin, host=host)
    assert closed(sent) == REFUSED
    assert sent[0]["type"] == "websocket.close"
