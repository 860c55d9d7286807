"""The sizing benchmark: what it weighs, places and writes."""

import json
from pathlib import Path

import pytest

from benchmarks.sizing.__main__ import PAGE
from benchmarks.sizing.page import markdown
from benchmarks.sizing.plan import plan, scorers_for
from benchmarks.sizing.site import ASSUMED, SITES, figures_of
from benchmarks.sizing.weight import Weight, weigh
from training.page import BEGIN, END

WEIGHT = Weight(waveforms=3000.0, findings=2000.0, states=600.0, messages=8.0)


@pytest.mark.parametrize("patients", [1, 1000, 250_000])
def test_busiest_scorer_stays_below_its_share(patients: int) -> None:
    partitions, scorers, busiest = scorers_for(patients, per_core=3000.0, most=0.5, lost=0.02)
    assert 2 <= scorers <= partitions <= 1024
    assert busiest <= 0.5
    assert (scorers - 1) * 0.5 * 3000 >= patients


def test_more_patients_than_partitions_can_carry_are_refused() -> None:
    with pytest.raises(ValueError, match="make the cells smaller"):
        scorers_for(10**7, per_core=3000.0, most=0.5, lost=0.02)


def test_site_is_cut_into_cells(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, {"cell": 100_000.0})
    hospital, region, wearables = (plan(site, WEIGHT, figures) for site in SITES)
    assert (hospital.cells, region.cells, wearables.cells) == (1, 1, 30)
    assert hospital.brokers == 3
    assert wearables.scorers % 30 == 0
    assert region.mb_s == pytest.approx(560.0)


def test_gpu_is_taken_where_it_costs_less(tmp_path: Path) -> None:
    dear = plan(SITES[1], WEIGHT, figures_of(tmp_path, {"gpu_price": 1000.0}))
    cheap = plan(SITES[1], WEIGHT, figures_of(tmp_path, {"gpu_price": 0.01}))
    assert (dear.gpus, cheap.gpus > 0) == (0, True)
    assert cheap.scorers < dear.scorers


def test_measured_figures_win_over_assumed_and_given_over_both(tmp_path: Path) -> None:
    (tmp_path / "archive.json").write_text(json.dumps({"archive": {"patients_per_core": 123.0}}))
    assert figures_of(tmp_path, {})["archive_per_core"].source == "archive.json"
    assert figures_of(tmp_path, {})["scorer_per_core"].source == "assumed"
    assert figures_of(tmp_path, {"archive_per_core": 7.0})["archive_per_core"].value == 7.0


def test_kept_capacity_says_how_many_a_core_scores(tmp_path: Path) -> None:
    row = {"held": True, "chunk_ms": 250, "patients": 5000, "cpu": {"scorer": 0.5}, "seconds": 600}
    probe = row | {"patients": 6000, "seconds": 60}
    kept = {"kept_at": "2026-01-02T03:04:05", "kafka": [row, probe], "stages": {"model": 0.4}}
    (tmp_path / "capacity-1.json").write_text(json.dumps(kept))
    (tmp_path / "archive.json").write_text(json.dumps({"archive": {"patients_per_core": 1.0}}))
    figures = figures_of(tmp_path, {})
    assert figures["scorer_per_core"].value == 10_000.0
    assert figures["scorer_per_core"].source == "capacity of 2026-01-02"
    assert figures["model_share"].value == 0.4


def test_weights_are_those_of_the_messages() -> None:
    weight = weigh(SITES[2], seconds=3.0)
    assert 500 < weight.waveforms < 1000
    assert weight.messages == pytest.approx(2.0, abs=0.4)
    assert weight.findings > 0
    assert weight.states > 0


def test_tables_name_every_site_and_every_figure(tmp_path: Path) -> None:
    figures = figures_of(tmp_path, {})
    plans = [plan(site, WEIGHT, figures) for site in SITES]
    text = markdown(plans, {site.name: WEIGHT for site in SITES}, figures)
    for name in (*(site.name for site in SITES), *(f"`{name}`" for name in figures)):
        assert name in text


def test_shipped_page_names_every_figure() -> None:
    shown = (
        PAGE.read_text(encoding="utf-8").partition(BEGIN.format(name="sizing"))[2].partition(END)[0]
    )
    for name in ASSUMED:
        assert f"`{name}`" in shown
