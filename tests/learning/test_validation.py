"""Folds that never split a block, honest scores, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon import geo
from landcarbon.learning import folds as cut
from landcarbon.learning import skill as marks
from landcarbon.learning import validation as v
from landcarbon.matrix.errors import InputError


def places(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(25, 49, n), rng.uniform(-125, -67, n)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([0.5, 1.0, 2.0, 5.0]),
    n_folds=st.integers(2, 8),
)
def test_a_block_is_never_split(seed, size, n_folds):
    lat, lon = places(300, seed)
    folds = cut.blocked_folds(lat, lon, size, n_folds, rng=seed)
    block = {}
    for i, cell in enumerate(zip(np.floor(lat / size), np.floor(lon / size))):
        assert block.setdefault(cell, folds.fold[i]) == folds.fold[i]
    tested = np.concatenate([test for _, test in folds])
    assert np.array_equal(np.sort(tested), np.arange(300))
    for train, test in folds:
        assert not set(train) & set(test)
        assert train.size + test.size == 300


def test_folds_are_balanced_and_seeded():
    lat, lon = places()
    folds = cut.blocked_folds(lat, lon, 2.0, 5, rng=3)
    assert np.ptp(np.bincount(folds.fold)) <= 2
    assert np.array_equal(folds.fold, cut.blocked_folds(lat, lon, 2.0, 5, rng=3).fold)
    assert not np.array_equal(folds.fold, cut.blocked_folds(lat, lon, 2.0, 5, rng=4).fold)


def test_both_conventions_of_longitude_give_the_same_blocks():
    lat, lon = places()
    assert np.array_equal(geo.block_ids(lat, lon), geo.block_ids(lat, lon % 360))


def test_group_folds_leave_each_biome_out_once():
    biome = np.array(["steppe", "tundra", "forest", "tundra", "forest"])
    folds = cut.group_folds(biome)
    assert len(folds) == 3
    for train, test in folds:
        assert not set(biome[train]) & set(biome[test])


def test_blocks_leave_a_wider_gap_than_random_folds():
    lat, lon = places(1500)
    random = cut.leakage(lat, lon, cut.random_folds(1500, 5))
    blocked = cut.leakage(lat, lon, cut.blocked_folds(lat, lon, 5.0, 5))
    assert blocked["median_km"].min() > 1.5 * random["median_km"].max()
    assert (blocked["share_near"] < random["share_near"]).all()
    assert blocked["test"].sum() == 1500


def test_leakage_is_the_nearest_great_circle_distance():
    lat, lon = places(60)
    folds = cut.blocked_folds(lat, lon, 4.0, 3)
    table = cut.leakage(lat, lon, folds)
    for k, (train, test) in enumerate(folds):
        d = geo.great_circle_km(lat[test][:, None], lon[test][:, None], lat[train], lon[train])
        assert table.loc[k, "min_km"] == pytest.approx(d.min(), rel=1e-9)


def test_r2_divides_by_the_variance_of_the_observations():
    rng = np.random.default_rng(1)
    o = rng.normal(size=200)
    p = 3 * o + rng.normal(size=200)
    s = marks.scores(o, p)
    assert s.r2 == pytest.approx(1 - ((o - p) ** 2).sum() / ((o - o.mean()) ** 2).sum())
    assert s.r2 < 0 < 1 - ((o - p) ** 2).sum() / ((p - p.mean()) ** 2).sum()
    assert s.rmse == pytest.approx(np.sqrt(((p - o) ** 2).mean()))
    assert s.bias == pytest.approx((p - o).mean())
    assert marks.scores(o, np.full(200, o.mean())).r2 == pytest.approx(0)


def test_r2_survives_a_large_offset():
    o = 1e7 + np.arange(50.0)
    assert marks.scores(o, o + 1.0).r2 == pytest.approx(1 - 50 / ((o - o.mean()) ** 2).sum(), rel=1e-9)


def test_log_scores_are_scores_of_logarithms():
    rng = np.random.default_rng(2)
    o, p = np.exp(rng.normal(size=(2, 50)))
    assert marks.scores(o, p, log=True) == marks.scores(np.log(o), np.log(p))
    with pytest.raises(InputError, match="Logarithms"):
        marks.scores(-o, p, log=True)


@pytest.mark.parametrize("score", ["r2", "rmse", "bias"])
def test_bootstrap_equals_resampling_the_rows(score):
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 12, 90)
    o = rng.normal(size=90)
    a, b = o + 0.3 * rng.normal(size=90), o + rng.normal(size=90)
    d = marks.bootstrap_score(o, a, blocks, rival=b, score=score, rng=5, n_draws=400)
    labels, gen = np.unique(blocks), np.random.default_rng(5)
    counts = gen.multinomial(labels.size, np.full(labels.size, 1 / labels.size), size=400)
    by_hand = []
    for c in counts:
        rows = np.concatenate(
            [np.repeat(np.flatnonzero(blocks == g), k) for g, k in zip(labels, c)]
        )
        by_hand.append(
            getattr(marks.scores(o[rows], a[rows]), score) - getattr(marks.scores(o[rows], b[rows]), score)
        )
    assert [d.lower, d.upper] == pytest.approx(list(np.quantile(by_hand, [0.025, 0.975])), rel=1e-9)


def test_blocks_widen_the_interval_where_errors_are_shared():
    rng = np.random.default_rng(4)
    block = np.repeat(np.arange(30), 20)
    o = rng.normal(size=600)
    p = o + rng.normal(size=30)[block]
    wide = marks.bootstrap_score(o, p, block, score="bias")
    narrow = marks.bootstrap_score(o, p, np.arange(600), score="bias")
    assert wide.upper - wide.lower > 2.5 * (narrow.upper - narrow.lower)


def test_the_bootstrap_interval_covers():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        o = rng.normal(size=120)
        shared = rng.normal(0, 0.5, 40)[np.arange(120) // 3]
        d = marks.bootstrap_score(o, o + shared, np.arange(120) // 3, score="bias", n_draws=400, rng=rng)
        hits += d.lower <= 0 <= d.upper
    assert 180 <= hits <= 199


def test_cross_prediction_never_sees_its_own_site():
    class Memory:
        """Predicts the target of the row it has seen, or −1."""

        def __init__(self):
            pass

        def get_params(self, deep=True):
            return {}

        def fit(self, x, y):
            self.known = dict(zip(x[:, 0], y))
            return self

        def predict(self, x):
            return np.array([self.known.get(k, -1.0) for k in x[:, 0]])

    site = np.repeat(np.arange(30), 3)
    y = np.arange(90.0)
    out = v.cross_predict(Memory(), site[:, None].astype(float), y, cut.random_folds(30), site=site)
    assert (out == -1).all()


def test_baselines_rank_as_they_should_on_a_curved_target():
    rng = np.random.default_rng(6)
    x = rng.uniform(-1, 1, (400, 5))
    y = x[:, 0] + 2 * (x[:, 1] > 0) * x[:, 2] + 0.1 * rng.normal(size=400)
    r2 = {
        name: marks.scores(y, v.cross_predict(m, x, y, cut.random_folds(400))).r2
        for name, m in v.baselines().items()
    }
    assert r2["mean"] < 0.01 < r2["ridge"] < r2["forest"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cut.blocked_folds([1.0, 1.1], [1.0, 1.1], n_folds=2), "1 2-degree block"),
        (lambda: cut.random_folds(3, 5), "cannot fill 5 folds"),
        (lambda: cut.random_folds(30, 1), "at least 2"),
        (lambda: cut.blocked_folds([120.0], [40.0]), "swapped"),
        (lambda: cut.blocked_folds([np.nan, 1.0], [1.0, 1.0]), "latitude holds 1 value"),
        (lambda: geo.block_ids([1.0], [1.0], size=0.0), "above 0"),
        (lambda: cut.group_folds(["a", None, "b"]), "no label at 1 place"),
        (lambda: cut.group_folds(["a", "a"]), "nothing to train on"),
        (lambda: marks.scores([1.0, 1.0], [1.0, 2.0]), "without any spread"),
        (lambda: marks.scores([1.0, 2.0], [1.0]), "2 row"),
        (lambda: marks.bootstrap_score([1.0, 2.0], [1.0, 2.0], [0, 0]), "one block"),
        (lambda: marks.bootstrap_score([1.0, 2.0], [1.0, 2.0], [0, 1], score="mse"), "r2, rmse, bias"),
        (lambda: marks.bootstrap_score([1.0, 2.0], [1.0, 2.0], [0, 1], n_draws=0), "n_draws must be a whole number"),
        (lambda: marks.bootstrap_score([1.0, 2.0], [1.0, 2.0], [0, 1], n_draws=9.5), "n_draws must be a whole number"),
        (lambda: v.cross_predict(v.baselines()["mean"], np.ones((3, 1)), np.ones(4), cut.random_folds(4, 2)),
         "covariates has 3 .* target 4"),
        (lambda: v.cross_predict(v.baselines()["mean"], np.ones((4, 1)), np.ones(4), cut.random_folds(4, 2),
                                 site=[0, 1]), "site has 2 .* target 4"),
        (lambda: v.cross_predict(v.baselines()["mean"], np.ones((2, 1)), np.ones(2), cut.random_folds(4, 2),
                                 site=[-1, 1]), "site counts"),
        (
            lambda: v.cross_predict(
                v.baselines()["mean"], np.ones((4, 1)), np.ones(4), cut.random_folds(3, 2)
            ),
            "site counts up to 3",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words) as err:
        call()
    assert str(err.value).endswith((".", "?"))
