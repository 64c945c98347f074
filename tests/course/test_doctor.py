"""One screen about the machine: short, honest about what differs, and there when packages are broken."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from landcarbon.course import doctor

ROOT = Path(__file__).parents[2]


def line(label: str) -> str:
    """One finding, with its lines joined."""
    text = doctor.screen()
    found = text[text.index(f"\n{label}") + 1 :].split("\n")
    more = [part.strip() for part in found[1:] if part.startswith(" ")]
    return " ".join([found[0], *more[: found[1:].index(next(p for p in found[1:] if not p.startswith(" ")))]])


def test_one_screen() -> None:
    lines = doctor.screen().split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    assert [text.split()[0] for text in lines if not text.startswith(" ")] == [
        "landcarbon", *doctor.FINDERS, lines[-1].split()[0]]


def test_python_kernel_and_disk_are_of_this_machine() -> None:
    assert sys.version.split()[0] in line("Python")
    assert "thread(s)" in line("Kernel") or "accelerate" in line("Kernel").lower()
    assert "GB free" in line("Disk")


def test_a_version_that_is_not_the_pin_is_named(monkeypatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "xarray":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert "numpy 1.0 (" in line("Packages")
    assert "xarray missing (" in line("Packages")
    assert "Packages" in doctor.screen().split("\n")[-1]


def test_data_in_a_folder_are_counted(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LANDCARBON_DATA_DIR", str(tmp_path))
    (tmp_path / "isis.rda").touch()
    # A long path is broken over lines, so it is read without its spaces.
    assert "1 of " in line("Data") and tmp_path.name in line("Data").replace(" ", "")
    monkeypatch.setenv("LANDCARBON_DATA_DIR", str(tmp_path / "nowhere"))
    assert "no folder" in line("Data")
    assert "Data" in doctor.screen().split("\n")[-1]


def test_who_is_logged_in_is_not_told() -> None:
    assert doctor._short(Path.home() / "course") == f"~{os.sep}course"
    assert doctor._short("/elsewhere/course") == "/elsewhere/course"
    assert len(doctor._short("/long" * 30)) == 60


@pytest.mark.skipif(os.name == "nt", reason="a program of Unix stands in for the browser")
def test_a_browser_on_the_search_path_is_found(monkeypatch, tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.browser() == str(program)


def test_it_speaks_where_numpy_is_broken(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('DLL load failed')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "landcarbon.course.doctor"], capture_output=True, encoding="utf-8",
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Kernel    could not be found out: ImportError: DLL load failed" in done.stdout
    assert "as pinned" in done.stdout and "GB free" in done.stdout
