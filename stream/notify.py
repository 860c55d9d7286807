"""The role ``notify``: alarm events go from ``ecg.alarms`` to webhooks, signed, until taken."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from stream import metrics
from stream.clock import Clock, SystemClock
from stream.courier import WORKERS, Courier, Delivery
from stream.dead_letter import DeadLetters
from stream.endpoint import Endpoint, check_endpoints
from stream.errors import StreamError
from stream.inbox import group_of
from stream.kafka import Cluster, Consumer, Producer, wait_for_broker
from stream.messages import RoleMessage
from stream.outbox import Lane
from stream.topics import ALARMS, ROLES
from stream.webhook import Poster
from stream.wire import encode
from stream.workers import Workers

logger = logging.getLogger(__name__)

_POLL_BUSY_S = 0.02
_POLL_IDLE_S = 0.2
"""A poll ends as soon as an alarm comes; while attempts are under way their answers wait for it."""
_SIGN_OF_LIFE_S = 1.0
_AGAIN_S = 1.0


def run_notify(
    *,
    cluster: Cluster,
    endpoints: Sequence[Endpoint],
    stop: threading.Event,
    on_delivery: Callable[[Delivery], None] | None = None,
    clock: Clock | None = None,
    metrics_port: int | None = None,
) -> None:
    """Deliver every alarm event to every endpoint that wants it, until ``stop`` is set.

    Each endpoint has a thread and a consumer group of its own, so none waits
    for another. An event is delivered at least once, always with the same id;
    what is given up becomes a dead letter. Waits for a broker that is away.

    Parameters
    ----------
    cluster : Cluster
        Where alarms come from.
    endpoints : sequence of Endpoint
        Where they go.
    stop : threading.Event
        Ends the role; attempts under way get two seconds more.
    on_delivery : callable, optional
        Told of every attempt, from several threads.
    clock : Clock, optional
        The machine's without it.
    metrics_port : int, optional
        Serve Prometheus metrics there, on 127.0.0.1.

    Raises
    ------
    SettingsError
        If there is no endpoint, or their names contradict each other.
    """
    by_name = check_endpoints(endpoints)
    if metrics_port is not None:
        metrics.serve(metrics_port)
    threads = [
        threading.Thread(
            target=_serve,
            name=f"notify-{endpoint.name}",
            args=(cluster, endpoint, by_name, stop, on_delivery, clock or SystemClock()),
        )
        for endpoint in endpoints
        if not endpoint.escalations_only
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _serve(
    cluster: Cluster,
    endpoint: Endpoint,
    by_name: dict[str, Endpoint],
    stop: threading.Event,
    on_delivery: Callable[[Delivery], None] | None,
    clock: Clock,
) -> None:
    """Deliver to one endpoint; whatever goes wrong is begun again after a moment."""
    posters: dict[Lane, Poster] = {"endpoint": Poster(endpoint)}
    if endpoint.fallback is not None:
        posters["fallback"] = Poster(by_name[endpoint.fallback])
    workers = Workers(f"post-{endpoint.name}", WORKERS * len(posters))
    gone: dict[Lane, str] = {}
    try:
        while wait_for_broker(cluster, stop=stop):
            try:
                _deliver(cluster, endpoint, posters, workers, gone, stop, on_delivery, clock)
            except StreamError as error:
                logger.warning("endpoint %s waits: %s", endpoint.name, error)
            except Exception:  # one endpoint's trouble must not end the others' deliveries
                logger.exception("endpoint %s starts anew", endpoint.name)
            stop.wait(_AGAIN_S)
    finally:
        workers.close()


def _deliver(
    cluster: Cluster,
    endpoint: Endpoint,
    posters: dict[Lane, Poster],
    workers: Workers,
    gone: dict[Lane, str],
    stop: threading.Event,
    on_delivery: Callable[[Delivery], None] | None,
    clock: Clock,
) -> None:
    with (
        Consumer(cluster, group_of(endpoint.name), [ALARMS.name], held=True) as consumer,
        Producer(cluster) as producer,
    ):
        courier = Courier(
            endpoint,
            inbox=consumer,
            posters=posters,
            dead_letters=DeadLetters(producer, clock, role="notify"),
            settle=producer.flush,
            submit=workers.submit,
            clock=clock,
            gone=gone,
            on_delivery=on_delivery,
        )
        logger.info(
            "endpoint %s gets alarms from priority %s up", endpoint.name, endpoint.min_priority
        )
        seen_s = float("-inf")
        while not stop.is_set():
            courier.step(_POLL_BUSY_S if courier.busy else _POLL_IDLE_S)
            if time.monotonic() - seen_s >= _SIGN_OF_LIFE_S:
                seen_s = time.monotonic()
                _show_life(producer, endpoint, consumer.owned, clock)
        courier.finish()


def _show_life(
    producer: Producer, endpoint: Endpoint, partitions: frozenset[int], clock: Clock
) -> None:
    sign = encode(RoleMessage(role="notify", epoch=0, at_ns=clock.now_ns()))
    # by endpoint: while one is served, another may get nothing, or be served by another process
    for partition in sorted(partitions):
        producer.send(ROLES.name, group_of(endpoint.name), sign, partition=partition)
    producer.flush()
