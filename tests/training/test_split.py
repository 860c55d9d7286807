import pytest

from training.split import DS1, DS2, DS2_STRICT, PACED, check_apart, person_of


def test_lists_are_the_44_records_without_pacemaker_when_joined() -> None:
    assert len(DS1) == len(DS2) == 22
    assert len({*DS1, *DS2, *PACED}) == 48


def test_no_person_is_on_both_sides_when_the_strict_list_is_used() -> None:
    assert len(DS2_STRICT) == 21
    check_apart(DS1, DS2_STRICT)
    assert len({person_of(name) for name in (*DS1, *DS2)}) == 43


@pytest.mark.parametrize(
    ("train", "test"), [(DS1, DS2), (["202"], ["201"]), (["118e06"], ["118"]), (["100"], ["100"])]
)
def test_split_is_refused_when_a_person_is_on_both_sides(train: list[str], test: list[str]) -> None:
    with pytest.raises(ValueError, match="no person may be on both sides"):
        check_apart(train, test)
