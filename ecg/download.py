"""Records from PhysioNet, fetched by wfdb into a directory, one after the other."""

import contextlib
import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import wfdb

from ecg.errors import DownloadError, LeadError, RateError, RecordError
from ecg.reader import read_record

logger = logging.getLogger(__name__)

OnProgress = Callable[[int, int, str], None]
"""Called with how many records are there, how many are wanted, and the one just fetched."""

_DATABASE = re.compile(r"[a-z0-9][a-z0-9-]*")
_RECORD = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/?")


def list_remote(database: str) -> tuple[str, ...]:
    """Return the names of a database's records, as PhysioNet lists them.

    Raises
    ------
    DownloadError
        If there is no such database, or the network is away.
    """
    if not _DATABASE.fullmatch(database):
        raise DownloadError(f"a database is named as on PhysioNet, e.g. mitdb, got {database!r}")
    with _explained(f"the list of records of {database}"):
        return tuple(str(name) for name in wfdb.get_record_list(database))


def download(
    database: str,
    directory: str | Path,
    *,
    records: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """Fetch records with their annotations into ``directory/database``.

    What is there already is not fetched again, so that an interrupted download goes
    on when it is asked for again; a record that contradicts its header is.

    Parameters
    ----------
    database : str
        Its name on PhysioNet, e.g. ``mitdb``.
    directory : str or Path
        Where databases lie.
    records : sequence of str, optional
        Only these; all of them without it.
    on_progress : callable, optional
        Told after each record.

    Returns
    -------
    Path
        The directory that holds the records, with a ``RECORDS`` file of what is there.

    Raises
    ------
    DownloadError
        If a name is unknown, the network is away, or the disk refuses.
    """
    there = list_remote(database)
    wanted = there if records is None else tuple(records)
    if unknown := [name for name in wanted if name not in there]:
        raise DownloadError(
            f"{database} has no record {', '.join(unknown)}; it has {', '.join(there[:8])}, ..."
        )
    if strange := [name for name in wanted if not _RECORD.fullmatch(name)]:
        raise DownloadError(f"{database} lists {strange[0]!r}, which is no record's name")
    target = Path(directory) / database
    for done, name in enumerate(wanted, start=1):
        with _explained(f"record {name} of {database}"):
            target.mkdir(parents=True, exist_ok=True)
            wfdb.dl_database(database, str(target), records=[name])
            if not _is_whole(target / name):
                # a download that was cut short, and whose completion went wrong
                wfdb.dl_database(database, str(target), records=[name], overwrite=True)
            _list(target, name)
        logger.info("record=%s of %s is there", name, database)
        if on_progress is not None:
            on_progress(done, len(wanted), name)
    return target


def _is_whole(path: Path) -> bool:
    if path.is_dir():
        return True
    try:
        read_record(path)
    except (LeadError, RateError):
        return True  # whole, if of no use here
    except RecordError:
        return False
    return True


def _list(target: Path, name: str) -> None:
    listed = target / "RECORDS"
    names = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
    if name not in names:
        listed.write_text("".join(f"{n}\n" for n in [*names, name]), encoding="utf-8")


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn what wfdb and the network raise into an error that says what to do."""
    said = io.StringIO()
    try:
        # wfdb reports by printing
        with contextlib.redirect_stdout(said):
            yield
    except FileNotFoundError as error:
        raise DownloadError(f"PhysioNet has not got {what}: {error}; check the name") from error
    except PermissionError as error:
        raise DownloadError(
            f"{what} may not be fetched or stored: {error}; some databases must be fetched by hand "
            "after signing their terms"
        ) from error
    except OSError as error:
        raise DownloadError(
            f"{what} cannot be fetched: {error}; check the network and ask again, "
            "or copy the files there by hand"
        ) from error
    except (ValueError, IndexError) as error:
        raise DownloadError(
            f"PhysioNet's answer about {what} is no WFDB database: {error}"
        ) from error
    finally:
        logger.debug("%s", said.getvalue())
