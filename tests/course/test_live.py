"""A widget that runs in the reader's page draws what the chapter stored, and any state between."""

from __future__ import annotations

from pathlib import Path

import pytest

from landcarbon.course.live import Live, program
from landcarbon.course.notebooks import read
from landcarbon.matrix.errors import InputError

ROOT = Path(__file__).parents[2]
CHAPTERS = [p for p in sorted(ROOT.glob("book/module*/*.ipynb")) if p.name < "14"]
"""Those that `book/_static/live.js` offers."""


def code(path: Path) -> list:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def between(options: list, share: float):
    """A value as the slider gives it, a part of the way from the first to the second."""
    if not all(isinstance(o, (int, float)) for o in options):
        return options[0]
    value = options[0] + share * (options[1] - options[0])
    return round(value) if all(isinstance(o, int) for o in options) else float(f"{value:.3g}")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_live_figure_says_what_the_chapter_stored(path: Path) -> None:
    cells = code(path)
    widgets = [cell for cell in cells if "\nexplore(" in f"\n{cell.source}"]
    assert widgets
    for number, widget in enumerate(widgets):
        stored = "".join(o.get("data", {}).get("text/plain", "") for o in widget.outputs)
        live = Live([cell.source for cell in cells], number)
        drawn = live.picture(**{s["name"]: s["options"][-1] for s in live.sliders})
        assert drawn["sentence"] in stored
        free = {s["name"]: between(s["options"], 0.37) for s in live.sliders}
        assert len(live.picture(**free)["png"]) < 150_000


def test_program_holds_what_a_widget_rests_on_and_no_more() -> None:
    cells = ["import os\na = [1]\nunused = 2", "a.append(3)\nprint(a)", "for i in a:\n    last = i",
             "explore(first, k=[1, 2])",
             "def draw(k):\n    i = last\n    return i", "explore(draw, k=[1, 2])"]  # fmt: skip
    before, own = program(cells, 1)
    assert own == cells[-1]
    assert before == "a = [1]\na.append(3)\nfor i in a:\n    last = i\ndef draw(k):\n    i = last\n    return i"
    with pytest.raises(InputError, match="has 2"):
        program(cells, 2)


def test_guess_is_compared_with_each_curve_and_the_last_curve_stays() -> None:
    live = Live(["from landcarbon.course import plots",
                 "def draw(k):\n    fig, ax = plots.figure()\n    ax.plot([0, 1, 2], [0, k, 2 * k], label='$X$')\n"
                 "    ax.set_xlim(0, 2)\n    ax.set_ylim(0, 10)\n    return fig, f'The line has the slope {k}.'\n"
                 "explore(draw, k=[1, 2, 3], start={'k': 2})"])  # fmt: skip
    with pytest.raises(InputError, match="no picture yet"):
        live.answer(0.5, 0.5)
    assert live.sliders == [{"name": "k", "label": "k", "options": [1, 2, 3], "first": 1}]
    assert live.picture(k=2)["curves"]
    live.picture(k=4)
    ax = live._fig.axes[0]
    assert [line.get_ydata()[-1] for line in ax.lines] == [8, 4]
    x, y = live._fig.transFigure.inverted().transform(ax.transData.transform((1.5, 7.0)))
    assert live.answer(x, y) == "Your guess at x 1.5: 7. The model: X 6."
    assert live.answer(0, 0) == "Your guess lies beside the axes."
