"""The log of DS2: every run of records that examine is written down, with its figures.

Figures on records that have been looked at often are worth less. A reader can
only judge how much less if every look is on the page.
"""

import logging
import shutil
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from training.split import DS2, DS2_STRICT
from training.tables import percent

logger = logging.getLogger(__name__)

LOG = Path("docs") / "concepts" / "ds2-runs.md"
"""Where runs are noted in a checkout; the last lines of the page are its table."""

HERE = Path(__file__).parents[1]
"""The checkout this code is run from, if it is one."""


def log_run(
    card: dict[str, Any], *, model: str, why: str, today: date, checkout: Path = HERE
) -> bool:
    """Note a run in the log if it had records of DS2.

    Parameters
    ----------
    card : dict
        The figures, as ``training.scorecard.scorecard`` gives them.
    model : str
        Version of the model.
    why : str
        Why DS2 was run.
    today : date
        The date to note.
    checkout : Path
        Root of the checkout whose log is meant.

    Returns
    -------
    bool
        Whether a line was written.
    """
    records = card["records"]
    if not set(records) & set(DS2):
        return False
    page = checkout / LOG
    if not (checkout / ".git").exists() or not page.is_file():
        logger.warning("DS2 was run outside a checkout: this run is not logged")
        return False
    cells = (
        today.isoformat(),
        commit_of(checkout),
        model,
        _which(records),
        f"{percent(card['qrs']['se'])} / {percent(card['qrs']['ppv'])}",
        percent(card["beats"]["V"]["f1"]),
        percent(card["beats"]["S"]["f1"]),
        percent(card["S_without_232_219"]["f1"]),
        percent(card["accuracy"]),
        _seeds(card),
        why.replace("|", "/").replace("\n", " ").strip() or "not said",
    )
    text = page.read_text(encoding="utf-8").rstrip("\n")
    page.write_text(f"{text}\n| {' | '.join(cells)} |\n", encoding="utf-8")
    logger.info("this run of DS2 is noted in %s", page)
    return True


def commit_of(checkout: Path) -> str:
    """Return the short commit of a checkout, with ``+`` where files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    # the log itself may have lines of runs before this one
    said = [
        subprocess.run(  # noqa: S603  # our own program and arguments
            [git, "-C", str(checkout), *words], capture_output=True, text=True, check=False
        )
        for words in (
            ("rev-parse", "--short", "HEAD"),
            ("diff", "--quiet", "HEAD", "--", ".", f":(exclude){LOG.as_posix()}"),
        )
    ]
    if said[0].returncode:
        return "none yet"
    return said[0].stdout.strip() + ("+" if said[1].returncode else "")


def _which(records: Sequence[str]) -> str:
    if set(records) == set(DS2):
        return "all 22"
    if set(records) == set(DS2_STRICT):
        return "all but 202"
    return " ".join(name for name in records if name in DS2)


def _seeds(card: dict[str, Any]) -> str:
    if "seeds" not in card:
        return ""
    mean, sd = card["seeds_mean"], card["seeds_sd"]
    of = ", ".join(
        f"{c} {percent(mean[c]['f1'])} ± {percent(sd[c]['f1'] if sd[c] else None)}"
        for c in ("V", "S")
    )
    return f"{len(card['seeds'])}: {of}"
