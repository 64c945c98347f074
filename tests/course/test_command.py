"""The one command: standard library only, honest about what it is given, quick the second time."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "course.py"


@pytest.fixture
def course(tmp_path: Path, monkeypatch):
    spec = importlib.util.spec_from_file_location("course_command", COURSE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv/python")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv/course-stamp")
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    calls: list[list[str]] = []

    def call(words, **options):
        calls.append([str(w) for w in words])
        if "venv" in words:
            module.PYTHON.parent.mkdir()
            module.PYTHON.touch()
        return 0

    monkeypatch.setattr(module.subprocess, "call", call)
    module.calls = calls
    return module


def test_needs_the_standard_library_only() -> None:
    tree = ast.parse(COURSE.read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_installs_once_and_again_only_after_a_change(course, tmp_path: Path) -> None:
    course.install()
    assert [c[1:3] for c in course.calls] == [["-m", "venv"], ["-m", "pip"]]
    course.install()
    assert len(course.calls) == 2
    (tmp_path / "requirements.txt").write_text("numpy==2.4.7\n", encoding="utf-8")
    course.install()
    assert [c[1:3] for c in course.calls[2:]] == [["-m", "pip"]]


def test_a_failed_installation_is_not_remembered(course, monkeypatch) -> None:
    course.install()
    course.STAMP.unlink()
    monkeypatch.setattr(course, "run", lambda *words: 1)
    with pytest.raises(SystemExit, match="installation failed"):
        course.install()
    assert not course.STAMP.exists()


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("test", ["-m", "pytest", "-k", "x"]),
        ("execute", ["-m", "landcarbon.course.notebooks", "execute", "-k", "x"]),
        ("exercises", ["-m", "landcarbon.course.notebooks", "exercises", "-k", "x"]),
    ],
)
def test_verbs_pass_words_on(course, verb: str, words: list[str]) -> None:
    assert course.VERBS[verb](["-k", "x"]) == 0
    assert course.calls[-1][1:] == words


def test_benchmarks_get_the_words_after_two_dashes(course) -> None:
    assert course.bench(["ladder", "spinup", "--", "--seeds", "2"]) == 0
    assert [Path(words[1]).name for words in course.calls] == ["ladder.py", "spinup.py"]
    assert all(words[2:] == ["--seeds", "2"] for words in course.calls)


def test_says_what_it_can_do() -> None:
    shown = subprocess.run([sys.executable, str(COURSE)], capture_output=True, encoding="utf-8")
    assert shown.returncode == 0
    for verb in ("book", "test", "lab", "execute", "exercises", "bench", "doctor"):
        assert f"python course.py {verb}" in shown.stdout
    wrong = subprocess.run([sys.executable, str(COURSE), "boook"], capture_output=True, encoding="utf-8")
    assert wrong.returncode == 2
    assert "python course.py book" in wrong.stdout


FILES = [*(ROOT / ".github").rglob("*.*"), *ROOT.glob("*.md"), *(ROOT / "book/appendix").glob("*.md"), ROOT / ".ci/run"]


def test_verbs_that_workflows_and_pages_call_exist() -> None:
    spec = importlib.util.spec_from_file_location("course_verbs", COURSE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    called = {
        (path.name, verb) for path in FILES
        for verb in re.findall(r"python3? course\.py ([a-z]+)", path.read_text(encoding="utf-8"))
    }
    assert {"book", "test", "doctor"} <= {verb for name, verb in called if name.endswith(".yml")}
    assert {verb for _, verb in called} <= set(module.VERBS)
    assert all(f"python course.py {verb}" in module.__doc__ for verb in module.VERBS)


def test_workflows_and_templates_can_be_read() -> None:
    """Their syntax as GitHub sees it is checked by hand; CONTRIBUTING says how."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    files = sorted((ROOT / ".github").rglob("*.yml"))
    read = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
    assert {"tests.yml", "publish.yml", "weekly.yml", "release.yml", "bug.yml", "stuck.yml",
            "correction.yml"} <= set(read)
    matrix = read["tests.yml"]["jobs"]["course"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    for name in ("bug.yml", "stuck.yml"):
        assert "course.py doctor" in str(read[name])
    commands = [s["run"] for job in read["weekly.yml"]["jobs"].values() for s in job["steps"] if "run" in s]
    extras = next(re.search(r"\[(.+)\]", c)[1].split(",") for c in commands if "pip install" in c)  # type: ignore[index]
    assert set(extras) <= set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
                              ["project"]["optional-dependencies"])
    for path in (ROOT / ".binder").iterdir():
        for name in re.findall(r"^-r (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert (path.parent / name).is_file()
