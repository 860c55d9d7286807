"""What ``benchmarks.robustness`` measured, as tables of a page."""

from collections.abc import Mapping
from typing import Any

from training.tables import percent


def markdown(card: Mapping[str, Any]) -> str:
    """Return the tables.

    Parameters
    ----------
    card : mapping
        What ``python -m benchmarks.robustness --json`` writes.
    """
    lines = [
        f"{len(card['records'])} records of mitdb ({card['set']}), each changed in one way, model "
        f"{card['model']}; gross, from 5 minutes on, %:",
        "",
        *_scores(card["changed"], "change"),
    ]
    if card["cross"]:
        rows = {f"{name}, {row['records']} records": row for name, row in card["cross"].items()}
        lines += [
            "",
            f"A database of which the model ({card['stranger']}) knows nobody, but for its "
            "detector and what tells atrial fibrillation (see above):",
            "",
            *_scores(rows, "database"),
        ]
    if card["short"]:
        lines += [
            "",
            "Short recordings of one lead (challenge2017) by the same model, where each V "
            "and each second of ventricular fibrillation would be a false alarm in the making:",
            "",
            "| recordings | number | hours | V an hour | seconds of VF an hour | unfit, % |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for kind, row in card["short"].items():
            lines.append(
                f"| {kind} | {row['records']} | {row['hours']:.2f} | {row['v_per_hour']} "
                f"| {row['vf_seconds_per_hour']} | {percent(row['unfit_share'])} |"
            )
    return "\n".join(lines) + "\n"


def _scores(rows: Mapping[str, Mapping[str, Any]], what: str) -> list[str]:
    lines = [f"| {what} | QRS Se | QRS +P | V F1 | S F1 | accuracy |", "|---|" + "---:|" * 5]
    for name, row in rows.items():
        shares = (
            row["qrs"]["se"],
            row["qrs"]["ppv"],
            row["V"]["f1"],
            row["S"]["f1"],
            row["accuracy"],
        )
        lines.append(f"| {name} | {' | '.join(map(percent, shares))} |")
    return lines
