"""A batch with one bad row is refused, wherever in the batch it stands; the same batch without it is not.

Sites, members and draws come as leading axes. A check that looks whether *all* of them are bad would let
one bad row among good ones through, and what comes out of it would look like a result.
"""

import numpy as np
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    Prior,
    ProfileObservations,
    SeriesObservations,
)
from landcarbon.assimilation.error_models import ExponentialCorrelation, error_sd
from landcarbon.assimilation.information import greedy_design
from landcarbon.assimilation.mcmc import Metropolis
from landcarbon.assimilation.observations import RadiocarbonObservations
from landcarbon.forecasting import scores
from landcarbon.geo import block_ids
from landcarbon.learning import folds
from landcarbon.learning.mlp import MLP, train
from landcarbon.matrix import MatrixModel
from landcarbon.matrix import response as r
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import SoilLayers, face_diffusivity, input_profile
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.matrix.steps import step
from landcarbon.models import Parameter, ParameterTable, clm5, microbial
from landcarbon.models.century import century7
from landcarbon.models.dalec import PARAMETERS as DALEC
from landcarbon.models.dalec import dalec5
from landcarbon.models.pools import one_pool, two_pool
from landcarbon.models.teco import PARAMETERS as TECO
from landcarbon.models.teco import moisture_scalar, teco8
from landcarbon.theory.ages import pool_ages, transit_time
from landcarbon.theory.benchmarking import benchmark
from landcarbon.theory.carbon14 import delta_of_f14c, radiocarbon, steady_delta
from landcarbon.theory.disturbance import Disturbance
from landcarbon.theory.storage import disequilibrium
from landcarbon.theory.traceability import (
    Components,
    chain_from_outputs,
    fit_response,
    trace,
    variance_shares,
)

A, K, B = [[1.0, 0.0], [-0.3, 1.0]], [2.0, 0.02], [1.0, 0.0]
PRIOR = Prior(ParameterTable([Parameter("k", "yr-1", 0.1, 1.0, 0.5), Parameter("q", "1", 1.0, 3.0, 2.0)]))
TIMES, NODES = [2000.0, 2001.0, 2002.0], [0.1, 0.5, 1.0]
SEASON = np.full((20, 12), 285.0)
WARM, WET = np.linspace(0, 25, 12), np.tile([0.3, 0.9, 0.6], 4)
RATES = np.stack([0.2 * 2 ** (WARM / 10) * WET, 0.1 * 2 ** (WARM / 10)], axis=-1)
DRAWS = np.random.default_rng(1).normal(size=(5, 2))


def pools(**parts):
    return MatrixModel(("litter", "soil"), **{"A": A, "K": K, "B": B} | parts)


def forcing(**parts):
    normal = {"soil_temperature": np.tile(SEASON, (3, 1, 1)), "water_scalar": 0.5 * np.ones((3, 20, 12)),
              "litter_input": np.tile([40.0, 100.0, 200.0, 60.0], (3, 1))}
    return clm5.Forcing(**normal | parts)


def changed(base, **parts):
    """The default parameters of a table, some of them changed."""
    return base.array(**parts)


def outputs(stocks, respiration=(0.0, 60.0, 40.0)):
    return chain_from_outputs(np.full((3, 2), 100.0), stocks, np.tile(respiration, (3, 2, 1)))


def parts_of(baseline):
    """Three models at the sites of the rows."""
    one = np.ones((3, 3))
    return Components(500 * one, np.asarray(baseline).T, one, one, one)


def places(reference):
    return benchmark(np.ones((3, 4)), reference + np.arange(3)[:, None])


def one_step(derivative):
    """One step of training three rows, whose costs have these derivatives."""

    def cost(y, rows):
        return 1.0, np.asarray(derivative)[rows % 3][:, None]

    x = np.ones((4, 1))
    return train(MLP.start((1, 1), 1), x, cost, [False, False, False, True], batch=3, epochs=1)


def chains(log_density):
    """Three chains, the density of which is known by their start."""
    table = dict(zip((0.0, 1.0, 2.0), log_density))
    start = np.array([[0.0], [1.0], [2.0]])
    return Metropolis(n_warmup=100, n_draws=2).chains(
        lambda x: np.array([table.get(v, -v * v) for v in x[..., 0]]), start, rng=1
    )


