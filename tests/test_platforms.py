"""Nothing depends on the system: its text encoding, its file names, its way to start processes."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from landcarbon.course.say import say, spell

ROOT = Path(__file__).parents[1]
ROOMS = ("landcarbon", "tests", "benchmarks", "book", "solutions", "exercises")
CODE = [*ROOT.glob("*.py"), *(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))]
NOTEBOOKS = [p for room in ROOMS for p in (ROOT / room).rglob("*.ipynb") if "_build" not in p.parts]
MODE = set("rwaxbt+")


def trees(path: Path) -> Iterator[ast.AST]:
    """The code of a module, or of every cell of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield ast.parse(text)
        return
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            yield ast.parse("".join(cell["source"]))


def opens_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text files, or output of a process, in the system's encoding."""
    keys = {k.arg for k in call.keywords}
    name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    words = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    modes = [w for w in words if w and set(w) <= MODE]
    text_mode = bool(modes) and not any("b" in mode for mode in modes)
    if "encoding" in keys:
        return False
    if name == "open":
        is_function = isinstance(call.func, ast.Name)
        return text_mode or (not modes and (is_function or not (call.args or keys)))
    return (
        (name == "read_text" and not call.args)
        or (name == "write_text" and len(call.args) < 2)
        or (name in ("run", "Popen", "check_output") and isinstance(call.func, ast.Attribute)
            and bool(keys & {"text", "universal_newlines"}))
        or (name in ("NamedTemporaryFile", "TemporaryFile") and text_mode)
    )


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open('a.csv')", True), ("open('a.csv', 'rb')", False), ("open('a', encoding='utf-8')", False),
        ("path.read_text()", True), ("path.read_text('utf-8')", False), ("path.write_text('ab')", True),
        ("path.write_text(s, encoding='utf-8')", False), ("path.open('w')", True), ("path.open()", True),
        ("page.open(url)", False), ("run([x], text=True)", False), ("subprocess.run([x], text=True)", True),
        ("subprocess.run([x], text=True, encoding='utf-8')", False),
    ],
)  # fmt: skip
def test_what_counts_as_text_without_an_encoding(code: str, found: bool) -> None:
    assert opens_text(ast.parse(code, mode="eval").body) is found  # type: ignore[arg-type]


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    """Give `encoding="utf-8"` where this test names a line."""
    assert len(CODE) > 100 and len(NOTEBOOKS) > 50
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}"
        for path in [*CODE, *NOTEBOOKS] for tree in trees(path) for node in ast.walk(tree)
        if isinstance(node, ast.Call) and opens_text(node)
    ]
    assert not found


def test_characters_that_a_stream_lacks_are_spelled() -> None:
    assert spell("✘ 03.1 [sign] Δ14C −5 ‰ à 25 °C, Σ½ → 0", "ascii") == (
        "[wrong] 03.1 [sign] Delta14C -5 \\u2030 a 25 deg C, Sigma1/2 -> 0")
    assert spell("µ ± é ✔", "cp1252") == "µ ± é [right]"
    assert spell("\udc80 ✔", "utf-8") == "\\udc80 ✔"  # a byte of a path that is no text


def test_what_is_said_reaches_a_stream_of_any_encoding(tmp_path: Path) -> None:
    for encoding in ("ascii", "cp1252", "cp437", "utf-8"):
        with open(tmp_path / "said.txt", "w", encoding=encoding, errors="strict") as stream:
            say("✔ K ξ ≤ 1, M⁻¹", file=stream)
        assert "1, M" in (tmp_path / "said.txt").read_text(encoding=encoding)


SPEAK = """
import re
from pathlib import Path
from landcarbon.course import check, hint, quiz
from landcarbon.course.checks import _REGISTRY, find

class Odd(Exception):
    pass

def odd(*words, **more):
    raise Odd("\\u03be \\u2264 \\u22121 \\u2714 \\U0001f33f")

for file in sorted(Path("landcarbon/course/exercises").glob("ch*.py")):
    find(re.search(r'@exercise\\(\\s*"([\\d.]+)"', file.read_text(encoding="utf-8"))[1])
for key in sorted(_REGISTRY):
    check(key, None)
    check(key, odd)
    for _ in range(3):
        hint(key)
check("00.1", lambda u, k: u / k)
for file in sorted(Path("book/quizzes").glob("*.json")):
    quiz(file.stem, folder=file.parent)
"""
LINES = {
    "check, hint, quiz": (["-c", SPEAK], 0),
    "course.py": (["course.py"], 0),
    "course.py, a wrong verb": (["course.py", "böök"], 2),
    "landcarbon --help": (["-m", "landcarbon.workflow.command", "proda", "--help"], 0),
    "landcarbon, wrong words": (["-m", "landcarbon.workflow.command", "proda", "--ξ", "−1"], 2),
    "landcarbon, no file": (
        ["-m", "landcarbon.workflow.command", "proda", "--profiles", "ξ≤.csv", "--out", "work−"], 2),
    "course.py doctor": (["course.py", "doctor"], 0),
    "doctor": (["-m", "landcarbon.course.doctor"], 0),
    "notebooks": (["-m", "landcarbon.course.notebooks", "execute", "ξ≤.ipynb"], 1),
}  # fmt: skip


