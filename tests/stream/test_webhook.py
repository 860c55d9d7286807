from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from standardwebhooks import Webhook

from stream.endpoint import Endpoint, new_secret
from stream.webhook import Answer, Poster, judge
from tests.stream.alarms import body

SECRETS = (new_secret(), new_secret())
NOW_NS = 1_800_000_000_500_000_000


def poster(handler: object) -> Poster:
    return Poster(
        Endpoint(name="e1", url="https://alerts.example/in?bed=1", secrets=SECRETS),
        transport=httpx.MockTransport(handler),  # type: ignore[arg-type]  # each test gives one
    )


def test_same_bytes_are_posted_with_the_same_id_on_every_attempt() -> None:
    requests: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(500 if len(requests) == 1 else 200)

    e1 = poster(take)
    assert e1.post("a1.1", body(), now_ns=NOW_NS).result == "failed"
    later = e1.post("a1.1", body(), now_ns=NOW_NS + 10**9, late=True, escalated_from="main")
    assert later.result == "delivered"
    first, second = requests
    assert first.content == second.content == body()
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "a1.1"
    assert first.headers["webhook-timestamp"] == "1800000000"
    assert second.headers["webhook-timestamp"] == "1800000001"
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert "rhythmwatch-late" not in first.headers
    assert second.headers["rhythmwatch-late"] == "true"
    assert second.headers["rhythmwatch-escalated-from"] == "main"


def test_every_secret_signs() -> None:
    requests: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    poster(take).post("a1.1", body(), now_ns=NOW_NS)
    signatures = requests[0].headers["webhook-signature"].split(" ")
    at = datetime.fromtimestamp(NOW_NS // 10**9, tz=UTC)
    assert signatures == [Webhook(s).sign("a1.1", at, body().decode()) for s in SECRETS]


def test_cookies_are_not_kept() -> None:
    cookies: list[str | None] = []

    def take(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers.get("cookie"))
        return httpx.Response(204, headers={"set-cookie": f"visit{len(cookies)}=x; Path=/"})

    e1 = poster(take)
    for sequence in range(3):
        assert e1.post(f"a1.{sequence}", body(), now_ns=NOW_NS).result == "delivered"
    assert cookies == [None, None, None]


def test_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://169.254.169.254/"})

    answer = poster(redirect).post("a1.1", body(), now_ns=NOW_NS)
    assert (answer.result, answer.detail) == ("failed", "status 307")
    assert asked == ["https://alerts.example/in?bed=1"]


@pytest.mark.parametrize(
    "error", [httpx.ConnectTimeout("slow"), httpx.ReadError("cut"), httpx.RemoteProtocolError("x")]
)
def test_attempt_fails_when_there_is_no_answer(error: httpx.HTTPError) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise error

    answer = poster(broken).post("a1.1", body(), now_ns=NOW_NS)
    assert answer.result == "failed"
    assert type(error).__name__ in answer.detail


def test_answer_stands_when_the_body_after_it_breaks_off() -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"o"
            raise httpx.ReadError("cut")

    answer = poster(lambda request: httpx.Response(200, stream=Broken())).post(
        "a1.1", body(), now_ns=NOW_NS
    )
    assert answer.result == "delivered"


def test_body_that_is_not_text_is_refused_without_a_request() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("must not be asked")

    assert poster(never).post("a1.1", b"\xff\xfe", now_ns=NOW_NS).result == "refused"


@pytest.mark.parametrize("event_id", ["ä.1", "a1\n.1", "a 1.1", "\x7f", ""])
def test_id_that_no_header_can_hold_is_refused_without_a_request(event_id: str) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError("must not be asked")

    assert poster(never).post(event_id, body(), now_ns=NOW_NS).result == "refused"


@pytest.mark.parametrize(
    ("retry_after", "expected_s"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("999999", 3600.0),
        (format_datetime(datetime.fromtimestamp(NOW_NS // 10**9 + 60, tz=UTC), usegmt=True), 59.5),
        (format_datetime(datetime.fromtimestamp(0, tz=UTC), usegmt=True), 0.0),
        ("soon", None),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("-5", None),
        ("1e9", None),
    ],
)
def test_receiver_says_when_to_come_again(retry_after: str, expected_s: float | None) -> None:
    answer = judge(503, httpx.Headers({"retry-after": retry_after}), now_ns=NOW_NS)
    assert answer == Answer(result="failed", detail="status 503", retry_after_s=expected_s)
