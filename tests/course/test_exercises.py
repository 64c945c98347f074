"""Three-way test of every exercise: the solution passes, the blank one earns nothing, and typical
wrong answers each get the hint meant for them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import pkgutil
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from landcarbon.course import checks, exercises
from landcarbon.course.notebooks import blank, data_names, read, write_exercises
from landcarbon.datasets import is_available

ROOT = Path(__file__).parents[2]
SOLUTIONS = sorted(ROOT.glob("solutions/*.ipynb"))
CHAPTERS = sorted(m.name[2:] for m in pkgutil.iter_modules(exercises.__path__))
HEADING = re.compile(r"^## Exercise (\d\d\.\d+) · ", re.MULTILINE)
ASKS = re.compile(r"^(?:Now |### Step )")
CHECK = re.compile(r"""\bcheck\(\s*["'](\d\d\.\d+)["']""")


def registered(chapter: str) -> dict[str, checks.Exercise]:
    importlib.import_module(f"landcarbon.course.exercises.ch{chapter}")
    return {k: e for k, e in checks._REGISTRY.items() if k.startswith(f"{chapter}.")}


def wrong_answers(chapter: str) -> dict[str, list]:
    path = Path(__file__).parent / "wrong_answers" / f"ch{chapter}.py"
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location(f"wrong_ch{chapter}", path)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


def code(notebook) -> list[str]:
    return [c.source for c in notebook.cells if c.cell_type == "code"]


def printed(notebook) -> str:
    return "".join(
        output.text for cell in notebook.cells if cell.cell_type == "code"
        for output in cell.outputs if output.output_type == "stream"
    )


def test_there_are_exercises() -> None:
    assert SOLUTIONS and CHAPTERS


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_solution_passes(path: Path) -> None:
    """What is stored here is executed and compared again by nbval."""
    notebook = read(path)
    keys = {k for source in code(notebook) for k in CHECK.findall(source)}
    assert keys == set(registered(path.name[:2])), "solutions and registered exercises differ"
    text = printed(notebook)
    assert {k for k in keys if f"✔ {k} " not in text} == set()
    assert "✘" not in text and "not answered yet" not in text


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_blank_runs_through_and_earns_nothing(path: Path, monkeypatch) -> None:
    notebook = blank(read(path))
    absent = [n for s in code(notebook) for n in data_names(s) if not is_available(n)]
    if absent:
        pytest.skip(f"the real data {', '.join(absent)} are neither here nor in reach")
    keys = {k for source in code(notebook) for k in CHECK.findall(source)}
    assert keys == set(registered(path.name[:2])), "a check went with the solution"
    monkeypatch.chdir(path.parent)
    names: dict = {"__name__": "__main__"}
    text, asked = "", False
    for source in code(notebook):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(source, path.name, "exec"), names)
        asked = "NotImplementedError(" in source or (asked and not CHECK.search(source))
        silent = CHECK.search(source) or asked
        lines = said.getvalue().splitlines() if silent else []
        assert [s for s in lines if not s.startswith("… ")] == [], "a result before the answer"
        text += said.getvalue()
    assert "✔" not in text
    assert {k for k in keys if f"… {k} not answered yet" not in text} == set()


def told(path: Path) -> list[tuple[str, str, str]]:
    """(exercise, kind, source) of each cell that a learner gets; kind is text, task, check or code."""
    cells, key = [], ""
    for cell in blank(read(path)).cells:
        if cell.cell_type == "markdown":
            headings = HEADING.findall(cell.source)
            assert len(headings) <= 1, f"two exercises in one cell: {headings}"
            key = headings[0] if headings else key
            cells.append((key, "task" if headings else "text", cell.source))
        else:
            kind = "check" if CHECK.search(cell.source) else "code"
            cells.append((key, kind, cell.source))
    return cells


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_every_check_has_its_task(path: Path) -> None:
    """A heading with a task of the right level stands above each check, in what the learner gets."""
    cells = told(path)
    tasks = {key: source for key, kind, source in cells if kind == "task"}
    assert list(tasks) == sorted(registered(path.name[:2]))
    for key, kind, source in cells:
        if kind == "check":
            assert set(CHECK.findall(source)) == {key}, f"a check stands under exercise {key}"
    for key, source in tasks.items():
        level = checks.find(key).level
        assert f"Level {level}, " in source, f"{key}: the task says another level than {level}"
        whole = "\n".join(s for k, kind, s in cells if k == key and kind in ("task", "text"))
        assert re.search(r"\*\*[\w ]+\*\*", whole), f"{key}: what is to be done stands in bold"
        assert len(source.split()) >= 15, f"{key}: the task is a line only"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_nothing_is_told_before_the_check_passes(path: Path) -> None:
    """What stands under a check that has not passed asks; what tells the result is tagged `solution`."""
    checked: set[str] = set()
    for key, kind, source in told(path):
        if kind == "check":
            checked.add(key)
        if kind == "text" and key in checked:
            assert "?" in source or ASKS.search(source), f"{key}: this answers, tag it: {source[:80]}"


def test_exercises_are_derived_from_solutions(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    write_exercises(tmp_path)
    fresh = {p.name: p.read_bytes() for p in (tmp_path / "exercises").glob("*.ipynb")}
    kept = {p.name: p.read_bytes() for p in (ROOT / "exercises").glob("*.ipynb")}
    stale = sorted(n for n in fresh.keys() | kept.keys() if fresh.get(n) != kept.get(n))
    assert not stale, "run `python course.py exercises`"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_typical_wrong_answers_get_their_hint(chapter: str) -> None:
    wrong = wrong_answers(chapter)
    found = registered(chapter)
    assert set(wrong) <= set(found)
    few = [k for k in found if k != "25.3" and len(wrong.get(k, [])) < 5]  # 25.3: test_capstone.py
    assert not few, "an exercise needs five typical wrong answers or more"
    for key, answers in wrong.items():
        for number, (answer, kind, *words) in enumerate(answers, 1):
            outcome = checks.grade(key, answer)
            assert outcome.passed is False, f"{key}, wrong answer {number} passes: {outcome}"
            assert outcome.kind == kind, f"{key}, wrong answer {number}: {outcome}"
            assert len(outcome.message.split()) >= 4
            assert all(text in outcome.message for text in words), f"{key}, wrong answer {number}: {outcome}"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_level_is_there_and_has_hints(chapter: str) -> None:
    found = registered(chapter)
    assert {1, 2, 3} <= {e.level for e in found.values()}
    for exercise in found.values():
        assert all(len(text.split()) >= 4 for text in exercise.hints), exercise.key
