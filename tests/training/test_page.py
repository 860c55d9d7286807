from pathlib import Path

import pytest

from training.errors import MarkersError
from training.page import check_place, put_between


def test_figures_are_put_between_their_markers_and_nothing_else_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- figures: one -->\nold\n<!-- end of figures -->\nb\n", encoding="utf-8")
    put_between(page, "new\n", name="one")
    after = "a\n<!-- figures: one -->\nnew\n<!-- end of figures -->\nb\n"
    assert page.read_text(encoding="utf-8") == after
    check_place(page, name="one")
    check_place(tmp_path / "new.md", name="one")
    with pytest.raises(MarkersError, match="figures: other"):
        check_place(page, name="other")
    with pytest.raises(MarkersError, match="figures: other"):
        put_between(page, "new\n", name="other")
    assert page.read_text(encoding="utf-8") == after


def test_a_page_that_is_not_there_is_made_with_markers(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "page.md"
    put_between(page, "old\n", name="one")
    put_between(page, "new\n", name="one")
    assert page.read_text(encoding="utf-8").splitlines()[1:-1] == ["new"]


def test_a_file_that_is_no_page_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes("Schrittmacher für 5 €".encode("cp1252"))
    with pytest.raises(MarkersError, match="UTF-8"):
        check_place(page, name="one")
