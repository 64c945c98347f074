"""The area of applicability: the index and its threshold by hand, and what must not change them."""

import numpy as np
import pandas as pd
import pytest

from landcarbon.learning.applicability import Applicability
from landcarbon.learning.folds import Folds, group_folds, random_folds
from landcarbon.matrix.errors import InputError


def table(*columns):
    return pd.DataFrame(dict(zip("abcdef", columns)))


def test_index_and_threshold_by_hand():
    """Sites at 0, 1, 3, 7 in one covariate, each its own fold: pairs are 1, 3, 7, 2, 6, 4 apart, 23/6 on average."""
    area = Applicability.of(table([0.0, 1.0, 3.0, 7.0]), random_folds(4, 4))
    apart = np.array([1.0, 1.0, 2.0, 4.0]) / (23 / 6)  # to the nearest site of another fold
    whisker = np.quantile(apart, 0.75) + 1.5 * np.subtract(*np.quantile(apart, [0.75, 0.25]))
    assert area.threshold == pytest.approx(apart[apart <= whisker].max())
    assert area.threshold == pytest.approx(4.0 / (23 / 6))
    np.testing.assert_allclose(area.index(table([7.0, 9.0, -1.0, 2.0])), np.array([0.0, 2.0, 1.0, 1.0]) / (23 / 6))


def test_a_lonely_site_does_not_widen_the_area():
    """One site a hundred times farther off than the others is an outlier, not a measure."""
    near = np.arange(20.0)
    area = Applicability.of(table(np.append(near, 2000.0)), random_folds(21, 21))
    assert area.threshold * area.mean_distance * area.scaling.scale[0] == pytest.approx(1.0)
    assert area.inside(table([20.0, 1000.0])).tolist() == [True, False]


def test_whole_blocks_left_out_give_a_wider_area_than_single_sites():
    """What was tested at a distance may be asked at a distance."""
    x = np.concatenate([k * 10.0 + np.linspace(0.0, 1.0, 6) for k in range(5)])
    single = Applicability.of(table(x), random_folds(30, 30))
    blocks = Applicability.of(table(x), group_folds(np.repeat(np.arange(5), 6)))
    assert blocks.threshold > 10 * single.threshold
    assert blocks.inside(table([45.0])).all()
    assert not single.inside(table([45.0])).any()


def test_units_of_a_covariate_change_nothing():
    rng = np.random.default_rng(1)
    sites, places = rng.normal(size=(40, 3)), rng.normal(size=(15, 3)) * 2
    scale, shift = np.array([1.8, 1000.0, 1e-3]), np.array([32.0, 0.0, 5.0])
    folds = random_folds(40, 5)
    one = Applicability.of(table(*sites.T), folds)
    other = Applicability.of(table(*(sites * scale + shift).T), folds)
    assert other.threshold == pytest.approx(one.threshold)
    np.testing.assert_allclose(other.index(table(*(places * scale + shift).T)), one.index(table(*places.T)), rtol=1e-9)
    assert 0 < one.inside(table(*places.T)).sum() < 15


@pytest.mark.filterwarnings("ignore:Covariate 'b' is the same")
def test_a_covariate_that_never_changed_excludes_where_it_does():
    area = Applicability.of(table([1.0, 2.0, 3.0], [22.4, 22.4, 22.4]), random_folds(3, 3))
    index = area.index(table([2.0, 2.0, 2.0], [22.4, np.float32(22.4), 22.5]))
    assert index[0] == index[1] == 0.0
    assert np.isinf(index[2])


@pytest.mark.filterwarnings("ignore:Covariate 'a' is the same")
def test_bad_input_gets_a_sentence():
    with pytest.raises(InputError, match="the same covariates"):
        Applicability.of(table([1.0, 1.0]), random_folds(2, 2))
    with pytest.raises(InputError, match=r"covariates has 3 .* the folds 2"):
        Applicability.of(table([1.0, 2.0, 3.0]), random_folds(2, 2))
    fold = Folds(np.array([0, 1]), np.array([0, 1]), "random")
    with pytest.raises(InputError, match="trained with 'a'"):
        Applicability.of(table([1.0, 2.0]), fold).index(pd.DataFrame({"x": [1.0]}))
