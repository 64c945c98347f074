"""The ledger of published claims: every check exists, and no page claims from its sources what has no row."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from landcarbon.course.notebooks import read

ROOT = Path(__file__).parents[2]
APPENDIX = ROOT / "book/appendix"
with open(APPENDIX / "ledger.csv", encoding="utf-8", newline="") as file:
    LEDGER = list(csv.DictReader(file))
VERDICTS = {"reproduced": "are reproduced", "not reproduced": "are not", "cannot be checked here": "cannot be checked"}
BIBLIOGRAPHY = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text("utf-8"), flags=re.M))
PAGES = [*sorted(ROOT.glob("book/module*/*.ipynb")), ROOT / "book/intro.ipynb", *sorted(APPENDIX.glob("*.ipynb"))]
CITED = re.compile(r"\{cite:[pt]\}`([^`]+)`")
# 0.62, 25,444 or 60 %, not the 4.5 of CLM4.5
NUMBER = re.compile(r"(?<![\w.,])(?:\d+\.\d+|\d{1,3}(?:,\d{3})+|\d+(?= %))(?![\d])")


def printed(path: Path) -> str:
    """What the cells of a page leave on it, and its text."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    parts = []
    for cell in read(path).cells:
        parts.append(cell.source)
        for output in cell.get("outputs", ()):
            parts.append(output.get("text", "") + output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


@pytest.mark.parametrize("row", LEDGER, ids=lambda row: row["claim"][:40])
def test_every_row_has_its_source_and_its_check(row: dict[str, str]) -> None:
    assert row["claim"] and row["source"] and row["verdict"] in VERDICTS
    assert row["key"] == "slides" or row["key"] in BIBLIOGRAPHY
    if row["verdict"] == "cannot be checked here":
        assert re.match(r"(needs|no) ", row["check"]), "say what is missing"
        return
    place, _, what = row["check"].partition("::")
    path = ROOT / place
    assert path.is_file() and what
    if path.suffix == ".py":
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert what in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    else:
        assert what in printed(path), f"the page no longer prints {what!r}"


def test_the_page_counts_its_rows() -> None:
    page = (APPENDIX / "ledger.md").read_text(encoding="utf-8")
    counts = Counter(row["verdict"] for row in LEDGER)
    assert f"Of {len(LEDGER)} claims" in page
    for verdict, words in VERDICTS.items():
        assert f"**{counts[verdict]}** {words}" in page
    assert {key for keys in CITED.findall(page) for key in keys.split(",")} == {r["key"] for r in LEDGER} - {"slides"}


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_numbers_claimed_from_these_sources_have_a_row(path: Path) -> None:
    known: dict[str, str] = {}
    for row in LEDGER:
        known[row["key"]] = known.get(row["key"], "") + f" {row['claim']} {row['what we find']}"
    prose = printed(path)
    if path.suffix == ".ipynb":
        prose = "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    for sentence in re.split(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=[-*|] )", prose):
        keys = {key for found in CITED.findall(sentence) for key in found.split(",")} & set(known)
        text = re.sub(r"\$[^$]*\$|`[^`]*`|\]\([^)]*\)", "", CITED.sub("", sentence))
        for number in NUMBER.findall(text) if keys else ():
            held = {n for key in keys for n in NUMBER.findall(known[key])}
            assert number in held, f"{number} in {sentence!r} has no row in the ledger under {sorted(keys)}"
