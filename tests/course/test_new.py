"""`python course.py new` makes files that the linter and the tests can work with."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

from landcarbon.course.lint import lint
from landcarbon.course.new import main, new_chapter
from landcarbon.course.notebooks import execute, read
from landcarbon.course.quizzes import read_quiz
from landcarbon.matrix.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    (tmp_path / "book/module4").mkdir(parents=True)
    (tmp_path / "book/module5").mkdir()
    (tmp_path / "solutions").mkdir()
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    return tmp_path


def test_the_files_of_a_chapter_are_made_and_only_the_writing_is_left(course: Path) -> None:
    made = new_chapter(course, 26, "soil_fauna")
    assert len(made) == 7
    chapter = course / "book/module5/26_soil_fauna.ipynb"
    execute(chapter)
    left = lint(read(chapter), chapter=True)
    assert left == ["no widget: call `explore`"]
    assert lint(read(course / "solutions/26_soil_fauna.ipynb"), chapter=False)[0].startswith(
        "code cell 1 has execution count None"
    )
    assert len(read_quiz(course / "book/quizzes/26.json")) == 4
    wrong = runpy.run_path(str(course / "tests/course/wrong_answers/ch26.py"))["WRONG"]
    assert sorted(wrong) == ["26.1", "26.2", "26.3"]
    compile((course / "landcarbon/course/exercises/ch26.py").read_text(encoding="utf-8"), "ch26", "exec")
    toc = (course / "_toc.yml").read_text(encoding="utf-8").splitlines()
    at = toc.index("      - file: book/module5/26_soil_fauna")
    assert toc[at - 1] == "      - file: book/module5/25_decisions_and_capstone"
    assert "NotImplementedError" in (course / "exercises/26_soil_fauna.ipynb").read_text(encoding="utf-8")


def test_a_taken_number_and_a_strange_name_get_a_sentence(course: Path, monkeypatch, capsys) -> None:
    new_chapter(course, 26, "soil_fauna")
    with pytest.raises(InputError, match="there already"):
        new_chapter(course, 26, "other")
    monkeypatch.chdir(course)
    assert main(["27", "Soil Fauna"]) == 2
    assert "lower case" in capsys.readouterr().err
    assert main(["27", "moss"]) == 0
    assert "27_moss" in capsys.readouterr().out
