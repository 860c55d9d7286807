"""A small webhook receiver that verifies what it gets: for the demo, and to try things out."""

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from standardwebhooks import Webhook, WebhookVerificationError

from stream.errors import DecodeError, SettingsError
from stream.messages import AlarmMessage
from stream.webhook import ESCALATED_HEADER, LATE_HEADER
from stream.wire import decode

logger = logging.getLogger(__name__)

_MAX_BODY = 64 * 1024
_SOCKET_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request, and what the verifier said of it."""

    webhook_id: str | None
    verified: bool
    repeat: bool
    """This id has been verified before."""
    late: bool
    escalated_from: str | None
    alarm: AlarmMessage | None
    """What it says; None when it is not verified or not an alarm."""
    problem: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        if self.alarm is None:
            return f"webhook REFUSED: {self.webhook_id or 'without an id'}: {self.problem}"
        event = self.alarm.data
        said = f"webhook verified: {self.webhook_id}: {event.patient} {event.text} ({event.event})"
        how = [word for word, true in (("repeated", self.repeat), ("late", self.late)) if true]
        if event.late_s is not None:
            how.append(f"told {event.late_s:.0f} s after the fact")
        return f"{said} [{', '.join(how)}]" if how else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Unique events by webhook-id; ``failed`` are those that no request of theirs verified."""

    delivered: int
    verified: int
    failed: int


class Receiver:
    """Answers 204 to a verified alarm, 401 to a signature that does not fit, 400 to no alarm.

    Parameters
    ----------
    secrets : sequence of str
        ``whsec_`` secrets; one that fits is enough.
    on_received : callable, optional
        Told of every request, from the server's threads.
    host : str
        Address to bind; only this machine reaches the default.
    port : int
        Port to bind; 0 for a free one.

    Raises
    ------
    SettingsError
        If there is no secret, or the address cannot be bound.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        on_received: Callable[[Received], None] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if not secrets:
            raise SettingsError("a webhook receiver needs the signing secret of its sender")
        self._verifiers = [Webhook(secret) for secret in secrets]
        self._on_received = on_received
        self._lock = threading.Lock()
        self._verified: set[str] = set()
        self._failed: set[str] = set()
        self._nameless = 0
        try:
            self._server = _Server((host, port), _handler(self.receive))
        except OSError as error:
            raise SettingsError(
                f"a webhook receiver cannot listen on {host}:{port}: {error}"
            ) from error
        self.port = int(self._server.server_address[1])
        self.url = f"http://{host}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True
        )
        self._thread.start()

    def counts(self) -> Counts:
        """Return how many events came, and how many of them were verified."""
        with self._lock:
            failed = len(self._failed - self._verified) + self._nameless
            return Counts(
                delivered=len(self._verified | self._failed) + self._nameless,
                verified=len(self._verified),
                failed=failed,
            )

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Judge one request and return the status that answers it."""
        named = {name.lower(): value for name, value in headers.items()}
        webhook_id = named.get("webhook-id")
        problem = self._problem(body, named)
        alarm: AlarmMessage | None = None
        status = 401
        if problem is None:
            try:
                alarm = decode(body, AlarmMessage)
                status = 204
                if alarm.id != webhook_id:
                    problem, status = f"the event's id is {alarm.id}, not the webhook's", 400
            except DecodeError as error:
                problem, status = str(error), 400
        verified = status == 204
        with self._lock:
            repeat = webhook_id in self._verified
            if webhook_id is None:
                self._nameless += 1
            elif verified:
                self._verified.add(webhook_id)
            else:
                self._failed.add(webhook_id)
        if self._on_received is not None:
            self._on_received(
                Received(
                    webhook_id=webhook_id,
                    verified=verified,
                    repeat=repeat,
                    late=named.get(LATE_HEADER) == "true",
                    escalated_from=named.get(ESCALATED_HEADER),
                    alarm=alarm if verified else None,
                    problem=problem,
                )
            )
        return status

    def _problem(self, body: bytes, headers: dict[str, str]) -> str | None:
        problem = "no secret"
        for verifier in self._verifiers:
            try:
                verifier.verify(body, headers, json_parse=False)
            # what is not base64, UTF-8 or "version,signature" surfaces as ValueError
            except (WebhookVerificationError, ValueError) as error:
                problem = str(error)
            else:
                return None
        return problem

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.close()


def run_receiver(
    *,
    secrets: Sequence[str],
    stop: threading.Event,
    on_received: Callable[[Received], None] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Counts:
    """Receive and verify webhooks until ``stop`` is set; returns what came.

    Raises
    ------
    SettingsError
        If there is no secret, or the address cannot be bound.
    """
    with Receiver(secrets, on_received=on_received, host=host, port=port) as receiver:
        logger.info("receiving webhooks at %s", receiver.url)
        stop.wait()
        return receiver.counts()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a connection that broke off: a sender that gives up is no error of ours."""
        error = sys.exception()
        level = logging.INFO if isinstance(error, OSError) else logging.ERROR
        logger.log(level, "connection from %s ended with %r", client_address, error)


def _handler(
    receive: Callable[[Mapping[str, str], bytes], int],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SOCKET_S

        def do_POST(self) -> None:
            try:
                length = int(self.headers.get("content-length", ""))
            except ValueError:
                length = -1
            if not 0 <= length <= _MAX_BODY:
                self._answer(413 if length > _MAX_BODY else 411)
                return
            body = self.rfile.read(length)
            if len(body) < length:  # the sender is gone: nothing was delivered, and nothing refused
                raise ConnectionAbortedError(f"{len(body)} of {length} bytes came")
            self._answer(receive(dict(self.headers.items()), body))

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            logger.debug(format, *args)

    return Handler
