"""Chapters keep their shape; and the linter that holds them to it catches each fault."""

from __future__ import annotations

import ast
import base64
import copy
import html
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from landcarbon.course.lint import NOTEBOOK_KB, RULES, SHAPE, exceptions, is_chapter, lint, sourced
from landcarbon.course.notebooks import appendices, blank, chapters, normalise, read
from landcarbon.course.quizzes import quiz, read_quiz, shuffled
from landcarbon.matrix.errors import InputError

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [*chapters(ROOT), *appendices(ROOT)]
CHAPTERS = [path for path in NOTEBOOKS if is_chapter(path)]
GOOD = ROOT / "book/module0/00_first_run.ipynb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_notebook_keeps_the_rules(path: Path) -> None:
    found = lint(read(path), chapter=is_chapter(path))
    assert not found, "\n".join(found)
    assert path.stat().st_size <= NOTEBOOK_KB * 1000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_notebook_is_stored_in_normal_form(path: Path) -> None:
    notebook = read(path)
    assert normalise(copy.deepcopy(notebook)) == notebook, "run `python course.py execute`"


def test_every_number_in_the_list_of_exceptions_is_one_and_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = dict(exceptions())
    assert len(listed) <= 40
    assert all(len(source.split()) >= 4 for source in listed.values())
    monkeypatch.setattr("landcarbon.course.lint.exceptions", dict)
    unprinted = {
        (path.name[:2], re.search(r"says (\S+),", sentence)[1])
        for path in CHAPTERS for sentence in sourced(read(path))
    }
    assert unprinted == set(listed)


def test_cells_of_claims_assert_with_a_sentence_and_are_not_shown() -> None:
    """What the prose claims of fits and samples is held by the page itself; see CONTRIBUTING."""
    holding = set()
    for path in CHAPTERS:
        for cell in read(path).cells:
            if "claims" in cell.metadata.get("tags", []):
                holding.add(path.name[:2])
                assert "remove-cell" in cell.metadata.tags
                tree = ast.parse(cell.source)
                claims = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
                assert claims and all(claim.msg is not None for claim in claims), cell.source
                assert not cell.outputs
    assert {"13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24"} <= holding


def test_every_chapter_has_solutions_and_a_quiz() -> None:
    for path in CHAPTERS:
        assert (ROOT / "solutions" / path.name).exists(), path.name
        assert (ROOT / "book/quizzes" / f"{path.name[:2]}.json").exists(), path.name


def names_of_exercises(notebook, pattern: str) -> list[str]:
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    return re.findall(pattern, text, flags=re.M)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_exercise_has_one_name_on_the_page_and_in_the_notebook(path: Path) -> None:
    solution = ROOT / "solutions" / path.name
    if not solution.exists():
        pytest.skip("said by test_every_chapter_has_solutions_and_a_quiz")
    page = names_of_exercises(read(path), r"\{exercise\} (.+)$")
    assert page == names_of_exercises(read(solution), r"^## Exercise (.+)$")


def first_code(notebook):
    return next(c for c in notebook.cells if c.cell_type == "code")


def picture(notebook):
    return next(
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
        if "image/png" in output.get("data", {})
    )


def replace(old: str, new: str) -> Callable:
    def fault(notebook) -> None:
        hit = [c for c in notebook.cells if old in c.source]
        assert hit, f"{old!r} is not in the chapter"
        for cell in hit:
            cell.source = cell.source.replace(old, new)

    return fault


def append_code(source: str, **options) -> Callable:
    def fault(notebook) -> None:
        count = sum(c.cell_type == "code" for c in notebook.cells) + 1
        notebook.cells.append(new_code_cell(source, execution_count=count, **options))

    return fault


def swap_sections(notebook) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("## The idea", "## #").replace(
                "## The equation", "## The idea").replace("## #", "## The equation")


def heavy(notebook) -> None:
    picture(notebook).data["image/png"] = base64.b64encode(bytes(70_000)).decode()


