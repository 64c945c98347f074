"""Files by name: found, checked by their hash, and asked for in a sentence when absent."""

import csv
import hashlib
import os
from pathlib import Path

import pytest
from real_data import needs

from landcarbon import datasets
from landcarbon.datasets import registry
from landcarbon.datasets.readers import READERS
from landcarbon.matrix.errors import InputError

NAMES = list(registry.entries())


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without data, cache or network; its data folder is returned."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LANDCARBON_DATA_DIR", str(folder))
    monkeypatch.setenv("LANDCARBON_OFFLINE", "1")
    monkeypatch.setattr(registry, "cache_folder", lambda: tmp_path / "cache")
    return folder


@pytest.fixture
def small(monkeypatch):
    """A registry of one made-up file; returns its right bytes."""
    content = b"year,co2\n1959,316\n"
    entry = registry.Entry(
        "small", "small.csv", len(content), hashlib.sha256(content).hexdigest(),
        "https://data.invalid/small.csv", "CC0", "nobody", "a made-up file",
    )  # fmt: skip
    monkeypatch.setattr(registry, "entries", lambda: {"small": entry})
    return content


def test_entries_are_complete_and_have_a_reader():
    assert set(NAMES) == set(READERS)
    for e in registry.entries().values():
        assert len(e.sha256) == 64
        assert int(e.sha256, 16)
        assert e.bytes > 0
        assert e.citation and e.licence and e.description
        # A branch name would let the bytes change; a commit is 40 hexadecimal digits.
        assert any(len(part) == 40 and int(part, 16) for part in e.url.split("/"))
        assert e.url.startswith("https://")
    assert len({e.file for e in registry.entries().values()}) == len(NAMES)


def test_the_published_list_and_ours_agree():
    """The data folder may hold the list the registry was made from: the same number in each row."""
    folder = os.environ.get("LANDCARBON_DATA_DIR", "")
    table = Path(folder) / "REGISTRY.csv"
    if not folder or not table.is_file():
        pytest.skip("there is no REGISTRY.csv in LANDCARBON_DATA_DIR to compare with")
    with table.open(encoding="utf-8") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    ours = {e.file: e for e in registry.entries().values()}
    assert set(ours) == set(rows)
    for file, e in ours.items():
        assert (str(e.bytes), e.sha256, e.url) == tuple(rows[file][k] for k in ("bytes", "sha256", "url"))


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n).marks) for n in NAMES])
def test_every_file_is_what_was_registered(name):
    file = datasets.path(name)
    assert file.stat().st_size == registry.entry(name).bytes


def test_a_file_in_the_data_folder_is_taken(bare, small):
    (bare / "small.csv").write_bytes(small)
    assert datasets.path("small") == bare / "small.csv"
    assert datasets.is_available("small")
    assert bool(datasets.available().loc["small", "here"])


def test_the_data_folder_comes_before_the_cache(bare, small, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "small.csv").write_bytes(small)
    assert datasets.path("small") == tmp_path / "cache" / "small.csv"
    (bare / "small.csv").write_bytes(small)
    assert datasets.path("small") == bare / "small.csv"


def test_one_changed_byte_is_refused(bare, small):
    changed = bytearray(small)
    changed[-2] ^= 1
    (bare / "small.csv").write_bytes(changed)
    with pytest.raises(datasets.DataChanged, match="will not be read as it is") as err:
        datasets.path("small")
    assert hashlib.sha256(bytes(changed)).hexdigest() in str(err.value)
    assert hashlib.sha256(small).hexdigest() in str(err.value)
    assert datasets.is_available("small")


@needs("eco2")
def test_one_changed_byte_of_a_real_file_is_refused(bare, monkeypatch, request):
    with monkeypatch.context() as real:
        real.setenv("LANDCARBON_DATA_DIR", DATA_DIR)
        right = datasets.path("eco2").read_bytes()
    (bare / "eCO2.rda").write_bytes(right)
    assert len(datasets.load("eco2")) == 18
    (bare / "eCO2.rda").write_bytes(right[:100] + bytes([right[100] ^ 1]) + right[101:])
    with pytest.raises(datasets.DataChanged):
        datasets.load("eco2")


