"""The log of DS2: every run of records that examine is written down, with its figures.

Figures on records that have been looked at often are worth less. A reader can
only judge how much less if every look is on the page.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ecg.errors import RecordError
from training.split import DS2, DS2_STRICT, MITDB
from training.tables import percent

logger = logging.getLogger(__name__)

LOG = Path("docs") / "concepts" / "ds2-runs.md"
"""Where runs are noted in a checkout; the last lines of the page are its table."""

HERE = Path(__file__).parents[1]
"""The checkout this code is run from, if it is one."""


def bar_from_ci(records: Sequence[str], *, database: str = MITDB) -> None:
    """Make sure that no automatic run hears records that examine.

    Parameters
    ----------
    records : sequence of str
        Names of records that are to be run.
    database : str
        Which database they are of; ``100`` of another one is somebody else.

    Raises
    ------
    RecordError
        If some are of DS2 and ``CI`` is set to a true value, as continuous integration does.
    """
    asked = sorted(_of_ds2(records, database))
    if asked and os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise RecordError(
            f"{', '.join(asked)} examine and are never run automatically, got CI="
            f"{os.environ['CI']}: run them by hand, so that every look is one that somebody wanted"
        )


def log_run(
    card: dict[str, Any],
    *,
    database: str = MITDB,
    model: str,
    why: str,
    what: str = "",
    today: date | None = None,
    checkout: Path = HERE,
) -> bool:
    """Note a run in the log if it had records of DS2.

    Parameters
    ----------
    card : dict
        The ``records``, and figures as ``training.scorecard.scorecard`` gives them; what was not
        looked at may be left out.
    database : str
        Which database the records are of.
    model : str
        Version of the model.
    why : str
        Why DS2 was run.
    what : str
        What ran it, if not an evaluation.
    today : date, optional
        The date to note; today's in UTC if not given.
    checkout : Path
        Root of the checkout whose log is meant.

    Returns
    -------
    bool
        Whether a line was written.
    """
    records = card["records"]
    if not _of_ds2(records, database):
        return False
    page = checkout / LOG
    if not (checkout / ".git").exists() or not page.is_file():
        logger.warning("DS2 was run outside a checkout: this run is not logged")
        return False
    cells = (
        (today or datetime.now(UTC).date()).isoformat(),
        commit_of(checkout),
        model,
        _which(records),
        f"{_share(card, 'qrs', 'se')} / {_share(card, 'qrs', 'ppv')}",
        _share(card, "beats", "V", "f1"),
        _share(card, "beats", "S", "f1"),
        _share(card, "S_without_232_219", "f1"),
        _share(card, "accuracy"),
        _seeds(card),
        (f"{what}: " if what else "")
        + (why.replace("|", "/").replace("\n", " ").strip() or "not said"),
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


def _of_ds2(records: Sequence[str], database: str) -> set[str]:
    return set(records) & set(DS2) if database == MITDB else set()


def _share(card: Any, *path: str) -> str:
    for word in path:
        card = card.get(word) if card is not None else None
    return percent(card)


def _which(records: Sequence[str]) -> str:
    looked_at = set(records) & set(DS2)
    if looked_at == set(DS2):
        # where there are others the figures are theirs, too
        return "all 22" + (f" of {len(set(records))}" if len(set(records)) > len(DS2) else "")
    if looked_at == set(DS2_STRICT):
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
