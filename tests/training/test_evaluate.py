import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb
from rich.console import Console

from ecg.annotation import read_annotations
from ecg.checkpoint import save
from ecg.errors import CheckpointError, EcgError, RecordError
from ecg.judge import Judge
from ecg.marks import EXTENSION
from ecg.metrics import NOT_JUDGED
from ecg.model import BeatEnsemble, BeatLSTM, BeatLSTMSize, RhythmLSTM
from ecg.reader import read_record
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb
from tests.edf import write_edf
from training.errors import FiguresError, MarkersError, PlaceError
from training.evaluate import run
from training.found import write_found
from training.hearing import evaluate
from training.scorecard import scorecard
from training.seeds import Beats, checkpoints
from training.selection import select
from training.tables import table_of, write_markdown

SINUS = [Step(duration_s=40, rate_bpm=75, pvc_per_min=6)]
NOISY = [Step(duration_s=30), Step(duration_s=20, artefact="lead_off"), Step(duration_s=10)]


def model() -> BeatEnsemble:
    torch.manual_seed(4)
    return BeatEnsemble([BeatLSTM(BeatLSTMSize())])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("records")
    write_wfdb(where, "calm", Simulator(SINUS, fs=360, seed=1))
    write_wfdb(where, "fast", Simulator([Step(duration_s=30, rate_bpm=140)], fs=128, seed=2))
    write_wfdb(where, "off", Simulator(NOISY, fs=250, seed=3))
    return where


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights" / "beat.safetensors"
    save(model(), RhythmLSTM(), path, temperature=1.0)
    return path


def three_unnamed_leads(where: Path, name: str) -> None:
    """Write a record whose lead trial ends with other leads than it began with."""
    simulator = Simulator([Step(duration_s=40, pvc_per_min=6)], fs=360, seed=5)
    write_wfdb(where, name, simulator)
    ecg = read_record(where / name).millivolts()
    # two leads at first: the first is flat from 3 s on, and was heard until then
    first = np.where(np.arange(len(ecg)) < 3 * 360, ecg[:, 0], 0.0)
    wfdb.wrsamp(
        name,
        fs=360,
        units=["mV"] * 3,
        sig_name=["x", "y", "z"],
        p_signal=np.column_stack([first, ecg]),
        fmt=["16"] * 3,
        write_dir=str(where),
    )


def test_clean_beats_are_all_found_and_none_is_judged_without_a_model(directory: Path) -> None:
    card = scorecard(evaluate(directory, ["calm", "fast"], judge=None), from_s=5.0)
    assert card["records"] == ["calm", "fast"]
    assert card["qrs"] == {"se": 1.0, "ppv": 1.0}
    assert card["qrs_50ms"] == {"se": 1.0, "ppv": 1.0}
    assert card["beats"]["V"] == {"se": 0.0, "ppv": None, "f1": None}
    assert card["accuracy"] == 0.0
    assert card["unfit_share"] == 0.0
    assert 0 < card["delay_s"]["p50"] <= card["delay_s"]["p95"] <= card["delay_s"]["max"] <= 2.0


def test_last_beat_is_found_though_none_follows(directory: Path) -> None:
    (heard,) = evaluate(directory, ["calm"], judge=None)
    reference, _ = read_annotations(directory / "calm").beats()
    within = reference[reference < 40 * 360 - 90]
    assert abs(int(heard.samples[-1]) - int(within[-1])) < 20
    assert heard.delays_s[-1] <= 2.0


def test_beats_missed_in_an_unfit_signal_count_as_missed(directory: Path, tmp_path: Path) -> None:
    # the same heart, annotated also where the lead is off
    for suffix in (".hea", ".dat"):
        (tmp_path / f"off{suffix}").write_bytes((directory / f"off{suffix}").read_bytes())
    simulator = Simulator([Step(duration_s=60)], fs=250, seed=3)
    write_wfdb(tmp_path, "truth", simulator)
    (tmp_path / "off.atr").write_bytes((tmp_path / "truth.atr").read_bytes())
    card = scorecard(evaluate(tmp_path, ["off"], judge=None), from_s=0.0)
    assert card["qrs"]["se"] == pytest.approx(40 / 60, abs=0.05)
    assert card["unfit_share"] == pytest.approx(20 / 60, abs=0.05)


