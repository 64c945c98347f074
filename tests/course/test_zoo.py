"""The zoo shows what the code holds, and every number in it has a source."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from strategies import random_model

from landcarbon.course import zoo
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.scalars import TEMPERATURE
from landcarbon.models import clm5, pools, rothc, teco

ROOT = Path(__file__).parents[2]
# What models are made of, in a file of its own.
NO_MODELS = ("__init__", "parameters", "process", "site_climate")
MODELS = sorted(
    p.stem for p in (ROOT / "landcarbon/models").glob("*.py") if p.stem not in NO_MODELS
)


@pytest.mark.parametrize("name", MODELS)
def test_every_number_has_a_source(name: str) -> None:
    module = importlib.import_module(f"landcarbon.models.{name}")
    rows = zoo.rows(module)
    assert rows
    without = [row["name"] for row in rows if not row["source"]]
    assert not without, f"say where {without} of {name} come from, or that they are for teaching"
    below = "\n".join(zoo.sources(module))
    cited = {n for row in rows for n in re.findall(r"\[(\d)\]", row["source"].replace(", ", "]["))}
    assert all(f"[{n}]" in below for n in cited), f"{name} cites {sorted(cited)}"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_in_the_zoo(name: str) -> None:
    page = (ROOT / "book/appendix/model_zoo.ipynb").read_text(encoding="utf-8")
    assert f"zoo.numbers({name})" in page


@pytest.mark.parametrize("path", sorted(ROOT.glob("landcarbon/*/**/*.py")), ids=lambda p: p.stem)
def test_rows_of_symbols_begin_with_a_symbol(path: Path) -> None:
    """Without one, reStructuredText takes a line as the rest of the row above."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    module = importlib.import_module(name)
    text = inspect.cleandoc(module.__doc__ or "").splitlines()
    rules = [n for n, line in enumerate(text) if re.fullmatch(r"=+( =+)+", line)]
    if len(rules) < 3:
        pytest.skip("no table of symbols")
    spans = [found.span() for found in re.finditer("=+", text[rules[0]])]
    heads = [text[rules[1] - 1][begin:end].strip() for begin, end in spans]
    for line in text[rules[1] + 1 : rules[2]]:
        cells = dict(zip(heads, (line[begin:end].strip() for begin, end in spans)))
        run_together = not cells[heads[0]] and cells.get("unit") and cells.get("code name")
        assert not run_together, f"give this row a symbol: {line}"


def test_numbers_are_those_of_the_code() -> None:
    rows = {row["name"]: row for row in zoo.rows(teco)}
    assert [float(rows[p.name]["default"]) for p in teco.PARAMETERS] == [
        pytest.approx(p.default, rel=1e-3) for p in teco.PARAMETERS
    ]
    assert float(rows["CRITICAL"]["default"]) == teco.CRITICAL
    assert rows["CRITICAL"]["source"] == "[2]"
    assert len(zoo.rows(clm5)) >= 21


def test_a_line_without_symbol_continues_the_row_above() -> None:
    module = ModuleType("invented")
    module.__doc__ = """Invented.

    === ======= ==== =========
    one meaning unit code name
    === ======= ==== =========
    a   first   yr   A
        half
    b   second  m    B
    === ======= ==== =========

    [1] Somebody,
        somewhere.
    [2] Nobody.
    """
    assert [row["meaning"] for row in zoo.symbols(module)] == ["first half", "second"]
    assert zoo.sources(module) == ["[1] Somebody, somewhere.", "[2] Nobody."]


def test_a_module_without_table_is_named() -> None:
    with pytest.raises(InputError, match="invented has no table"):
        zoo.symbols(ModuleType("invented"))


def test_card_shows_the_steady_state(capsys: pytest.CaptureFixture[str]) -> None:
    zoo.card(pools.three_pool(), 60.0, unit="PgC")
    said = capsys.readouterr().out
    X = pools.three_pool().steady_state(60.0)
    assert f"All pools: {X.sum():,.0f} PgC" in said
    assert f"Mean transit time of the carbon that enters the pools {X.sum() / 60:.3g} yr" in said
    assert "0.3 to soil" in said


def test_a_pool_that_nothing_leaves_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    zoo.card(rothc.rothc5(clay=20.0), [1.7, 0.0])
    assert "never leaves" in capsys.readouterr().out


def test_scalars_show_formula_value_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    zoo.scalars(TEMPERATURE)
    said = capsys.readouterr().out
    assert "0.56 + 1.46 / π" in said and "2 at 20" in said
    # one line for the two of Adair et al.
    assert "CENTURY, Adair, linear: Adair et al. (2008)" in said


def test_card_refuses_many_models() -> None:
    with pytest.raises(InputError, match="one model"):
        zoo.card(random_model(0, 3, (2,)), 1.0)


def test_html_escapes_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr(zoo, "emit", bundles.append)
    zoo.card(pools.three_pool(), 60.0, unit="<b>")
    assert "&lt;b&gt;" in bundles[0]["text/html"] and "<b>" not in bundles[0]["text/html"]
    assert np.char.count(bundles[0]["text/html"], "<tr>") == 4


def test_long_sources_stand_below_under_a_letter(capsys: pytest.CaptureFixture[str]) -> None:
    zoo.numbers(teco)
    lines = capsys.readouterr().out.splitlines()
    long = list(dict.fromkeys(row["source"] for row in zoo.rows(teco) if len(row["source"]) > zoo.LONG))
    assert len(long) == 2
    for letter, source in zip("ab", long):
        assert f"{letter}: {source}" in lines
    row = next(line.split() for line in lines if line.startswith("k_wood "))
    assert "a" in row and "bounds:" not in row
