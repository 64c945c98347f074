"""Outputs are compared number by number: rounding passes, a changed result never does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from landcarbon.course.notebooks import appendices, chapters, read, write
from landcarbon.course.numbers import LIMITS, Tolerance, difference, numbers
from landcarbon.matrix.errors import InputError

ROOT = Path(__file__).parents[2]
WIDEST = Tolerance(**LIMITS, why="trains a network")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("R² of 0.60 [0.55, 0.64]", [0.60, 0.55, 0.64]),
        ("9,845 profiles in (1,2)", [9845, 1, 2]),
        ("-1.5 and −0.2 and +3e-04", [-1.5, -0.2, 3e-4]),
        ("0.4–0.6, x1, 2-3, [-0.5]", [0.4, 0.6, 2, 3, -0.5]),
        ("k_2 of soil3 takes 12%", [12]),
        ("nan inf none", []),
    ],
)
def test_numbers_are_read_as_printed(text: str, values: list[float]) -> None:
    assert [n.value for n in numbers(text)] == values


@pytest.mark.parametrize(
    ("stored", "printed"),
    [
        ("R² 0.604 of 3", "R² 0.606 of 3"),
        ("R² 0.60", "R² 0.61"),
        ("1.234e-05", "1.236e-05"),
        ("[0.5   0.25]", "[0.4999 0.25  ]"),
        ("a  1.00\nb  2.00", "a 1.01\nb 2.00"),
        ("bias 0.00", "bias -0.00"),
    ],
)
def test_rounding_passes(stored: str, printed: str) -> None:
    assert difference(stored, printed) == ""


WRONG = [
    ("bias -0.02", "bias 0.02"),  # a sign
    ("bias +0.02", "bias −0.02"),
    ("R² 0.60", "R² 0.50"),
    ("R² 0.6 and 0.60", "R² 0.6 and 0.50"),
    ("forest 0.60\nridge 0.62", "ridge 0.62\nforest 0.60"),  # a swapped row
    ("1 0.60\n2 0.40", "1 0.40\n2 0.60"),
    ("a 0.60\nb 0.40", "a 0.60"),  # a missing line
    ("a 0.60", "a 0.60\nb 0.40"),
    ("R² 0.60", "R² nan"),
    ("R² 0.60", "R² inf"),
    ("R² 0.60", "R² 0.60 0.60"),
    ("in 10 of 10 worlds", "in 9 of 10 worlds"),
    ("True", "False"),
    ("9,845 profiles", "8,845 profiles"),
    ("1250 gC", "1400 gC"),
    ("3e-10", "3e-09"),
]


@pytest.mark.parametrize(("stored", "printed"), WRONG)
def test_a_changed_result_is_seen_under_every_tolerance(stored: str, printed: str) -> None:
    assert difference(stored, printed, WIDEST)
    assert difference(stored, printed)


@given(st.floats(0.001, 1e6), st.integers(1, 6))
def test_a_number_is_itself_and_not_its_double(value: float, digits: int) -> None:
    text = f"{value:.{digits}e}"
    assert difference(text, text) == ""
    assert difference(text, f"{2 * value:.{digits}e}")
    assert "sign" in difference(text, "-" + text)


def test_a_tolerance_is_narrow_and_has_a_reason() -> None:
    assert difference("0.52", "0.50", Tolerance(absolute=0.02, why="fits a forest")) == ""
    assert difference("1510 runs", "1490 runs", Tolerance(relative=0.02, why="fits a forest")) == ""
    for wrong in ({"absolute": 0.2, "why": "because of it"}, {"relative": 0.5, "why": "because of it"},
                  {"absolute": 0.01}, {"absolute": "wide", "why": "because of it"}, {"units": 3}):
        with pytest.raises(InputError):
            Tolerance.of({"tolerance": wrong})


def texts() -> list[tuple[str, str, Tolerance]]:
    """Every stored output of cells that declare a tolerance: (where, text, tolerance)."""
    found = []
    for path in [*chapters(ROOT), *appendices(ROOT)]:
        for cell in read(path).cells:
            if cell.cell_type == "code" and "tolerance" in cell.metadata:
                for output in cell.outputs:
                    text = output.get("text") or output.get("data", {}).get("text/plain", "")
                    if numbers(text):
                        found.append((f"{path.stem} {cell.id}", text, Tolerance.of(cell.metadata)))
    return found


DECLARED = texts()


@pytest.mark.parametrize(("where", "text", "tolerance"), DECLARED, ids=[w for w, _, _ in DECLARED])
def test_planted_errors_are_seen_in_every_cell_with_a_tolerance(
    where: str, text: str, tolerance: Tolerance
) -> None:
    """A sign, 0.1 in a number below one, a missing line, NaN: in each number of each such output."""
    assert difference(text, text, tolerance) == ""
    for found in numbers(text):
        if found.value:
            turned = text.replace(found.text, f"{-found.value}", 1)
            assert difference(text, turned, tolerance), f"sign of {found.text}"
        if 0.1 < abs(found.value) < 1:
            less = f"{abs(found.value) - 0.1:.{len(found.text.partition('.')[2])}f}"
            moved = text.replace(found.text, less, 1)
            assert difference(text, moved, tolerance), f"{found.text} → {less}"
        assert difference(text, text.replace(found.text, "nan", 1), tolerance)
    lines = [line for line in text.splitlines() if line.strip()]
    for k in range(len(lines)):
        assert difference(text, "\n".join(lines[:k] + lines[k + 1 :]), tolerance)
    for k, (a, b) in enumerate(pairwise(lines)):
        if re.findall("[A-Za-z]+", a) != re.findall("[A-Za-z]+", b):
            swapped = lines[:k] + [b, a] + lines[k + 2 :]
            assert difference(text, "\n".join(swapped), tolerance), f"{a} swapped with {b}"


def run_cell(folder: Path, source: str, stored: str, metadata: dict | None = None) -> str:
    """What pytest says of a notebook with one cell, under the settings of this project."""
    cell = new_code_cell(source, execution_count=1, outputs=[new_output("stream", text=stored)])
    cell.metadata.update(metadata or {})
    path = folder / "one.ipynb"
    write(path, new_notebook(cells=[cell]))
    shutil.copy(ROOT / "conftest.py", folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-n0",
         "-p", "no:cacheprovider", f"--nbval-sanitize-with={ROOT / 'nbval_sanitize.cfg'}", str(path)],
        capture_output=True, encoding="utf-8", cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    return done.stdout


def test_notebooks_are_compared_that_way(tmp_path: Path) -> None:
    assert "1 passed" in run_cell(tmp_path, "print('R² 0.604')", "R² 0.605\n")
    said = run_cell(tmp_path, "print('R² 0.50')", "R² 0.60\n")
    assert "1 failed" in said
    assert "number 1: 0.60 is stored, 0.50 is printed, and 0.01 is allowed" in said
    wide = {"tolerance": {"absolute": 0.02, "why": "trains a network"}}
    assert "1 passed" in run_cell(tmp_path, "print('R² 0.62')", "R² 0.60\n", wide)
    assert "1 failed" in run_cell(tmp_path, "print('R² 0.62')", "R² 0.60\n")
