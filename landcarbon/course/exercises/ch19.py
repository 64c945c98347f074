"""Checks of chapter 19: machine learning, honestly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect


@exercise(
    "19.1",
    level=1,
    title="Better than what?",
    hints=(
        "Which number would a mapper have given who knew the training sites and nothing else?",
        "Compare two sums of squares over the test sites: of the prediction, and of the mean of the training sites.",
        "1 - sum((observed - predicted)²) / sum((observed - mean(trained_on))²)",
    ),
)
def skill(answer: Callable[..., Any]) -> None:
    o, train = np.array([1.0, 2.0, 4.0, 5.0]), np.array([5.0, 6.0, 10.0])
    first = answer(o, o, train)
    expect(np.shape(first) == (), "shape", "One skill for all test sites: sum the squares over them first.")
    perfect = float(first)
    expect(np.isfinite(perfect), "not finite", "The skill of a perfect prediction is not a number.")
    expect(np.isclose(perfect, 1.0), "limit", "A perfect prediction has skill 1.")
    expect(not np.isclose(float(answer(o, o + 10.0, train)), 1.0), "limit",
           "A prediction that is too high by ten everywhere is not perfect; a correlation does not see that.")
    expect(not np.isclose(float(answer(o, np.full(4, o.mean()), train)), 0.0), "leakage",
           "The mean of the test sites is not known beforehand; compare with the mean of the training sites.")
    expect(np.isclose(float(answer(o, np.full(4, train.mean()), train)), 0.0, atol=1e-12), "identity",
           "Predicting the mean of the training sites is the baseline itself: skill 0.")
    expect(float(answer(o, np.full(4, 9.0), train)) < 0, "sign",
           "A prediction that is worse than the baseline has a skill below zero.")
    p = np.array([1.5, 1.0, 4.5, 3.0])
    ratio = ((o - p) ** 2).sum() / ((o - 7.0) ** 2).sum()
    found = float(answer(o, p, train))
    expect(not np.isclose(found, 1 - np.sqrt(ratio)), "units",
           "You took roots: R² compares sums of squares as they are.")
    expect(np.isclose(found, 1 - ratio), "value",
           "The ends are right, the middle is not: sums of squares over the test sites, one over the other.")


@exercise(
    "19.2",
    level=2,
    title="Folds of whole blocks",
    hints=(
        "Two neighbours in one block must be tested together. What do they have in common?",
        "Number the blocks from the whole part of latitude/size and longitude/size; then give each block, not each "
        "site, a fold: shuffle the blocks and deal them round.",
        "cell = floor([lat, lon] / size); block = np.unique(cell, axis=0, return_inverse=True)[1].ravel(); "
        "fold_of_block[rng.permutation(n)] = np.arange(n) % n_folds; fold_of_block[block]",
    ),
)
def block_folds(answer: Callable[..., Any]) -> None:
    south, west = np.arange(-6.0, 6.0, 2.0), np.arange(-8.0, 8.0, 2.0)  # 48 blocks of 2°, three sites in each
    a, b = (v.ravel() for v in np.meshgrid(south, west, indexing="ij"))
    lat = np.concatenate([a + 0.1, a + 1.0, a + 1.9])
    lon = np.concatenate([b + 1.9, b + 0.2, b + 1.1])
    block = np.tile(np.arange(48), 3)

    def folds(seed: int) -> Any:
        return np.asarray(answer(lat.copy(), lon.copy(), 2.0, 4, np.random.default_rng(seed)))

    found = folds(1)
    expect(found.shape == (144,), "shape", "Give one fold for each site, in the order of the sites.")
    expect(found == np.round(np.asarray(found, dtype=float)), "value", "A fold is a whole number.")
    found = found.astype(int)
    expect(set(np.unique(found)) == {0, 1, 2, 3}, "incomplete",
           "With four folds each of 0, 1, 2 and 3 must occur, and nothing else.")
    by_block = found.reshape(3, 48)
    expect((by_block == by_block[0]).all(), "leakage",
           "Two sites of one block are in different folds: one of them is trained on while its neighbour is tested.")
    many = np.stack([folds(seed)[:48] for seed in range(30)])
    expect((many != many[0]).any(), "seed", "Another generator must give another deal; use the rng that is given.")
    once = [np.bincount(row, minlength=4) for row in many]
    across = many.reshape(30, 6, 8)
    expect((across != across[:, :, :1]).any() and (across != across[:, :1, :]).any(), "choice",
           "Whole bands of the map share a fold; a block has two edges, one in latitude and one in longitude.")
    # Truncation towards zero joins the blocks on both sides of the equator and of the prime meridian.
    expect((across[:, :, 3] != across[:, :, 4]).any() and (across[:, 2] != across[:, 3]).any(), "off by one",
           "Blocks on both sides of 0° are always together: rounding towards zero makes that block twice as wide.")
    twins = (many[:, :, None] == many[:, None, :]).all(axis=0)
    near = np.maximum(*(np.abs(c[:, None] - c[None, :]) for c in (a, b)))
    expect(not twins[near > 6.1].any(), "choice",
           "Blocks far from each other always share a fold: two blocks have got the same number. Number pairs of "
           "(latitude, longitude), not their sum or product.")
    expect(not twins[near > 0].any(), "units",
           "Neighbouring blocks always share a fold: are yours larger than `size` degrees?")
    again = folds(1)
    expect(np.array_equal(again, found), "seed",
           "The same generator must give the same deal: draw with the rng that is given, not with np.random.")
    expect(np.ptp(once, axis=1).max() <= 1, "value",
           "Deal the blocks so that each fold gets equally many, give or take one; drawing a fold for each block does "
           "not see to that.")
    expect(len(set(block[found == 0])) == 12, "value", "A quarter of the blocks belongs into each of four folds.")


def _nearest() -> tuple[Any, Any, list[Any]]:
    """A model that knows its training sites by heart, and a list of what it was given."""
    seen: list[Any] = []

    def fit(a: Any, b: Any) -> Any:
        seen.append(np.asarray(b).copy())
        return np.asarray(a), np.asarray(b)

    def predict(model: Any, a: Any) -> Any:
        gap = ((np.asarray(a)[:, None] - model[0][None]) ** 2).sum(axis=2)
        return model[1][gap.argmin(axis=1)]

    return fit, predict, seen


@exercise(
    "19.3",
    level=3,
    title="A biome nobody has seen",
    hints=(
        "Which errors are of the kind that the left-out biome will bring?",
        "Among the other biomes, leave out each in turn, fit on the rest, and collect the absolute errors. The k-th "
        "smallest of n, with k = ceil((n + 1) level), is the half-width around the prediction by a model of all.",
        "for b in unique(biome[known]): fit on known & (biome != b), errors at biome == b; q = sort(errors)[k - 1]; "
        "p = predict(fit(x[known], y[known]), x[biome == left_out]); return p - q, p + q",
    ),
)
def biome_interval(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(19)
    biome = np.repeat(np.array(["dry", "mild", "cold", "wet"]), 25)
    x = rng.normal(size=(100, 2)) + np.repeat(np.arange(4), 25)[:, None]
    y = x.sum(axis=1) + 0.3 * rng.normal(size=100)
    out, known = biome == "wet", biome != "wet"
    fit, predict, seen = _nearest()

    def ask(target: Any, level: float = 0.9) -> tuple[Any, Any]:
        lower, upper = answer(fit, predict, x, target, biome, "wet", level)
        return np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)

    lower, upper = ask(y)
    expect(lower.shape == (25,) and upper.shape == (25,), "shape",
           "Give two arrays, lower and upper, one value for each site of the left-out biome.")
    expect(np.isfinite(lower) & np.isfinite(upper), "not finite", "An end of an interval is not a number.")
    expect(not any(np.isin(y[out], b).any() for b in seen), "leakage",
           "A model was trained on sites of the biome that is left out.")
    changed = ask(np.where(out, y + 5.0, y))
    expect(np.allclose(changed[0], lower) and np.allclose(changed[1], upper), "leakage",
           "The intervals change with what was observed in the left-out biome; nobody knows that.")
    expect(upper >= lower, "sign", "Lower must not lie above upper.")
    expect((upper - lower > 1e-9).all(), "leakage",
           "The width is zero for a model that knows its training sites by heart: take held-out errors.")
    middle = predict((x[known], y[known]), x[out])
    expect(np.allclose((lower + upper) / 2, middle), "value",
           "The interval lies around the prediction of a model that was trained on all the other biomes.")
    narrow = ask(y, 0.5)
    expect((narrow[1] - narrow[0] < upper - lower).all(), "limit", "An interval of 50 % is narrower than one of 90 %.")
    residual = np.concatenate([
        np.abs(y[biome == b] - predict((x[known & (biome != b)], y[known & (biome != b)]), x[biome == b]))
        for b in ("cold", "dry", "mild")
    ])
    alone = np.array([len(b) for b in seen])
    expect((alone == 50).sum() >= 3, "choice",
           "The errors must come from whole biomes left out in turn; those of nearer sites are too small.")
    for level, ends in ((0.9, (lower, upper)), (0.5, narrow)):
        q = np.sort(residual)[int(np.ceil(76 * level)) - 1]
        expect(np.allclose((ends[1] - ends[0]) / 2, q), "value",
               "The half-width is the k-th smallest absolute error, with k = ceil((n + 1) level): no bell curve, and "
               "one added to n for the new site.")
