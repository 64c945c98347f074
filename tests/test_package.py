"""The package as a whole: quick to import, wings in order, pictures apart, a wheel that works."""

from __future__ import annotations

import ast
import importlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import landcarbon

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "landcarbon"
MODULES = sorted(PACKAGE.rglob("*.py"))
WINGS = ["matrix", "models", "theory", "assimilation", "learning", "forecasting", "datasets",
         "course", "workflow"]
ROOMS = {"geo", "store"}  # single modules beside the wings; open to all, and they use matrix.errors alone


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Absolute names of what a module imports; with `top_level`, when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _outside_functions(tree) if top_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _outside_functions(node: ast.AST):
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and (
            not typing_only
        ):
            yield child
            yield from _outside_functions(child)


def wing(name: str) -> str:
    return name.split(".")[1] if name.startswith("landcarbon.") else ""


def test_import_takes_at_most_half_a_second() -> None:
    code = "import time; t = time.perf_counter(); import landcarbon; print(time.perf_counter() - t)"
    best = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8",
                             check=True).stdout)
        for _ in range(3)
    )
    assert best <= 0.5


def test_every_wing_is_there_and_loads_on_use() -> None:
    assert sorted(landcarbon.__all__) == sorted(WINGS)
    assert sorted(p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()) == sorted(WINGS)
    for name in WINGS:
        assert getattr(landcarbon, name).__name__ == f"landcarbon.{name}"
    with pytest.raises(AttributeError, match="no wing 'soil'"):
        _ = landcarbon.soil


def test_no_function_of_a_wing_hides_the_module_of_its_name() -> None:
    for path in MODULES:
        name = name_of(path)
        module = importlib.import_module(name)
        above, _, last = name.rpartition(".")
        assert not above or getattr(sys.modules[above], last) is module, name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_wings_import_upwards_only(path: Path) -> None:
    own = wing(name_of(path))
    if own in ROOMS:
        ours = {i for i in imports(path) if wing(i)}
        assert all(i.startswith("landcarbon.matrix.errors.") for i in ours)
    elif own:
        allowed = set(WINGS[: WINGS.index(own) + 1]) - ({"datasets"} if own != "datasets" else set())
        # Exercises and pictures of the course may use real data, and so may the tool; no other wing does.
        allowed |= {"datasets"} if own in ("course", "workflow") else set()
        strange = {i for i in imports(path) if wing(i) and wing(i) not in allowed | ROOMS}
        assert not strange


def test_matplotlib_is_used_in_the_course_and_its_report_alone() -> None:
    drawing = {
        name_of(p) for p in MODULES
        if any(i.split(".")[0] in ("matplotlib", "seaborn", "plotly") for i in imports(p))
    }
    assert {wing(name) for name in drawing} - {"workflow"} == {"course"}
    assert {name for name in drawing if wing(name) == "workflow"} <= {"landcarbon.workflow.report"}


def test_no_circle_among_the_imports() -> None:
    known = {name_of(p): p for p in MODULES}

    def target(name: str) -> str | None:
        while name and name not in known:
            name = name.rpartition(".")[0]
        return name or None

    edges = {
        name: {t for i in imports(path, top_level=True) if (t := target(i)) and t != name}
        for name, path in known.items()
    }
    state: dict[str, int] = {}

    def visit(name: str, trail: list[str]) -> None:
        if state.get(name) == 2:
            return
        assert state.get(name) != 1, " → ".join([*trail[trail.index(name):], name])
        state[name] = 1
        for other in sorted(edges[name]):
            visit(other, [*trail, name])
        state[name] = 2

    for name in sorted(edges):
        visit(name, [])


def test_types_hold() -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    # No cache: what mypy remembers of NumPy hides errors that a fresh clone shows.
    done = subprocess.run([sys.executable, "-m", "mypy", f"--cache-dir={os.devnull}"],
                          capture_output=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


def test_style_holds() -> None:
    pytest.importorskip("ruff", reason="ruff is not installed")
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "."],
                          capture_output=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


def test_wheel_holds_code_and_data_and_imports(tmp_path: Path) -> None:
    """Built from a copy, unpacked elsewhere, imported from there."""
    import shutil

    copy = tmp_path / "source"
    shutil.copytree(PACKAGE, copy / "landcarbon", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check",
         "--wheel-dir", str(tmp_path), str(copy)],
        capture_output=True, encoding="utf-8",
    )
    if done.returncode and "build dependencies" in done.stdout + done.stderr:
        pytest.skip("the build backend cannot be fetched without a network")
    assert done.returncode == 0, done.stderr[-3000:]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    wanted = {
        p.relative_to(ROOT).as_posix() for p in PACKAGE.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    assert not wanted - names
    assert not [n for n in names if n.startswith(("tests/", "book/"))]
    (scripts,) = (tmp_path / "site").glob("*.dist-info/entry_points.txt")
    assert "landcarbon = landcarbon.workflow.command:main" in scripts.read_text(encoding="utf-8")
    code = (
        "import json, landcarbon; from landcarbon.datasets.outlines import outline; "
        "from landcarbon.workflow.command import main; "
        "from landcarbon.matrix import MatrixModel; "
        "X = MatrixModel(('soil',), [[1]], [0.5], [1]).steady_state(2.0); "
        "print(json.dumps([landcarbon.__file__, len(outline()), X.tolist()]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path / "site"
    )
    assert out.returncode == 0, out.stderr
    where, points, X = json.loads(out.stdout)
    assert Path(where).resolve().is_relative_to((tmp_path / "site").resolve())
    assert points > 1000
    assert X == [4.0]
