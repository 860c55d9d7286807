"""Who may open the live socket: the page itself, with a token that is a minute old at most."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

TOKEN_S = 60
"""A token opens a socket for this long; an open socket is sent a new one before it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What a token says: who is at the screen, and whose ECG it shows (None: everybody's)."""

    author: str
    patient: str | None


class Gate:
    """Writes and checks tokens; its key is made anew for each process.

    Parameters
    ----------
    hosts : iterable of str
        Names, without port, under which the dashboard may be reached. A page of
        another name cannot open the socket, also not by pointing its name here.

    Examples
    --------
    >>> gate = Gate(["localhost"])
    >>> gate.admit(gate.token(Pass(author="nurse", patient="p208"))).author
    'nurse'
    >>> gate.same_origin(origin="http://localhost:8501", host="localhost:8501")
    True
    >>> gate.same_origin(origin="http://elsewhere.example", host="localhost:8501")
    False
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._signer = URLSafeTimedSerializer(secrets.token_bytes(32), salt="ecg-socket")

    def token(self, entry: Pass) -> str:
        """Return a signed token that is good for ``TOKEN_S`` seconds."""
        token = self._signer.dumps([entry.author, entry.patient])
        return token if isinstance(token, str) else token.decode()

    def admit(self, token: str) -> Pass | None:
        """Return what the token says; None if it is not ours or too old."""
        try:
            author, patient = self._signer.loads(token, max_age=TOKEN_S)
        except BadSignature:
            return None
        return Pass(author=author, patient=patient)

    def knows(self, host: str | None) -> bool:
        """Return whether a request's ``Host`` is one of our names.

        Examples
        --------
        >>> gate = Gate(["Ward3.Example", "::1"])
        >>> [gate.knows(host) for host in ("ward3.example:8501", "[::1]:80", "rebound.test", None)]
        [True, True, False, False]
        """
        try:
            return bool(host) and urlsplit(f"//{host}").hostname in self._hosts
        except ValueError:
            return False

    def same_origin(self, *, origin: str | None, host: str | None) -> bool:
        """Return whether a browser asks from a page that came from here.

        A browser always sends ``Origin`` with a WebSocket handshake; whoever
        does not is no browser and needs the token all the same.
        """
        if not self.knows(host):
            return False
        return origin is None or urlsplit(origin).netloc == host
