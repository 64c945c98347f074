"""The course in a browser: what is built, and whether Python runs in a tab that reaches no other host.

The tests in the browser need JupyterLite and a Pyodide distribution in the folder ``_build/pyodide``;
``python course.py test --browser`` fetches both and runs every chapter and every set of exercises.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
import xarray as xr

from landcarbon import store
from landcarbon.course import in_browser, lite, quizzes
from landcarbon.course.notebooks import read
from landcarbon.datasets import registry
from landcarbon.matrix.errors import InputError
from landcarbon.workflow import region

ROOT = Path(__file__).parents[2]
PYODIDE = ROOT / "_build" / "pyodide"
CHAPTERS = sorted(ROOT.glob("book/module*/*.ipynb"))
SOLUTIONS = sorted(ROOT.glob("solutions/*.ipynb"))
REFRESHERS = sorted(ROOT.glob("book/appendix/*_refresher.ipynb"))
ALL = os.environ.get("LANDCARBON_BROWSER") == "all"


# without a browser


def test_only_data_that_may_be_given_on_are_shipped() -> None:
    shipped = set(lite.freely_given())
    assert {"isis", "afsp", "co2_monthly", "haddix2011", "biome4"} <= shipped
    for name, entry in registry.entries().items():
        if "never redistribute" in entry.licence or entry.licence == "cite":
            assert name not in shipped


def test_a_wheel_can_be_imported(tmp_path: Path, monkeypatch) -> None:
    path = lite.wheel(tmp_path, "tiny_thing", "1.2", {"tiny_thing/__init__.py": b"x = 3\n"})
    monkeypatch.syspath_prepend(str(path))
    assert importlib.import_module("tiny_thing").x == 3
    assert importlib.metadata.version("tiny_thing") == "1.2"
    with zipfile.ZipFile(path) as file:
        assert "tiny_thing-1.2.dist-info/RECORD" in file.namelist()


def test_own_wheels_hold_what_a_browser_can_read(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(registry, "local_file", lambda entry: None)
    monkeypatch.setattr(lite, "local_file", lambda entry: None)
    library, _ = lite._own_wheels(ROOT, tmp_path)
    with zipfile.ZipFile(library) as file:
        names = set(file.namelist())
        file.extractall(tmp_path / "site")
    assert "landcarbon/course/quiz_files/03.json" in names
    assert not any(name.endswith((".pyc", "proda_real.nc")) for name in names)
    monkeypatch.setattr(store, "IN_BROWSER", True)
    there = region.read(tmp_path / "site/landcarbon/workflow/proda_real.nc")
    monkeypatch.setattr(store, "IN_BROWSER", False)
    for name, data in region.read(region.REAL).items():
        xr.testing.assert_equal(there[name], data)


def test_work_is_kept_without_netcdf4(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(store, "IN_BROWSER", True)
    monkeypatch.setitem(sys.modules, "netCDF4", None)
    data = xr.Dataset(
        {"x": ("site", [1.5, np.nan]), "n": ("site", [1, 2]), "good": ("site", [True, False])},
        {"site": ["a", "bé"]},
        {"note": "kept"},
    )
    with store.Store(tmp_path / "run") as kept:
        first = kept.once("x", {"seed": 1}, lambda: data)
        again = kept.once("x", {"seed": 1}, lambda: pytest.fail("made twice"))
    xr.testing.assert_identical(first, again)
    xr.testing.assert_equal(first, data)
    with pytest.raises(InputError, match="desktop"):
        store.to_netcdf({"a": data, "b": data})


def test_pages_that_notebooks_link_to_come_with_them(tmp_path: Path) -> None:
    lite._contents(ROOT, tmp_path)
    there = {path.relative_to(tmp_path) for path in tmp_path.glob("**/*.ipynb")}
    assert {path.relative_to(ROOT) for path in [*CHAPTERS, *SOLUTIONS, *REFRESHERS]} <= there
    for path in [p for p in tmp_path.glob("**/*.ipynb") if p.parent.name != "appendix"]:
        text = "".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
            assert (path.parent / target).is_file(), f"{path.name} links to {target}"


def test_data_that_need_a_desktop_say_so(monkeypatch) -> None:
    monkeypatch.setattr(registry, "IN_BROWSER", True)
    monkeypatch.setattr(registry, "local_file", lambda entry: None)
    assert not registry.is_available("spruce_obs")
    with pytest.raises(registry.DataUnavailable, match="desktop"):
        registry.path("spruce_obs")


def test_quiz_is_found_beside_the_library(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        quizzes._folder(None)
    monkeypatch.setattr(quizzes, "SHIPPED", tmp_path)
    assert quizzes._folder(None) == tmp_path


@pytest.mark.parametrize("waits", [True, False])
def test_packages_come_when_they_are_imported(waits: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))

    def fetch(package: str) -> None:
        (tmp_path / "rare_words.py").write_text(f"package = {package!r}\n", encoding="utf-8")

    finder = in_browser.Finder({"rare_words": "rare-words"}, fetch, lambda: waits)
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    if waits:
        assert importlib.import_module("rare_words").package == "rare-words"
        del sys.modules["rare_words"]
        return
    with pytest.raises(ModuleNotFoundError, match="a cell with the one line `import rare_words`"):
        importlib.import_module("rare_words")
    fetch("rare-words")  # as the kernel does for that line
    assert importlib.import_module("rare_words").package == "rare-words"
    del sys.modules["rare_words"]


def test_a_distribution_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--pyodide FOLDER"):
        lite.build(tmp_path, tmp_path / "out", str(tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"course\.py book"):
        lite.serve(tmp_path)


def test_the_first_check_waits_for_no_tables() -> None:
    code = "from landcarbon.course import check, plots; import sys; sys.exit('pandas' in sys.modules)"
    assert subprocess.call([sys.executable, "-c", code]) == 0, "pandas is 5 MB of a first visit"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder with a first page, and its address."""
    (tmp_path / "index.html").touch()
    server = lite.serve(tmp_path, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_wrong_address_gets_the_page_of_the_book(served) -> None:
    folder, address = served
    for written in (None, "There is no such page"):
        if written:
            (folder / "404.html").write_text(written, encoding="utf-8")
        with pytest.raises(HTTPError) as error:
            urlopen(f"{address}/book/nothing.html")
        assert error.value.code == 404
        assert (error.value.read().decode() == written) is bool(written)


# in a browser


@pytest.mark.parametrize(("width", "app"), [(1280, "lab"), (390, "notebooks")])
def test_a_phone_opens_the_notebook_alone(width: int, app: str, served, browser) -> None:
    folder, address = served
    for name in ("kept.js", "lite.js"):
        shutil.copy(ROOT / "book" / "_static" / name, folder)
    (folder / "lite").mkdir()
    (folder / "lite" / "jupyter-lite.json").touch()
    (folder / "book" / "module1").mkdir(parents=True)
    (folder / "book" / "module1" / "03_x.html").write_text(
        '<!DOCTYPE html><html data-content_root="../../"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><script src="../../kept.js"></script>'
        '<script src="../../lite.js"></script></head><body><div class="article-header-buttons"></div>'
        '<section id="exercises"><h2>Exercises</h2></section></body></html>', encoding="utf-8")  # fmt: skip
    page = browser.page()
    page.open(f"{address}/book/module1/03_x.html", width=width)
    links = "[...document.querySelectorAll('.lite-list a:not([download]), .lite-here a')]"
    found = page.evaluate(f"{links}.map(a => [a.href, a.target])")
    assert len(found) == 4
    for link, target in found:
        assert link.startswith(f"{address}/lite/{app}/index.html?path=")
        assert target == "landcarbon-lite"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a site built for these tests."""
    if importlib.util.find_spec("jupyterlite_core") is None:
        pytest.skip("JupyterLite is not installed: python course.py test --browser")
    if not (PYODIDE / "pyodide-lock.json").is_file():
        pytest.skip("no Pyodide distribution in _build/pyodide: python course.py test --browser")
    folder = tmp_path_factory.mktemp("html")
    (folder / "index.html").touch()
    shutil.copytree(ROOT / "book" / "_static", folder / "_static")
    for chapter in CHAPTERS:
        bare_page(chapter, folder / chapter.relative_to(ROOT).with_suffix(".html"))
    lite.build(ROOT, folder / "lite", str(PYODIDE))
    server = lite.serve(folder, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/lite"
    server.shutdown()


def bare_page(chapter: Path, path: Path) -> None:
    """A page with the code of a chapter, as the book marks it, and the script of live figures."""
    codes = [cell.source for cell in read(chapter).cells if cell.cell_type == "code"]
    cells = "".join(f'<div class="cell"><div class="cell_input"><pre>{escape(code)}</pre></div>'
                    '<div class="cell_output"></div></div>' for code in codes)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!DOCTYPE html><html data-content_root="../../"><head><meta charset="utf-8">'
        '<script src="../../_static/kept.js"></script><script src="../../_static/live.js"></script></head>'
        f'<body><article class="bd-article">{cells}</article></body></html>', encoding="utf-8")  # fmt: skip


class Lab:
    """JupyterLab in a page."""

    def __init__(self, page, address: str, path: str) -> None:
        self.page = page
        page.open(f"{address}/lab/index.html?path={path}")
        self.widget = "window.jupyterapp?.shell.currentWidget"
        assert page.wait(f"{self.widget}?.context?.isReady", 60), "no notebook"
        assert page.wait(f"{self.widget}.sessionContext.session?.kernel?.status === 'idle'", 120), (
            "no kernel"
        )

    def run(self, seconds: float = 900) -> SimpleNamespace:
        """Run all cells; what was printed, and the errors."""
        self.page.evaluate(
            "window.done = false; jupyterapp.commands.execute('notebook:run-all-cells')"
            ".finally(() => { window.done = true; }); 0"
        )
        begin = time.perf_counter()
        ended = self.page.wait("window.done", seconds)
        cells = json.loads(
            self.page.evaluate(f"JSON.stringify({self.widget}.content.model.toJSON().cells)")
        )
        outputs = [o for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
        text = "".join("".join(o["text"]) for o in outputs if o["output_type"] == "stream")
        errors = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
        return SimpleNamespace(
            text=text,
            errors=errors if ended else [*errors, "not at its end in time"],
            seconds=time.perf_counter() - begin,
        )

    def write(self, cell: str, source: str) -> None:
        """Put another source into the cell that begins with these words."""
        self.page.evaluate(
            f"[...{self.widget}.content.model.cells].find(c => c.sharedModel.getSource().startsWith("
            f"{json.dumps(cell)})).sharedModel.setSource({json.dumps(source)})"
        )


def outside(page) -> list[str]:
    local = ("http://127.0.0.1:", "data:", "blob:", "about:")
    return [u for u in page.requests if not u.startswith(local)]


def test_a_learner_answers_in_the_browser(site: str, browser) -> None:
    page = browser.page()
    lab = Lab(page, site, "exercises/00_first_run.ipynb")
    assert "… 00.1 not answered yet" in lab.run().text
    lab.write("def steady_state", "def steady_state(I, k):\n    return I * k")
    assert "✘ 00.1 [" in lab.run().text
    lab.write("def steady_state", "def steady_state(I, k):\n    return I / k")
    assert "✔ 00.1 " in lab.run().text
    assert page.wait(f"!{lab.widget}.context.model.dirty", 60), "nobody pressed Save: it is kept without"
    again = Lab(browser.page(), site, "exercises/00_first_run.ipynb")
    assert "✔ 00.1 " in again.run().text, "the answer did not survive"
    assert not outside(page)


LIVE = [c for c in CHAPTERS if c.name < "14"] if ALL else [c for c in CHAPTERS if c.name.startswith("04")]


@pytest.mark.parametrize("chapter", LIVE, ids=lambda p: p.stem)
def test_a_figure_runs_in_the_page(chapter: Path, site: str, browser) -> None:
    with browser.stranger() as page:
        page.open(f"{site.removesuffix('lite')}{chapter.relative_to(ROOT).with_suffix('.html').as_posix()}")
        assert page.wait("document.querySelector('.live-begin')")
        assert not [url for url in page.requests if "pyodide" in url], "nothing is loaded before the click"
        page.evaluate("document.querySelector('.live-begin').click()")
        said = "document.querySelector('.live-frame img')?.alt"
        assert page.wait(said, 300)
        first = page.evaluate(said)
        slider = "document.querySelector('.live input[type=range]')"
        move = f"{slider}.value = {{}}; {slider}.dispatchEvent(new Event('input'))"
        step = page.evaluate(f"Number({slider}.step)")
        page.evaluate(move.format(0 if step == 1 else 0.3))
        assert page.wait(f"{said} !== {json.dumps(first)}", 120), "a value between those offered was not drawn"
        if page.evaluate("Boolean(document.querySelector('.live input[type=checkbox]'))"):
            guess_first(page, said, move)
        assert not outside(page)


def guess_first(page, said: str, move: str) -> None:
    """With a guess asked for, the model waits until it is locked, and then compares."""
    lock = "[...document.querySelectorAll('.live button')].find(b => b.textContent === 'Lock my guess')"
    page.evaluate("document.querySelector('.live input[type=checkbox]').click()")
    before = page.evaluate(said)
    page.evaluate(move.format(0.7))
    page.evaluate(f"{lock}.click()")
    verdict = "document.querySelector('.live-verdict').textContent"
    assert page.evaluate(verdict).startswith("First click"), "a guess must be there before it is locked"
    frame = "document.querySelector('.live-frame')"
    page.evaluate(f"{frame}.focus()")
    page.press("ArrowLeft")
    page.evaluate("new Promise(done => setTimeout(done, 500))")
    assert page.evaluate(said) == before
    page.evaluate(f"{lock}.click()")
    assert page.wait(f"{verdict}.startsWith('Your guess')", 120)
    assert page.evaluate(said) != before


@pytest.mark.skipif(
    not ALL, reason="every notebook takes half an hour: python course.py test --browser"
)
@pytest.mark.parametrize(
    "source", [*SOLUTIONS, *CHAPTERS, *REFRESHERS], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_notebook_runs_in_the_browser(source: Path, site: str, browser) -> None:
    with browser.stranger() as page:
        ran = Lab(page, site, source.relative_to(ROOT).as_posix()).run()
        asked = outside(page)
    with (ROOT / "_build" / "in_browser.txt").open("a", encoding="utf-8") as file:
        file.write(f"{source.parent.name}/{source.stem}: {ran.seconds:.0f} s {ran.errors}\n")
    # Data that may not be given on stop a chapter there, and a sentence says what it needs.
    assert not [e for e in ran.errors if "DataUnavailable" not in e or "this needs a desktop" not in e]
    assert "✘" not in ran.text
    assert not asked
    if source.parent.name == "solutions":
        stored = json.loads(source.read_text(encoding="utf-8"))
        before = "".join(
            "".join(o.get("text", "")) for c in stored["cells"] for o in c.get("outputs", [])
        )
        assert ran.text.count("✔") == before.count("✔") > 0
