"""Null models: spread as in the past, and calibrated where their assumption holds."""

import numpy as np
import pytest

from landcarbon.forecasting import null, scores
from landcarbon.matrix.errors import InputError


def test_persistence_starts_at_the_last_value_and_spreads_as_the_past_did():
    y = np.cumsum(np.random.default_rng(0).normal(size=3000))
    ensemble = null.persistence(y, 16, 20_000)
    for h in (1, 4, 16):
        past = y[h:] - y[:-h]
        assert ensemble[:, h - 1].mean() == pytest.approx(y[-1] + past.mean(), abs=0.15)
        assert ensemble[:, h - 1].std() == pytest.approx(past.std(), rel=0.03)


def test_persistence_steps_over_gaps():
    y = np.cumsum(np.random.default_rng(3).normal(size=3000))
    whole = null.persistence(y, 4, 20_000)
    holes = y.copy()
    holes[np.random.default_rng(4).uniform(size=y.size) < 0.4] = np.nan
    holes[-1] = y[-1]
    seen = null.persistence(holes, 4, 20_000)
    assert np.allclose(seen.mean(0), whole.mean(0), atol=0.15)
    assert np.allclose(seen.std(0), whole.std(0), rtol=0.06)
    # Nothing on the last two days: the forecast starts from the last value, two steps further off.
    holes[-2:] = np.nan
    holes[-3] = y[-3]
    late = null.persistence(holes, 2, 20_000)
    shifted = null.persistence(holes[:-2], 4, 20_000)[:, 2:]
    assert np.array_equal(np.sort(np.unique(late)), np.sort(np.unique(shifted)))


def test_the_random_walk_is_calibrated_on_random_walks():
    rng = np.random.default_rng(1)
    walks = rng.normal(size=(400, 250)).cumsum(axis=1)
    ensembles = np.stack([null.random_walk(w[:240], 10, 60, rng=rng) for w in walks], axis=1)
    u = scores.pit(walks[:, 249], ensembles[:, :, 9], rng)
    assert scores.pit_uniformity(u).p_value > 0.01


def test_climatology_follows_the_season_round_the_new_year():
    rng = np.random.default_rng(2)
    day = np.tile(np.arange(1, 366), 8)
    y = 10 * np.cos(2 * np.pi * day / 365) + rng.normal(size=day.size)
    ensemble = null.climatology(y, day, [1, 92, 183, 365], 4000)
    assert np.allclose(ensemble.mean(axis=0), [10, 0, -10, 10], atol=0.4)
    near = null.climatology([1.0, 2.0], [365, 4], [1], 500, window=5)
    assert set(near.ravel()) == {1.0, 2.0}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: null.persistence([1.0, 2.0], 5), "at least 6"),
        (lambda: null.persistence([np.nan, np.nan, np.nan, 1.0], 1), "lie 1 steps apart"),
        (lambda: null.persistence([np.nan, np.nan], 1), "lie 1 steps apart"),
        (lambda: null.persistence([1.0, np.inf, 2.0, 1.0], 1), "NaN or infinite"),
        (lambda: null.random_walk([1.0, np.nan, 2.0], 5), "Fill or leave out"),
        (lambda: null.climatology([1.0], [1], [180]), "Widen the window"),
        (lambda: null.climatology([1.0], [0], [180]), "day_of_year"),
        (lambda: null.persistence([1.0, 2.0, 3.0], 1, n_members=2.5), "members must be a whole"),
        (lambda: null.persistence([1.0, 2.0, 3.0], "2"), "leads must be a whole"),
        (lambda: null.random_walk([1.0, 2.0, 3.0], 1, rng=1.5), "a seed, a whole number"),
        (lambda: null.climatology([1.0], [1], [1], np.nan), "members must be a whole"),
        (lambda: null.persistence([1.0, 2.0, 3.0], 1, rng=-1), "a seed, a whole number"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
