"""The files of a new chapter, in the shape that the linter asks for.

``python course.py new 26 soil_fauna`` writes a chapter with its sections, a solution notebook with
one exercise of each level, a quiz, the checks and a place for wrong answers, and adds a line to
``_toc.yml``. What is left to write is said by ``python -m landcarbon.course.lint``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from landcarbon.course.lint import FRONT, SECTIONS
from landcarbon.course.notebooks import normalise, write, write_exercises
from landcarbon.matrix.errors import InputError

__all__ = ["new_chapter"]

LEVELS = {1: "Level 1, 5 minutes.", 2: "Level 2, 15 minutes.", 3: "Level 3, open."}
BEGINS = {
    "You will be able to": "- **compute** one thing that the reader could not before.",
    "The idea": "The idea in one paragraph, without a symbol.",
    "The equation": "$$\nx = y\n$$ (eq-{name})\n\n| symbol | meaning | unit | code |\n|---|---|---|---|",
    "Move it": "**Question.** What happens when it is moved? Decide first, then move the slider.",
    "Exercises": "{exercises}",
    "Key points": "- One sentence a point.",
    "What is next": "What the next chapter asks.",
    "References": "```{{bibliography}}\n:filter: docname in docnames\n```",
}
CHECKS = '''"""Exercises of chapter {nn}: {title}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from landcarbon.course.checks import exercise, expect

'''
CHECK = '''
@exercise(
    "{nn}.{level}",
    level={level},
    title="{title}, {level}",
    hints=("What must hold?", "Which equation says so?", "Which line is it in the code?"),
)
def exercise_{level}(answer: Callable[[Any], Any]) -> None:
    """What must hold, whatever the code looks like."""
    expect(answer(2.0) == 2.0 * answer(1.0), "limit", "Twice the input must give twice as much.")

'''
WRONG = '''"""Typical wrong answers of chapter {nn}, each with the kind of error, and words, its check must name."""

FIVE = [
    (lambda x: x**2, "limit", "Twice the input"), (lambda x: x**3, "limit"), (lambda x: x + 1, "limit"),
    (lambda x: x - 3, "limit"), (lambda x: 1 / x, "limit"),
]  # fmt: skip

WRONG = {{
    "{nn}.1": FIVE,
    "{nn}.2": FIVE,
    "{nn}.3": FIVE,
}}
'''


def new_chapter(root: Path, number: int, name: str) -> list[Path]:
    """Write the files of a chapter that is not there yet, in the last module; returns them.

    Parameters
    ----------
    root : Path
        Folder of the course.
    number : int
        Of the chapter; the next free one, or a gap.
    name : str
        Lower case letters, digits and underscores: the title and the file name are made from it.

    Raises
    ------
    InputError
        The number is taken, or the name is no file name.
    """
    nn = f"{number:02d}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"The name {name!r} must be lower case letters, digits and underscores.")
    taken = sorted(p.name for p in root.glob(f"book/module*/{nn}_*.ipynb"))
    if taken:
        raise InputError(f"Chapter {nn} is there already: {taken[0]}. Take another number.")
    module = sorted(root.glob("book/module*"))[-1]
    title = name.replace("_", " ").capitalize()
    texts = {
        root / "landcarbon/course/exercises" / f"ch{nn}.py": CHECKS.format(nn=nn, title=title.lower())
        + "".join(CHECK.format(nn=nn, level=level, title=title.lower()) for level in LEVELS),
        root / "tests/course/wrong_answers" / f"ch{nn}.py": WRONG.format(nn=nn),
        root / "book/quizzes" / f"{nn}.json": json.dumps(_quiz(), indent=2) + "\n",
    }
    books = {
        module / f"{nn}_{name}.ipynb": _chapter(nn, name, title),
        root / "solutions" / f"{nn}_{name}.ipynb": _solution(nn, title),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for path, cells in books.items():
        write(path, normalise(_notebook(cells)))
    toc = root / "_toc.yml"
    lines = toc.read_text(encoding="utf-8").splitlines()
    last = max(i for i, line in enumerate(lines) if re.search(f"- file: book/{module.name}/\\d", line))
    lines.insert(last + 1, f"      - file: book/{module.name}/{nn}_{name}")
    toc.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return [*books, *texts, *write_exercises(root), toc]


def _notebook(cells: list[tuple[str, str]]):
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    make = {"text": new_markdown_cell, "code": new_code_cell}
    return new_notebook(cells=[make[kind](source) for kind, source in cells])


def _chapter(nn: str, name: str, title: str) -> list[tuple[str, str]]:
    exercises = "\n\n".join(
        f"```{{exercise}} {nn}.{level} · {title} {level}\n:label: ex-{nn}-{level}\n:nonumber:\n\n"
        f"**{text}** Write …\n```"
        for level, text in LEVELS.items()
    )
    head = f"# {nn} · {title}\n\n| {' | '.join(FRONT)} |\n{'|---' * len(FRONT)}|\n| 20 | 30 | core | 03 | none |"
    cells = [("text", head)]
    code = {
        "The picture": "import numpy as np\n\nfrom landcarbon.course import check, explore, hint, plots, quiz",
        "The code": "np.set_printoptions(precision=4, suppress=True)",
        "Move it": "# The widget of the chapter.",
        "Quiz": f'quiz("{nn}")',
    }
    for section in SECTIONS:
        begin = BEGINS.get(section, "").format(name=name.replace("_", "-"), exercises=exercises)
        cells.append(("text", f"## {section}\n\n{begin}".rstrip()))
        if section in code:
            cells.append(("code", code[section]))
    return cells


def _solution(nn: str, title: str) -> list[tuple[str, str]]:
    cells = [
        ("text", f"# Exercises {nn} · {title}\n\nRun the cells from the top, each with Shift+Enter or ▶. "
                 "Write your answers where you find `NotImplementedError`, then run that cell and its check."),
        ("code", "from landcarbon.course import check, hint, plots"),
    ]
    for level, text in LEVELS.items():
        cells += [
            ("text", f"## Exercise {nn}.{level} · {title} {level}\n\n{text} **Write** …"),
            ("code", f"def answer_{level}(x):\n    ### BEGIN SOLUTION: write what is asked\n"
                     "    return 3 * x\n    ### END SOLUTION"),
            ("code", f'if check("{nn}.{level}", answer_{level}):\n    print(answer_{level}(1.0))'),
        ]
    return cells


def _quiz() -> list[dict[str, object]]:
    answers = [{"answer": a, "correct": a == "Yes", "feedback": "Why."} for a in ("No", "Yes", "Both")]
    asked = [("an earlier idea", "Still known?"), *((f"idea {k}", f"Question {k}?") for k in (1, 2, 3))]
    quiz: list[dict[str, object]] = [
        {"concept": c, "question": q, "answers": answers} for c, q in asked
    ]
    quiz[0]["from"] = "03"
    return quiz


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="python course.py new")
    parser.add_argument("number", type=int)
    parser.add_argument("name")
    given = parser.parse_args(arguments)
    try:
        made = new_chapter(Path.cwd(), given.number, given.name)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for path in made:
        print(path.relative_to(Path.cwd()))
    print("Next: write, `python course.py execute`, `python -m landcarbon.course.lint`.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