def test_same_is_said_of_a_record_whatever_the_chunks_and_the_company(directory: Path) -> None:
    judge = Judge(model(), RhythmLSTM(), version="test", device="cpu")
    names = ["calm", "fast", "off"]
    together = evaluate(directory, names, judge=judge, chunk_s=1.0)
    alone = evaluate(directory, names, judge=judge, chunk_s=0.25, company=1)
    for a, b in zip(together, alone, strict=True):
        assert a.name == b.name
        for field in ("samples", "classes", "delays_s", "seconds", "fit"):
            assert np.array_equal(getattr(a, field), getattr(b, field)), field


def test_progress_adds_up_to_the_length_of_the_records(directory: Path) -> None:
    told: list[float] = []
    evaluate(directory, ["calm", "off"], judge=None, on_heard=told.append)
    assert sum(told) == pytest.approx(100.0)
    assert len(told) > 100


def test_files_and_figures_agree_when_written(
    directory: Path, weights: Path, tmp_path: Path
) -> None:
    out = io.StringIO()
    card = run(
        directory,
        records="calm,fast",
        json_file=tmp_path / "card.json",
        annotations=tmp_path / "found",
        weights=weights,
        device="cpu",
        from_s=5.0,
        console=Console(file=out, width=120),
    )
    assert json.loads((tmp_path / "card.json").read_text()) == card
    assert "calm" in out.getvalue()
    assert "gross" in out.getvalue()
    judge = Judge(model(), RhythmLSTM(), version="test", device="cpu")
    for heard in evaluate(directory, ["calm", "fast"], judge=judge):
        found = read_annotations(tmp_path / "found" / heard.name, extension=EXTENSION)
        assert found.samples.tolist() == heard.samples.tolist()
        labels = [NOT_JUDGED if c == NOT_JUDGED else c for c in heard.classes.tolist()]
        assert list(found.symbols) == [label.replace(NOT_JUDGED, "Q") for label in labels]
        assert NOT_JUDGED not in labels


def test_figures_are_written_where_a_record_has_no_beat(
    directory: Path, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "still.atr").write_bytes((directory / "fast.atr").read_bytes())
    wfdb.wrsamp(
        "still",
        fs=128,
        units=["mV"],
        sig_name=["II"],
        d_signal=np.zeros((30 * 128, 1), dtype=np.int64),
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(tmp_path),
    )
    # of a former run, which found some
    (tmp_path / "found").mkdir()
    (tmp_path / f"found/still.{EXTENSION}").write_bytes(b"\x00\x00")
    card = run(
        tmp_path,
        json_file=tmp_path / "new" / "card.json",
        annotations=tmp_path / "found",
        weights=weights,
        device="cpu",
        from_s=5.0,
        console=Console(file=io.StringIO()),
    )
    assert card["qrs"] == {"se": 0.0, "ppv": None}
    assert json.loads((tmp_path / "new" / "card.json").read_text()) == card
    assert not (tmp_path / f"found/still.{EXTENSION}").exists()
    assert "no beat was found in record=still" in caplog.text


