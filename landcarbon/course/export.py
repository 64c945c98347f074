"""Quizzes and concept inventory for other places: Moodle's XML, and cards to learn from.

``python -m landcarbon.course.export FOLDER`` writes, from the files behind the pages,

================ ==================================================================
file             read by
================ ==================================================================
quizzes.xml      Moodle and what imports its XML: one category a chapter
inventory.xml    the same: fifteen items before and after the course
cards.tsv        Anki and other programs for cards: question, tab, answer with reason
================ ==================================================================

Formulas are between ``\\(`` and ``\\)``, which Moodle and Anki typeset.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape as plain

from landcarbon.course.quizzes import read_quiz
from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["cards", "inventory", "moodle", "write"]

Question = dict[str, Any]

_ITEM = re.compile(r"^### (Item \d+)\n+(.*?)\n```\{dropdown\}[^\n]*\n(.*?)\n```", re.MULTILINE | re.DOTALL)
_CHOICE = re.compile(r"^- \*\*([a-h])\*\* (.+)$", re.MULTILINE)


def inventory(page: str) -> list[Question]:
    """The items of the page "Concept inventory" in the shape of quiz questions.

    Raises
    ------
    InputError
        An item whose right answer is none of its choices.
    """
    items = []
    for name, text, told in _ITEM.findall(page):
        right = re.match(r"\*\*([a-h])\.\*\*", told)
        choices = _CHOICE.findall(text)
        if right is None or right[1] not in dict(choices):
            raise InputError(f"{name} of the concept inventory does not say which answer is right.")
        answers = [{"answer": said, "correct": letter == right[1], "feedback": ""} for letter, said in choices]
        asked = _CHOICE.sub("", text).strip()
        items.append({"concept": name, "question": asked, "answers": answers, "told": told.strip()})
    return items


def moodle(chapters: Mapping[str, Iterable[Question]]) -> str:
    """Questions by category as Moodle XML; Moodle shuffles the answers."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<quiz>"]
    for category, questions in chapters.items():
        lines.append(f'<question type="category"><category><text>{plain(category)}</text></category></question>')
        for number, question in enumerate(questions, 1):
            lines += [
                '<question type="multichoice">',
                f"<name><text>{number:02} {plain(question['concept'])}</text></name>",
                f'<questiontext format="html"><text>{_cdata(question["question"])}</text></questiontext>',
                f'<generalfeedback format="html"><text>{_cdata(question.get("told", ""))}</text></generalfeedback>',
                "<single>true</single><shuffleanswers>true</shuffleanswers><answernumbering>abc</answernumbering>",
            ]
            for answer in question["answers"]:
                lines += [
                    f'<answer fraction="{100 if answer["correct"] else 0}" format="html">',
                    f"<text>{_cdata(answer['answer'])}</text>",
                    f'<feedback format="html"><text>{_cdata(answer["feedback"])}</text></feedback></answer>',
                ]
            lines.append("</question>")
    return "\n".join([*lines, "</quiz>", ""])


def cards(questions: Iterable[Question]) -> str:
    """One line a question: what is asked, a tab, the right answer and why."""
    lines = []
    for question in questions:
        right = next(answer for answer in question["answers"] if answer["correct"])
        back = f"{_html(right['answer'])}<br>{_html(right['feedback'] or question.get('told', ''))}"
        lines.append(f"{_html(question['question'])}\t{back}\n")
    return "".join(lines)


def write(root: Path, folder: Path) -> list[Path]:
    """Write the three files; returns their paths."""
    quizzes = {f"Chapter {p.stem}": read_quiz(p) for p in sorted((root / "book/quizzes").glob("*.json"))}
    if not quizzes:
        raise InputError(f"there are no quizzes in {root / 'book/quizzes'}; call this in the course folder.")
    items = inventory((root / "book/appendix/concept_inventory.md").read_text(encoding="utf-8"))
    own = [q for questions in quizzes.values() for q in questions if "from" not in q]
    content = {
        "quizzes.xml": moodle(quizzes),
        "inventory.xml": moodle({"Concept inventory": items}),
        "cards.tsv": cards(own),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in content]


def _cdata(text: str) -> str:
    return f"<![CDATA[{_html(text).replace(']]>', ']]&gt;')}]]>"


def _html(text: str) -> str:
    """Text with `code`, *stress* and $formulas$ as one line of HTML."""
    text = escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\$([^$\n]+)\$", r"\\(\1\\)", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<i>\1</i>", text)
    return re.sub(r"\s+", " ", re.sub(r"\n{2,}", "<br>", text)).strip()


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="landcarbon.course.export", description="Quizzes for Moodle and cards.")
    parser.add_argument("folder", type=Path)
    try:
        for path in write(Path.cwd(), parser.parse_args(arguments).folder):
            say(path)
    except InputError as error:
        say(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
