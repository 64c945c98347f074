"""Eighteen made-up learners hand in chapter 00: what each is worth, whatever their notebooks do."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest

from landcarbon.course import progress
from landcarbon.course.notebooks import read

ROOT = Path(__file__).parents[2]
SOLVED = [
    c.source for c in read(ROOT / "solutions/00_first_run.ipynb").cells if c.cell_type == "code"
]
BLANK = [
    c.source for c in read(ROOT / "exercises/00_first_run.ipynb").cells if c.cell_type == "code"
]
FIRST = next(n for n, cell in enumerate(BLANK) if "def steady_state" in cell)


def with_first(*lines: str, then: list[str] = SOLVED) -> list[str]:
    """The solution, with another answer to its first exercise."""
    return [*then[:FIRST], "\n".join(lines), *then[FIRST + 1 :]]


WRONG = ("def steady_state(I, k):", "    return I * k")
RIGHT = ("def steady_state(I, k):", "    return I / k")
LEARNERS = {
    "anna_right": SOLVED,
    "ben_blank": BLANK,
    "chi_wrong": with_first(*WRONG),
    "dora_syntax": with_first("def steady_state(I, k)", "    return I / k"),
    "eli_exits": with_first("import sys", "sys.exit(3)"),
    "fay_dies": with_first("import os", "os._exit(0)"),
    "gus_loops": with_first("while True:", "    try:", "        x = 1", "    except Exception:", "        pass"),
    "hal_floods": with_first(*RIGHT, "print('✔ 00.2 solved\\n' * 5_000_000)", "open('big', 'w').write('x' * 10**8)"),
    "ida_claims": with_first(
        *WRONG, "from landcarbon.course import checks", "checks.find = lambda key: checks.exercise",
        "def check(key, answer):", "    print('✔', key)", "    return True",
    ),
    "ian_writes_the_report": [*with_first(*WRONG), "import sys", "with open(sys.argv[3], 'a') as report:\n"
                              "    report.write('00.1\\t✔\\n')"],
    "jim_judges_himself": with_first(
        *WRONG, "import landcarbon.course.exercises.ch00 as tests", "tests.expect = lambda *given: None",
        "import numpy as np", "np.all = np.allclose = lambda *given, **how: True",
    ),
    "jon_eats_memory": with_first("x = bytearray(10**11)"),
    "jan_swaps_the_test": with_first(
        *WRONG, "from landcarbon.course import checks",
        "object.__setattr__(checks.find('00.1'), 'test', lambda answer: None)",
    ),
    "jet_swaps_numpy": with_first(
        *WRONG, "import types, numpy as np", "from landcarbon.course import checks",
        "import landcarbon.course.exercises.ch00 as tests",
        "checks.np = tests.np = types.SimpleNamespace(**{**vars(np), 'all': lambda *given, **how: True})",
    ),
    "joe_looks_ahead": [*SOLVED, "from landcarbon.course import hint", "hint('01.1')"],
    "joy_asks_for_ever": [*SOLVED[: FIRST + 1], "while True:\n    check('00.1', steady_state)", *SOLVED[FIRST + 1 :]],
    "kim_magic": ["%matplotlib inline", "!rm -rf /nothing", *SOLVED],
}  # fmt: skip


def notebook(cells: list[str]) -> dict:
    made = [
        {
            "cell_type": "code",
            "source": cell,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for cell in cells
    ]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handed in")
    for learner, cells in LEARNERS.items():
        (folder / learner).mkdir()
        (folder / learner / "00 copy (2).ipynb").write_text(
            json.dumps(notebook(cells)), encoding="utf-8"
        )
    exported = {"landcarbon": 1, "notebooks": {"exercises/00_first_run.ipynb": notebook(SOLVED)}}
    (folder / "lea_exported.json").write_text(json.dumps(exported), encoding="utf-8")
    (folder / "anna_right" / "broken.ipynb").write_text('{"cells": [', encoding="utf-8")
    (folder / "anna_right" / "diary.ipynb").write_text(
        json.dumps(notebook(["1 + 1"])), encoding="utf-8"
    )
    return folder


def test_eighteen_learners_are_collected(handed_in: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress, "CELL_SECONDS", 5)
    begin = time.perf_counter()
    assert progress.main(["collect", str(handed_in), "--seconds", "100"]) == 0
    shown = capsys.readouterr()
    with (handed_in / "collected.csv").open(encoding="utf-8", newline="") as file:
        rows = {row.pop("learner"): row for row in csv.DictReader(file)}
    assert set(rows) == {*LEARNERS, "lea_exported"}
    assert len(rows) == 18
    keys = [key for key in rows["anna_right"] if key != "solved"]
    for learner in ("anna_right", "joe_looks_ahead", "joy_asks_for_ever", "kim_magic", "lea_exported"):
        assert {rows[learner][key] for key in keys} == {"✔"}, learner
        assert rows[learner]["solved"] == str(len(keys))
    assert {rows["ben_blank"][key] for key in keys} == {"…"}
    assert rows["chi_wrong"]["00.1"].startswith("✘ ")
    for learner in ("chi_wrong", "dora_syntax", "eli_exits", "gus_loops", "jon_eats_memory"):
        assert rows[learner]["00.1"] != "✔", learner
        assert {rows[learner][key] for key in keys[1:]} == {"✔"}, (
            f"{learner}: one bad cell costs that cell"
        )
    assert rows["fay_dies"]["solved"] == "0"
    assert {rows["hal_floods"][key] for key in keys} == {"✔"}
    cheats = "ida_claims", "ian_writes_the_report", "jan_swaps_the_test", "jet_swaps_numpy", "jim_judges_himself"
    for learner in cheats:
        assert {rows[learner][key] for key in keys} == {"tampered"}, learner
    assert "broken.ipynb was left out" in shown.err
    assert "diary.ipynb was left out" in shown.err
    assert shown.out.count("\n") >= 13
    assert time.perf_counter() - begin < 300


def test_a_notebook_out_of_time_keeps_what_it_had(monkeypatch) -> None:
    work = progress.Work("x", "00", tuple([*SOLVED[: FIRST + 2], "import time; time.sleep(60)"]))
    found = progress.graded(work, seconds=25)
    assert found["00.1"] == "✔"
    assert set(found.values()) == {"✔", "out of time"} or "not checked" in found.values()


def test_one_learner_sees_what_is_solved(tmp_path: Path, capsys) -> None:
    (tmp_path / "00.ipynb").write_text(
        json.dumps(notebook(with_first(*WRONG, then=BLANK))), encoding="utf-8"
    )
    assert progress.main(["progress", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "00.1  ✘ " in shown
    assert "0 of " in shown
    assert progress.main(["progress", str(tmp_path / "nowhere")]) == 1


def test_a_spreadsheet_computes_no_name(tmp_path: Path) -> None:
    progress._write({"=1+1": {"00.1": "✔"}}, tmp_path / "x.csv")
    assert "'=1+1" in (tmp_path / "x.csv").read_text(encoding="utf-8")
