"""Figures in a page of the docs: written between two markers, so that no hand types them."""

from pathlib import Path

from training.errors import MarkersError
from training.files import check_file

BEGIN, END = "<!-- figures: {name} -->", "<!-- end of figures -->"
"""What stands around figures in a page; what is between is replaced."""


def check_place(path: str | Path, *, name: str) -> None:
    """Make sure that ``put_between`` can write into a page, whose folder is made.

    Raises
    ------
    PlaceError
        If it cannot be written.
    MarkersError
        If the page exists and has no markers of ``name``, or is no text in UTF-8.
    """
    check_file(path)
    if Path(path).exists():
        _around(Path(path), name)


def put_between(path: str | Path, text: str, *, name: str) -> None:
    """Write ``text`` between the markers of ``name`` in a page, or as a new page with them.

    Raises
    ------
    MarkersError
        If the page exists and has no such markers, or is no text in UTF-8.
    """
    page = Path(path)
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"{BEGIN.format(name=name)}\n{text}{END}\n", encoding="utf-8")
        return
    before, after = _around(page, name)
    page.write_text(f"{before}\n{text}{after}", encoding="utf-8")


def _around(page: Path, name: str) -> tuple[str, str]:
    """Return what stands around figures, their markers with it."""
    begin = BEGIN.format(name=name)
    try:
        text = page.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MarkersError(f"{page} exists and is no page in UTF-8: name another file") from error
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise MarkersError(
            f"{page} exists and has no place for these figures: put the lines {begin} and {END} "
            "where they belong, or name a page that does not exist"
        )
    return before + begin, END + after
