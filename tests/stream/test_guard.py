import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from stream.endpoint import Endpoint, new_secret
from stream.guard import GuardedTransport, refusal
from stream.receiver import Receiver
from stream.webhook import Answer, Poster
from tests.stream.alarms import body

SECRET = new_secret()

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "168.63.129.16",
    "::ffff:168.63.129.16",
    "100.100.100.200",
    "0.0.0.0",  # noqa: S104 - as a destination
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
]
INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12:3456::1",
    "fec0::1",
    "64:ff9b:1::10.0.0.1",
    "64:ff9b:1:ffff::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
]
OUTSIDE = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_address_is_never_permitted_when_special(address: str, allow_private: bool) -> None:
    assert refusal(ipaddress.ip_address(address), allow_private=allow_private) is not None


@pytest.mark.parametrize("address", INSIDE)
def test_address_inside_is_permitted_only_by_the_setting(address: str) -> None:
    assert refusal(ipaddress.ip_address(address), allow_private=True) is None
    why = refusal(ipaddress.ip_address(address), allow_private=False)
    assert why is not None
    assert "allow_private" in why


@pytest.mark.parametrize("address", OUTSIDE)
def test_address_outside_is_permitted(address: str) -> None:
    assert refusal(ipaddress.ip_address(address), allow_private=False) is None


def post(
    url: str,
    resolve: Callable[[str, int], list[str]],
    *,
    allow_private: bool = True,
    whole_s: float = 5.0,
) -> Answer:
    endpoint = Endpoint(name="test", url=url, secrets=(SECRET,), allow_private=allow_private)
    transport = GuardedTransport(
        allow_private=allow_private, connect_s=1.0, whole_s=whole_s, resolve=resolve
    )
    poster = Poster(endpoint, transport=transport)
    try:
        return poster.post("a1.1", body(), now_ns=time.time_ns())
    finally:
        poster.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([SECRET]) as receiver:
        yield receiver


def test_name_is_refused_when_it_points_inside(receiver: Receiver) -> None:
    url = f"http://harmless.example:{receiver.port}/"
    answer = post(url, lambda host, port: ["127.0.0.1", "10.0.0.1"], allow_private=False)
    assert answer.result == "failed"
    assert "127.0.0.1: private or loopback" in answer.detail
    assert receiver.counts().delivered == 0


def test_connection_goes_to_the_address_that_was_judged(receiver: Receiver) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    url = f"http://rebinding.example:{receiver.port}/"
    assert post(url, rebinding).result == "delivered"
    assert asked == ["rebinding.example"]


def test_forbidden_addresses_of_a_name_are_passed_over(receiver: Receiver) -> None:
    url = f"http://mixed.example:{receiver.port}/"
    answer = post(url, lambda host, port: ["169.254.169.254", "127.0.0.1"])
    assert answer.result == "delivered"


def test_next_address_is_tried_when_the_first_does_not_answer(receiver: Receiver) -> None:
    url = f"http://two.example:{receiver.port}/"
    assert post(url, lambda host, port: ["127.0.0.2", "127.0.0.1"]).result == "delivered"


def test_attempt_fails_when_the_name_has_no_address() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    answer = post("http://nowhere.example/", unknown)
    assert answer.result == "failed"
    assert "no address for nowhere.example" in answer.detail


def test_attempt_fails_when_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    answer = post(f"http://127.0.0.1:{port}/", lambda host, _: [host])
    assert answer.result == "failed"
    assert "ConnectError" in answer.detail


def drip(listener: socket.socket, stop: threading.Event, piece: bytes) -> None:
    """Answer with a byte now and then, so that no single read ever times out."""
    connection, _ = listener.accept()
    with connection:
        while not stop.wait(0.05):
            try:
                connection.sendall(piece)
            except OSError:
                return


@pytest.mark.parametrize("piece", [b"", b"H"], ids=["silent", "dripping"])
def test_attempt_fails_in_time_when_the_receiver_never_finishes(piece: bytes) -> None:
    stop = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=drip, args=(listener, stop, piece))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        started = time.monotonic()
        answer = post(url, lambda host, _: [host], whole_s=0.4)
        took_s = time.monotonic() - started
        stop.set()
        thread.join()
    assert answer.result == "failed"
    assert 0.3 < took_s < 2.0