def test_what_cannot_be_written_or_shown_is_said_before_anything_is_heard(
    directory: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear(*_: object, **__: object) -> None:
        raise AssertionError("records were heard")

    monkeypatch.setattr("training.evaluate.evaluate", hear)
    attempt = partial(run, directory, weights=weights, device="cpu")
    file, page, curves = (tmp_path / name for name in ("file", "page.md", "curves.json"))
    file.touch()
    with pytest.raises(PlaceError, match="is a folder: name a file"):
        attempt(json_file=tmp_path)
    with pytest.raises(PlaceError, match=r"into .*file/no \(Not a directory\)"):
        attempt(report=file / "no" / "page.html")
    with pytest.raises(PlaceError, match=r"into .*file \(File exists\): name another folder"):
        attempt(annotations=file)
    with pytest.raises(PlaceError, match="is a folder: name a file"):
        attempt(markdown=[tmp_path])
    page.write_text("no markers here\n")
    with pytest.raises(MarkersError, match="has no place for these figures"):
        attempt(markdown=[tmp_path / "new.md", page])
    for text in ("{}", "[]", '{"noise": 3}', "not JSON"):
        curves.write_text(text)
        with pytest.raises(FiguresError, match="noise curves"):
            attempt(noise=curves)
    with pytest.raises(FiguresError, match="holds no noise curves"):
        attempt(noise=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("hello\nworld is\n", "cannot be read: it is not WFDB"),
        ("", "cannot be read: it is not WFDB"),
        ("fast 2 0 3840\n" + 2 * "fast.dat 16 1000/mV\n", "got 0 Hz"),
    ],
    ids=["text", "empty", "no rate"],
)
def test_a_damaged_header_is_a_message(
    directory: Path, weights: Path, tmp_path: Path, header: str, says: str
) -> None:
    for suffix in (".dat", ".atr"):
        (tmp_path / f"fast{suffix}").write_bytes((directory / f"fast{suffix}").read_bytes())
    (tmp_path / "fast.hea").write_text(header)
    with pytest.raises(EcgError, match=says):
        run(tmp_path, weights=weights, device="cpu")


def test_an_edf_file_with_annotations_is_evaluated_and_reported(
    weights: Path, tmp_path: Path
) -> None:
    simulator = Simulator([Step(duration_s=30, pvc_per_min=10)], fs=250, leads=("II",), seed=1)
    write_wfdb(tmp_path, "e1", simulator)
    record = read_record(tmp_path / "e1")
    # +-10 mV over the whole of int16
    wave = np.rint(record.millivolts()[:, 0] * 65535 / 20).astype(np.int16)
    write_edf(tmp_path / "e1.edf", [wave], ("ECG II",))
    (tmp_path / "e1.atr").rename(tmp_path / "e1.edf.atr")
    (tmp_path / "e1.hea").unlink()
    card = run(
        tmp_path,
        report=tmp_path / "report.html",
        weights=weights,
        device="cpu",
        from_s=5.0,
        console=Console(file=io.StringIO()),
    )
    assert card["records"] == ["e1"]
    assert card["qrs"] == {"se": 1.0, "ppv": 1.0}
    assert "beats wrong" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_json_is_all_that_is_printed_when_asked_for_on_standard_output(
    directory: Path, weights: Path
) -> None:
    out = io.StringIO()
    card = run(
        directory,
        records="fast",
        json_file="-",
        weights=weights,
        device="cpu",
        console=Console(file=out),
    )
    assert json.loads(out.getvalue()) == card
    assert list(card) == [
        "model",
        "records",
        "delay_s",
        "unfit_share",
        "scored_from_s",
        "qrs",
        "qrs_from_start",
        "qrs_50ms",
        "beats",
        "f_counts_as_v_is",
        "V_if_F_called_V_were_false",
        "accuracy",
        "S_without_232_219",
        "without_202",
        "average",
        "intervals_95",
        "calibration",
        "confusion",
        "per_record",
    ]


