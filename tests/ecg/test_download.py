import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import wfdb

from ecg.annotation import read_annotations
from ecg.download import download, list_remote
from ecg.errors import DownloadError
from ecg.reader import read_record, record_names
from ecg.script import Step
from ecg.simulator import Simulator, write_wfdb


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:  # what the base class prints
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a directory as PhysioNet serves its databases, and point wfdb there."""
    root = tmp_path / "site"
    files = root / "files" / "made" / "1.2.0"
    files.mkdir(parents=True)
    for seed, name in enumerate(("one", "two")):
        write_wfdb(files, name, Simulator([Step(duration_s=12)], seed=seed))
    (files / "RECORDS").write_text("one\ntwo\n")
    (files / "ANNOTATORS").write_text("atr\treference beats\n")
    page = root / "content" / "made"
    (page / "1.2.0").mkdir(parents=True)
    (page / "index.html").write_text("<p>Version: 1.2.0</p>\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    _point_at(monkeypatch, server.server_address[1])
    yield files
    server.shutdown()
    thread.join()
    server.server_close()
    wfdb.io._url._get_session().close()


def _point_at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    monkeypatch.setattr(wfdb.io.download, "PN_CONTENT_URL", f"{base}/content/")
    monkeypatch.setattr(wfdb.io.download.config, "db_index_url", f"{base}/files/", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_records_are_there_with_their_annotations_when_downloaded(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int, str]] = []
    target = download("made", tmp_path / "data", on_progress=lambda *args: told.append(args))
    assert target == tmp_path / "data" / "made"
    assert told == [(1, 2, "one"), (2, 2, "two")]
    assert record_names(target) == ("one", "two")
    assert read_record(target / "two").n_samples == 3000
    assert len(read_annotations(target / "two").beats()[0]) > 10
    assert capsys.readouterr().out == ""


def test_download_goes_on_where_it_was_cut_short(site: Path, tmp_path: Path) -> None:
    target = download("made", tmp_path, records=["one"])
    assert record_names(target) == ("one",)
    whole = (target / "one.dat").read_bytes()
    (target / "one.dat").write_bytes(whole[:500])
    download("made", tmp_path)
    assert (target / "one.dat").read_bytes() == whole
    assert (target / "RECORDS").read_text() == "one\ntwo\n"


def test_unknown_names_are_refused(site: Path, tmp_path: Path) -> None:
    assert list_remote("made") == ("one", "two")
    with pytest.raises(DownloadError, match="made has no record three; it has one, two"):
        download("made", tmp_path, records=["three"])
    with pytest.raises(DownloadError, match="has not got the list of records of absent"):
        list_remote("absent")
    with pytest.raises(DownloadError, match=r"named as on PhysioNet, e\.g\. mitdb, got '\.\./x'"):
        list_remote("../x")


def test_record_that_leads_out_of_the_directory_is_refused(site: Path, tmp_path: Path) -> None:
    (site / "RECORDS").write_text("../../escape\n")
    with pytest.raises(DownloadError, match="no record's name"):
        download("made", tmp_path)


def test_network_that_is_away_is_said_so(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as unused:
        port = unused.server_address[1]
    _point_at(monkeypatch, port)
    with pytest.raises(DownloadError, match="check the network and ask again"):
        download("made", tmp_path)
