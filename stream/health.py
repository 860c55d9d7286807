"""Whether somebody does a role's work: read from the signs of life that roles give."""

from collections.abc import Collection

from stream.clock import Clock, SystemClock
from stream.errors import DecodeError
from stream.kafka import Cluster, Reader
from stream.messages import RoleMessage
from stream.topics import ROLES
from stream.wire import decode

SILENT_S = 5.0
"""A partition without a sign of life for so long is watched by nobody; they come every second."""


def unwatched(
    cluster: Cluster,
    role: str,
    *,
    keys: Collection[str] = (),
    within_s: float = SILENT_S,
    clock: Clock | None = None,
) -> frozenset[int]:
    """Return the partitions on which a role has given no sign of life lately.

    Parameters
    ----------
    cluster : Cluster
        Where the role works.
    role : str
        ``score``, ``alarm``, ``notify`` or ``archive``.
    keys : collection of str, optional
        Keys of which a partition needs a sign each, for ``notify`` those of its
        endpoints; without it one of the role is enough.
    within_s : float
        What lately means, in s.
    clock : Clock, optional
        The machine's without it.

    Raises
    ------
    BrokerError
        If the broker is away, or the topics are not there.
    """
    now_ns = (clock or SystemClock()).now_ns()
    since_ns = now_ns - round(within_s * 1e9)
    wanted = frozenset(keys)
    with Reader(cluster, [ROLES.name], start=since_ns // 1_000_000) as reader:
        heard: dict[int, set[str | None]] = {partition: set() for _, partition in reader.places}
        for message in reader.read_to_end():
            try:
                sign = decode(message.value or b"", RoleMessage)
            except DecodeError:
                continue  # whatever it is, it is no sign of life
            if sign.role == role and sign.at_ns >= since_ns:
                heard[message.partition].add(message.key)
    return frozenset(
        partition for partition, found in heard.items() if not found or not wanted <= found
    )
