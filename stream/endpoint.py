"""A webhook receiver: where it is and what it gets."""

import base64
import binascii
import ipaddress
import secrets as random_secrets
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from ecg.alarm import Priority
from stream.errors import SettingsError
from stream.guard import refusal

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that Standard Webhooks gives every secret
_RANK: dict[Priority, int] = {"low": 0, "medium": 1, "high": 2}


def new_secret() -> str:
    """Return a new signing secret of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One webhook receiver.

    Parameters
    ----------
    name : str
        Small letters, digits and hyphens; it names the consumer group, and so
        what has been delivered. Another name starts anew.
    url : str
        Where to post to, http or https.
    secrets : tuple of str
        ``whsec_`` secrets; every one signs, so that a receiver can change from
        one to the next.
    min_priority : {"high", "medium", "low"}
        The lowest priority that it gets.
    fallback : str or None
        Name of the endpoint that gets a high-priority alarm that this one has
        not taken after 15 s.
    allow_private : bool
        Post to loopback and private addresses too.
    escalations_only : bool
        It gets nothing but what another endpoint's ``fallback`` brings.

    Raises
    ------
    SettingsError
        If the address or a secret cannot be used; secrets are never shown.
    """

    name: str
    url: str
    secrets: tuple[str, ...]
    min_priority: Priority = "low"
    fallback: str | None = None
    allow_private: bool = False
    escalations_only: bool = False

    def __post_init__(self) -> None:
        """Check address and secrets before the first alarm needs them."""
        parts = _parsed(self.url)
        if parts is None:
            raise SettingsError(
                f"endpoint {self.name} needs an http:// or https:// address, got {self.url!r}"
            )
        if parts.userinfo:
            raise SettingsError(
                f"the address of endpoint {self.name} holds a user or password; leave it out, "
                "the receiver knows us by the signature"
            )
        try:
            address = ipaddress.ip_address(parts.host)
        except ValueError:
            pass  # a name; its addresses are checked at every connect
        else:
            why = refusal(address, allow_private=self.allow_private)
            if why is not None:
                raise SettingsError(f"endpoint {self.name} cannot be at {address}: {why}")
        if not self.secrets:
            raise SettingsError(f"endpoint {self.name} needs at least one signing secret")
        for secret in self.secrets:
            _check(secret, self.name)

    def wants(self, priority: Priority) -> bool:
        """Tell whether alarms of this priority go there."""
        return _RANK[priority] >= _RANK[self.min_priority]


def _parsed(url: str) -> httpx.URL | None:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    return parts if parts.scheme in ("http", "https") and parts.host else None


def secret_problem(secret: str) -> str | None:
    """Return why a signing secret cannot be used, without showing it; None if it can.

    Examples
    --------
    >>> secret_problem(new_secret())
    >>> secret_problem("whsec_c2hvcnQ=")
    'it has 5 bytes'
    """
    text = secret.removeprefix(SECRET_PREFIX)
    try:
        length = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return "it is not base64"
    if text == secret:
        return f"it does not start with {SECRET_PREFIX}"
    return None if 24 <= length <= 64 else f"it has {length} bytes"


def _check(secret: str, name: str) -> None:
    problem = secret_problem(secret)
    if problem is not None:
        raise SettingsError(
            f"a secret of endpoint {name} is not {SECRET_PREFIX} followed by the base64 of 24 to "
            f"64 bytes: {problem}"
        )


def check_endpoints(endpoints: Sequence[Endpoint]) -> dict[str, Endpoint]:
    """Return the endpoints by name.

    Raises
    ------
    SettingsError
        If there are none, a name stands for two, or a fallback is not there.
    """
    if not endpoints:
        raise SettingsError("no webhook endpoint is set, so there is nothing to deliver to")
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    if len(by_name) < len(endpoints):
        names = ", ".join(endpoint.name for endpoint in endpoints)
        raise SettingsError(f"every endpoint needs a name of its own, got {names}")
    for endpoint in endpoints:
        if endpoint.fallback is None:
            continue
        if endpoint.fallback not in by_name or endpoint.fallback == endpoint.name:
            raise SettingsError(
                f"the fallback of endpoint {endpoint.name} must be another endpoint, "
                f"got {endpoint.fallback!r}"
            )
    return by_name