def poor(encoding: str) -> dict[str, str]:
    """The surroundings of a program whose terminal, pipes and files are not UTF-8."""
    return os.environ | {
        "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", "PYTHONIOENCODING": f"{encoding}:strict",
        "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C",
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(("words", "code"), LINES.values(), ids=LINES)
def test_no_line_ends_in_an_encoding_error(words: list[str], code: int, encoding: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=poor(encoding), capture_output=True)
    said = (done.stdout + done.stderr).decode(encoding)
    assert done.returncode == code, said[-2000:]
    assert "UnicodeEncodeError" not in said
    assert said.strip()


def refused_by_windows(name: str) -> str:
    """Why Windows makes no file of this name (a path below the course folder), or nothing."""
    for part in name.split("/"):
        stem = part.partition(".")[0].upper()
        if set(part) & set('<>:"\\|?*') or any(ord(c) < 32 for c in part):
            return "a forbidden character"
        if stem in DEVICES or part[-1] in " .":
            return "a reserved name"
    return "too long" if len(name) > 180 else ""


DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{d}{k}" for d in ("COM", "LPT") for k in range(1, 10))}


@pytest.mark.parametrize(
    "name", ["a:b.nc", "run/2020-01-01T00:00", "what?.md", "aux.py", "book/con", "end.", "x" * 181]
)
def test_names_that_windows_refuses_are_seen(name: str) -> None:
    assert refused_by_windows(name)


def test_windows_takes_every_file_of_the_course() -> None:
    """Names, and no two that differ in upper and lower case alone."""
    rooms = [ROOT / room for room in (*ROOMS, ".github", ".binder", ".ci")]
    files = [*ROOT.glob("*.*"), *(p for room in rooms for p in room.rglob("*"))]
    names = [p.relative_to(ROOT).as_posix() for p in files if not {"__pycache__", "_build"} & set(p.parts)]
    assert not [name for name in names if refused_by_windows(name)]
    assert len({name.lower() for name in names}) == len(names) > 300


UNIX_ONLY = {"fcntl", "pwd", "grp", "termios", "resource", "pty", "crypt"}
UNIX_CALLS = {"fork", "forkpty", "getuid", "geteuid", "mkfifo", "alarm", "setitimer", "SIGKILL", "SIGALRM"}


def test_no_module_needs_unix() -> None:
    """What only Unix has is imported inside a `try` or after a question, never when a module loads."""
    found = []
    for path in CODE:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        loads = {a.name for n in tree.body if isinstance(n, ast.Import) for a in n.names}
        loads |= {n.module for n in tree.body if isinstance(n, ast.ImportFrom) and n.module}
        calls = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        found += [f"{path.name}: {word}" for word in (loads & UNIX_ONLY) | (calls & UNIX_CALLS)]
    assert not found


SPAWN = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr
from joblib import parallel_config

from landcarbon.assimilation import assimilate
from landcarbon.models import three_pool

def work(positions, rngs):
    return xr.Dataset({"mean": (("site", "parameter"), np.stack([r.standard_normal(2) for r in rngs]))})

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    folder = Path(sys.argv[1])
    results = {}
    for backend in ("loky", "sequential"):
        with parallel_config(backend):
            results[backend] = assimilate(list("abcdef"), work, folder / backend, seed=1, chunk=2, n_jobs=2)
    xr.testing.assert_identical(results["loky"], results["sequential"])
    with ProcessPoolExecutor(1) as pool:
        model = three_pool()
        there = pool.submit(model.steady_state, 500.0).result()
    assert (there == model.steady_state(500.0)).all()
    print("same bits")
"""


def test_processes_that_are_spawned_give_the_same_bits(tmp_path: Path) -> None:
    """Windows and macOS start processes that know nothing of their parent."""
    script = tmp_path / "many.py"
    script.write_text(SPAWN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "same bits"
