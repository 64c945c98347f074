"""What a beginner may give to data assimilation by mistake: one sentence each, through every door.

An observation before the model starts, a depth below the column, an error of zero, an impossible prior, a
stream with nothing in it, a column of one layer only.
"""

import numpy as np
import pytest

from landcarbon.assimilation import (
    Constraints,
    GaussianLikelihood,
    JointObservations,
    Posterior,
    Prior,
    ProfileObservations,
    SeriesObservations,
    StateObservations,
    sample,
)
from landcarbon.matrix import InputError
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers
from landcarbon.models import clm5
from landcarbon.models.parameters import Parameter, ParameterTable

T = [2000.0, 2001.0, 2002.0]
NODES = [0.1, 0.5, 1.0]
NAN = [np.nan, np.nan]
SOME = np.isfinite(NAN)


def k(**changes):
    given = {"name": "k", "unit": "yr-1", "lower": 0.1, "upper": 1.0, "default": 0.5}
    return ParameterTable([Parameter(**given | changes)])


PRIOR = Prior(k())
STARTS = "before the model starts; the model runs from 2000 to 2002"
ZERO = "above 0, but 0 was given.*would outweigh everything else"
EMPTY = "all observations are masked out; leave such a stream or site out"


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        # an observation before the model starts
        (lambda: SeriesObservations([1.0], 0.1, T, end=[1999.5]), STARTS),
        (lambda: SeriesObservations([1.0], 0.1, T, [2001.0], [1999.0], kind="mean"), STARTS),
        (lambda: SeriesObservations([1.0], 0.1, T, [2001.0], [1999.0], kind="cumulative"), STARTS),
        (lambda: StateObservations([1.0], 0.1, T, end=[1999.0], H=[1.0]), STARTS),
        # a depth below the column, and below the bedrock of one site
        (lambda: ProfileObservations([3.0], [1e4], 0.3, NODES), "3 m, below the bottom.* at 1 m"),
        (
            lambda: ProfileObservations([[0.2], [0.9]], [[1e4]] * 2, 0.3, NODES, bottom=[1.0, 0.6]),
            "site 1: observation 0 lies at 0.9 m, below the bottom of the column at 0.6 m",
        ),
        # an error of zero
        (lambda: GaussianLikelihood([1.0, 2.0], [0.1, 0.0]), ZERO),
        (lambda: SeriesObservations([1.0], 0.0, T, end=[2001.0]), ZERO),
        (lambda: ProfileObservations([0.2], [1e4], 0.0, NODES), ZERO),
        (lambda: StateObservations([1.0], 0.0, T, end=[2001.0], H=[1.0]), ZERO),
        # an impossible prior
        (lambda: k(lower=2.0), "lower bound 2 and upper bound 1; lower must be below upper"),
        (lambda: k(default=3.0), "default 3 outside its bounds 0.1 to 1"),
        (lambda: k(upper=np.inf), "upper of parameter 'k' holds .* infinite"),
        (lambda: Prior(k(lower=0.0), "log-uniform"), "the lower bound must be positive"),
        (lambda: Prior(k(default=1.0), "logit-normal"), "sits on a bound"),
        (lambda: Prior(k(), width=0.0), "width must be above 0"),
        # a stream with nothing in it
        (lambda: GaussianLikelihood(NAN, 1.0), "mask=np.isfinite"),
        (lambda: GaussianLikelihood(NAN, 1.0, mask=SOME), EMPTY),
        (lambda: SeriesObservations(NAN, 1.0, T, end=[2001.0, 2002.0], mask=SOME), EMPTY),
        (lambda: ProfileObservations([0.1, 0.2], NAN, 0.3, NODES, mask=SOME), EMPTY),
        (lambda: StateObservations(NAN, 1.0, T, [2001.0, 2002.0], [1.0], mask=SOME), EMPTY),
        (lambda: GaussianLikelihood([[1.0, 2.0], NAN], 1.0, mask=[[True] * 2, SOME]), "site 1: "),
        (lambda: GaussianLikelihood([], 1.0), "at least one observation"),
        (lambda: JointObservations({}), "at least one stream"),
        # one layer only
        (lambda: ProfileObservations([0.3], [1e4], 0.3, [0.1]), "below the bottom .* at 0.1 m"),
        (lambda: ProfileObservations([0.3], [1e4], 0.3, []), "list of depths that increase"),
        (lambda: ProfileObservations([0.3], [1e4], 0.3, NODES, bottom=0.05), "at least one layer"),
        (
            lambda: clm5.Forcing(
                np.full((20, 12), 280.0), np.full((20, 12), 0.5), [1, 1, 1, 1], bedrock_layer=1
            ),
            "bedrock_layer must be at least 2",
        ),
    ],
)  # fmt: skip
def test_a_sentence_for_each(build, sentence):
    with pytest.raises(InputError, match=sentence):
        build()


NOTHING_LEFT = "none of the .* prior draws has a likelihood above zero; the data contradict the prior"


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("importance", {"n_draws": 100}),
        ("smc", {"n_draws": 64}),
        ("metropolis", {"n_chains": 4, "n_warmup": 100, "n_draws": 10}),
        ("differential-evolution", {"n_chains": 4, "n_warmup": 100, "n_draws": 10}),
        ("hmc", {"n_chains": 4, "n_warmup": 100, "n_draws": 10, "gradient": "numerical"}),
    ],
)
def test_rules_or_data_that_leave_nothing_of_the_prior(method, options):
    rules = Constraints(PRIOR, {"faster than allowed": lambda p: p["k"] > 2.0})
    with pytest.raises(InputError, match=NOTHING_LEFT):
        sample(rules.on(), method, 1, **options)


def test_one_layer_only_is_a_column_like_any_other():
    """One layer in the model, and one measured depth: k of a single well-mixed layer of 20 cm."""
    layer = SoilLayers([0.2])
    profile = ProfileObservations([0.05], [900.0], 0.1, layer.node, bottom=0.2)

    def carbon(theta):
        lead = theta.shape[:-1]
        column = LayeredModel(
            ("soil",), layer, A=np.eye(1), K=theta[..., None], down=np.zeros(0), up=np.zeros(0)
        )
        return column.steady_state(np.full((*lead, 1, 1), 400.0))[..., 0, :]

    draws = sample(Posterior(PRIOR, carbon, profile), "smc", 1, n_draws=1000)
    np.testing.assert_allclose(draws.mean(), 400.0 / 900.0, rtol=0.03)
    np.testing.assert_allclose(draws.sd(), 0.1 * 400.0 / 900.0, rtol=0.15)
