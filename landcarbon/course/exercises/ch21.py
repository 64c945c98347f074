"""Checks of chapter 21: PRODA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect


@exercise(
    "21.1",
    level=1,
    title="What one profile knows",
    hints=(
        "How much narrower has each parameter become, in terms of variance?",
        "Compare the variance over the members before and after; no change means nothing was learned.",
        "One minus the ratio of two variances, each along the axis of the members.",
    ),
)
def information(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(21)
    prior = rng.normal(size=(4000, 3))
    posterior = prior * np.array([0.5, 1.0, 0.1]) + np.array([3.0, 0.0, -1.0])
    found = np.asarray(answer(prior, posterior), dtype=float)
    expect(found.shape == (3,), "shape", "Give one number for each parameter, the members averaged away.")
    expect(np.isfinite(found), "not finite", "A share is NaN or infinite.")
    expect(np.isclose(found[1], 0.0, atol=1e-9), "limit", "Where nothing changed, nothing was learned: 0.")
    expect(not np.isclose(found[0], -3.0), "transposed", "The ratio is turned round: after over before.")
    expect(not np.isclose(found[0], 0.5), "units", "That is about the standard deviation; variances were asked for.")
    expect(not np.isclose(found[0], 0.25), "limit", "That is the share that is left; asked for is the share removed.")
    expect(np.allclose(found, [0.75, 0.0, 0.99], atol=1e-6), "value",
           "A parameter of half the spread has lost three quarters of its variance, wherever its mean went.")


@exercise(
    "21.2",
    level=2,
    title="A ladder without leakage",
    hints=(
        "Who may a test site's prediction know? Everything but its own fold.",
        "Loop over the folds: fit on the sites of all other folds, predict those of this one.",
        "for k in unique(fold): model = fit(x[fold != k], y[fold != k]); out[fold == k] = predict(model, x[fold == k])",
    ),
)
def held_out(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    fold = rng.permutation(np.repeat(np.arange(4), 10))
    seen: list[tuple[Any, Any]] = []

    def fit(a: Any, b: Any) -> Any:
        seen.append((np.asarray(a).copy(), np.asarray(b).copy()))
        return np.asarray(a), np.asarray(b)

    def predict(model: Any, a: Any) -> Any:
        known, value = model  # the nearest known site, which is the site itself if it leaked
        gap = ((np.asarray(a)[:, None] - known[None]) ** 2).sum(axis=2)
        return value[gap.argmin(axis=1)]

    found = np.asarray(answer(fit, predict, x, y, fold), dtype=float)
    expect(found.shape == (40,), "shape", "Give one prediction for each site, in the order of the sites.")
    expect(np.isfinite(found), "not finite", "Some sites have no prediction.")
    expect(not np.allclose(found, y), "leakage", "Each site predicts itself: it was in its own training set.")
    sizes = {len(a) for a, _ in seen}
    expect(40 not in sizes, "leakage", "A model was fitted on all sites.")
    expect(sizes != {10}, "leakage", "Fitted on the test fold and tested on it, or the two are turned round.")
    expect(len(seen) != 3, "incomplete", "Three models for four folds: does your loop reach the last fold?")
    expect(len(seen) == 4 and sizes == {30}, "value", "One model for each fold, fitted on the thirty other sites.")
    right = np.empty(40)
    for k in range(4):
        right[fold == k] = predict((x[fold != k], y[fold != k]), x[fold == k])
    expect(np.allclose(found, right), "value", "The predictions are not at the places of their own sites.")


@exercise(
    "21.3",
    level=3,
    title="Which process controls storage?",
    hints=(
        "What would the map look like if one group of parameters were the same everywhere?",
        "For each draw: replace the columns of the group by their mean over the sites, compute ln carbon again, and "
        "compare the variance over the sites with that of the full model.",
        "share = 1 − var(swapped) / var(full) for every draw; then its median, 5 % and 95 % quantile.",
    ),
)
def control(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    theta = rng.normal(size=(50, 200, 3)) * np.array([2.0, 1.0, 0.5])

    def model(p: Any) -> Any:
        return np.asarray(p).sum(axis=-1)

    groups = {"input": [0], "decay": [1, 2]}
    found = answer(model, theta, groups)
    expect(isinstance(found, dict) and set(found) == set(groups), "incomplete",
           "Give a dictionary with one entry a group.")
    values = np.array([found[k] for k in groups], dtype=float)
    expect(values.shape == (2, 3), "shape", "For each group three numbers: median, lower, upper.")
    expect(np.isfinite(values), "not finite", "A share is NaN or infinite.")
    expect((values[:, 1] <= values[:, 0]) & (values[:, 0] <= values[:, 2]), "shape",
           "The order is median, lower, upper, and the median lies between.")
    expect(values[0, 0] > values[1, 0], "limit",
           "The group with the larger spread must matter more; is it the share that is left?")
    expect(np.allclose(values[:, 0], [4 / 5.25, 1.25 / 5.25], atol=0.04), "value",
           "For a sum of independent parts the share of a group is its part of the variance over the sites.")
    expect((values[:, 2] - values[:, 1] > 0.005).all(), "value", "The draws differ; the interval must not vanish.")
    still = answer(lambda p: np.asarray(p)[..., 0], theta, groups)
    expect(abs(still["decay"][0]) < 1e-9 and abs(still["input"][0] - 1) < 1e-9, "identity",
           "If only input acts, it carries the whole pattern and decay none.")


@exercise(
    "21.4",
    level=2,
    title="Add a rival of your own",
    hints=(
        "What does a rival owe? `learn(task, rng)` looks at the data of the task it is given; what it returns has "
        "`predict(places, rng, n_draws)`, which may look at the covariates and depths of the places only.",
        "Learn one number for each site, such as the mean of its ln carbon (`task.data.data` where "
        "`task.data.mask`), and the environment it belongs to; predict by the environment of the places.",
        "Return Prediction(mean) with mean of the shape of places.data.data: the number of the site whose scaled "
        "covariates are nearest, the same at every depth.",
    ),
)
def rival(answer: Any) -> None:
    from dataclasses import replace

    from landcarbon.datasets import twin_world
    from landcarbon.learning import Task

    world = twin_world(60, rng=4)
    task = Task(world.observations, world.forcing, world.covariates)
    known, places = task[np.arange(40)], task[np.arange(40, 60)]
    expect(isinstance(getattr(answer, "name", None), str), "incomplete",
           "A rival has a `name`, the row it gets in the table.")
    expect(hasattr(answer, "learn"), "incomplete", "A rival has a method learn(task, rng).")

    def said(learnt_from: Any, asked: Any) -> Any:
        predictor = answer.learn(learnt_from, np.random.default_rng(0))
        expect(hasattr(predictor, "predict"), "incomplete",
               "learn returns a predictor: an object with predict(places, rng, n_draws).")
        return np.asarray(predictor.predict(asked, np.random.default_rng(1), 20).mean, dtype=float)

    found = said(known, places)
    expect(found.shape == places.data.data.shape, "shape",
           "mean has one number for each site and depth of the places: the shape of places.data.data.")
    expect(np.isfinite(found), "not finite", "A prediction is NaN or infinite.")
    other = places.data.with_values(np.full(found.shape, 7.0))
    expect(np.allclose(said(known, replace(places, observations=other)), found), "leakage",
           "The predictions follow the data of the places that are predicted; those are not known.")
    measured = known.data.data[known.data.mask]
    expect(found[places.data.mask].mean() < 2 * measured.mean(), "units",
           "Data and predictions are ln carbon; these look like carbon itself.")
    more = known.data.with_values(np.exp(known.data.data + 1.0))
    expect(np.allclose(said(replace(known, observations=more), places), found + 1.0, atol=0.35), "value",
           "Where every site that is learnt from holds e times the carbon, so must the predictions.")
    def in_per_mille(of: Any) -> Any:
        return replace(of, covariates=of.covariates.assign(clay=1000 * of.covariates["clay"]))

    expect(np.allclose(said(in_per_mille(known), in_per_mille(places)), found), "units",
           "With clay in other units other sites are the most similar: bring the covariates to one scale first.")
    spread = np.where(places.data.mask, found, np.nan)
    expect(np.ptp(np.nanmean(spread, axis=1)) > 0.05, "limit",
           "All places get the same; a rival worth its row tells places apart by their environment.")


@exercise(
    "21.5",
    level=1,
    title="Which maps look alike?",
    hints=(
        "When do two maps have the same pattern? May one of them be turned upside down?",
        "Correlate the columns of z; a pair counts where |r| reaches the limit. Each pair once, none with itself.",
        "r = np.corrcoef(z.T); a set of (names[i], names[j]) for i < j where abs(r[i, j]) >= limit",
    ),
)
def pairs(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(21)
    a, b = rng.normal(size=(2, 400))
    z = np.stack([a, b, 3.0 - 2.0 * a, 0.75 * b + 0.66 * rng.normal(size=400), 0.9 * a + 0.6 * rng.normal(size=400)], 1)
    z[:, 3] *= 40.0
    names = ["warm", "deep", "cold", "slow", "wet"]
    found = answer(z, names, 0.8)
    two_by_two = isinstance(found, (set, frozenset, list)) and all(isinstance(p, tuple) and len(p) == 2 for p in found)
    expect(two_by_two, "shape", "Give a set of pairs, each a tuple of two names.")
    found = list(found)
    expect(all(p != q for p, q in found), "identity", "A map is always like itself; such a pair says nothing.")
    expect(len({frozenset(p) for p in found}) == len(found), "identity", "A pair stands there twice, in both orders.")
    got = {frozenset(p) for p in found}
    expect(frozenset(("warm", "cold")) in got, "sign", "A map and its mirror image have the same pattern: r near −1.")
    r = np.abs(np.corrcoef(z.T))
    two = [(i, j) for j in range(5) for i in range(j)]
    squared = {frozenset((names[i], names[j])) for i, j in two if r[i, j] ** 2 >= 0.8}
    right = {frozenset((names[i], names[j])) for i, j in two if r[i, j] >= 0.8}
    expect(got != squared, "units", "The limit is for |r|, not for its square.")
    expect(got == right, "value", "With a limit of 0.8 these five maps have other pairs.")
    none = list(answer(z[:, :2], names[:2], 0.8))
    expect(none == [], "limit", "Two maps drawn independently of each other are no pair.")


@exercise(
    "21.6",
    level=2,
    title="Where a map should end",
    hints=(
        "How far from all it has learnt from was the model when it was tested? Farther than that nobody has looked.",
        "Scale by mean and standard deviation of the training places. For each of them the distance to the nearest one "
        "of another fold; the largest of these is the limit for new places.",
        "tested = max over k of the distances from x[fold == k] to their nearest in x[fold != k]; then nearest "
        "distance of new to x, `<= tested`",
    ),
)
def where_it_ends(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(6)
    fold = np.repeat(np.arange(3), 20)
    x = rng.normal(size=(60, 2)) + 1.5 * fold[:, None]
    x = x * np.array([1.0, 300.0]) + np.array([10.0, 800.0])  # °C and mm
    new = np.concatenate([x[::9] + np.array([0.01, 2.0]), rng.uniform([0.0, -1500.0], [25.0, 4000.0], (200, 2))])
    found = np.asarray(answer(x, fold, new))
    expect(found.shape == (207,), "shape", "Give one True or False for each new place.")
    expect(found.dtype == bool, "shape", "True where the map holds, False where it ends.")

    def nearest(a: Any, b: Any) -> Any:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min(axis=1)

    def inside(centre: Any, scale: Any) -> Any:
        here, there = (x - centre) / scale, (new - centre) / scale
        tested = np.concatenate([nearest(here[fold == k], here[fold != k]) for k in range(3)])
        return nearest(there, here) <= tested.max()

    expect(found.any(), "leakage",
           "No place is covered. A training place is nearest to itself; ask for the nearest one of another fold.")
    expect(not np.array_equal(found, ~inside(x.mean(0), x.std(0))), "sign", "Turned round: True where the map holds.")
    expect(found[:7].all(), "limit", "Places a hundredth of a degree from a training place must be covered.")
    expect(not np.array_equal(found, inside(0.0, 1.0)), "units",
           "Millimetres of rain outweigh degrees here: scale each covariate before distances are taken.")
    far = np.concatenate([new, [[500.0, 90000.0], [-400.0, -50000.0]]])
    expect(np.array_equal(np.asarray(answer(x, fold, far))[:207], found), "leakage",
           "Whether a place is covered changes with the other new places; scale by the training places only.")
    expect(np.array_equal(found, inside(x.mean(0), x.std(0))), "value",
           "Some places are judged otherwise: the limit is the largest of the distances at which it was tested.")
