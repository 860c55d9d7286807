"""Signs of life: who watches which partition."""

from stream.clock import ManualClock
from stream.health import unwatched
from stream.kafka import Cluster, Producer
from stream.messages import RoleMessage
from stream.topics import ROLES
from stream.wire import encode

NOW_NS = 1_800_000_000_000_000_000
SECOND_NS = 1_000_000_000


def test_partition_is_unwatched_when_its_last_sign_is_old_or_of_another_role(
    embedded: Cluster,
) -> None:
    def show(role: str, partition: int, at_ns: int) -> None:
        sign = encode(RoleMessage(role=role, epoch=1, at_ns=at_ns))  # type: ignore[arg-type]  # the roles are literals
        producer.send(ROLES.name, role, sign, partition=partition, timestamp_ms=at_ns // 1_000_000)

    clock = ManualClock(NOW_NS)
    with Producer(embedded) as producer:
        show("score", 0, NOW_NS - SECOND_NS)
        show("score", 1, NOW_NS - 60 * SECOND_NS)
        show("notify", 2, NOW_NS - SECOND_NS)
        producer.send(ROLES.name, "score", b"garbage", partition=2)
        producer.flush()
    assert unwatched(embedded, "score", clock=clock) == {1, 2, 3}
    assert unwatched(embedded, "notify", clock=clock) == {0, 1, 3}
    assert unwatched(embedded, "score", within_s=120, clock=clock) == {2, 3}


def test_partition_is_unwatched_while_an_endpoint_is(embedded: Cluster) -> None:
    sign = encode(RoleMessage(role="notify", epoch=0, at_ns=NOW_NS - SECOND_NS))
    at_ms = (NOW_NS - SECOND_NS) // 1_000_000
    with Producer(embedded) as producer:
        for key, partitions in (("notify-ward", range(4)), ("notify-pager", (0, 2))):
            for partition in partitions:
                producer.send(ROLES.name, key, sign, partition=partition, timestamp_ms=at_ms)
        producer.flush()
    keys, clock = ("notify-ward", "notify-pager"), ManualClock(NOW_NS)
    assert unwatched(embedded, "notify", keys=keys, clock=clock) == {1, 3}
    assert unwatched(embedded, "notify", keys=keys[:1], clock=clock) == frozenset()
    assert unwatched(embedded, "notify", clock=clock) == frozenset()
