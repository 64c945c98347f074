"""Quizzes that work without a kernel and, where scripts are stripped, without a script.

Every choice is an HTML ``<details>`` element: choosing it, by mouse or keyboard, opens the feedback.
On the built page ``quiz.js`` turns the choices into radio buttons with a button *Check*, keeps what
was chosen in the reader's browser, and says at the end which ideas to look at once more.

A quiz is a file ``book/quizzes/NN.json``: a list of questions
``{"concept": …, "question": …, "answers": [{"answer": …, "correct": true, "feedback": …}, …]}``. The
concept names in a few words what is asked; ``"from": "03"`` marks a question from an earlier chapter.
Text may hold `code` in backticks and formulas between ``\\(`` and ``\\)``. The answers are shown in an
order of their own, which depends on their words and on nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from html import escape
from pathlib import Path
from typing import Any

from landcarbon.course.output import emit, in_notebook
from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["quiz", "read_quiz", "shuffled"]

Question = dict[str, Any]

SHIPPED = Path(__file__).with_name("quiz_files")  # where the course runs in a browser
SEED = 247  # of the order of the answers; each position is right about as often as chance has it


def read_quiz(path: Path) -> list[Question]:
    """Read a quiz file and hold it to its rules.

    Raises
    ------
    InputError
        No question text, no concept, fewer than two answers, not one right answer, an answer without
        feedback, or no question from an earlier chapter (there is none before chapter 00).
    """
    questions: list[Question] = json.loads(path.read_text(encoding="utf-8"))
    earlier = [q["from"] for q in questions if "from" in q]
    if not 3 <= len(questions) - len(earlier) <= 6:
        raise InputError(f"{path.name} has {len(questions)} questions; a quiz has 3 to 6 of its own.")
    if len(earlier) != (path.stem > "00") or not all(chapter < path.stem for chapter in earlier):
        raise InputError(
            f"{path.name} needs one question from an earlier chapter, marked with \"from\"; it has "
            f"{', '.join(earlier) or 'none'}."
        )
    for number, question in enumerate(questions, 1):
        where = f"{path.name}, question {number}"
        answers = question.get("answers", [])
        if not question.get("question"):
            raise InputError(f"{where} has no text.")
        if not question.get("concept"):
            raise InputError(f"{where} names no concept.")
        if len(answers) < 2:
            raise InputError(f"{where} needs at least two answers.")
        if [answer.get("correct") for answer in answers].count(True) != 1:
            raise InputError(f"{where} needs one answer marked as correct.")
        for answer in answers:
            if not answer.get("feedback"):
                raise InputError(f"{where}: the answer {answer.get('answer')!r} has no feedback.")
    return questions


def shuffled(question: Question) -> list[dict[str, Any]]:
    """The answers in the order in which they are shown, the same in every build."""
    return sorted(question["answers"], key=lambda a: _key(f"{SEED}{question['question']}{a['answer']}"))


def quiz(chapter: str, folder: str | Path | None = None) -> None:
    """Show the quiz of a chapter; a script says where it is shown, and goes on.

    Parameters
    ----------
    chapter : str
        Its number: ``"03"``.
    folder : path, optional
        Where the quiz files are; by default the nearest ``quizzes`` folder above the notebook.
    """
    if not in_notebook():
        say(f"The quiz of chapter {chapter} is shown in a notebook and on the page of the chapter.")
        return
    questions = read_quiz(_folder(folder) / f"{chapter}.json")
    bundle = {
        "text/html": _html(chapter, questions),
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
    if SHIPPED.is_dir():
        return SHIPPED
    raise InputError("No folder 'quizzes' above this notebook; open it inside the course folder.")


def _html(chapter: str, questions: list[Question]) -> str:
    blocks = []
    for number, question in enumerate(questions, 1):
        choices = []
        for letter, answer in zip("abcdefgh", shuffled(question)):
            right = answer["correct"]
            choices.append(
                f'<details class="quiz-choice" data-choice="{_key(answer["answer"])}"'
                f'{" data-right" if right else ""}><summary>{letter}) {_text(answer["answer"])}</summary>'
                f'<p class="quiz-feedback"><strong>{"✔ Right." if right else "✘ Not quite."}</strong> '
                f"{_text(answer['feedback'])}</p></details>"
            )
        earlier = question.get("from")
        concept = question["concept"] + (f" (chapter {earlier})" if earlier else "")
        blocks.append(
            f'<div class="quiz-question tex2jax_process" role="group" data-question="'
            f'{_key(question["question"])}" data-concept="{escape(concept)}"><p><strong>{number}.</strong> '
            f"{f'<em>Still known from chapter {earlier}?</em> ' if earlier else ''}"
            f"{_text(question['question'])}</p>{''.join(choices)}</div>"
        )
    return f'<div class="quiz" data-quiz="{escape(chapter)}">{"".join(blocks)}</div>'


def _key(text: str) -> str:
    """Eight letters for a text; letters only, for a reader of numbers sees one in 3e456789."""
    return "".join(chr(ord("a") + byte % 26) for byte in hashlib.sha256(text.encode()).digest()[:8])


def _text(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
