"""Pages for instructors say what the chapters say, and no question lacks an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landcarbon.course.lint import is_chapter
from landcarbon.course.notebooks import chapters, read

ROOT = Path(__file__).parents[2]
CHAPTERS = [path for path in chapters(ROOT) if is_chapter(path)]
APPENDIX = ROOT / "book/appendix"
DROPDOWN = re.compile(r"^```\{dropdown\}[^\n]*\n(.*?)^```", flags=re.M | re.S)


def section(text: str, number: str) -> str:
    """The part of a page under the heading of a chapter."""
    found = re.search(rf"^## {number} · .*?(?=^## |\Z)", text, flags=re.M | re.S)
    assert found, f"no section for chapter {number}"
    return found[0]


def notes() -> str:
    cells = read(APPENDIX / "teaching_notes.ipynb").cells
    return "\n\n".join(
        c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in cells
    )


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_times_are_those_of_the_chapter(path: Path) -> None:
    front = re.search(r"^\| *(\d+) *\| *(\d+)[^|]*\|", read(path).cells[0].source, flags=re.M)
    assert front
    said = section(notes(), path.name[:2])
    time = f"**Time.** {front[1]} to read, {front[2]} to do"
    assert time in said, f"teaching_notes.ipynb must say {time!r}, as the chapter does"
    for part in ("```python", "**Wrong first.**", "**Watch for.**", "**Level 3"):
        assert part in said, f"{part} is missing"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_three_questions_with_their_answers(path: Path) -> None:
    page = (APPENDIX / "concept_questions.md").read_text(encoding="utf-8")
    part = section(page, path.name[:2])
    assert path.relative_to(ROOT / "book").as_posix() in part
    asked = re.split(r"^\*\*\d\.\*\* ", part, flags=re.M)[1:]
    assert len(asked) == 3
    for question in asked:
        explained = DROPDOWN.search(question)
        assert explained, question
        offered = re.findall(r"^- \*\*([abc])\*\* ", question, flags=re.M)
        right = re.findall(r"^\*\*([abc])\*\* is right", explained[1], flags=re.M)
        wrong = re.findall(r"^- \*\*([abc])\*\*: \S", explained[1], flags=re.M)
        assert offered == ["a", "b", "c"] and len(right) == 1
        assert sorted(right + wrong) == offered, question


def test_questions_are_not_those_of_the_quiz() -> None:
    page = (APPENDIX / "concept_questions.md").read_text(encoding="utf-8")
    asked = {q.strip() for q in re.findall(r"^\*\*\d\.\*\* (.+)$", page, flags=re.M)}
    quizzes = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("book/quizzes/*.json"))
    assert len(asked) == 3 * len(CHAPTERS)
    assert not [q for q in asked if q in quizzes]


def test_no_letter_is_right_too_often() -> None:
    page = (APPENDIX / "concept_questions.md").read_text(encoding="utf-8")
    right = re.findall(r"^\*\*([abc])\*\* is right", page, flags=re.M)
    assert max(map(right.count, "abc")) <= 0.45 * len(right)


def test_inventory_has_fifteen_items_and_names_every_answer() -> None:
    page = (APPENDIX / "concept_inventory.md").read_text(encoding="utf-8")
    items = re.split(r"^### Item (\d+)$", page, flags=re.M)[1:]
    assert items[::2] == [str(n) for n in range(1, 16)]
    listed = re.findall(r"^\| ([\d, ]+) \|", page, flags=re.M)
    assert sorted(int(n) for row in listed for n in row.split(", ")) == list(range(1, 16))
    rights = []
    for text in items[1::2]:
        offered = re.findall(r"^- \*\*([abcd])\*\* ", text, flags=re.M)
        answer = DROPDOWN.search(text)
        assert offered == ["a", "b", "c", "d"] and answer
        right = re.match(r"\*\*([abcd])\.\*\*", answer[1])
        assert right
        rights.append(right[1])
        named = set(re.findall(r"\*\*([abcd])\*\*", answer[1]))
        assert named == set(offered) - {right[1]}, text
    assert max(map(rights.count, "abcd")) <= 6
