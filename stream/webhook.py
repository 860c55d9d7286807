"""One attempt to deliver one event: sign, post, judge the answer."""

import contextlib
import email.utils
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal

import httpcore
import httpx
from standardwebhooks import Webhook

from stream.endpoint import Endpoint
from stream.errors import DeliveryError
from stream.guard import GuardedTransport

CONNECT_S = 2.0
WHOLE_S = 5.0
"""Time to connect, and for the whole exchange: a receiver that takes longer than a person needs
to notice is asked again."""

LATE_HEADER = "rhythmwatch-late"
ESCALATED_HEADER = "rhythmwatch-escalated-from"

_DRAINED_BYTES = 4096
_LONGEST_RETRY_AFTER_S = 3600.0

_HEADER_VALUE = re.compile(r"[!-~]+")
"""What an id has to be to go into a header as it is: ASCII that can be seen."""

_UNANSWERED = (
    DeliveryError,
    httpx.HTTPError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
)
"""All that can happen instead of an answer."""

Result = Literal["delivered", "failed", "refused", "gone"]
"""``failed``: again later; ``refused``: never this event; ``gone``: never anything there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one attempt."""

    result: Result
    detail: str
    """The status or error, for logs and dead letters."""
    retry_after_s: float | None = None
    """How long the receiver asks to be left alone, in s."""


def signed_headers(
    event_id: str, body: bytes, *, secrets: tuple[str, ...], now_ns: int
) -> dict[str, str]:
    """Return the Standard Webhooks headers of an event.

    Parameters
    ----------
    event_id : str
        The id, the same on every retry.
    body : bytes
        The bytes that are posted; UTF-8.
    secrets : tuple of str
        Each gives one signature.
    now_ns : int
        Time of this attempt, in ns UTC.
    """
    at = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    text = body.decode()
    signatures = [Webhook(secret).sign(event_id, at, text) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


class Poster:
    """Posts events to one endpoint; may be called from several threads.

    Parameters
    ----------
    endpoint : Endpoint
        Where to.
    transport : httpx.BaseTransport, optional
        The way out; the guarded one unless a test gives another.
    """

    def __init__(self, endpoint: Endpoint, *, transport: httpx.BaseTransport | None = None) -> None:
        self.endpoint = endpoint
        self._client = httpx.Client(
            transport=transport
            or GuardedTransport(
                allow_private=endpoint.allow_private, connect_s=CONNECT_S, whole_s=WHOLE_S
            ),
            timeout=httpx.Timeout(WHOLE_S, connect=CONNECT_S),
            follow_redirects=False,
            trust_env=False,
            # a receiver's cookies are not ours to keep: they would only grow from post to post
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"user-agent": "RhythmWatch", "content-type": "application/cloudevents+json"},
        )

    def post(
        self,
        event_id: str,
        body: bytes,
        *,
        now_ns: int,
        late: bool = False,
        escalated_from: str | None = None,
    ) -> Answer:
        """Post one event and say what came of it; never raises for what the receiver does."""
        if _HEADER_VALUE.fullmatch(event_id) is None:
            return Answer(result="refused", detail="the event's id cannot stand in a header")
        try:
            headers = signed_headers(event_id, body, secrets=self.endpoint.secrets, now_ns=now_ns)
        except UnicodeDecodeError as error:
            return Answer(result="refused", detail=f"body is not UTF-8: {error}")
        if late:
            headers[LATE_HEADER] = "true"
        if escalated_from is not None:
            headers[ESCALATED_HEADER] = escalated_from
        try:
            with self._client.stream(
                "POST", self.endpoint.url, content=body, headers=headers
            ) as response:
                answer = judge(response.status_code, response.headers, now_ns=now_ns)
                _drain(response)
        except _UNANSWERED as error:
            return Answer(result="failed", detail=_told(error))
        return answer

    def close(self) -> None:
        """Close what is open."""
        self._client.close()


def judge(status: int, headers: httpx.Headers, *, now_ns: int) -> Answer:
    """Return what a status means: only 2xx is success, and most of 4xx is final.

    Examples
    --------
    >>> judge(204, httpx.Headers(), now_ns=0).result
    'delivered'
    >>> judge(503, httpx.Headers({"retry-after": "7"}), now_ns=0)
    Answer(result='failed', detail='status 503', retry_after_s=7.0)
    >>> [judge(s, httpx.Headers(), now_ns=0).result for s in (302, 408, 429, 404, 410)]
    ['failed', 'failed', 'failed', 'refused', 'gone']
    """
    detail = f"status {status}"
    if 200 <= status < 300:
        return Answer(result="delivered", detail=detail)
    if status == 410:
        return Answer(result="gone", detail=detail)
    if 400 <= status < 500 and status not in (408, 429):
        return Answer(result="refused", detail=detail)
    after_s = _retry_after_s(headers.get("retry-after"), now_s=now_ns / 1e9)
    return Answer(result="failed", detail=detail, retry_after_s=after_s)


def _retry_after_s(text: str | None, *, now_s: float) -> float | None:
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER_S)
    try:
        at_s = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at_s - now_s, 0.0), _LONGEST_RETRY_AFTER_S)


def _drain(response: httpx.Response) -> None:
    """Read a short answer to its end: to close before it would look like a broken connection."""
    if response.is_stream_consumed:
        return
    got = 0
    with contextlib.suppress(*_UNANSWERED):  # the status has come; what follows changes nothing
        for piece in response.iter_raw():
            got += len(piece)
            if got >= _DRAINED_BYTES:
                return


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
