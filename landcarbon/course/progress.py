"""Who has solved what: exercises in notebooks, graded again in a process of their own.

::

    python course.py progress [FOLDER]     one learner: the notebooks of a folder, exercises/ by default
    python course.py collect FOLDER        a group: one folder for each learner, or one file exported
                                           from the page "My progress"; writes FOLDER/collected.csv

What a notebook printed counts for nothing: its cells run again, and each ``check`` is graded here. The
process has a limit of time for a cell and for the whole, of memory and of the files it writes; a cell that
stops, exits or does not end costs that cell. A notebook that writes results of its own, or puts another
function in the place of one that a check uses, is called tampered with. It is no prison, though: notebooks
run with the rights of who collects them. Work of strangers belongs in a container.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landcarbon.course import exercises
from landcarbon.course.checks import known
from landcarbon.course.grading import signature
from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["Work", "collect", "graded", "table", "works"]

SECONDS = 600.0  # for a notebook
CELL_SECONDS = 60  # of the processor, for a cell
LARGEST = 20 << 20  # bytes of a notebook that is looked at
REPORT = 1 << 20  # bytes of a report that are read

Results = dict[str, str]


@dataclass(frozen=True)
class Work:
    """A notebook that was handed in: by whom, for which chapter, and its cells of code."""

    learner: str
    chapter: str
    cells: tuple[str, ...]


def works(folder: Path, single: bool = False) -> Iterator[Work | str]:
    """The notebooks of a folder; a sentence for each file that is none.

    Parameters
    ----------
    folder : path
        One folder for each learner, or files exported from the page "My progress".
    single : bool
        The folder is that of one learner.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}.")
    for path in sorted(
        p for p in folder.rglob("*") if p.suffix in (".ipynb", ".json") and p.is_file()
    ):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        place = path.relative_to(folder).parts
        learner = folder.name if single else place[0] if len(place) > 1 else path.stem
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError("it is larger than 20 MB")
            content = json.loads(path.read_text(encoding="utf-8"))
            exported = content.get("notebooks") if path.suffix == ".json" else {path.name: content}
            for name, notebook in exported.items():
                yield Work(learner, _chapter(name, notebook), _cells(notebook))
        except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            yield f"{path.relative_to(folder)} was left out: {error or type(error).__name__}."


def _cells(notebook: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"
    )


def _chapter(name: str, notebook: Mapping[str, Any]) -> str:
    """By the checks that the notebook calls; its file may have any name."""
    keys = re.findall(r"""\bcheck\(\s*["'](\d\d)\.\d+["']""", "\n".join(_cells(notebook)))
    if not keys:
        raise ValueError(f"{Path(name).name} holds no exercise")
    return max(set(keys), key=keys.count)


def graded(work: Work, seconds: float = SECONDS) -> Results:
    """What each exercise of the chapter is worth: "✔", "✘ kind", "…" for a blank, or why there is nothing.

    Parameters
    ----------
    work : Work
    seconds : float
        Limit for the whole notebook.
    """
    keys = known(work.chapter)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        cells, report = Path(name, "cells.json"), Path(name, "report")
        cells.write_text(json.dumps(work.cells), encoding="utf-8")
        report.touch()
        command = [
            sys.executable,
            "-m",
            "landcarbon.course.grading",
            work.chapter,
            str(cells),
            str(report),
            str(CELL_SECONDS),
        ]
        env = os.environ | {"MPLBACKEND": "Agg", "LANDCARBON_OFFLINE": "1", "PYTHONUTF8": "1"}
        env["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(Path(exercises.__file__).parents[3]), env.get("PYTHONPATH")])
        )
        secret = secrets.token_hex()
        ended = _run(command, secret, name, env, seconds)
        with report.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(REPORT).split("\n")[:-1]  # a line cut off by the end says nothing
    found: Results = {}
    for line in lines:
        written, _, signed = line.rpartition("\t")
        key, _, said = written.partition("\t")
        if key == "tampered" or signed != signature(secret, written):
            return dict.fromkeys(keys, "tampered")
        if key in keys:
            found[key] = said
    return {key: found.get(key, ended or "not checked") for key in keys}


def _run(command: list[str], given: str, folder: str, env: Mapping[str, str], seconds: float) -> str:
    """Run to the end or the limit, with all that it started; why it did not end by itself, or ""."""
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True, encoding="utf-8")  # fmt: skip
    try:
        process.communicate(f"{given}\n", seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        code = None
    if os.name == "posix":
        try:
            os.killpg(process.pid, 9)  # what it started does not outlive it
        except ProcessLookupError:
            pass
    process.kill()
    process.wait()
    return "out of time" if code is None else "" if code == 0 else "stopped"


def collect(
    folder: Path, seconds: float = SECONDS, single: bool = False
) -> tuple[dict[str, Results], list[str]]:
    """Results by learner and exercise, and sentences about what was left out."""
    found: dict[str, Results] = {}
    said = []
    for work in works(folder, single):
        if isinstance(work, str):
            said.append(work)
            continue
        row = found.setdefault(work.learner, {})
        try:
            results = graded(work, seconds)
        except InputError as error:
            said.append(f"{work.learner}: {error}")
            continue
        for key, result in results.items():
            if row.get(key) != "✔":
                row[key] = result
    return found, said


def table(found: Mapping[str, Results]) -> str:
    """Learner × exercise as text; the last column counts what is solved."""
    keys = sorted({key for row in found.values() for key in row})
    width = max([7, *map(len, found)])
    lines = [" ".join([f"{'learner':{width}}", *keys, "solved"])]
    for learner, row in sorted(found.items()):
        marks = [f"{row.get(key, '')[:1] or '-':^{len(key)}}" for key in keys]
        lines.append(
            " ".join([f"{learner:{width}}", *marks, f"{sum(v == '✔' for v in row.values()):>6}"])
        )
    return "\n".join(lines)


def _write(found: Mapping[str, Results], path: Path) -> None:
    keys = sorted({key for row in found.values() for key in row})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["learner", *keys, "solved"])
        for learner, row in sorted(found.items()):
            name = f"'{learner}" if learner.startswith(tuple("=+-@\t\r")) else learner
            writer.writerow(
                [name, *(row.get(k, "") for k in keys), sum(v == "✔" for v in row.values())]
            )


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="course.py")
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("progress", help="what is solved in the notebooks of a folder")
    one.add_argument("folder", type=Path, nargs="?", default=Path("exercises"))
    many = verbs.add_parser("collect", help="a table of learners and exercises")
    many.add_argument("folder", type=Path)
    for verb in (one, many):
        verb.add_argument("--seconds", type=float, default=SECONDS, help="limit for a notebook")
    given = parser.parse_args(arguments)
    try:
        found, said = collect(given.folder, given.seconds, single=given.verb == "progress")
    except InputError as error:
        say(error, file=sys.stderr)
        return 1
    for sentence in said:
        say(sentence, file=sys.stderr)
    if given.verb == "progress":
        results = sorted(next(iter(found.values()), {}).items())
        for key, result in results:
            say(f"{key}  {result}")
        say(f"{sum(result == '✔' for _, result in results)} of {len(results)} exercises solved.")
        return 0
    say(table(found))
    try:
        _write(found, given.folder / "collected.csv")
    except OSError as error:
        say(f"{given.folder / 'collected.csv'} could not be written ({error.strerror}); is it open elsewhere?",
            file=sys.stderr)  # fmt: skip
        return 1
    say(f"Kinds of error: {given.folder / 'collected.csv'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
