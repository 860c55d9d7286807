"""What nurses rely on: latching, acknowledging, chains, shields, silences, streams."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from ecg.alarm_actions import ACTIONS_KEPT
from ecg.alarm_cycle import PatientAlarms
from ecg.criteria import NO_DATA_FIRST_S
from ecg.errors import FindingsError, StateError
from ecg.finding import BeatClass, Unfit
from tests.ecg.alarms import VT, S, action, kinds, told, until
from tests.story import FS, START_NS, Story, cut, regular


def test_a_lethal_alarm_stays_until_acknowledged_when_its_condition_ends() -> None:
    alarms, _ = until(VT, 35)
    events = alarms.fold(VT.whole())
    ended = next(e for e in events if e.event == "condition_ended")
    assert (ended.code, ended.holds, ended.latched) == ("vt", False, True)
    (alarm,) = [alarm for alarm in alarms.active() if alarm.key == "vt"]
    said = alarms.apply(action("acknowledge", alarm_id=alarm.alarm_id))
    assert kinds(said) == [("vt", "acknowledged"), ("vt", "ended")]
    assert said[0].author == "nurse"
    assert "vt" not in {alarm.key for alarm in alarms.active()}


def test_an_acknowledged_alarm_stays_as_long_as_its_condition() -> None:
    alarms, _ = until(VT, 35)
    (alarm,) = alarms.active()
    (said,) = alarms.apply(action("acknowledge", alarm_id=alarm.alarm_id))
    assert (said.event, said.holds, said.acknowledged) == ("acknowledged", True, True)
    assert alarms.active()[0].acknowledged
    vt = [e for e in alarms.fold(VT.whole()) if e.code == "vt"]
    assert (vt[-1].event, vt[-1].latched) == ("ended", False)
    assert vt[-1].sequence > said.sequence


def test_a_new_lethal_condition_breaks_through_an_acknowledgement() -> None:
    story = replace(VT, vf=range(44, 91))
    alarms, _ = until(story, 35)
    alarms.apply(action("acknowledge"))
    events = alarms.fold(story.whole())
    (vf,) = [e for e in events if e.event == "raised" and e.code == "vf"]
    assert not vf.acknowledged


def test_a_latched_alarm_goes_on_when_its_condition_returns() -> None:
    beats = [
        *regular(75, end=30),
        *regular(180, start=30.2, end=33, beat_class="V"),
        *regular(75, start=33.8, end=45),
        *regular(180, start=45.2, end=50, beat_class="V"),
        *regular(75, start=50.8, end=60),
    ]
    events = until(Story(seconds=60, beats=beats), 60)[1]
    vt = [e for e in events if e.code == "vt"]
    assert len({e.alarm_id for e in vt}) == 1
    assert next(e.reason for e in vt if e.event == "updated") == "holds again"


def test_yellow_alarms_do_not_latch_and_are_shielded_from_repeats() -> None:
    def pairs(*at: float) -> Story:
        beats = dict(regular(75, end=120))
        times = sorted(beats)
        for t in at:
            near = min(range(len(times)), key=lambda i: abs(times[i] - t))
            beats[times[near]] = beats[times[near + 1]] = "V"
        return Story(seconds=120, beats=list(beats.items()))

    once = until(pairs(20, 40), 120)[1]
    assert kinds(once) == [("v_pair", "raised"), ("v_pair", "ended")]
    assert [e.event for e in until(pairs(20, 100), 120)[1]].count("raised") == 2


def test_the_shield_looks_at_sample_time_alone() -> None:
    alarms, other = PatientAlarms("p1"), PatientAlarms("p1")
    events, same = [], []
    for n, part in enumerate(cut(VT.whole(), range(0, 22_000, 500))):
        events += alarms.fold(part)
        same += other.fold(part)
        other.tick(START_NS + n)
    assert events == same


def test_overlapping_arrhythmias_collapse_into_the_most_serious() -> None:
    events = until(VT, 90)[1]
    assert {e.code for e in events if e.sample < 42 * FS} == {"vt"}
    beats = [*regular(130, end=60), *regular(170, start=60.2, end=90)]
    events = until(Story(seconds=90, beats=beats), 90)[1]
    assert kinds(events)[:3] == [
        ("hr_high", "raised"),
        ("extreme_tachy", "raised"),
        ("hr_high", "ended"),
    ]
    assert events[2].reason == "gives way to EXTREME TACHY"
    assert events[2].text.endswith("(gives way to EXTREME TACHY)")


def test_v_per_minute_is_silent_while_a_lethal_condition_holds() -> None:
    alarms, events = until(VT, 40)
    assert "v_per_min" not in {e.code for e in events}
    assert "v_per_min" in {e.code for e in alarms.fold(VT.whole())}


def test_a_condition_that_gave_way_comes_back_as_another_alarm() -> None:
    beats = [
        *regular(130, end=80),
        *regular(200, start=80.2, end=90, beat_class="V"),
        *regular(130, start=90.5, end=170),
    ]
    events = until(Story(seconds=170, beats=beats), 170)[1]
    raised = [e for e in events if e.code == "hr_high" and e.event == "raised"]
    assert len(raised) == 2
    assert raised[0].alarm_id != raised[1].alarm_id
    assert raised[0].onset_sample < raised[1].onset_sample


def test_unfit_signal_ends_what_is_not_lethal_and_keeps_what_is() -> None:
    unfit: dict[int, Unfit] = dict.fromkeys(range(35, 60), "noisy")
    fast = Story(seconds=60, beats=regular(130, end=35), unfit=unfit)
    (ended,) = [e for e in until(fast, 60)[1] if e.code == "hr_high" and e.event == "ended"]
    assert ended.reason == "not judged: signal noisy"
    still = Story(seconds=60, beats=regular(75, end=28), unfit=unfit)
    alarms, events = until(still, 60)
    assert [e.event for e in events if e.code == "asystole"][-1] == "condition_ended"
    assert "asystole" in {alarm.key for alarm in alarms.active()}
    assert "(not judged: signal noisy)" in next(
        e.text for e in events if e.event == "condition_ended"
    )


def test_a_new_stream_ends_what_is_not_latched() -> None:
    story = Story(seconds=60, beats=[*regular(75, end=10), *regular(130, start=16, end=60)])
    alarms, _ = until(story, 60)
    assert {alarm.key for alarm in alarms.active()} == {"asystole", "hr_high"}
    said = alarms.fold(replace(story, stream="s2", seconds=5, beats=regular(75, end=5)).whole())
    assert kinds(said) == [("hr_high", "ended")]
    assert said[0].reason == "a new stream began"
    assert (said[0].stream, said[0].sample) == ("s1", alarms_through(story))
    assert [alarm.key for alarm in alarms.active()] == ["asystole"]
    with pytest.raises(FindingsError, match="stream s1 of p1 has ended"):
        alarms.fold(story.whole())


def alarms_through(story: Story) -> int:
    return cut(story.whole(), [round(story.seconds * FS)])[0].through_sample


def test_a_latched_alarm_of_an_older_stream_goes_on_in_the_same_condition() -> None:
    still = Story(seconds=40, beats=regular(75, end=10))
    alarms, _ = until(still, 40)
    said = alarms.fold(replace(still, stream="s2").whole())
    raised = next(e for e in said if (e.code, e.event) == ("asystole", "raised"))
    ended = next(e for e in said if (e.code, e.event) == ("asystole", "ended"))
    assert (raised.stream, ended.stream) == ("s2", "s1")
    assert ended.reason == f"continued as alarm {raised.alarm_id}"
    assert raised.alarm_id in {alarm.alarm_id for alarm in alarms.active()}
    assert ended.alarm_id not in {alarm.alarm_id for alarm in alarms.active()}


def test_findings_folded_before_say_nothing_new() -> None:
    alarms, first = until(VT, 90)
    assert first
    assert alarms.fold(cut(VT.whole(), [90 * 250])[0]) == []


def test_findings_of_another_patient_are_refused() -> None:
    with pytest.raises(FindingsError, match="findings of p2 given to p1"):
        PatientAlarms("p1").fold(replace(VT, patient="p2").whole())


def test_findings_that_begin_a_stream_without_time_are_refused() -> None:
    with pytest.raises(FindingsError, match="must carry spans"):
        PatientAlarms("p1").fold(structs.replace(VT.whole(), spans=()))


def test_no_data_is_said_by_the_clock_and_ends_with_data() -> None:
    alarms, _ = until(VT, 10)
    now = START_NS + 10 * S
    assert alarms.tick(now) == []
    assert alarms.tick(now + 4 * S) == []
    (event,) = alarms.tick(now + 5 * S)
    assert (event.code, event.event, event.priority) == ("no_data", "raised", "high")
    assert event.onset_sample == alarms.through_sample
    assert event.detected_ns == now + 5 * S
    assert alarms.tick(now + 9 * S) == []
    part = cut(VT.whole(), [round(12 * FS)])[0]
    assert kinds(alarms.fold(part)) == [("no_data", "ended")]


def test_a_patient_who_never_sent_has_no_data() -> None:
    alarms = PatientAlarms("p1")
    assert alarms.tick(START_NS) == []
    assert alarms.tick(START_NS + 14 * S) == []  # the source may still be starting
    (event,) = alarms.tick(START_NS + 15 * S)
    assert (event.code, event.stream, event.onset_sample) == ("no_data", "none", 0)
    first = cut(VT.whole(), [500])[0]
    assert [e.reason for e in alarms.fold(first)] == ["data came"]


def test_times_come_from_the_chunk_a_sample_fell_in() -> None:
    whole = VT.whole()
    drift = tuple(
        structs.replace(s, source_ns=s.source_ns + round(s.first_sample * 400)) for s in whole.spans
    )
    told = PatientAlarms("p1").fold(structs.replace(whole, spans=drift))
    vt = next(e for e in told if e.code == "vt")
    for sample, ns in ((vt.onset_sample, vt.onset_ns), (vt.sample, vt.detected_ns)):
        true_ns = START_NS + sample / FS * 1e9 + sample * 400
        assert abs(ns - true_ns) < 100_000


def test_state_stays_small_when_much_happens() -> None:
    beats = [*regular(75, end=10), *regular(220, start=16, end=600, beat_class="V")]
    alarms, _ = until(Story(seconds=600, beats=beats, vf=range(500, 520)), 600)
    for n in range(2 * ACTIONS_KEPT):
        alarms.apply(action("silence", until_ns=START_NS + 36 * S, action_id=f"{n:036d}"))
    assert len(alarms.export()) < 16_000


@pytest.mark.parametrize("state", [b"", b"{}", b"\xff", b'{"patient":"p1","layout":99}'])
def test_state_that_is_none_of_ours_is_refused(state: bytes) -> None:
    with pytest.raises(StateError, match="alarm state"):
        PatientAlarms.restore(state)


def test_no_data_is_said_again_after_standby_though_nothing_came() -> None:
    alarms, _ = until(VT, 20)
    alarms.tick(START_NS)
    first = alarms.tick(START_NS + 6 * S)
    alarms.apply(action("standby"))
    alarms.apply(action("resume"))
    again = [e for second in range(40, 60) for e in alarms.tick(START_NS + second * S)]
    assert kinds([*first, *again]) == [("no_data", "raised"), ("no_data", "raised")]
    assert first[0].alarm_id != again[0].alarm_id


def test_an_entry_that_admits_who_is_there_puts_no_data_off_for_nobody() -> None:
    alarms, _ = until(VT, 20)
    said = []
    for second in range(60):
        alarms.admit()
        said += alarms.tick(START_NS + second * S)
    assert kinds(said) == [("no_data", "raised")]


def test_a_source_that_starts_again_and_again_before_it_is_judged_has_no_data() -> None:
    alarms, said = PatientAlarms("p1"), []
    for second in range(60):
        if second % 3 == 0:
            begun = cut(Story(seconds=10, stream=f"s{second}").whole(), [round(0.7 * FS)])[0]
            spans = [structs.replace(s, source_ns=START_NS + second * S) for s in begun.spans]
            said += alarms.fold(structs.replace(begun, spans=tuple(spans)))
        said += alarms.tick(START_NS + second * S)
    times = [(e.detected_ns - START_NS) / S for e in said if e.event == "raised"]
    assert {e.code for e in said} == {"no_data"}
    assert times[0] < 40
    assert min(np.diff(times)) >= NO_DATA_FIRST_S  # and not at each of its starts


def test_no_data_of_a_patient_who_never_sent_is_another_alarm_at_the_next_stay() -> None:
    said = []
    for day in (0, 2):
        alarms = PatientAlarms("p1")
        alarms.tick(START_NS + day * 86_400 * S)
        said += alarms.tick(START_NS + (day * 86_400 + 16) * S)
    assert kinds(said) == [("no_data", "raised")] * 2
    assert said[0].alarm_id != said[1].alarm_id


def test_an_alarm_that_grows_is_nobodys_yet() -> None:
    noisy: dict[int, Unfit] = dict.fromkeys(range(20, 61), "noisy")
    story = Story(seconds=60, beats=regular(75, end=20), unfit=noisy)
    alarms, events = until(story, 30)
    assert kinds(events) == [("noisy", "raised")]
    alarms.apply(action("acknowledge"))
    grown = alarms.fold(story.whole())
    assert [(e.priority, e.acknowledged) for e in grown if e.code == "noisy"] == [("high", False)]


@pytest.mark.parametrize("beat_class", ["F", "Q", None])
def test_a_short_tachycardia_is_told_also_when_unclear_beats_end_it(
    beat_class: BeatClass | None,
) -> None:
    unclear = [(at, beat_class) for at, _ in regular(150, start=21.6, end=23)]
    story = Story(
        seconds=60,
        beats=[
            *regular(75, end=20),
            *regular(150, start=20.1, end=21.5, beat_class="V"),
            *unclear,
            *regular(75, start=24, end=60),
        ],
    )
    assert [e.code for e in told(story) if e.event == "raised"] == ["nsvt"]


@pytest.mark.parametrize("beat_class", ["N", "S", "F", "Q", None])
def test_a_tachycardia_that_lasts_goes_on_whatever_its_beats_are_called(
    beat_class: BeatClass | None,
) -> None:
    lasting = regular(150, start=20.2, end=60, beat_class="V")
    story = Story(
        seconds=80,
        beats=[
            *regular(75, end=20),
            *((at, "V" if at < 30 else beat_class) for at, _ in lasting),
            *regular(75, start=61, end=80),
        ],
    )
    vt = [e for e in told(story) if e.code == "vt" and e.event != "updated"]
    assert [e.event for e in vt] == ["raised", "condition_ended"]
    assert vt[-1].sample > 60 * FS


def test_a_beat_that_is_told_twice_counts_once() -> None:
    pair = regular(150, start=21.0, end=21.5, beat_class="V")
    story = Story(
        seconds=30, beats=[*regular(75, end=20), pair[0], *pair, *regular(75, start=22.0, end=30)]
    )
    assert [e.code for e in told(story) if e.event == "raised"] == ["v_pair"]


def test_a_clock_that_jumps_over_a_lost_chunk_is_said() -> None:
    whole = Story(seconds=30, beats=regular(75, end=30)).whole()
    at = round(10 * FS)
    spans = [s for s in whole.spans if not at <= s.first_sample < at + 100]
    later = tuple(
        structs.replace(s, source_ns=s.source_ns + (3600 * S if s.first_sample > at else 0))
        for s in spans
    )
    events = PatientAlarms("p1").fold(structs.replace(whole, spans=later))
    assert [e.text for e in events if e.event == "raised"] == ["CLOCK JUMP +3600 s"]
