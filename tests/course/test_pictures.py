"""Pictures and widgets: small, described, and honest about what they cannot show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from landcarbon.course import explore, plots
from landcarbon.course.widgets import _summary
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError


def chain(n: int) -> MatrixModel:
    A = np.eye(n) - 0.5 * np.eye(n, k=-1)
    return MatrixModel([f"pool {i}" for i in range(n)], A, np.linspace(1, 0.01, n), np.eye(n)[0])


def test_show_prints_its_sentence_outside_a_notebook(capsys) -> None:
    fig, ax = plots.figure()
    ax.plot([0, 1], [2, 3])
    plots.show(fig, "A line rises from 2 to 3.")
    assert capsys.readouterr().out == "A line rises from 2 to 3.\n"


@pytest.mark.parametrize(("notebook", "screen"), [(False, True), (False, False), (True, True)])
def test_show_opens_a_window_where_nobody_else_displays(notebook, screen, monkeypatch, capsys) -> None:
    opened = []
    monkeypatch.setattr(plots, "in_notebook", lambda: notebook)
    monkeypatch.setattr(plots, "has_screen", lambda: screen)
    monkeypatch.setattr(Image.Image, "show", lambda self, title: opened.append(title))
    fig, ax = plots.figure()
    ax.plot([0, 1], [2, 3])
    plots.show(fig, "A line rises from 2 to 3.")
    assert opened == (["A line rises from 2 to 3."] if screen and not notebook else [])


def test_show_refuses_a_figure_without_a_sentence() -> None:
    with pytest.raises(InputError, match="too short"):
        plots.show(plots.figure()[0], "carbon")


def test_png_is_small_and_of_the_size_asked_for() -> None:
    fig, ax = plots.figure(7, 4)
    ax.plot(np.sin(np.linspace(0, 20, 500)))
    data = plots.png(fig, dpi=150)
    image = Image.open(io.BytesIO(data))
    assert image.size == (1050, 600)
    assert len(data) <= 1000 * plots.LIMIT_KB
    assert data == plots.png(fig, dpi=150)


def test_colours_of_lines_survive_beside_a_map() -> None:
    """Five thousand colours of a field must not turn a thin line into another colour."""
    fig, ax = plots.figure()
    x = np.linspace(0, 1, 200)
    ax.imshow(np.outer(x, x), cmap="turbo", extent=(0, 1, 0, 1), aspect="auto")
    for height, name in enumerate(("orange", "purple", "sky"), 1):
        ax.plot(x, np.full(200, height / 4), color=plots.PALETTE[name], linestyle="--")
    picture = Image.open(io.BytesIO(plots.png(fig, limit_kb=200))).convert("RGB")
    seen = {colour for _, colour in picture.getcolors(2**24)}
    for name in ("orange", "purple", "sky"):
        assert tuple(bytes.fromhex(plots.PALETTE[name][1:])) in seen, name


def test_png_says_when_a_picture_is_too_heavy() -> None:
    fig, ax = plots.figure()
    ax.imshow(np.random.default_rng(0).random((400, 700)))
    with pytest.raises(InputError, match="kB, the limit is 5 kB"):
        plots.png(fig, limit_kb=5)


def test_lines_differ_in_more_than_colour() -> None:
    styles = list(plots.STYLES)
    looks = {(str(s["linestyle"]), s["linewidth"]) for s in styles}
    assert len(looks) == len(styles) == len({s["color"] for s in styles})


@pytest.mark.parametrize("n", range(1, 9))
def test_labels_of_a_pool_diagram_do_not_overlap(n: int) -> None:
    fig = plots.pool_diagram(chain(n), I=500.0)
    fig.canvas.draw()
    renderer = fig.canvas.get_renderer()
    ax = fig.axes[0]
    boxes = [t.get_window_extent(renderer) for t in ax.texts if t.get_text()]
    frame = fig.bbox
    for i, box in enumerate(boxes):
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_pool_diagram_shows_every_number_of_the_model() -> None:
    A = [[1, 0, -0.1], [-0.37, 1, 0], [0, -0.21, 1]]
    model = MatrixModel(("leaf", "litter", "soil"), A, [1.0, 0.5, 0.01], [0.8, 0.2, 0])
    texts = [t.get_text() for t in plots.pool_diagram(model).axes[0].texts]
    for wanted in ("leaf", "litter", "soil", "0.37", "0.21", "0.1", "0.63", "0.79", "0.9", "0.8",
                   "0.2", "100 yr"):
        assert wanted in texts


def test_each_arrow_of_a_pool_diagram_has_a_head_and_a_way_of_its_own() -> None:
    A = np.eye(5) - 0.2 * (1 - np.eye(5))
    ax = plots.pool_diagram(MatrixModel(tuple("abcde"), A, np.ones(5), [1, 0, 0, 0, 0])).axes[0]
    heads = {tuple(np.round(t.xy, 6)) for t in ax.texts if getattr(t, "arrow_patch", None) is not None}
    assert len(heads) == 20 + 1 + 5  # transfers, one input, five ways to the air
    # On each side of a box the ways have places of their own; up and down start from different sides.
    ways = {(round(line.get_xdata()[0], 6), line.get_ydata()[0] < line.get_ydata()[1]) for line in ax.lines}
    assert len(ways) == 20


def test_pool_diagram_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(InputError, match="legible up to 8"):
        plots.pool_diagram(chain(9))
    with pytest.raises(InputError, match="one model at a time"):
        plots.pool_diagram(MatrixModel(("a",), [[1]], [[0.1], [0.2]], [1]))


def test_profile_runs_downwards() -> None:
    _, ax = plots.figure()
    plots.profile(ax, [0.05, 0.5, 2.0], [30, 10, 1], label="model")
    plots.profile(ax, [0.1, 1.0], [25, 5], points=True, lower=[20, 3], upper=[30, 7], style=1)
    bottom, top = ax.get_ylim()
    assert top == 0
    assert bottom >= 2.0


@pytest.mark.parametrize("region", ["world", "conus"])
def test_map_draws_points_and_grids(region: str) -> None:
    fig, axes = plots.figure(7, 6, 2, 1)
    plots.map(axes[0], [30, 40, 45], [-100, -90, -80], [1, 2, np.nan], region=region, label="x")
    plots.map(axes[1], [30, 40], [-100, -90], [[1, 2], [3, 4]], region=region)
    assert len(plots.png(fig)) > 1000


def test_map_knows_its_regions() -> None:
    with pytest.raises(InputError, match="no region 'mars'"):
        plots.map(plots.figure()[1], [0], [0], [1], region="mars")
    _, ax = plots.figure()
    plots.map(ax, [50, 55], [-10, 0, 10], np.ones((2, 3)), region=(-20, 45, 30, 60))
    assert (ax.get_xlim(), ax.get_ylim()) == ((-20, 30), (45, 60))
    with pytest.raises(InputError, match=r"region is \(west, south, east, north\)"):
        plots.map(ax, [0], [0], [1], region=(-20, 60, 30, 45))


def test_matrix_prints_small_matrices_and_marks_big_ones() -> None:
    _, ax = plots.figure()
    plots.matrix(ax, [[1, 0], [-0.3, 1]], rows=["litter", "soil"])
    assert sorted(t.get_text() for t in ax.texts) == ["-0.3", "1", "1"]
    _, ax = plots.figure()
    plots.matrix(ax, np.eye(70), spy=True)
    assert not ax.texts


def draw(k, u=1.0):
    fig, ax = plots.figure(5, 3)
    ax.plot([0, u / k])
    return fig, f"With k = {k:g} the pool holds {u / k:g} gC."


def test_widget_has_a_stable_text(capsys) -> None:
    explore(draw, k=[0.1, 0.2, 0.5])
    assert capsys.readouterr().out.splitlines() == [
        "Widget with one slider: k from 0.1 to 0.5",
        "  k = 0.1: With k = 0.1 the pool holds 10 gC.",
        "  k = 0.5: With k = 0.5 the pool holds 2 gC.",
    ]


def test_widget_of_two_choices_reads_out_its_corners(capsys) -> None:
    explore(draw, twin=True, start={"k": 0.1}, k=[0.1, 0.5], u=[1.0, 2.0, 3.0])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "With k = 0.1 the pool holds 20 gC."
    assert [line.split(":")[0].strip() for line in lines[2:]] == [
        "k = 0.1, u = 1", "k = 0.1, u = 3", "k = 0.5, u = 1", "k = 0.5, u = 3"
    ]


def test_summary_takes_texts_too() -> None:
    text = _summary(["pool"], [["leaf", "soil"]], {("leaf",): "fast", ("soil",): "slow"})
    assert text.splitlines()[1:] == ["  pool = leaf: fast", "  pool = soil: slow"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one or two choices"),
        ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "3 were given"),
        ({"k": [1]}, "at least two values"),
        ({"k": [1, 2], "start": {"k": 7}}, "start asks for k = 7"),
    ],
)
def test_widget_refuses(options, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        explore(draw, **options)


def test_widget_refuses_pictures_that_are_too_heavy_together(monkeypatch) -> None:
    monkeypatch.setattr("landcarbon.course.widgets.TOTAL_KB", 5)
    with pytest.raises(InputError, match="offer fewer values"):
        explore(draw, k=[0.1, 0.2])
