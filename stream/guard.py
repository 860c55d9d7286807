"""Keep webhooks away from addresses that they must not reach.

Whoever may set a webhook's address could make this process ask the machine's
own services or a cloud's metadata service for them. So each name is looked up
here, each address it has is judged, and the connection goes to the very
address that was judged: a name that changes between look-up and connect, or
points inside, gains nothing. Proxies of the environment are not used.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx

from stream.errors import DeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds keep credentials for any process that asks; some look private, one looks public."""

_INSIDE = tuple(
    ipaddress.ip_network(text) for text in ("100.64.0.0/10", "fec0::/10", "64:ff9b:1::/48")
)
"""What leads inside though it does not count as private: addresses that a provider's customers
share, site-local ones of old, and a network's own translation to IPv4."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def refusal(address: Address, *, allow_private: bool) -> str | None:
    """Return why no webhook may go to ``address``; None if it may.

    Examples
    --------
    >>> refusal(ipaddress.ip_address("93.184.216.34"), allow_private=False)
    >>> refusal(ipaddress.ip_address("127.0.0.1"), allow_private=True)
    >>> refusal(ipaddress.ip_address("127.0.0.1"), allow_private=False)
    'private or loopback address; allow_private of the endpoint permits it'
    >>> refusal(ipaddress.ip_address("169.254.169.254"), allow_private=True)
    'link-local or metadata address, never permitted'
    """
    inner = _inner(address)
    if inner is not None:
        return refusal(inner, allow_private=allow_private)
    if address in _METADATA or address.is_link_local:
        return "link-local or metadata address, never permitted"
    if address.is_multicast or address.is_unspecified:
        return "not the address of one machine, never permitted"
    inside = any(address in network for network in _INSIDE)
    if address.is_global and not inside:
        return None
    inside |= address.is_loopback or (address.is_private and not address.is_reserved)
    if not inside:
        return "reserved address, never permitted"
    if not allow_private:
        return "private or loopback address; allow_private of the endpoint permits it"
    return None


def _inner(address: Address) -> Address | None:
    """Return the IPv4 address to which an IPv6 address is translated on its way."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])


Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of ``host`` in the system's order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedTransport(httpx.BaseTransport):
    """The way out for webhooks: permitted addresses only, and one deadline for a whole exchange.

    Parameters
    ----------
    allow_private : bool
        Permit loopback and private addresses.
    connect_s : float
        Time to reach one address, in s.
    whole_s : float
        Time from the start of the connection to the end of the answer, in s;
        a receiver that sends a byte now and then does not get more.
    resolve : callable
        Looks names up.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        connect_s: float,
        whole_s: float,
        resolve: Resolve = resolve,
    ) -> None:
        # No connection is kept: each alarm looks the name up anew, and none is lost on a
        # connection that the other side had already closed.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(
                allow_private=allow_private,
                connect_s=connect_s,
                whole_s=whole_s,
                resolve=resolve,
            ),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Any:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _GuardedBackend(httpcore.SyncBackend):
    def __init__(
        self, *, allow_private: bool, connect_s: float, whole_s: float, resolve: Resolve
    ) -> None:
        super().__init__()
        self._allow_private = allow_private
        self._connect_s = connect_s
        self._whole_s = whole_s
        self._resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        deadline = time.monotonic() + self._whole_s
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"no address for {host}: {error}") from error
        judged = {a: self._judge(a) for a in addresses}
        permitted = [a for a, why in judged.items() if why is None]
        if not permitted:
            told = "; ".join(f"{a}: {why}" for a, why in judged.items()) or "it has none"
            raise DeliveryError(f"no permitted address for {host}: {told}")
        failed: Exception | None = None
        until = time.monotonic() + self._connect_s
        for address in permitted:
            left = min(until, deadline) - time.monotonic()
            if left <= 0:
                break
            try:
                stream = super().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _DeadlineStream(stream, deadline)
        raise failed or httpcore.ConnectTimeout(f"no time left to connect to {host}")

    def _judge(self, text: str) -> str | None:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return "not an address"
        return refusal(address, allow_private=self._allow_private)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection of which no read or write outlasts the deadline of the whole exchange."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the whole exchange took too long")
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        # the certificate is checked against the name, not against the address connected to
        tls = self._stream.start_tls(ssl_context, server_hostname, self._left())
        return _DeadlineStream(tls, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
