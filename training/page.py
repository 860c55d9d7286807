"""Figures in a page of the docs: written between two markers, so that no hand types them."""

from pathlib import Path

from training.errors import MarkersError

BEGIN, END = "<!-- figures: {name} -->", "<!-- end of figures -->"
"""What stands around figures in a page; what is between is replaced."""


def put_between(path: str | Path, text: str, *, name: str) -> None:
    """Write ``text`` between the markers of ``name`` in a page, or as a new page with them.

    Raises
    ------
    MarkersError
        If the page exists and has no such markers.
    """
    page, begin = Path(path), BEGIN.format(name=name)
    if not page.exists():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"{begin}\n{text}{END}\n", encoding="utf-8")
        return
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise MarkersError(
            f"{page} exists and has no place for these figures: put the lines {begin} and {END} "
            "where they belong, or name a page that does not exist"
        )
    page.write_text(f"{before}{begin}\n{text}{END}{after}", encoding="utf-8")
