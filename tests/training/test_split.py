import csv
from pathlib import Path

import pytest

from ecg.checkpoint import SHIPPED, read_card
from tests import need
from training.ensemble import deal
from training.split import DS1, DS2, DS2_STRICT, PACED, check_apart, database_of, person_of


def test_lists_are_the_44_records_without_pacemaker_when_joined() -> None:
    assert len(DS1) == len(DS2) == 22
    assert len({*DS1, *DS2, *PACED}) == 48


def test_no_person_is_on_both_sides_when_the_strict_list_is_used() -> None:
    assert len(DS2_STRICT) == 21
    check_apart(DS1, DS2_STRICT)
    assert len({person_of(name) for name in (*DS1, *DS2)}) == 43


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (DS1, DS2),
        (["202"], ["201"]),
        (["118e06"], ["118"]),
        (["100"], ["100"]),
        (["mitdb/201"], ["202"]),
        (["nstdb/119e06"], ["mitdb/119"]),
        (["svdb/800"], ["svdb/800"]),
    ],
)
def test_split_is_refused_when_a_person_is_on_both_sides(train: list[str], test: list[str]) -> None:
    with pytest.raises(ValueError, match="no person may be on both sides"):
        check_apart(train, test)


@pytest.mark.parametrize(
    ("folder", "database"),
    [
        ("/srv/mit-bih-arrhythmia-database-1.0.0", "mitdb"),
        ("/srv/mitdb-1.0.0/records", "mitdb"),
        ("/srv/MITDB", "mitdb"),
        ("/srv/nstdb/mitdb", "mitdb"),
        ("/home/mitdb/data/svdb", "svdb"),
        ("/home/mitdb/mit-bih-supraventricular-arrhythmia-database-1.0.0", "svdb"),
        ("/srv/mit-bih-noise-stress-test-database-1.0.0", "nstdb"),
        ("/srv/mitdb2", "mitdb2"),
    ],
)
def test_database_is_the_innermost_that_a_folder_is_called_by(folder: str, database: str) -> None:
    assert database_of(folder) == database


def test_a_link_is_the_database_that_it_is_called_or_leads_to(tmp_path: Path) -> None:
    for folder, link in (("store", "mitdb"), ("mitdb-1.0.0", "ours")):
        (tmp_path / folder).mkdir()
        (tmp_path / link).symlink_to(tmp_path / folder)
        assert database_of(tmp_path / link) == "mitdb"


def taught() -> list[str]:
    """Return every record that taught the shipped model anything."""
    card = read_card(SHIPPED)
    return sorted({*card["records"], *card["rhythm"]["records"]})


def test_nobody_who_taught_the_shipped_model_examines_it() -> None:
    assert len(taught()) > 100
    assert {name.split("/")[0] for name in taught()} >= {"mitdb", "svdb", "vfdb"}
    check_apart(taught(), DS2_STRICT)
    # the field's flaw, which the docs name: 201 is the only one
    both = {person_of(name) for name in taught()} & {person_of(name) for name in DS2}
    assert both == {"201"}


@pytest.mark.parametrize("parts", [2, 3, 4, 5, 6, 10])
def test_no_person_is_in_two_folds_of_the_training_records(parts: int) -> None:
    records = [*taught(), "mitdb/202"]
    dealt = deal(records, parts)
    assert len(set(dealt)) == parts
    for part in range(parts):
        inside = [name for name, k in zip(records, dealt, strict=True) if k == part]
        outside = [name for name, k in zip(records, dealt, strict=True) if k != part]
        check_apart(outside, inside)


@pytest.mark.recordings
def test_no_record_of_two_databases_has_one_name() -> None:
    listed: dict[str, str] = {}
    for database in ("mitdb", "svdb", "vfdb"):
        for name in sorted(path.stem for path in need.recordings(database).glob("*.hea")):
            assert name not in listed, f"{name} is in {listed[name]} and {database}"
            listed[name] = database


@pytest.mark.recordings
def test_records_of_the_challenge_are_listed_once() -> None:
    reference = need.recordings("challenge2017") / "REFERENCE.csv"
    with Path(reference).open(encoding="ascii", newline="") as lines:
        names = [row[0] for row in csv.reader(lines)]
    assert len(names) == len(set(names))