SITES = np.ones(3)

# name: what is called with a batch of rows, a good row, a bad row, what the sentence says
CASES = {
    # numbers
    "NaN": (lambda x: as_array("x", x), 1.0, np.nan, "1 value"),
    "infinite": (lambda x: as_array("x", x), 1.0, np.inf, "1 value"),
    "too small": (lambda x: as_array("x", x, lower=0.0), 0.0, -1.0, "at least 0, but -1"),
    "not above": (lambda x: as_array("x", x, lower=0.0, strict=True), 1.0, 0.0, "above 0, but 0"),
    "too large": (lambda x: as_array("x", x, upper=1.0), 1.0, 1.5, "at most 1, but 1.5"),
    # matrix models
    "negative rate": (lambda k: pools(K=k), K, [2.0, -0.1], "'soil' is -0.1"),
    "diagonal": (lambda a: pools(A=a), A, [[0.9, 0], [-0.3, 1]], "diagonal of A is 1"),
    "transfer without its minus": (lambda a: pools(A=a), A, [[1, 0], [0.3, 1]], "minus sign"),
    "fractions over 1": (lambda a: pools(A=a), A, [[1, 0], [-1.2, 1]], "sends out 1.2"),
    "negative share": (
        lambda b: pools(K=np.tile(K, (3, 1)), B=b), B, [1.5, -0.5], "shares of the input are not negative"),
    "mixing with the other sign": (
        lambda v: pools(V=v), [[0.1, -0.2], [-0.1, 0.2]], [[-0.1, 0.2], [0.1, -0.2]], "Try −V"),
    "mixing that leaks": (lambda v: pools(V=v), [[0.1, -0.2], [-0.1, 0.2]], [[0.1, 0], [0, 0]], "sums to 0.1"),
    "negative scalar": (lambda xi: pools().steady_state(1.0, xi), [1.0, 0.5], [1.0, -0.5], "xi must be at least 0"),
    "no way out": (lambda k: pools(K=k).steady_state(1.0), K, [2.0, 0.0], "soil can never leave"),
    "outflow with the other sign": (
        lambda M: step(np.ones((3, 1)), M, np.ones((3, 1)), 1.0), [[1.0]], [[-1.0]], "other sign convention"),
    "outflow that gains": (
        lambda M: step(np.ones((3, 2)), M, np.ones((3, 2)), 1.0), [[1, 0], [-1, 1]], [[1, 0], [1, 1]], "no positive"),
    "NaN at the start": (lambda X: simulate(pools(), [0, 1], X, 1.0), [1.0, 1.0], [1.0, np.nan], "X0 holds 1"),
    "no periodic state": (lambda k: periodic(Cycle.from_model(pools(K=k), 1.0)), K, [2.0, 0.0], "can never leave"),
    # soil layers
    "roots without end": (lambda b: input_profile(b, SoilLayers([0.1, 0.2])), 0.96, 1.0, "beta is 1"),
    "negative diffusivity": (
        lambda d: face_diffusivity(d, SoilLayers([0.1, 0.2])), [1.0, 1.0], [1.0, -1.0], "diffusivity must be"),
    "node outside": (
        lambda z: SoilLayers([1.0, 1.0, 1.0], np.arange(3) + np.asarray(z)), 0.5, 1.5, "outside its layer"),
    # responses
    "potential above 0": (r.water_potential, -1.0, 0.0, "must be below 0, but 0"),
    "dry above wet": (lambda d: r.water_potential(-1.0, d, -0.1), -10.0, -0.05, "Swap them"),
    "too cold for the formula": (r.lloyd_taylor, 280.0, 227.0, "ends at 227.13"),
    "kelvin for celsius": (lambda T: r.q10(T, 2.0), 10.0, 283.0, "at most 100"),
    "oxygen below 0": (r.oxygen, 0.5, -0.5, "at least 0"),
    # models
    "texture": (
        lambda c: century7(lignin_to_nitrogen=20.0, structural_lignin=0.25, clay=c, silt=0.5), 0.2, 0.7,
        "fractions of the soil"),
    "lignin": (lambda ratio: century7(lignin_to_nitrogen=ratio, structural_lignin=0.25), 20.0, 48.0, "up to 47"),
    "shares of GPP": (teco8, TECO.default, changed(TECO, b_wood=0.9), "plants cannot build more"),
    "foliage to litter": (teco8, TECO.default, changed(TECO, f_foliage_metabolic=1.2), "f_foliage_metabolic is 1.2"),
    "roots to litter": (teco8, TECO.default, changed(TECO, f_roots_metabolic=1.2), "f_roots_metabolic is 1.2"),
    "soil moisture": (moisture_scalar, 0.5, 50.0, "not percent"),
    **{
        f"DALEC {name}": (dalec5, DALEC.default, changed(DALEC, **{name: 1.1}), f"{name} is 1.1")
        for name in ("respired", "to_foliage", "to_roots")
    },
    "degrees Celsius": (
        lambda T: forcing(soil_temperature=T), SEASON, np.where(np.arange(12) == 3, 12.0, SEASON), "add 273.15"),
    "hotter than boiling": (
        lambda T: forcing(soil_temperature=T), SEASON, np.where(np.arange(12) == 3, 400.0, SEASON), "holds 400"),
    "half a layer": (lambda n: forcing(bedrock_layer=n), 5.0, 5.5, "whole numbers"),
    "CLM5 without turnover": (
        lambda p: clm5.column(p, forcing()), clm5.PRODA_START, changed(clm5.PARAMETERS, tau_s3=0.0),
        "'tau_s3' is 0"),
    "efficiency": (microbial.cue, 10.0, 60.0, "between 0 and 1"),
    "no input for microbes": (lambda I: microbial.steady_state(I), [100.0, 10.0], [0.0, 0.0], "microbes starve"),
    # theory
    "no input": (lambda I: transit_time(pools(), I), 500.0, 0.0, "input"),
    "carbon that stays": (lambda k: pool_ages(pools(K=k), 1.0), K, [2.0, 0.0], "soil.*can never leave"),
    "the oldest of all": (lambda q: transit_time(one_pool(), 1.0).quantile(q), 0.5, 1.0, "below 1"),
    "no capacity": (lambda I: disequilibrium(one_pool(), [[1.0]] * 3, I), 1.0, 0.0, "capacity is 0"),
    "no NPP": (lambda I: trace(pools(), I), 500.0, 0.0, "nothing to trace"),
    "a scalar of 0": (lambda T: trace(pools(), SITES, T), [0.5, 1.0], [0.0, 1.0], "ever leave"),
    "models that agree": (lambda b: variance_shares(parts_of(b)), [5.0, 7.0, 9.0], [5.0] * 3, "no spread"),
    "outputs that do not close": (
        outputs, np.tile([50.0, 5.0, 500.0], (3, 1)), [[50, 5, 500], [50, 5, 500], [90, 5, 500]], "do not close"),
    "an empty pool": (outputs, np.tile([50.0, 5.0, 500.0], (3, 1)), np.tile([50.0, 0, 500], (3, 1)), "is empty"),
    "one climate only": (
        lambda T: fit_response(np.tile(RATES, (3, 1, 1)), T, WET), WARM, np.full(12, 10.0), "vary together"),
    "a place that never varies": (places, np.arange(4.0), np.ones(4), "vary at place"),
    "a place hardly seen": (places, np.arange(4.0), [1, np.nan, np.nan, np.nan], "two observations"),
    "severity": (lambda s: Disturbance(0.1, s), 0.5, 1.5, "severity must be at most 1"),
    "ratio below 0": (lambda f: delta_of_f14c(f, 1990), 1.1, -0.1, "ratio near 1"),
    "less than no radiocarbon": (lambda d: steady_delta(two_pool(), SITES, d), 50.0, -1001.0, "at least -1000"),
    "years that turn back": (
        lambda d: radiocarbon(one_pool(), [-9, -8], 1.0, np.cumsum([-20, *d, 30]), np.zeros(5)), 1.0, -1.0,
        "years that rise"),
    # data
    "error of a zero": (lambda d: error_sd(d, 0.0, 0.1), 5.0, 0.0, "no error at all"),
    "a mark for a gap": (lambda d: error_sd(d, 0.1, 0.1), 5.0, 1e300, "a mark for a gap"),
    "two at one place": (lambda at: ExponentialCorrelation(at, 2.0), [1.0, 2.0, 3.0], [1.0, 2.0, 2.0], "stand at 2"),
    "error of zero": (lambda sd: GaussianLikelihood([[1.0, 2.0]] * 3, sd), [0.1, 0.2], [0.1, 0.0], "above 0"),
    "nothing seen at a site": (
        lambda mask: GaussianLikelihood([[1.0, 2.0]] * 3, 0.1, mask=mask), [True, False], [False, False], "masked out"),
    "depth below the column": (
        lambda z: ProfileObservations(z, [[1e4, 1e3]] * 3, 0.3, NODES), [0.1, 0.5], [0.1, 1.5], "below the"),
    "bedrock above the first node": (
        lambda z: ProfileObservations([[0.02]] * 3, [[1e4]] * 3, 0.3, NODES, bottom=z), 1.0, 0.05,
        "at least one layer"),
    "no carbon measured": (
        lambda x: ProfileObservations([[0.1, 0.5]] * 3, x, 0.3, NODES), [1e4, 1e3], [1e4, 0.0], "must be positive"),
    "before the run": (
        lambda t: SeriesObservations([[1.0, 2.0]] * 3, 0.1, TIMES, end=t), [2001.0, 2002.0], [1999.0, 2002.0],
        "before the model starts"),
    "after the run": (
        lambda t: SeriesObservations([[1.0, 2.0]] * 3, 0.1, TIMES, end=t), [2001.0, 2002.0], [2001.0, 2003.0],
        "after it ends"),
    "a window that ends first": (
        lambda t: SeriesObservations([[1.0]] * 3, 0.1, TIMES, end=[[2001.0]] * 3, start=t, kind="mean"),
        [2000.0], [2001.0], "must end after it starts"),
    "an age for a Δ14C": (
        lambda x: RadiocarbonObservations(x, 5.0, TIMES, end=[2001.5]), [40.0], [-2000.0], "an age in years"),
    "outside the bounds": (PRIOR.to_unit, [0.5, 2.0], [0.5, 4.0], "'q' must lie between"),
    "on a bound": (PRIOR.to_real, [0.5, 2.0], [0.1, 2.0], "'k' must lie strictly between"),
    "a wish that nothing can tell": (
        lambda c: greedy_design(np.ones((3, 4, 2)), n=1, target=c), [1.0, 0.0], [0.0, 0.0], "target is zero"),
    "a start with density zero": (chains, -1.0, -np.inf, "density zero"),
    "a density that is NaN": (chains, -1.0, np.nan, "NaN at"),
    # learning and forecasting
    "a gradient that is not finite": (one_step, 0.1, np.inf, "smaller rate"),
    "latitudes": (lambda lat: block_ids(lat, SITES), 10.0, 110.0, "swapped"),
    "a site without a label": (lambda g: folds.group_folds([*g, "other"]), "forest", None, "no label at 1"),
    "members that agree": (
        lambda x: scores.log_score(SITES, np.asarray(x).T), [1.0, 2.0, 4.0], [2.0] * 3, "agree in 1 case"),
    "seen by one of two": (lambda s: scores.skill(s, np.ones((3, 2))), [0.5, 0.5], [0.5, np.nan], "NaN in 1"),
    "a null that is never wrong": (
        lambda e: scores.skill(np.ones((4, 3)), np.tile(e, (4, 1))), 1.0, 0.0, "no error at some lead"),
    "a lead that was never seen": (
        lambda e: scores.skill(np.tile(e, (4, 1)), np.tile(e, (4, 1))), 1.0, np.nan, "never observed"),
}  # fmt: skip


def batch(row, other, at):
    rows = [row] * 3
    if at is not None:
        rows[at] = other
    return rows if isinstance(row, str) else np.array(rows)


@pytest.mark.parametrize("name", CASES)
def test_one_bad_row_is_refused_wherever_it_stands(name):
    call, good, bad, words = CASES[name]
    call(batch(good, bad, None))
    for at in range(3):
        with pytest.raises(InputError, match=words):
            call(batch(good, bad, at))