DATA_DIR = os.environ.get("LANDCARBON_DATA_DIR", "")


def test_without_file_and_network_it_says_what_it_would_fetch(bare):
    assert not datasets.is_available("isis")
    assert not datasets.available()["here"].any()
    with pytest.raises(datasets.DataUnavailable) as err:
        datasets.load("isis")
    e, said = registry.entry("isis"), str(err.value)
    for part in (e.url, e.file, "69 kB", e.licence, "LANDCARBON_DATA_DIR", "twin_world()"):
        assert part in said
    assert "LANDCARBON_OFFLINE is set" in said


def test_without_a_network_it_asks_the_server_once(bare, small, monkeypatch):
    monkeypatch.delenv("LANDCARBON_OFFLINE")
    calls = []

    def no_network(*args, **kwargs):
        calls.append(args)
        raise OSError("no network")

    monkeypatch.setattr(registry.socket, "create_connection", no_network)
    monkeypatch.setattr(registry, "getproxies", dict)
    monkeypatch.setattr(registry, "_probed", {})
    assert not datasets.is_available("small")
    assert not datasets.is_available("small")
    with pytest.raises(datasets.DataUnavailable, match="server cannot be reached"):
        datasets.path("small")
    assert calls == [(("data.invalid", 443),)]


def test_a_download_that_fails_is_a_sentence_too(bare, small, monkeypatch):
    import pooch

    monkeypatch.delenv("LANDCARBON_OFFLINE")
    monkeypatch.setattr(registry, "_reachable", lambda url: True)

    def wrong(url, known_hash, **rest):
        assert known_hash == registry.entry("small").sha256.join(["sha256:", ""])
        raise ValueError("SHA256 hash of downloaded file does not match")

    monkeypatch.setattr(pooch, "retrieve", wrong)
    with pytest.raises(datasets.DataUnavailable, match="does not match"):
        datasets.path("small")


def test_a_file_without_a_reader_is_known_by_name(small):
    with pytest.raises(InputError, match=r"no reader yet; datasets.path\('small'\)"):
        datasets.load("small")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean isis") as err:
        datasets.load("isys")
    assert "datasets.available()" in str(err.value)
    with pytest.raises(InputError, match="There are: isis, afsp"):
        datasets.path("zzzzzzzz")


@pytest.mark.parametrize(("pieces", "pause", "words"), [
    (10_000, 0.0, "more bytes than the file has"), (10_000, 0.2, "longer than"), (1, 0.0, None),
])  # fmt: skip
def test_a_download_ends_by_size_and_by_time(bare, monkeypatch, pieces, pause, words):
    """A server that sends without end, one that sends a byte now and then, and one that is honest."""
    import threading
    import time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(pieces):
                    self.wfile.write(b"x" * (1 if pause else 20_000))
                    time.sleep(pause)
            except OSError:
                pass

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    content = b"x" * 20_000
    entry = registry.Entry("small", "small.csv", 20_000, hashlib.sha256(content).hexdigest(), url, "CC0", "", "")
    monkeypatch.setattr(registry, "entries", lambda: {"small": entry})
    monkeypatch.setattr(registry, "_reachable", lambda url: True)
    monkeypatch.setattr(registry, "DOWNLOAD_SECONDS", 1.0 if pause else 60.0)
    monkeypatch.setenv("LANDCARBON_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    start = time.monotonic()
    if words is None:
        assert registry.path("small").read_bytes() == content
    else:
        with pytest.raises(registry.DataUnavailable, match=words):
            registry.path("small")
    assert time.monotonic() - start < 30.0
    server.shutdown()