def test_nothing_is_scored_when_records_end_within_the_learning_time(
    directory: Path, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    console = Console(file=io.StringIO())
    card = run(directory, records="fast", weights=weights, device="cpu", console=console)
    assert card["qrs"] == {"se": None, "ppv": None}
    assert card["qrs_from_start"]["se"] == 1.0
    assert "nothing is scored" in caplog.text


def test_unjudged_beats_are_written_as_unclassifiable(directory: Path, tmp_path: Path) -> None:
    (heard,) = evaluate(directory, ["fast"], judge=None)
    write_found(tmp_path, heard)
    found = read_annotations(tmp_path / "fast", extension=EXTENSION)
    assert set(found.symbols) == {"Q"}
    assert len(found.symbols) == len(heard.samples) > 60


def test_records_are_selected_by_name_list_or_all(directory: Path) -> None:
    assert select(directory, "all") == ("calm", "fast", "off")
    assert select(directory, "off, calm, off") == ("off", "calm")


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ("ds1", "not there: 101, 106"),
        ("calm,nobody", "not there: nobody"),
        ("", "records must be all, ds1, ds2"),
    ],
)
def test_records_that_are_not_there_are_named(directory: Path, records: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        select(directory, records)


def test_records_that_are_called_the_same_are_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "calm.hea").touch()
    (tmp_path / "calm.edf").touch()
    for name in ("calm.atr", "calm.edf.atr"):
        (tmp_path / name).write_bytes((directory / "calm.atr").read_bytes())
    for records in ("all", "calm,calm.edf"):
        with pytest.raises(RecordError, match=r"are both called calm: name one of them"):
            select(tmp_path, records)
    assert select(tmp_path, "calm.edf") == ("calm.edf",)


