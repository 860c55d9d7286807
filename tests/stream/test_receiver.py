import http.client
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from stream.endpoint import Endpoint, new_secret
from stream.errors import SettingsError
from stream.receiver import Counts, Received, Receiver
from stream.webhook import Poster, signed_headers
from tests.stream.alarms import body

SECRET = new_secret()


@pytest.fixture
def seen() -> list[Received]:
    return []


@pytest.fixture
def receiver(seen: list[Received]) -> Iterator[Receiver]:
    with Receiver([SECRET], on_received=seen.append) as receiver:
        yield receiver


def poster(receiver: Receiver, *secrets: str) -> Poster:
    return Poster(
        Endpoint(name="test", url=receiver.url, secrets=secrets or (SECRET,), allow_private=True)
    )


def test_alarm_is_verified_when_posted_by_us(receiver: Receiver, seen: list[Received]) -> None:
    answer = poster(receiver).post("a1.1", body(), now_ns=time.time_ns(), late=True)
    assert answer.result == "delivered"
    assert receiver.counts() == Counts(delivered=1, verified=1, failed=0)
    (received,) = seen
    assert (received.webhook_id, received.verified, received.late) == ("a1.1", True, True)
    assert received.alarm is not None
    assert received.alarm.data.text == "VT 180 > 100 — 5 V"


def test_repeat_counts_once_and_is_told(receiver: Receiver, seen: list[Received]) -> None:
    for _ in range(3):
        poster(receiver).post("a1.1", body(), now_ns=time.time_ns())
    assert receiver.counts() == Counts(delivered=1, verified=1, failed=0)
    assert [received.repeat for received in seen] == [False, True, True]


def test_alarm_is_verified_while_the_secret_rotates(receiver: Receiver) -> None:
    answer = poster(receiver, new_secret(), SECRET).post("a1.1", body(), now_ns=time.time_ns())
    assert answer.result == "delivered"


def test_alarm_is_refused_when_signed_with_another_secret(
    receiver: Receiver, seen: list[Received]
) -> None:
    answer = poster(receiver, new_secret()).post("a1.1", body(), now_ns=time.time_ns())
    assert (answer.result, answer.detail) == ("refused", "status 401")
    assert receiver.counts() == Counts(delivered=1, verified=0, failed=1)
    assert seen[0].alarm is None


def test_failed_event_counts_as_verified_when_a_retry_is(receiver: Receiver) -> None:
    poster(receiver, new_secret()).post("a1.1", body(), now_ns=time.time_ns())
    poster(receiver).post("a1.1", body(), now_ns=time.time_ns())
    assert receiver.counts() == Counts(delivered=1, verified=1, failed=0)


def test_alarm_is_refused_when_its_timestamp_is_old(receiver: Receiver) -> None:
    answer = poster(receiver).post("a1.1", body(), now_ns=time.time_ns() - 600 * 10**9)
    assert answer.detail == "status 401"


def test_body_is_refused_when_changed_on_the_way(receiver: Receiver) -> None:
    headers = signed_headers("a1.1", body(), secrets=(SECRET,), now_ns=time.time_ns())
    changed = body().replace(b"180", b"100")
    assert httpx.post(receiver.url, content=changed, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"webhook-signature": "nonsense"}, 401),
        ({"webhook-signature": "v1,###"}, 401),
        ({"webhook-timestamp": "yesterday"}, 401),
        ({"webhook-id": ""}, 401),
    ],
)
def test_request_is_refused_when_a_header_is_nonsense(
    receiver: Receiver, changes: dict[str, str], status: int
) -> None:
    headers = signed_headers("a1.1", body(), secrets=(SECRET,), now_ns=time.time_ns()) | changes
    assert httpx.post(receiver.url, content=body(), headers=headers).status_code == status
    assert receiver.counts().verified == 0


@pytest.mark.parametrize(("length", "status"), [("-1", 411), ("x", 411), ("10000000", 413)])
def test_request_is_refused_unread_when_its_length_is_impossible(
    receiver: Receiver, length: str, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=5)
    connection.putrequest("POST", "/")
    connection.putheader("content-length", length)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_request_that_breaks_off_is_nobodys_alarm(receiver: Receiver, seen: list[Received]) -> None:
    url = httpx.URL(receiver.url)
    with socket.create_connection((url.host, url.port), timeout=10) as sender:
        sender.sendall(b"POST / HTTP/1.1\r\ncontent-length: 100\r\nwebhook-id: a1.1\r\n\r\n{")
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(100) == b""
    assert receiver.counts() == Counts(delivered=0, verified=0, failed=0)
    assert seen == []


def test_signed_body_is_refused_when_it_is_no_alarm(
    receiver: Receiver, seen: list[Received]
) -> None:
    answer = poster(receiver).post("a1.1", b'{"hello": 1}', now_ns=time.time_ns())
    assert answer.detail == "status 400"
    assert receiver.counts() == Counts(delivered=1, verified=0, failed=1)
    assert seen[0].problem is not None


def test_receiver_says_so_when_the_port_is_taken(receiver: Receiver) -> None:
    with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{receiver.port}"):
        Receiver([SECRET], port=receiver.port)
