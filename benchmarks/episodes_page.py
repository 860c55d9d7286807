"""What ``benchmarks.episodes`` measured, as tables of a page."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from training.tables import percent

NAMES = {
    "Asystole": "asystole",
    "Bradycardia": "extreme bradycardia",
    "Tachycardia": "extreme tachycardia",
    "Ventricular_Flutter_Fib": "ventricular flutter or fibrillation",
    "Ventricular_Tachycardia": "ventricular tachycardia",
    "VT": "ventricular tachycardia",
    "VFL": "ventricular flutter",
    "VFIB": "ventricular fibrillation",
}


def markdown(card: Mapping[str, Any]) -> str:
    """Return the tables.

    Parameters
    ----------
    card : mapping
        What ``python -m benchmarks.episodes --json`` writes.
    """
    total = Counter[str]()
    for row in card["bedside"].values():
        total.update(row)
    heard = card["ventricular"]
    elsewhere = heard["elsewhere"]
    return "\n".join(
        [
            f"{total['true'] + total['false']} alarms of bedside monitors (challenge2015), model "
            f"{card['model']}; score of the challenge {percent(card['score'])} %:",
            "",
            "| alarm | true | of them raised | false | of them raised |",
            "|---|---:|---:|---:|---:|",
            *(_bedside(NAMES[kind], row) for kind, row in card["bedside"].items()),
            _bedside("all", total),
            "",
            f"Stretches of 5 s and more that are marked in {heard['records']} records of vfdb, "
            "alarmed as VT or VF:",
            "",
            "| rhythm | stretches | raised | median delay, s | share of the time it held, % |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {NAMES[rhythm]} | {row['stretches']} | {row['raised']} "
                f"| {'-' if row['delay_s'] is None else row['delay_s']} | {percent(row['held'])} |"
                for rhythm, row in heard["rhythms"].items()
            ),
            "",
            f"In the {elsewhere['hours']:g} hours of other rhythms VT was raised "
            f"{elsewhere['vt']} and VF {elsewhere['vf']} times; there they held for "
            f"{elsewhere['held_s']:.0f} s.",
            "",
        ]
    )


def _bedside(name: str, row: Mapping[str, int]) -> str:
    keys = ("true", "true, raised", "false", "false, raised")
    return f"| {name} | {' | '.join(str(row[key]) for key in keys)} |"
