"""Quizzes and inventory as other programs read them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from landcarbon.course import export
from landcarbon.matrix.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    export.write(ROOT, folder)
    return folder


def test_moodle_gets_every_question_with_one_right_answer(written: Path) -> None:
    asked = [q for p in sorted(ROOT.glob("book/quizzes/*.json")) for q in json.loads(p.read_text("utf-8"))]
    questions = [q for q in ET.parse(written / "quizzes.xml").getroot() if q.get("type") == "multichoice"]
    assert len(questions) == len(asked) > 100
    for question, source in zip(questions, asked):
        fractions = [a.get("fraction") for a in question.iter("answer")]
        assert fractions.count("100") == 1
        assert fractions == ["100" if a["correct"] else "0" for a in source["answers"]]
        assert all(a.findtext("feedback/text") for a in question.iter("answer"))


def test_inventory_has_fifteen_items(written: Path) -> None:
    items = [q for q in ET.parse(written / "inventory.xml").getroot() if q.get("type") == "multichoice"]
    assert len(items) == 15
    first = items[0]
    assert "litter" in first.findtext("questiontext/text")
    assert "**" not in ET.tostring(first, encoding="unicode")
    right = next(a for a in first.iter("answer") if a.get("fraction") == "100")
    assert right.findtext("text") == "twice as much"
    with pytest.raises(InputError, match="Item 1"):
        export.inventory("### Item 1\n\nWhy?\n\n- **a** so\n\n```{dropdown} Answer\n**c.** No.\n```\n")


def test_cards_have_two_sides(written: Path) -> None:
    lines = (written / "cards.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 90
    assert all(line.count("\t") == 1 and all(line.split("\t")) for line in lines)
    assert len({line.split("\t")[0] for line in lines}) == len(lines)


def test_another_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="course folder"):
        export.write(tmp_path, tmp_path / "out")
