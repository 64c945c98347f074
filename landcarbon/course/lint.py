"""The rules a chapter keeps; ``python -m landcarbon.course.lint [notebooks]`` prints what breaks one.

Every rule is a function of a notebook that yields sentences; `RULES` applies to chapters, solutions
and notebooks of the appendix, `SHAPE` to chapters alone.
"""

from __future__ import annotations

import ast
import base64
import csv
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from landcarbon.course.notebooks import (
    KERNEL,
    WIDGETS,
    Notebook,
    appendices,
    chapters,
    data_names,
    read,
)
from landcarbon.course.numbers import Number, Tolerance, numbers
from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["RULES", "SECTIONS", "SHAPE", "exceptions", "is_chapter", "lint"]

SECTIONS = (
    "You will be able to",
    "The idea",
    "The equation",
    "The picture",
    "The code",
    "Move it",
    "Quiz",
    "Exercises",
    "Key points",
    "What is next",
    "References",
)
FRONT = ("Minutes to read", "Minutes to do", "Level", "Needs", "Practice")
PNG_KB = 60
NOTEBOOK_KB = 1500
FETCH = {"urlopen", "urlretrieve", "requests", "httpx", "aiohttp", "urllib", "http", "wget", "curl"}
PATH = re.compile(r"(?<![\w.:/~-])/(?:home|root|tmp|work|Users|var|opt|mnt)/[\w.-]+|[A-Z]:\\\\?Users")
EXERCISE = re.compile(
    r"^(?P<fence>[`:]{3,})\{exercise\} *(?P<title>.*?)$.*?^(?P=fence)\s*$", flags=re.M | re.S
)


def _code(notebook: Notebook) -> Iterator[tuple[int, Any]]:
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip():
            number += 1
            yield number, cell


def _tree(cell: Any) -> ast.AST:
    lines = (line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
    try:
        return ast.parse("\n".join(lines))
    except SyntaxError:
        return ast.parse("")


def _headings(notebook: Notebook) -> Iterator[tuple[int, str]]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"^(`{3,}|:{3,}|~{3,}).*?^\1\s*$", "", cell.source, flags=re.M | re.S)
            for found in re.finditer(r"^(#{1,6}) +(.+?)\s*$", text, flags=re.M):
                yield len(found[1]), found[2]


def executed(notebook: Notebook) -> Iterator[str]:
    """Execution counts are 1 … n: the notebook was run once, from top to bottom."""
    for number, cell in _code(notebook):
        if cell.execution_count != number:
            yield (
                f"code cell {number} has execution count {cell.execution_count}: run the notebook "
                f"from the top with `python course.py execute`"
            )


def quiet(notebook: Notebook) -> Iterator[str]:
    """No stored error and no stored warning."""
    for number, cell in _code(notebook):
        for output in cell.outputs:
            wanted = "raises-exception" in cell.metadata.get("tags", [])
            if output.output_type == "error" and not wanted:
                yield f"code cell {number} stopped with {output.ename}"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"code cell {number} wrote to stderr: {output.text.strip()[:80]}"


