"""The shipped schemas and their page say what the types say."""

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import msgspec
import pytest

from ecg.alarm import Action
from ecg.alarm_cycle import PatientAlarms
from stream import topics
from stream.alarm_output import alarm_message, trend_message
from stream.messages import ActionMessage, FindingsMessage, PatientMessage
from stream.schemas import TYPES, files, main, schemas
from stream.wire import decode_waveform, encode, encode_waveform
from tests.story import START_NS, Story, regular

SHIPPED = Path(__file__).parents[2] / "docs" / "reference" / "messages"
PAGE = (SHIPPED / "README.md").read_text(encoding="utf-8")


def test_the_shipped_schemas_are_the_generated_ones() -> None:
    shipped = {p.name: p.read_text(encoding="utf-8") for p in SHIPPED.glob("*.schema.json")}
    assert shipped == files(), f"run: python -m stream.schemas {SHIPPED}"


def test_schemas_are_written_where_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert not list(tmp_path.iterdir())
    main(["new/schemas"])
    assert {path.name for path in (tmp_path / "new" / "schemas").iterdir()} == set(files())


@pytest.mark.parametrize("name", sorted(TYPES))
def test_a_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_messages_fit_their_schemas() -> None:
    story = Story(seconds=90, beats=regular(180, start=0.5, end=90, beat_class="V"))
    alarms = PatientAlarms("p1")
    events = alarms.fold(story.whole())
    (minute,) = alarms.minutes()
    action = Action(action_id="a1", patient="p1", kind="acknowledge", author="nurse", at_ns=1)
    for name, message in (
        ("findings", FindingsMessage.of(story.whole(), epoch=1)),
        ("alarm", alarm_message(events[0], epoch=1, now_ns=2**62)),
        ("trend", trend_message(minute, patient="p1", epoch=1)),
        ("action", ActionMessage(patient="p1", action=action)),
        ("patient", PatientMessage(patient="p1")),
    ):
        jsonschema.validate(json.loads(encode(message)), schemas()[name])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"patient": "no spaces please"}, schemas()["patient"])


def test_the_alarms_time_is_that_of_its_detection() -> None:
    story = Story(seconds=60, beats=regular(180, start=0.5, end=60, beat_class="V"))
    first = PatientAlarms("p1").fold(story.whole())[0]
    event = replace(first, detected_ns=START_NS + 1_500_000_999)
    message = alarm_message(event, epoch=1, now_ns=event.detected_ns + 10_000_000_000)
    assert message.time == "2023-11-14T22:13:21.500000Z"
    assert message.type == "org.rhythmwatch.alarm.raised"
    assert message.id == f"{event.alarm_id}.1"
    assert message.data == event


def test_an_alarm_that_is_told_late_says_how_late() -> None:
    story = Story(seconds=60, beats=regular(180, start=0.5, end=60, beat_class="V"))
    event = PatientAlarms("p1").fold(story.whole())[0]
    message = alarm_message(event, epoch=1, now_ns=event.detected_ns + 12_340_000_000)
    assert message.data == replace(event, late_s=12.3)
    assert message.id == f"{event.alarm_id}.1"


def test_the_page_shows_a_waveform_as_it_is() -> None:
    found = re.search(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    value = bytes.fromhex(re.sub(r"\s", "", found.group(1)))
    waveform = decode_waveform(value)
    assert encode_waveform(waveform) == value
    assert (waveform.patient, waveform.stream, waveform.first_sample) == ("p1", "s1", 90)
    assert waveform.array().tolist() == [[7], [-3], [-32768]]
    signal = waveform.signals[0]
    assert [(adc - signal.baseline) / signal.gain for (adc,) in waveform.array()[:2]] == [
        0.035,
        -0.015,
    ]


def test_the_page_names_every_topic_schema_and_field_of_a_waveform() -> None:
    for topic in topics.TOPICS:
        assert f"`{topic.name}`" in PAGE
    for name in TYPES:
        assert f"({name}.schema.json)" in PAGE
    for field in msgspec.structs.fields(TYPES["waveform"]):
        assert f"`{field.name}`" in PAGE
