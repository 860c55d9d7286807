"""Waiting for a broker, and creating topics."""

import logging
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.errors import BrokerError
from stream.kafka import limits
from stream.kafka.client import as_broker_error, open_client
from stream.kafka.cluster import Cluster
from stream.topics import UNPACKED, Topic

logger = logging.getLogger(__name__)


def wait_for_broker(
    cluster: Cluster,
    *,
    give_up_s: float | None = None,
    stop: threading.Event | None = None,
) -> bool:
    """Wait until a broker answers, and say so in the log while it does not.

    Parameters
    ----------
    cluster : Cluster
        Where it should be.
    give_up_s : float, optional
        How long to wait at most, in s; without it, for ever.
    stop : threading.Event, optional
        Ends the wait when set.

    Returns
    -------
    bool
        True when the broker is there, False when ``stop`` was set first.

    Raises
    ------
    BrokerError
        If it is not there after ``give_up_s``.
    """
    stop = stop or threading.Event()
    started = time.monotonic()
    next_word = started
    while not stop.is_set():
        problem = problem_with(cluster)
        if problem is None:
            if next_word > started:
                logger.info("the broker at %s is there", cluster.bootstrap)
            return True
        waited = time.monotonic() - started
        if give_up_s is not None and waited >= give_up_s:
            raise BrokerError(
                f"no broker answers at {cluster.bootstrap} after {waited:.0f} s ({problem}); "
                "is it running, and is the bootstrap address right?"
            )
        if time.monotonic() >= next_word:
            logger.warning("waiting for the broker at %s: %s", cluster.bootstrap, problem)
            next_word = time.monotonic() + 10.0
        stop.wait(0.2)
    return False


def problem_with(cluster: Cluster) -> str | None:
    """Return why no broker can be used at the moment, None if one can."""
    problem = "no address"
    for server in cluster.servers():
        host, _, port = server.rpartition(":")
        try:
            # a closed port is known at once this way; the client would try for long
            with socket.create_connection((host.strip("[]"), int(port)), timeout=2.0):
                break
        except (OSError, ValueError) as error:
            problem = f"{server}: {error}"
    else:
        return problem
    try:
        admin = open_client(
            KafkaAdminClient,
            bootstrap_servers=cluster.servers(),
            bootstrap_timeout_ms=3000,
            request_timeout_ms=limits.REQUEST_TIMEOUT_MS,
        )
    except (KafkaError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    try:
        brokers = admin.describe_cluster().get("brokers")
    except (KafkaError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        admin.close()
    return None if brokers else "it knows no brokers yet"


def create_topics(
    cluster: Cluster,
    topics: Iterable[Topic],
    *,
    partitions: int,
    replication: int = 1,
) -> list[str]:
    """Create the topics that are not there yet, and let the broker unpack what comes to the others.

    Returns
    -------
    list of str
        Names of those created now.

    Raises
    ------
    BrokerError
        If the broker refuses, or a topic exists with another number of
        partitions: then a patient's messages would not meet.
    """
    wanted = {cluster.prefix + topic.name: topic for topic in topics}
    created = []
    with as_broker_error("creating topics"):
        admin = open_client(
            KafkaAdminClient,
            bootstrap_servers=cluster.servers(),
            request_timeout_ms=limits.REQUEST_TIMEOUT_MS,
        )
        try:
            missing = set(wanted) - set(admin.list_topics())
            if missing:
                answer = admin.create_topics(
                    {
                        name: {
                            "num_partitions": partitions,
                            "replication_factor": replication,
                            "configs": wanted[name].configs(),
                        }
                        for name in sorted(missing)
                    },
                    raise_errors=False,
                )
                for one in answer["topics"]:
                    error = for_code(one["error_code"])
                    if one["error_code"] == 0:
                        created.append(wanted[one["name"]].name)
                    elif error is not TopicAlreadyExistsError:
                        raise BrokerError(
                            f"the broker does not create topic {one['name']} with {partitions} "
                            f"partitions and replication {replication}: {error.__name__}: "
                            f"{one.get('error_message') or ''}"
                        )
            admin.wait_for_topics(sorted(wanted))
            found = {
                one["name"]: len(one["partitions"]) for one in admin.describe_topics(sorted(wanted))
            }
            _unpack(admin, sorted(set(wanted) - {cluster.prefix + name for name in created}))
        finally:
            admin.close()
    wrong = {name: count for name, count in sorted(found.items()) if count != partitions}
    if wrong:
        names = ", ".join(f"{name} has {count}" for name, count in wrong.items())
        raise BrokerError(
            f"every topic must have {partitions} partitions, but {names}; "
            "use that number, another prefix, or delete the topics"
        )
    return created


def _unpack(admin: Any, names: Iterable[str]) -> None:
    """Set on topics made by others, or by older versions, what no reader can do without."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, UNPACKED) for name in names]
    if not resources:
        return
    answer = admin.alter_configs(resources, raise_on_unknown=False, incremental=True)
    for name, said in answer["topic"].items():
        if said != "OK":
            raise BrokerError(
                f"the broker does not set compression.type=uncompressed on topic {name}: {said}; "
                "one batch that we cannot unpack would stop its readers: set it yourself"
            )
