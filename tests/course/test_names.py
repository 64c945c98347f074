"""A name of the library in the prose of a page is one that the library has."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import landcarbon
from landcarbon.course.notebooks import read

ROOT = Path(__file__).parents[2]
PAGES = [p for kind in ("md", "ipynb") for p in sorted(ROOT.glob(f"book/**/*.{kind}")) if "_build" not in p.parts]
NAME = re.compile(rf"`(?:landcarbon\.)?((?:{'|'.join(landcarbon.__all__)})(?:\.[A-Za-z]\w*)+)")


def found(name: str) -> bool:
    """Whether `wing.module.thing` can be reached."""
    whole = f"landcarbon.{name}".split(".")
    for k in range(len(whole), 1, -1):
        try:
            thing = importlib.import_module(".".join(whole[:k]))
        except ModuleNotFoundError:
            continue
        for attribute in whole[k:]:
            thing = getattr(thing, attribute, None)
        return thing is not None
    return False


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda p: p.stem)
def test_names_of_the_library_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    gone = sorted(name for name in set(NAME.findall(text)) if not found(name))
    assert not gone, f"the library has no {', '.join(gone)}"


def test_what_is_not_there_is_not_found() -> None:
    assert found("theory.carbon14.radiocarbon") and not found("theory.radiocarbon.radiocarbon")
