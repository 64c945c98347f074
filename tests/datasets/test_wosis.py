"""The WoSIS snapshot by name, from a small archive of the same layout served on this machine."""

import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from landcarbon.datasets import load_profiles, registry, wosis

HEAD = "profile_id layer_id country_name latitude longitude upper_depth lower_depth litter value_avg method"
CARBON = (
    "7 0 Sweden 61 14 0 5 True 410 dry", "7 1 Sweden 61 14 5 15 False 38 dry", "7 2 Sweden 61 14 15 40 False 12 dry",
    "7 3 Sweden 61 14 40 80 False 3 dry", "9 4 Iowa 42 -93 0 20 False 22 wet", "9 5 Iowa 42 -93 20 50 False 12 wet",
    "9 6 Iowa 42 -93 50 90 False 5 wet",
)  # fmt: skip
DENSE = ("9 4 Iowa 42 -93 0 20 False 1.2 core", "9 5 Iowa 42 -93 20 50 False 1.4 core")


def archive(head=HEAD, **without):
    """The archive, in its folder, with members that nobody asked for."""
    tables = {"orgc": CARBON, "bdfiod": DENSE, "cfvo": (), "phaq": DENSE} | without
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("WoSIS_2023_December/readme.txt", "no table")
        for code, rows in tables.items():
            if rows is not None:
                text = "\n".join("\t".join(line.split()) for line in (head, *rows)) + "\n"
                whole.writestr(f"WoSIS_2023_December/wosis_202312_{code}.tsv", text)
    return content.getvalue()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of this machine; what it sends, what it announces, and how often it was asked."""
    state = {"body": archive(), "announced": None, "asked": 0}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            state["asked"] += 1
            self.send_response(200)
            size = len(state["body"]) if state["announced"] is None else state["announced"]
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(state["body"])

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(wosis, "ADDRESS", f"http://127.0.0.1:{server.server_port}/{wosis.ARCHIVE}")
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("LANDCARBON_DATA_DIR", str(tmp_path / "own"))
    monkeypatch.delenv("LANDCARBON_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "own").mkdir()
    yield state
    server.shutdown()
    server.server_close()


def test_by_name_once_and_with_the_columns_that_are_read(served, tmp_path, capsys):
    found = load_profiles("wosis_2023")
    assert found.ids == ["7", "9"]
    sweden = found.layers[found.layers["profile_id"] == "7"]
    assert sweden["upper_depth"].tolist() == pytest.approx([0.0, 0.1, 0.35])  # below the litter
    assert found.layers["bulk_density_estimated"].tolist() == [True, True, True, False, False, True]
    said = capsys.readouterr().err
    assert f"{len(served['body']) / 1e6:.1f} MB" in said and wosis.ADDRESS in said
    folder = tmp_path / "cache" / "wosis_2023"
    kept = sorted(file.name for file in folder.iterdir())
    assert kept == ["source.txt", "wosis_202312_bdfiod.tsv", "wosis_202312_cfvo.tsv", "wosis_202312_orgc.tsv"]
    assert list((tmp_path / "cache").iterdir()) == [folder]  # the archive is gone
    head = (folder / "wosis_202312_bdfiod.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert head.split("\t") == ["profile_id", "layer_id", "value_avg"]
    assert "not compared with any" in (folder / "source.txt").read_text(encoding="utf-8")
    assert load_profiles("wosis_2023").ids == found.ids and served["asked"] == 1


def test_an_archive_of_ones_own_is_taken_and_nothing_fetched(served, tmp_path):
    (tmp_path / "own" / wosis.ARCHIVE).write_bytes(archive())
    assert load_profiles("wosis_2023").ids == ["7", "9"] and served["asked"] == 0
    assert (tmp_path / "own" / wosis.ARCHIVE).is_file()


def test_tables_are_read_a_chunk_at_a_time(served, monkeypatch):
    monkeypatch.setattr(wosis, "ROWS", 2)
    assert load_profiles("wosis_2023").ids == ["7", "9"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"body": b"<html>moved</html>"}, "no archive of that snapshot"),
        ({"body": archive()[:900]}, "no archive of that snapshot"),
        ({"announced": 10**6}, "broke off|IncompleteRead"),
        ({"announced": 0}, "a file of 0 bytes"),
        ({"announced": 10**10}, "a file of 10000000000 bytes"),
        ({"body": archive(cfvo=None)}, "holds no wosis_202312_cfvo"),
        ({"body": archive(HEAD.replace("value_avg", "value"))}, "no column 'value_avg'"),
    ],
)
def test_what_is_not_the_archive_is_refused_and_leaves_nothing_to_be_read(served, change, words):
    served |= change
    for _ in range(2):  # the second call does not take what the first has left
        with pytest.raises(registry.DataUnavailable, match=words):
            load_profiles("wosis_2023")
    assert served["asked"] == 2


def test_without_a_network_it_says_what_it_would_fetch(served, monkeypatch):
    monkeypatch.setenv("LANDCARBON_OFFLINE", "1")
    with pytest.raises(registry.DataUnavailable, match=r"446 MB.*LANDCARBON_DATA_DIR"):
        load_profiles("wosis_2023")
    assert served["asked"] == 0