def test_records_without_beats_are_refused(
    directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_wfdb(tmp_path, "bare", Simulator(SINUS, fs=250))
    (tmp_path / "bare.atr").unlink()
    with pytest.raises(RecordError, match="name a directory that has them"):
        select(tmp_path, "all")
    with pytest.raises(RecordError, match=r"bare in .* has no beat annotations"):
        select(tmp_path, "bare")
    # among others they are left out, which is said
    (tmp_path / "calm.hea").touch()
    (tmp_path / "calm.atr").write_bytes((directory / "calm.atr").read_bytes())
    assert select(tmp_path, "all") == ("calm",)
    assert "1 of 2 records in" in caplog.text
    assert "left out: bare" in caplog.text


def test_absent_weights_say_how_to_make_them(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="rhythmwatch train"):
        run(directory, weights=tmp_path / "none.safetensors", device="cpu")


def test_table_shows_records_average_and_gross(directory: Path) -> None:
    card = scorecard(evaluate(directory, ["calm", "off"], judge=None), from_s=5.0)
    out = io.StringIO()
    Console(file=out, width=140).print(table_of(card))
    lines = [line for line in out.getvalue().splitlines() if "100.00" in line]
    assert [line.split("│")[1].strip() for line in lines] == ["calm", "off", "average", "gross"]
    assert "delay of a beat: p50" in out.getvalue()


def test_models_of_seeds_say_of_kept_beats_what_they_say_live(
    directory: Path, tmp_path: Path
) -> None:
    judges = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        beats = BeatEnsemble([BeatLSTM(BeatLSTMSize())])
        judges.append(Judge(beats, RhythmLSTM(), version=f"rw-{seed}", device="cpu"))
    names = ["calm", "fast", "off", "three"]
    for name in names[:-1]:
        for suffix in (".hea", ".dat", ".atr"):
            (tmp_path / f"{name}{suffix}").write_bytes((directory / f"{name}{suffix}").read_bytes())
    three_unnamed_leads(tmp_path, "three")
    kept = Beats()
    heard = evaluate(tmp_path, names, judge=None, on_beat=kept)
    for judge in judges:
        live = evaluate(tmp_path, names, judge=judge)
        for a, b in zip(kept.judged(heard, judge), live, strict=True):
            for field in ("name", "samples", "classes", "delays_s", "probabilities", "fit"):
                equal_nan = field == "probabilities"
                assert np.array_equal(getattr(a, field), getattr(b, field), equal_nan=equal_nan)


def test_seeds_are_listed_with_mean_and_standard_deviation(
    directory: Path, tmp_path: Path, weights: Path
) -> None:
    folder = tmp_path / "seeds"
    for k in (10, 2):  # in the order of numbers, not of names
        torch.manual_seed(k)
        beats = BeatEnsemble([BeatLSTM(BeatLSTMSize())])
        save(beats, RhythmLSTM(), folder / f"seed-{k}.safetensors", temperature=1.0)
    assert [path.stem for path in checkpoints([folder])] == ["seed-2", "seed-10"]
    card = run(
        directory,
        records="calm",
        seeds=[folder, weights],
        weights=weights,
        device="cpu",
        from_s=5.0,
        console=Console(file=io.StringIO()),
    )
    assert len(card["seeds"]) == 3
    assert card["seeds"][2]["V"] == card["beats"]["V"]
    accuracies = [seed["accuracy"] for seed in card["seeds"]]
    assert card["seeds_mean"]["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert card["seeds_sd"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-6)
    assert set(card["seeds"][0]) >= {"V", "S", "S_without_232_219"}


def test_absent_seeds_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no seed-0\.safetensors"):
        checkpoints([tmp_path])
    with pytest.raises(CheckpointError, match="no weights"):
        checkpoints([tmp_path / "none.safetensors"])


def test_figures_replace_what_stands_between_their_markers(directory: Path, tmp_path: Path) -> None:
    card = scorecard(evaluate(directory, ["calm"], judge=None), from_s=5.0)
    page = tmp_path / "docs" / "page.md"
    write_markdown(page, card, name="some calm")
    page.write_text(f"before\n{page.read_text().replace('100.00', '1.00')}after\n")
    write_markdown(page, card, name="some calm")
    text = page.read_text()
    assert text.startswith("before\n<!-- figures: some calm -->\n1 records")
    assert text.endswith("<!-- end of figures -->\nafter\n")
    assert "| QRS, 150 ms | 100.00 | 100.00 |" in text
    with pytest.raises(MarkersError, match="has no place for these figures"):
        write_markdown(page, card, name="others")
    assert page.read_text() == text


def test_s_and_the_doubled_person_are_also_scored_without(directory: Path, tmp_path: Path) -> None:
    for name in ("202", "232", "201"):
        for suffix in (".hea", ".dat", ".atr"):
            there = (directory / f"calm{suffix}").read_bytes()
            (tmp_path / f"{name}{suffix}").write_bytes(there.replace(b"calm", name.encode()))
    heard = evaluate(tmp_path, ["201", "202", "232"], judge=None)
    every = [replace(one, classes=np.full(len(one.samples), "S")) for one in heard]
    card = scorecard(every, from_s=5.0)
    assert card["without_202"]["qrs"] == card["qrs"] == {"se": 1.0, "ppv": 1.0}
    assert card["S_without_232_219"]["ppv"] == 0.0
    assert scorecard(every[:1], from_s=5.0)["without_202"] is None
    # of another database nobody is doubled
    assert scorecard(every, from_s=5.0, database="hospital")["without_202"] is None


def test_f_called_v_are_false_where_nothing_else_is_called_v(directory: Path) -> None:
    (heard,) = evaluate(directory, ["fast"], judge=None)
    reference, _ = heard.annotations.beats()
    called = replace(heard, samples=reference, classes=np.full(len(reference), "V"))
    fused = replace(heard.annotations, symbols=("F",) * len(heard.annotations.symbols))
    card = scorecard([replace(called, annotations=fused)], from_s=0.0)
    assert card["beats"]["V"]["ppv"] is None
    assert card["V_if_F_called_V_were_false"] == {"se": None, "ppv": 0.0, "f1": None}


def test_probabilities_are_compared_with_the_beats_that_are_scored(directory: Path) -> None:
    # 37.5 samples of 250 Hz are 150 ms: a beat 38 samples off is no match, nor does it calibrate
    (heard,) = evaluate(directory, ["off"], judge=None)
    reference, _ = heard.annotations.beats()
    sure = np.zeros((len(reference), 5))
    sure[:, 0] = 1.0
    said = replace(
        heard,
        samples=reference + 38,
        classes=np.full(len(reference), "N"),
        delays_s=np.zeros(len(reference)),
        probabilities=sure,
    )
    card = scorecard([said], from_s=0.0)
    assert card["qrs"]["se"] == 0.0
    assert card["calibration"]["N"]["true"][-1] == 0.0
