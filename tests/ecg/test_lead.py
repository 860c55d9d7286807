import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.errors import LeadError
from ecg.lead import PREFERENCE, choose_leads, normalised


@pytest.mark.parametrize(
    ("names", "leads", "columns"),
    [
        (["MLII", "V5"], ("MLII", "V5"), (0, 1)),
        (["V5", "MLII"], ("MLII", "V5"), (1, 0)),
        (["V5", "V2"], ("V5", "V2"), (0, 1)),
        (["I", "II", "III", "aVR", "aVL", "aVF", "V1"], ("II", "I"), (1, 0)),
        (["ECG"], ("ECG",), (0,)),
        (["ECG", "ECG"], ("ECG", "ECG"), (0, 1)),
        (["ECG1", "ECG lead II"], ("ECG lead II", "ECG1"), (1, 0)),
    ],
)
def test_leads_are_chosen_by_name_when_nothing_else_is_known(
    names: list[str], leads: tuple[str, ...], columns: tuple[int, ...]
) -> None:
    choice = choose_leads(names)
    assert choice.leads == leads
    assert choice.columns == columns


def test_choice_says_source_order_when_names_say_nothing() -> None:
    assert choose_leads(["ECG1", "ECG2"]).why == "in the order of the source: ECG1, ECG2"


def test_choice_says_quality_when_quality_decided() -> None:
    choice = choose_leads(["ECG1", "ECG2", "ECG3"], quality=[0.2, 0.9, 0.5])
    assert choice.leads == ("ECG2", "ECG3")
    assert choice.why == "by quality over the first 10 s: ECG2, ECG3"


def test_preferred_lead_comes_last_when_it_cannot_be_judged_at_all() -> None:
    assert choose_leads(["MLII", "V1"], quality=[0.0, 0.8]).leads == ("V1", "MLII")


def test_wanted_lead_wins_over_preference_when_present() -> None:
    choice = choose_leads(["MLII", "V5"], wanted=["v5"])
    assert (choice.leads, choice.columns, choice.why) == (("V5",), (1,), "as asked for")


def test_two_columns_are_taken_when_the_same_name_is_wanted_twice() -> None:
    assert choose_leads(["ECG", "ECG"], wanted=["ECG", "ECG"]).columns == (0, 1)


@pytest.mark.parametrize(
    ("names", "wanted", "says"),
    [
        ([], None, "at least one ECG lead"),
        (["MLII"], ["V1"], "no lead 'V1'; ask for one of MLII"),
        (["MLII"], ["MLII", "MLII"], "no lead 'MLII'"),
        (["MLII"], [], "1 to 2 leads"),
        (["I", "II", "III"], ["I", "II", "III"], "1 to 2 leads"),
    ],
)
def test_impossible_choice_is_refused_when_asked(
    names: list[str], wanted: list[str] | None, says: str
) -> None:
    with pytest.raises(LeadError, match=says):
        choose_leads(names, wanted=wanted)


def test_quality_of_another_length_is_refused() -> None:
    with pytest.raises(LeadError, match="one a lead"):
        choose_leads(["I", "II"], quality=[1.0])


@given(st.permutations(list(PREFERENCE)))
def test_primary_is_the_same_lead_when_the_order_of_columns_changes(names: list[str]) -> None:
    choice = choose_leads(names)
    assert choice.leads == PREFERENCE[:2]
    assert [names[c] for c in choice.columns] == list(choice.leads)


@given(st.text(max_size=20))
def test_normalising_twice_changes_nothing(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)
