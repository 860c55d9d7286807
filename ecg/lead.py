"""Which leads are judged: chosen by name, never by position.

Leads are ranked by how well a QRS detector and a beat classifier trained on
MLII see them: limb lead II and its modified forms first, then leads with a
tall upright R wave, then the rest. A name that says nothing (``ECG1``) is
ranked by quality, and where there is none known, by its place in the header.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ecg.errors import LeadError

MAX_LEADS = 2
"""Leads judged at once: a primary one and a secondary one."""

PREFERENCE = (
    "MLII",
    "II",
    "MLI",
    "I",
    "V5",
    "MV5",
    "CM5",
    "V4",
    "CM4",
    "V6",
    "V1",
    "MV1",
    "MCL1",
    "V",
    "MV",
    "MCL",
    "V2",
    "CM2",
    "V3",
    "AVF",
    "III",
    "MLIII",
    "D3",
    "D4",
    "AVL",
    "AVR",
)
"""Lead names, best first. V1 stands before V2 and V3 because it shows P waves and
the direction of a ventricular beat, which is what a second lead is for."""

_RANK = {name: rank for rank, name in enumerate(PREFERENCE)}
_NOISE_WORD = re.compile(r"\b(ECG|EKG|LEAD)\b[\s:_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadChoice:
    """The leads to judge, the primary one first.

    Parameters
    ----------
    leads : tuple of str
        Names as the source gives them; one or two.
    columns : tuple of int
        Column of each in the source's samples.
    why : str
        How they were chosen, for people.
    """

    leads: tuple[str, ...]
    columns: tuple[int, ...]
    why: str


def normalised(name: str) -> str:
    """Return a lead name as the preference list spells it.

    Examples
    --------
    >>> normalised("aVF"), normalised("ECG lead II"), normalised(" mlII "), normalised("ECG1")
    ('AVF', 'II', 'MLII', 'ECG1')
    """
    upper = name.strip().upper()
    return _NOISE_WORD.sub("", upper).strip() or upper


def by_name(names: Sequence[str]) -> list[int]:
    """Return the columns whose names are in ``PREFERENCE``, best first.

    Examples
    --------
    >>> by_name(["V5", "ECG1", "MLII"])
    [2, 0]
    """
    known = [column for column, name in enumerate(names) if normalised(name) in _RANK]
    return sorted(known, key=lambda column: _RANK[normalised(names[column])])


def choose_leads(
    names: Sequence[str],
    *,
    wanted: Sequence[str] | None = None,
    quality: Sequence[float] | None = None,
) -> LeadChoice:
    """Choose up to two leads to judge.

    Parameters
    ----------
    names : sequence of str
        Lead names of the source, one a column.
    wanted : sequence of str, optional
        Leads that somebody asked for, the primary one first; no other is taken.
    quality : sequence of float, optional
        Share of the first 10 s in which each column could be judged, 0 to 1. It
        ranks leads whose names are not in ``PREFERENCE``, and a lead that could
        not be judged at all comes after those that could.

    Returns
    -------
    LeadChoice
        Names, columns, and why these.

    Raises
    ------
    LeadError
        If there is no lead, a wanted lead is absent, more than two are wanted, or
        ``quality`` does not have one value a lead.

    Examples
    --------
    >>> choose_leads(["V5", "MLII"])
    LeadChoice(leads=('MLII', 'V5'), columns=(1, 0), why='by name: MLII, V5')
    >>> choose_leads(["ECG1", "ECG2"], quality=[0.4, 1.0]).leads
    ('ECG2', 'ECG1')
    """
    if not names:
        raise LeadError("a stream needs at least one ECG lead, got none")
    if wanted is not None:
        return _choose_wanted(names, wanted)
    if quality is not None and len(quality) != len(names):
        raise LeadError(f"quality must have {len(names)} values, one a lead, got {len(quality)}")

    def rank(column: int) -> tuple[bool, int, float, int]:
        share = 0.0 if quality is None else float(quality[column])
        unusable = quality is not None and share <= 0
        return unusable, _RANK.get(normalised(names[column]), len(_RANK)), -share, column

    columns = tuple(sorted(range(len(names)), key=rank)[:MAX_LEADS])
    leads = tuple(names[c] for c in columns)
    named = [name for name in leads if normalised(name) in _RANK]
    others = [name for name in leads if normalised(name) not in _RANK]
    parts = []
    if named:
        parts.append(f"by name: {', '.join(named)}")
    if others:
        how = "in the order of the source" if quality is None else "by quality over the first 10 s"
        parts.append(f"{how}: {', '.join(others)}")
    return LeadChoice(leads=leads, columns=columns, why="; ".join(parts))


def _choose_wanted(names: Sequence[str], wanted: Sequence[str]) -> LeadChoice:
    if not 1 <= len(wanted) <= MAX_LEADS:
        raise LeadError(f"ask for 1 to {MAX_LEADS} leads, got {len(wanted)}: {list(wanted)}")
    columns: list[int] = []
    for name in wanted:
        exact = [c for c, have in enumerate(names) if have == name]
        alike = [c for c, have in enumerate(names) if normalised(have) == normalised(name)]
        found = [c for c in (exact or alike) if c not in columns]
        if not found:
            raise LeadError(f"no lead {name!r}; ask for one of {', '.join(names)}")
        columns.append(found[0])
    return LeadChoice(
        leads=tuple(names[c] for c in columns), columns=tuple(columns), why="as asked for"
    )