FAULTS = {
    "never run": (lambda nb: first_code(nb).update(execution_count=None), "execution count None"),
    "run twice": (lambda nb: first_code(nb).update(execution_count=9), "execution count 9"),
    "error": (
        append_code("1 / 0", outputs=[new_output("error", ename="ZeroDivisionError")]),
        "stopped with ZeroDivisionError",
    ),
    "warning": (
        append_code("x", outputs=[new_output("stream", name="stderr", text="watch out")]),
        "wrote to stderr",
    ),
    "no alternative text": (lambda nb: picture(nb).update(metadata={}), "no alternative text"),
    "markdown picture": (replace("## The idea", "## The idea\n\n![](x.png)"), "in the text has no"),
    "heavy picture": (heavy, "70 kB of 60 kB"),
    "no seed": (append_code("rng = np.random.default_rng()"), "default_rng() has no seed"),
    "old random": (append_code("np.random.normal()"), "np.random.normal"),
    "network": (append_code("net = MLPRegressor((64,))"), "no random_state"),
    "fetch": (append_code("from urllib.request import urlopen"), "fetches from the network"),
    "address": (append_code("pd.read_csv('https://example.org/x.csv')"), "fetches from the network"),
    "shell": (append_code("!curl example.org"), "shell command"),
    "real data": (append_code("profiles = load_profiles('isis')"), "tag it"),
    "path": (
        append_code("x", outputs=[new_output("stream", text="/home/me/carbon.csv")]), "of a machine"
    ),
    "time stamp": (
        lambda nb: first_code(nb).metadata.update(execution={"iopub.execute_input": "2026"}),
        "time stamps",
    ),
    "kernel": (lambda nb: nb.metadata.update(kernelspec={"name": "mine"}), "kernel"),
    "bare address": (replace("## The idea", "## The idea\n\nSee https://example.org/x."), "bare address"),
    "skipped level": (replace("## The idea", "## The idea\n\n#### Deep"), "jumps from level 2 to"),
    "two titles": (replace("## The idea", "# Another\n\n## The idea"), "2 titles"),
    "title": (replace("# 00 · First run", "# First run"), "# NN · Title"),
    "front matter": (replace("| Minutes to read |", "| Reading |"), "a table with the columns"),
    "missing section": (replace("## Key points", "## Summary"), "missing: Key points"),
    "order": (swap_sections, "in this order"),
    "own section": (replace("## The idea", "## Before\n\n## The idea"), "must stand between"),
    "widget": (replace("explore(", "show("), "no widget"),
    "twin": (replace("twin=True", "twin=False"), "static twin"),
    "quiz": (replace('quiz("00")', "pass"), "no quiz"),
    "level": (replace("**Level 2,", "**Middle,"), "no exercise of level 2"),
    "exercise number": (replace("{exercise} 00.2 · ", "{exercise} "), "must be called '00.2 · Title'"),
    "exercise order": (replace("{exercise} 00.2 · ", "{exercise} 00.3 · "), "must be called '00.2"),
    "exercise label": (replace(":label: ex-00-2\n", ":label: ex-00-9\n"), "lacks the option :label:"),
    "orphan number": (replace("## The idea", "## The idea\n\nIt is 123.456."), "the text says 123.456"),
    "wide tolerance": (
        lambda nb: first_code(nb).metadata.update(tolerance={"absolute": 1.0, "why": "it is wide"}),
        "a number from 0 to 0.05",
    ),
    "tolerance without a reason": (
        lambda nb: first_code(nb).metadata.update(tolerance={"relative": 0.02}), "says in `why`"
    ),
    "numbered twice": (
        replace(":label: ex-00-2\n:nonumber:", ":label: ex-00-2"), "lacks the option :nonumber:"
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_linter_catches(name: str) -> None:
    fault, sentence = FAULTS[name]
    notebook = read(GOOD)
    fault(notebook)
    found = lint(notebook, chapter=True)
    assert any(sentence in line for line in found), found


def test_every_rule_has_a_fault_that_it_catches() -> None:
    """No rule is there that could be deleted without a test noticing."""
    for rule in RULES + SHAPE:
        caught = False
        for fault, _ in FAULTS.values():
            notebook = read(GOOD)
            fault(notebook)
            caught = caught or bool(list(rule(notebook)))
        assert caught, rule.__name__


@pytest.mark.parametrize(
    "source",
    [
        "x = np.random.default_rng(3).normal()",
        "ensemble = es_mda(prior, data, rng=3)",
        "plan = Path('isis')",
        "draws = prior.sample(100, rng)",
        "net = MLPRegressor((64,), random_state=0)",
        "text = 'see https://example.org/x.csv'",
    ],
)
def test_linter_lets_pass(source: str) -> None:
    notebook = read(GOOD)
    append_code(source)(notebook)
    assert not lint(notebook, chapter=True)


def solution(source: str, *tags: str):
    cell = new_code_cell(source, metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[new_markdown_cell("# 1"), cell])


def test_blank_replaces_the_solution_by_its_task() -> None:
    text = "def f(x):\n    ### BEGIN SOLUTION: write the double\n    return 2 * x\n    ### END SOLUTION"
    assert blank(solution(text)).cells[1].source == (
        'def f(x):\n    raise NotImplementedError("write the double")'
    )
    assert len(blank(solution("answer = 3", "solution")).cells) == 1


def test_blank_refuses_a_marker_without_partner() -> None:
    with pytest.raises(InputError, match="no partner"):
        blank(solution("### BEGIN SOLUTION: x\nreturn 1"))


def test_normal_form_does_not_depend_on_run_or_machine() -> None:
    first, second = read(GOOD), read(GOOD)
    for number, cell in enumerate(second.cells):
        cell.id = f"random{number}"
        cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    second.metadata["language_info"]["version"] = "3.14.0"
    assert normalise(first) == normalise(second)


@pytest.mark.parametrize("path", sorted(ROOT.glob("book/quizzes/*.json")), ids=lambda p: p.stem)
def test_quiz_keeps_its_rules(path: Path) -> None:
    assert 3 <= len(read_quiz(path)) <= 7


def test_neither_place_nor_length_gives_a_right_answer_away() -> None:
    """No position holds more than 40 % of the right answers; they are the longest as often as chance has it."""
    questions = [q for p in sorted(ROOT.glob("book/quizzes/*.json")) for q in read_quiz(p)]
    positions, longest, chance = Counter(), 0.0, 0.0
    for question in questions:
        answers = shuffled(question)
        right = [a["correct"] for a in answers].index(True)
        lengths = [len(a["answer"]) for a in answers]
        positions[right] += 1
        longest += (lengths[right] == max(lengths)) / lengths.count(max(lengths))
        chance += 1 / len(answers)
    assert max(positions.values()) <= 0.4 * len(questions), positions
    assert 0.6 * chance <= longest <= chance, f"{longest:.0f} of {len(questions)}, by chance {chance:.0f}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda q: q[0]["answers"][1].pop("feedback"), "has no feedback"),
        (lambda q: [a.update(correct=False) for a in q[1]["answers"]], "marked as correct"),
        (lambda q: [a.update(correct=True) for a in q[1]["answers"]], "marked as correct"),
        (lambda q: q[1].pop("concept"), "names no concept"),
        (lambda q: q[1].pop("from"), "from an earlier chapter"),
        (lambda q: q[1].update({"from": "03"}), "from an earlier chapter"),
        (lambda q: q.clear(), "3 to 6"),
        (lambda q: q[2].update(answers=q[2]["answers"][:1]), "at least two"),
        (lambda q: q[2].pop("question"), "has no text"),
    ],
)
def test_quiz_refuses(change, sentence, tmp_path: Path) -> None:
    import json

    questions = json.loads((ROOT / "book/quizzes/02.json").read_text(encoding="utf-8"))
    questions.insert(1, questions.pop(0))  # the one from an earlier chapter comes second
    change(questions)
    (tmp_path / "02.json").write_text(json.dumps(questions), encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        read_quiz(tmp_path / "02.json")


def test_quiz_in_a_script_says_where_it_is_and_goes_on(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("landcarbon.course.quizzes.in_notebook", lambda: False)
    monkeypatch.chdir(tmp_path)
    assert quiz("03") is None
    assert "page of the chapter" in capsys.readouterr().out


def needs() -> dict[str, list[str]]:
    """What each chapter says it needs, by number."""
    found = {}
    for path in CHAPTERS:
        head = next(c.source for c in read(path).cells if "Minutes to read" in c.source)
        row = re.search(r"^\|[-|]+\|\n\|(.+)\|$", head, flags=re.M)
        assert row, path
        found[path.name[:2]] = re.findall(r"\d\d", row[1].split("|")[3])
    return found


def minutes_to_read(notebook) -> float:
    """130 words or 8 lines of shown code a minute, a minute for each figure, 5 for the quiz."""
    words = lines = figures = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            text = re.sub(r"```\{(exercise|bibliography)\}.*?```|\$\$.*?\$\$", " ", cell.source, flags=re.S)
            words += len(re.findall(r"[\w’'-]+", text))
        elif "remove-cell" not in tags:
            lines += 0 if "hide-input" in tags else len([n for n in cell.source.splitlines() if n.strip()])
            figures += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    return words / 130 + lines / 8 + figures + 5


@pytest.mark.parametrize("path", CHAPTERS[:7], ids=lambda p: p.stem)
def test_minutes_are_those_that_the_teaching_notes_count(path: Path) -> None:
    notebook = read(path)
    said = re.search(r"^\|[-|]+\|\n\| *(\d+) ", notebook.cells[0].source, flags=re.M)
    assert said and abs(int(said[1]) - minutes_to_read(notebook)) <= 5


@pytest.mark.parametrize("path", CHAPTERS[:7], ids=lambda p: p.stem)
def test_first_line_of_a_cell_says_what_it_is_for(path: Path) -> None:
    for cell in read(path).cells:
        if cell.cell_type == "code" and not cell.source.startswith("quiz("):
            assert re.match(r"# \S+( \S+)+\n", cell.source), cell.source[:80]


def routes(text: str, places: list[str]) -> dict[str, list[str]]:
    """The chapters of each of three routes, from the line that stands after its name."""
    modules = {
        m: [p.name[:2] for p in CHAPTERS if p.parent.name == f"module{m}"] for m in "012345"
    }
    found = {}
    for name in places:
        line = re.search(rf"{name}[^→·]*?(Modules? \d[\w →·]+)", text)
        assert line, f"no route for {name}"
        chapters_of_it = []
        for part in re.split(r" [·→] ", line[1].strip()):
            number = part.split()[-1]
            chapters_of_it += modules[number] if len(number) == 1 else [number]
        found[name.lower()] = chapters_of_it
    return found


def test_a_chapter_needs_earlier_chapters_only() -> None:
    for number, needed in needs().items():
        assert all(n < number for n in needed), number


def test_three_routes_agree_and_hold_what_their_chapters_need() -> None:
    first = "".join(c.source for c in read(ROOT / "book/module0/00_first_run.ipynb").cells)
    named = ["Modeller", "Empiricist", "Data scientist"]
    pages = [
        routes((ROOT / "README.md").read_text(encoding="utf-8"), [n.lower() for n in named]),
        routes("".join(c.source for c in read(ROOT / "book/intro.ipynb").cells), named),
        routes(first, named),
    ]
    assert pages[0] == pages[1] == pages[2]
    needed = needs()
    for name, route in pages[0].items():
        assert len(route) > 5 and route == sorted(set(route)), name
        lacking = {(c, n) for c in route for n in needed[c] if n not in route}
        assert not lacking, f"{name}: {lacking}"


def test_words_that_stopped_learners_are_in_the_glossary() -> None:
    glossary = (ROOT / "book/appendix/glossary.md").read_text(encoding="utf-8")
    for word in ("likelihood", "MCMC", "chain", "R-hat", "burn-in", "Q10", "bulk density", "coarse fragments",
                 "PgC", "broadcasting", "severity"):
        assert f"\n{word}\n  " in glossary, word


def refreshed(path: Path) -> list[tuple[str, str]]:
    """What a chapter links to in the refreshers, in order: of maths or of python, and which section."""
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    return re.findall(r"\]\(\.\./appendix/(maths|python)_refresher\.ipynb#([^)]+)\)", text)


def refreshers() -> dict[tuple[str, str], str]:
    """The text of each section of both refreshers, by the name its heading has in a link."""
    found = {}
    for name in ("maths", "python"):
        page = read(ROOT / f"book/appendix/{name}_refresher.ipynb")
        text = "\n".join(c.source for c in page.cells if c.cell_type == "markdown")
        for part in re.split(r"^## ", text, flags=re.M)[1:]:
            heading = part.split("\n")[0].lower()
            found[name, re.sub(r"[^\w -]", "", heading).replace(" ", "-")] = part
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_links_what_refreshes_its_maths_and_its_python(path: Path) -> None:
    links = refreshed(path)
    assert {name for name, _ in links} == {"maths", "python"}
    assert len(links) <= 4 and len(set(links)) == len(links)
    assert set(links) <= set(refreshers()), "no section of that name"
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    assert text.count("_refresher.ipynb") == len(links), "a link without a section"


def test_every_section_of_the_refreshers_names_the_chapters_that_link_to_it() -> None:
    linked: dict[tuple[str, str], list[str]] = {}
    for path in CHAPTERS:
        for section in refreshed(path):
            linked.setdefault(section, []).append(f"../{path.parent.name}/{path.name}")
    for section, text in refreshers().items():
        assert section in linked, f"no chapter links to {section}"
        used = re.findall(r"^Used in (.*)$", text, flags=re.M)
        assert len(used) == 1, section
        assert re.findall(r"\((\S+?)\)", used[0]) == linked[section], section


@pytest.mark.parametrize("name", ["maths", "python"])
def test_drills_are_numbered_and_each_has_an_answer(name: str) -> None:
    cells = read(ROOT / f"book/appendix/{name}_refresher.ipynb").cells
    numbers = []
    for cell, after in zip(cells, [*cells[1:], new_markdown_cell("")]):
        drills = re.split(r"^\*\*Drill (\d+)\.\*\* ", cell.source, flags=re.M)
        numbers += [int(n) for n in drills[1::2]]
        bare = [n for n, text in zip(drills[1::2], drills[2::2]) if "```{dropdown} Answer" not in text]
        assert not bare or (len(bare) == 1 and drills[-2] in bare and "hide-cell" in after.metadata.get("tags", []))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_the_quiz_on_the_page_is_that_of_the_file(path: Path) -> None:
    shown = [
        output["data"]["text/html"] for cell in read(path).cells if cell.cell_type == "code"
        for output in cell.outputs if 'class="quiz"' in output.get("data", {}).get("text/html", "")
    ]
    kept = re.findall(r'data-question="(\w+)"|data-choice="(\w+)"', "".join(shown))
    questions = read_quiz(ROOT / "book/quizzes" / f"{path.name[:2]}.json")
    assert len(shown) == 1
    assert len(kept) == sum(1 + len(q["answers"]) for q in questions)
    for text in (a["feedback"] for q in questions for a in q["answers"]):
        assert html.escape(text, quote=False).split("`")[0] in shown[0], "run `python course.py execute`"