def pictures(notebook: Notebook) -> Iterator[str]:
    """Every picture has alternative text and is small."""
    for number, cell in _code(notebook):
        for output in cell.outputs:
            for kind in ("image/png", "image/jpeg", "image/svg+xml"):
                if output.get("data", {}).get(kind):
                    for fault in _picture(output, kind):
                        yield f"code cell {number}: {fault}"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for found in re.finditer(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", cell.source):
                yield f"a picture in the text has no alternative text: {found[0][:60]}"
    for text in _widget_texts(notebook):
        if "<img" in text and not re.search(r'<img alt="[^"]+', text):
            yield "a picture inside a widget has no alternative text; use `explore`"


def _picture(output: Any, kind: str) -> Iterator[str]:
    """What is wrong with one picture of an output."""
    if len(output.get("metadata", {}).get(kind, {}).get("alt", "").split()) < 5:
        yield "a picture has no alternative text; use `plots.show`"
    if kind != "image/svg+xml":
        size = len(base64.b64decode(output.data[kind])) / 1000
        if size > PNG_KB:
            yield f"a picture takes {size:.0f} kB of {PNG_KB} kB"


def _widget_texts(notebook: Notebook) -> Iterator[str]:
    """Every text inside the widgets of a page."""
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    for model in state.values():
        yield from (value for value in model["state"].values() if isinstance(value, str))


def seeded(notebook: Notebook) -> Iterator[str]:
    """Whatever draws random numbers is given a seed."""
    for number, cell in _code(notebook):
        for call in (node for node in ast.walk(_tree(cell)) if isinstance(node, ast.Call)):
            fault = _unseeded(call)
            if fault:
                yield f"code cell {number}{fault}"


def _unseeded(call: ast.Call) -> str:
    """What is wrong with a call of something that draws; empty where nothing is, as in all of ours."""
    name = ast.unparse(call.func)
    last = name.rpartition(".")[2]
    named = {keyword.arg for keyword in call.keywords}
    if re.match(r"^(np|numpy)\.random\.(?!default_rng|Generator|SeedSequence)", name):
        return f" calls {name}: use np.random.default_rng(seed)"
    if last == "default_rng":
        return "" if call.args or call.keywords else ": default_rng() has no seed"
    if last.startswith(("MLP", "RandomForest", "ExtraTrees", "KFold")):
        shuffles = last != "KFold" or "shuffle" in named
        return f": {last}(…) has no random_state" if shuffles and "random_state" not in named else ""
    return ""


def offline(notebook: Notebook) -> Iterator[str]:
    """Data come by name from `landcarbon.datasets`, never from an address in a cell."""
    for number, cell in _code(notebook):
        for node in ast.walk(_tree(cell)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
            elif isinstance(node, ast.Call):
                names = [ast.unparse(node.func)]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = ["requests"] if re.match(r"\s*(https?|ftp)://", node.value) else []
            else:
                continue
            if any(part in FETCH for name in names for part in name.split(".")):
                yield f"code cell {number} fetches from the network: use `datasets.load(name)`"
                break
        if re.search(r"^\s*!\s*(curl|wget)|^\s*[!%]\s*pip\b", cell.source, flags=re.M):
            yield f"code cell {number} fetches from the network with a shell command"


def marked(notebook: Notebook) -> Iterator[str]:
    """Cells that load real data carry the tag ``real-data``: they are left out where it is not."""
    for number, cell in _code(notebook):
        if data_names(cell.source) and "real-data" not in cell.metadata.get("tags", []):
            yield f"code cell {number} loads real data: tag it, and all that need it, real-data"


def portable(notebook: Notebook) -> Iterator[str]:
    """No path of somebody's machine, no time stamp, the common kernel."""
    for index, cell in enumerate(notebook.cells, 1):
        text = cell.source + "".join(
            "\n" + str(o.get("text", "")) + " ".join(
                str(v) for k, v in o.get("data", {}).items() if not k.startswith("image/")
            )
            for o in cell.get("outputs", [])
        )
        found = PATH.search(text)
        if found:
            yield f"cell {index} holds the path of a machine: {found[0]}"
        if "execution" in cell.metadata:
            yield f"cell {index} holds time stamps; run `python course.py execute`"
    if dict(notebook.metadata.get("kernelspec", {})) != KERNEL:
        yield "the kernel is not plain python3; run `python course.py execute`"


def tolerant(notebook: Notebook) -> Iterator[str]:
    """A declared tolerance can be read, is narrow, and says why."""
    for number, cell in _code(notebook):
        try:
            Tolerance.of(cell.metadata)
        except InputError as error:
            yield f"code cell {number}: {error}"


def linked(notebook: Notebook) -> Iterator[str]:
    """No bare address in the text: a link has words, a source stands in the references."""
    for index, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            text = re.sub(r"^(`{3,}|~{3,}).*?^\1\s*$|`[^`\n]+`", "", cell.source, flags=re.M | re.S)
            text = re.sub(r"\]\([^)\s]+\)", "]", text)
            found = re.search(r"(?:https?|ftp)://\S+|\bwww\.\S+", text)
            if found:
                yield f"cell {index} has the bare address {found[0][:60]}: write [words](address)"


def levels(notebook: Notebook) -> Iterator[str]:
    """Heading levels are never skipped, and there is one title."""
    before = 0
    titles = 0
    for level, text in _headings(notebook):
        titles += level == 1
        if level > before + 1:
            yield f"the heading {text!r} jumps from level {before} to level {level}"
        before = level
    if titles != 1:
        yield f"there are {titles} titles (level 1); a notebook has one"


def title(notebook: Notebook) -> Iterator[str]:
    """`# NN · Title`, with the front-matter table under it."""
    first = notebook.cells[0].source if notebook.cells else ""
    if not re.match(r"# \d\d · \S", first):
        yield "the first line must read `# NN · Title`"
    row = re.search(r"^\|(.+)\|\s*$", first, flags=re.M)
    if not row or tuple(c.strip() for c in row[1].split("|")) != FRONT:
        yield f"under the title a table with the columns {' | '.join(FRONT)} is missing"


def sections(notebook: Notebook) -> Iterator[str]:
    """The sections of a chapter, in order; own ones only between The code and Exercises."""
    found = [text for level, text in _headings(notebook) if level == 2]
    missing = [name for name in SECTIONS if name not in found]
    if missing:
        yield f"sections are missing: {', '.join(missing)}"
        return
    if tuple(text for text in found if text in SECTIONS) != SECTIONS:
        yield f"the sections must come in this order: {', '.join(SECTIONS)}"
        return
    first, last = found.index("The code"), found.index("Exercises")
    for place, text in enumerate(found):
        if text not in SECTIONS and not first < place < last:
            yield f"the section {text!r} must stand between The code and Exercises"


def active(notebook: Notebook) -> Iterator[str]:
    """A chapter has a widget, a quiz and an exercise of each level."""
    code = "\n".join(cell.source for _, cell in _code(notebook))
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    if not re.search(r"\bexplore\(", code):
        yield "no widget: call `explore`"
    elif not re.search(r"\btwin=True", code):
        yield "no widget has a static twin: pass twin=True to `explore`"
    if not re.search(r"\bquiz\(", code):
        yield "no quiz: call `quiz`"
    exercises = [block[0] for block in EXERCISE.finditer(text)]
    for level in (1, 2, 3):
        if not any(f"Level {level}" in block for block in exercises):
            yield f"no exercise of level {level}: an `{{exercise}}` block with **Level {level}, …**"


def numbered(notebook: Notebook) -> Iterator[str]:
    """Exercises are called NN.1, NN.2 … on the page too, as in `check("NN.1", …)`."""
    chapter = notebook.cells[0].source[2:4] if notebook.cells else ""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for number, block in enumerate(EXERCISE.finditer(text), 1):
        if not block["title"].startswith(f"{chapter}.{number} · "):
            yield f"the exercise {block['title']!r} must be called '{chapter}.{number} · Title'"
        for option in (f":label: ex-{chapter}-{number}", ":nonumber:"):
            if option not in block[0].splitlines():
                yield f"the exercise {block['title']!r} lacks the option {option}"


@cache
def exceptions() -> dict[tuple[str, str], str]:
    """Numbers in the prose that no cell prints: (chapter, number) → where the number comes from."""
    with open(Path(__file__).with_name("prose_numbers.csv"), encoding="utf-8", newline="") as file:
        return {(row["chapter"], row["number"]): row["source"] for row in csv.DictReader(file)}


def _printed(notebook: Notebook) -> Iterator[str]:
    """Every text that the cells of a page leave on it, alternative texts of widgets too."""
    for _, cell in _code(notebook):
        for output in cell.outputs:
            yield str(output.get("text", ""))
            yield from (v for k, v in output.get("data", {}).items() if k.startswith("text/"))
    for text in _widget_texts(notebook):
        yield re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)


def _claimed(notebook: Notebook) -> Iterator[tuple[Number, bool]]:
    """Decimal numbers of the prose, and whether a % stands beside them; cited paragraphs are left out."""
    quiet = r"\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`|\]\([^)]*\)|```\{math\}.*?```|^## References.*"
    exercise = r"(?<![\d.])\d\d\.\d(?!\d)"
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    known = {f"{a}.{b}" for a, b in re.findall(r":label: ex-(\d\d)-(\d)", text)}
    text = re.sub(quiet, "", text, flags=re.M | re.S)
    text = re.sub(rf"(?<=xercise ){exercise}", "", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=[-*|] )", text):
        if "{cite" not in paragraph:
            for number in numbers(paragraph):
                if "." in number.text and number.text not in known:
                    yield number, "%" in paragraph


def sourced(notebook: Notebook) -> Iterator[str]:
    """A decimal number of the prose is printed on that page, or cited, or listed with its source."""
    printed = [abs(n.value) for text in _printed(notebook) for n in numbers(text)]
    chapter = notebook.cells[0].source[2:4] if notebook.cells else ""
    for number, percent in _claimed(notebook):
        scales = (1, 100) if percent else (1,)
        half = 0.5 * number.unit * (1 + 1e-9)
        near = any(abs(v * s - abs(number.value)) <= half for v in printed for s in scales)
        if not near and (chapter, number.text) not in exceptions():
            yield (
                f"the text says {number.text}, which no cell of the page prints: print it, cite its "
                f"source in the same paragraph, or add it with its source to prose_numbers.csv"
            )


Rule = Callable[[Notebook], Iterator[str]]
RULES: tuple[Rule, ...] = (
    executed, quiet, pictures, seeded, offline, marked, portable, tolerant, linked, levels
)
SHAPE: tuple[Rule, ...] = (title, sections, active, numbered, sourced)


def is_chapter(path: Path) -> bool:
    """Whether a notebook is a chapter, to which the rules of `SHAPE` apply."""
    return path.parent.name.startswith("module")


def lint(notebook: Notebook, *, chapter: bool) -> list[str]:
    """What breaks a rule, one sentence each."""
    rules = RULES + SHAPE if chapter else RULES
    return [sentence for rule in rules for sentence in rule(notebook)]


def main(arguments: list[str]) -> int:
    """Check the notebooks named, or all."""
    broken = 0
    root = Path.cwd()
    for path in [Path(a) for a in arguments] or [*chapters(root), *appendices(root)]:
        found = lint(read(path), chapter=is_chapter(path.resolve()))
        size = path.stat().st_size / 1000
        if size > NOTEBOOK_KB:
            found.append(f"the file takes {size:.0f} kB of {NOTEBOOK_KB} kB")
        for sentence in found:
            say(f"{path}: {sentence}")
        broken += bool(found)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
