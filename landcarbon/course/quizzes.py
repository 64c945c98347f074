"""Quizzes that work without a kernel and without a script.

Every choice is an HTML ``<details>`` element: choosing it, by mouse or keyboard, opens the feedback.
The same output works in the built page, in Jupyter and in a viewer that strips scripts.

A quiz is a file ``book/quizzes/NN.json``: a list of questions
``{"question": …, "answers": [{"answer": …, "correct": true, "feedback": …}, …]}``. Text may hold
`code` in backticks and formulas between ``\\(`` and ``\\)``.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from landcarbon.course.output import emit
from landcarbon.matrix.errors import InputError

__all__ = ["quiz", "read_quiz"]

Question = dict[str, Any]


def read_quiz(path: Path) -> list[Question]:
    """Read a quiz file and hold it to its rules.

    Raises
    ------
    InputError
        No question text, fewer than two answers, no right answer, or an answer without feedback.
    """
    questions: list[Question] = json.loads(path.read_text(encoding="utf-8"))
    if not 3 <= len(questions) <= 5:
        raise InputError(f"{path.name} has {len(questions)} questions; a quiz has 3 to 5.")
    for number, question in enumerate(questions, 1):
        where = f"{path.name}, question {number}"
        answers = question.get("answers", [])
        if not question.get("question"):
            raise InputError(f"{where} has no text.")
        if len(answers) < 2:
            raise InputError(f"{where} needs at least two answers.")
        if not any(answer.get("correct") is True for answer in answers):
            raise InputError(f"{where} has no answer marked as correct.")
        for answer in answers:
            if not answer.get("feedback"):
                raise InputError(f"{where}: the answer {answer.get('answer')!r} has no feedback.")
    return questions


def quiz(chapter: str, folder: str | Path | None = None) -> None:
    """Show the quiz of a chapter.

    Parameters
    ----------
    chapter : str
        Its number: ``"03"``.
    folder : path, optional
        Where the quiz files are; by default the nearest ``quizzes`` folder above the notebook.
    """
    questions = read_quiz(_folder(folder) / f"{chapter}.json")
    bundle = {
        "text/html": _html(questions),
        "text/plain": f"Quiz {chapter}: {len(questions)} questions",
    }
    emit(bundle)


def _folder(folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder)
    here = Path.cwd()
    for parent in (here, *here.parents):
        for candidate in (parent / "quizzes", parent / "book" / "quizzes"):
            if candidate.is_dir():
                return candidate
    raise InputError("No folder 'quizzes' above this notebook; open it inside the course folder.")


def _html(questions: list[Question]) -> str:
    blocks = []
    for number, question in enumerate(questions, 1):
        choices = []
        for letter, answer in zip("abcdefgh", question["answers"]):
            verdict = "✔ Right." if answer.get("correct") else "✘ Not quite."
            choices.append(
                f'<details class="quiz-choice"><summary>{letter}) {_text(answer["answer"])}</summary>'
                f'<p class="quiz-feedback"><strong>{verdict}</strong> {_text(answer["feedback"])}</p>'
                "</details>"
            )
        blocks.append(
            '<div class="quiz-question tex2jax_process" role="group">'
            f"<p><strong>{number}.</strong> {_text(question['question'])}</p>"
            f"{''.join(choices)}</div>"
        )
    return f'<div class="quiz">{"".join(blocks)}</div>'


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
