"""What the demo makes of messages on its broker."""

import threading
from pathlib import Path

import pytest

from stream.demo import Plan, _Demo
from stream.kafka import Incoming
from stream.messages import RoleMessage
from stream.topics import ALARMS, FINDINGS, ROLES
from stream.wire import encode


def message(topic: str, value: bytes | None) -> Incoming:
    return Incoming(
        topic=topic, partition=1, offset=0, key="k", value=value, headers=(), timestamp_ms=0
    )


def test_others_on_the_broker_do_not_end_the_demo(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    demo = _Demo(Plan(data=tmp_path), stop=threading.Event(), say=lambda line: None)
    archive = RoleMessage(role="archive", epoch=0, at_ns=0)
    score = RoleMessage(role="score", epoch=0, at_ns=0)
    strange = [
        message(topic, value)
        for topic in (ROLES.name, FINDINGS.name, ALARMS.name)
        for value in (b"garbage", None)
    ]
    demo._take([message(ROLES.name, encode(archive)), *strange, message(ROLES.name, encode(score))])
    assert demo._watched == {"score": {1}, "alarm": set(), "notify": set()}
    assert caplog.text.count("passed over") == len(strange)
