"""Care of the course's notebooks: execute, normalise, derive the exercises.

``python -m landcarbon.course.notebooks execute|exercises|convert`` does the work of
``python course.py execute`` and ``python course.py exercises``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = [
    "appendices",
    "blank",
    "chapters",
    "data_names",
    "execute",
    "normalise",
    "read",
    "write",
    "write_exercises",
]

Notebook = Any

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGETS = "application/vnd.jupyter.widget-state+json"
SOLUTION = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION(?P<task>[^\n]*)\n.*?^[ \t]*### END SOLUTION[^\n]*\n?",
    re.MULTILINE | re.DOTALL,
)


def chapters(root: Path) -> list[Path]:
    """Chapters and solutions, in order."""
    return [*sorted(root.glob("book/module*/*.ipynb")), *sorted(root.glob("solutions/*.ipynb"))]


def appendices(root: Path) -> list[Path]:
    """Notebooks of the appendix, which have no exercises, no quiz and a shape of their own."""
    return sorted(root.glob("book/appendix/*.ipynb"))


def data_names(source: str) -> set[str]:
    """Names of the real data that a cell, or any code, asks for."""
    return set(re.findall(r"""\b(?:load|load_profiles|path)\(\s*["'](\w+)["']""", source))


def read(path: Path) -> Notebook:
    """Read a notebook."""
    import nbformat

    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def write(path: Path, notebook: Notebook) -> None:
    """Write a notebook with the same bytes on every system."""
    import nbformat

    text = nbformat.writes(notebook, version=4)  # type: ignore[no-untyped-call]
    path.write_bytes((text.rstrip("\n") + "\n").encode("utf-8"))


def normalise(notebook: Notebook) -> Notebook:
    """Keep what belongs to the content only, so that a second execution gives the same bytes.

    Time stamps, versions and editor metadata go; cells are named after their content, widgets
    numbered.
    """
    import nbformat

    seen: dict[str, int] = {}
    for cell in notebook.cells:
        kept = {k: cell.metadata[k] for k in ("tags", "mystnb", "tolerance") if cell.metadata.get(k)}
        cell.metadata = nbformat.from_dict(kept)  # type: ignore[no-untyped-call]
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    metadata: dict[str, Any] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state")
    if state:
        slim = {key: _slim(model) for key, model in state.items()}
        metadata["widgets"] = {WIDGETS: {"state": slim, "version_major": 2, "version_minor": 0}}
    notebook.metadata = nbformat.from_dict(metadata)  # type: ignore[no-untyped-call]
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    if not state:
        return notebook
    text = json.dumps(notebook)
    # Numbered in order of creation, which is also the order in which keys are stored.
    for number, key in enumerate(state):
        text = text.replace(f'"{key}"', f'"{number:032x}"').replace(
            f"IPY_MODEL_{key}", f"IPY_MODEL_{number:032x}"
        )
    return nbformat.from_dict(json.loads(text))  # type: ignore[no-untyped-call]


def _slim(model: dict[str, Any]) -> dict[str, Any]:
    """A widget model without the entries that only repeat a default."""
    state = {
        k: v for k, v in model["state"].items()
        if v is not None and k not in ("_view_count", "_dom_classes", "tabbable", "tooltip")
    }
    return {**model, "state": state}


def execute(path: Path, timeout: int = 300) -> float:
    """Run a notebook in its folder and store the outputs; returns the seconds it took.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell stopped with an error; the notebook stays as it was.
    """
    import time

    from nbclient import NotebookClient

    begin = time.perf_counter()
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    write(path, normalise(notebook))
    return time.perf_counter() - begin


def blank(notebook: Notebook) -> Notebook:
    """The exercise notebook that belongs to a solution notebook.

    Cells tagged ``solution`` go; lines between ``### BEGIN SOLUTION: task`` and ``### END SOLUTION``
    become a `NotImplementedError` that names the task; outputs are dropped.
    """
    import copy

    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.cells = [c for c in notebook.cells if "solution" not in c.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.source = SOLUTION.sub(_task, cell.source).rstrip("\n")
        if "SOLUTION" in cell.source:
            raise InputError(f"A BEGIN or END SOLUTION has no partner in the cell:\n{cell.source}")
        cell.outputs, cell.execution_count = [], None
    return notebook


def _task(found: re.Match[str]) -> str:
    task = found["task"].strip(" :") or "write this part"
    return f'{found["indent"]}raise NotImplementedError("{task}")\n'


def write_exercises(root: Path) -> list[Path]:
    """Derive ``exercises/`` from ``solutions/``; returns the files that changed."""
    folder = root / "exercises"
    folder.mkdir(exist_ok=True)
    changed = []
    wanted = set()
    for source in sorted((root / "solutions").glob("*.ipynb")):
        target = folder / source.name
        wanted.add(target.name)
        before = target.read_bytes() if target.exists() else b""
        write(target, blank(read(source)))
        if target.read_bytes() != before:
            changed.append(target)
    for stale in folder.glob("*.ipynb"):
        if stale.name not in wanted:
            stale.unlink()
            changed.append(stale)
    return changed


def _execute_all(paths: list[Path], jobs: int) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        work = [(path, pool.submit(execute, path)) for path in paths]
        for path, future in work:
            try:
                say(f"{path}: {future.result():.1f} s")
            except Exception as error:
                failed += 1
                say(f"{path}: {error}", file=sys.stderr)
    return failed


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="landcarbon.course.notebooks")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("execute", help="run notebooks again and store their outputs")
    run.add_argument("paths", nargs="*", type=Path, help="all by default")
    run.add_argument("-j", "--jobs", type=int, default=1, help="notebooks at the same time")
    verbs.add_parser("exercises", help="derive exercises/ from solutions/")
    convert = verbs.add_parser("convert", help="MyST text to an executed notebook (needs jupytext)")
    convert.add_argument("text", type=Path)
    convert.add_argument("notebook", type=Path)
    given = parser.parse_args(arguments)
    root = Path.cwd()
    if given.verb == "execute":
        return 1 if _execute_all(given.paths or [*chapters(root), *appendices(root)], given.jobs) else 0
    if given.verb == "convert":
        import jupytext

        given.notebook.parent.mkdir(parents=True, exist_ok=True)
        write(given.notebook, normalise(jupytext.read(given.text, fmt="md:myst")))
        return 1 if _execute_all([given.notebook], 1) else 0
    for path in write_exercises(root):
        say(path.relative_to(root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
