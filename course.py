"""The course from one command; needs nothing but Python 3.11 or newer.

    python course.py book        build the book and open it
    python course.py pdf         print the whole book into one file
    python course.py test        run every test; more words go on to pytest. --browser instead runs
                                 every notebook in a browser
    python course.py lab         open the notebooks in JupyterLab
    python course.py lite        build the course for a browser, beside the pages: [--pyodide FOLDER]
    python course.py serve       show pages and course on this machine: [--port N]
    python course.py progress    what is solved in a folder of notebooks: [exercises]
    python course.py collect     a table of learners and exercises from handed-in notebooks: FOLDER
    python course.py execute     run notebooks again and store their outputs: [paths] [-j N]
    python course.py exercises   derive exercises/ from solutions/
    python course.py new         write the files of a new chapter: number name
    python course.py bench       run the benchmarks: [names] [-- options of theirs]
    python course.py doctor      what this machine has, on one screen; changes nothing

The first call makes the folder .venv and installs requirements.txt into it; later calls install
only when requirements.txt or pyproject.toml changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "course-stamp"


def run(*words: str | Path) -> int:
    """Run the Python of .venv in the course folder."""
    env = os.environ | {"PYTHONUTF8": "1"}
    # The work runs in parallel already; more threads inside NumPy only get into each other's way.
    env.setdefault("OMP_NUM_THREADS", "1")
    env.setdefault("OPENBLAS_NUM_THREADS", env["OMP_NUM_THREADS"])
    # A terminal without UTF-8 shows a character that it lacks by number; no program stops over it.
    if asked := env.get("PYTHONIOENCODING"):
        env["PYTHONIOENCODING"] = f"{asked.partition(':')[0]}:backslashreplace"
    return subprocess.call([str(PYTHON), *map(str, words)], cwd=ROOT, env=env)


def install() -> None:
    """Make .venv and fill it, unless that was done for these very requirements."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version_info[:2]}\n".encode())
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    stamp = digest.hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == stamp:
        return
    if not PYTHON.exists():
        print(f"Making {VENV}", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(VENV)]):
            sys.exit(
                "Python could not make a virtual environment. On Debian and Ubuntu: "
                "apt install python3-venv; elsewhere: install Python from python.org."
            )
    print("Installing requirements.txt (a minute or two, only when it changed)", flush=True)
    quiet = ["--quiet", "--disable-pip-version-check"]
    if not sys.dont_write_bytecode:
        # Python compiles what is used; all of it would double the time and take a quarter more disk.
        quiet.append("--no-compile")
    if run("-m", "pip", "install", *quiet, "-r", "requirements.txt"):
        sys.exit("The installation failed; the lines above say why. Is there a network connection?")
    STAMP.write_text(stamp, encoding="utf-8")


BUILD = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


def book(words: list[str]) -> int:
    """Build the book, warnings as errors."""
    code = run("-c", BUILD, "build", "-W", "--keep-going", *words, ".")
    page = ROOT / "_build" / "html" / "index.html"
    if code or not page.exists():
        print("The book was not built; the warnings above say why.", file=sys.stderr)
        return code or 1
    print(f"The book: {page.as_uri()}")
    has_screen = os.name == "nt" or sys.platform == "darwin" or os.environ.get("DISPLAY")
    if has_screen and not os.environ.get("CI"):
        webbrowser.open(page.as_uri())
    return 0


def pdf(words: list[str]) -> int:
    """Print the whole book."""
    code = run("-c", BUILD, "build", "--builder", "singlehtml", *words, ".")
    folder = ROOT / "_build"
    return code or run("-m", "landcarbon.course.pdf", folder / "singlehtml" / "whole.html", folder / "book.pdf")


def test(words: list[str]) -> int:
    """Run pytest: library, notebooks, exercises and the book itself."""
    if "--browser" not in words:
        return run("-m", "pytest", *words)
    if lacks("jupyterlite_core", "-r", "requirements-lite.txt"):
        return 1
    if code := run("tests/course/pyodide_kit.py", "_build/pyodide"):
        return code
    os.environ["LANDCARBON_BROWSER"] = "all"
    words = [word for word in words if word != "--browser"]
    return run("-m", "pytest", "-n0", "tests/course/test_lite.py", *words)


def lacks(module: str, *packages: str) -> int:
    """Install what only one verb needs, on its first use; 0 when it is there."""
    if run("-c", f"import importlib.util as u; raise SystemExit(u.find_spec('{module}') is None)"):
        print(f"Installing {packages[-1]}", flush=True)
        return run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return 0


def lab(words: list[str]) -> int:
    """Open JupyterLab."""
    return lacks("jupyterlab", "jupyterlab>=4.2,<5") or run("-m", "jupyterlab", *words)


def lite(words: list[str]) -> int:
    """Build the course for a browser, under the built book."""
    ready = lacks("jupyterlite_core", "-r", "requirements-lite.txt")
    return ready or run("-m", "landcarbon.course.lite", "lite", *words)


def serve(words: list[str]) -> int:
    """Show the built book on this machine."""
    return run("-m", "landcarbon.course.lite", "serve", *words)


def progress(words: list[str]) -> int:
    """Grade the notebooks of one learner."""
    return run("-m", "landcarbon.course.progress", "progress", *words)


def collect(words: list[str]) -> int:
    """Grade the notebooks of a group."""
    return run("-m", "landcarbon.course.progress", "collect", *words)


def execute(words: list[str]) -> int:
    """Run notebooks again."""
    return run("-m", "landcarbon.course.notebooks", "execute", *words)


def exercises(words: list[str]) -> int:
    """Derive the exercises from the solutions."""
    return run("-m", "landcarbon.course.notebooks", "exercises", *words)


def new(words: list[str]) -> int:
    """Write the files of a new chapter."""
    return run("-m", "landcarbon.course.new", *words)


def bench(words: list[str]) -> int:
    """Run the named benchmarks, or all of them; words after -- go to each."""
    cut = words.index("--") if "--" in words else len(words)
    names, options = words[:cut], words[cut + 1 :]
    names = names or sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py"))
    return max((run(ROOT / "benchmarks" / f"{name}.py", *options) for name in names), default=0)


def doctor(words: list[str]) -> int:
    """Say what this machine has; nothing is installed for it."""
    if not PYTHON.exists():
        print(f"Python {sys.version.split()[0]} on {platform.platform()}, {sys.executable}")
        print("The folder .venv is not there yet; `python course.py test` makes it.")
        return 0
    return run("-m", "landcarbon.course.doctor", *words)


VERBS = {
    verb.__name__: verb
    for verb in (book, pdf, test, lab, lite, serve, progress, collect, execute, exercises, new, bench, doctor)
}


def main() -> int:
    """Read the verb, install what is missing, do the work."""
    if sys.version_info < (3, 11):
        sys.exit(f"The course needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    verb, words = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if verb not in VERBS:
        print(__doc__)
        return 0 if verb in ("", "-h", "--help", "help") else 2
    if verb != "doctor":
        install()
    return VERBS[verb](words)


if __name__ == "__main__":
    sys.exit(main())
