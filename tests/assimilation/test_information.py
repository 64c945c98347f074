"""Information against closed forms, against exact sampling, and against what is known of CLM5."""

from itertools import combinations

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
from landcarbon.assimilation.information import (
    Identifiability,
    design_bits,
    greedy_design,
    identify,
    information_gain,
    jacobian,
    marginal_bits,
    prior_width,
)
from landcarbon.assimilation.observations import ProfileObservations
from landcarbon.assimilation.problems import banana, gaussian, incubation, soil_column
from landcarbon.datasets.twin import twin_world
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.models.parameters import Parameter, ParameterTable


@pytest.mark.parametrize("problem", [gaussian, banana, incubation, soil_column])
def test_jacobian_by_adjoint_is_that_by_differences(problem):
    posterior = problem()
    theta = posterior.prior.sample((3, 2), rng=1)
    by_adjoint = jacobian(posterior, theta)
    plain = Posterior(posterior.prior, posterior.model, posterior.observations)
    by_steps = jacobian(plain, theta)
    width = prior_width(posterior.prior, theta)[..., None, :]
    size = np.abs(by_adjoint * width).max()
    assert by_adjoint.shape == (3, 2, len(posterior.observations.data), len(posterior.prior))
    np.testing.assert_allclose(by_adjoint * width / size, by_steps * width / size, atol=2e-7)


def test_jacobian_of_sites_with_masks():
    prior = Prior(ParameterTable([Parameter("k", "1/yr", 0.01, 1.0, 0.1)]))
    t = np.array([1.0, 5.0, 10.0])
    data = GaussianLikelihood([[0.8, 0.4, np.nan], [0.9, 0.5, 0.2]], 0.1,
                              mask=[[True, True, False], [True, True, True]])  # fmt: skip
    posterior = Posterior(prior, lambda theta: np.exp(-theta * t), data)
    theta = np.array([[[0.1]], [[0.3]]])
    J = jacobian(posterior, theta)
    np.testing.assert_allclose(J[1, 0, :, 0], -t * np.exp(-0.3 * t), rtol=1e-6)
    assert J[0, 0, 2, 0] == 0.0
    with pytest.raises(InputError, match="sites come first"):
        jacobian(posterior, [[0.1]])


def test_width_of_the_prior_by_family():
    table = ParameterTable(
        [
            Parameter("a", "1", 2.0, 5.0, 3.0),
            Parameter("b", "1", 0.1, 10.0, 1.0, prior="log-uniform"),
            Parameter("c", "1", 0.0, 1.0, 0.5, prior="logit-normal"),
        ]
    )
    prior = Prior(table, width={"c": 0.7})
    width = prior_width(prior, [3.0, 2.0, 0.3])
    np.testing.assert_allclose(
        width, [3 / 12**0.5, 2.0 * np.log(100) / 12**0.5, 0.7 * 0.3 * 0.7], rtol=1e-12
    )
    draws = prior.sample(200_000, rng=2)
    np.testing.assert_allclose(
        [draws[:, 0].std(), np.log(draws[:, 1]).std()], [width[0], width[1] / 2.0], rtol=0.01
    )


def test_linear_gaussian_numbers_are_exact(linear_gaussian):
    """DFS, bits and sds of H z + noise, z ~ Normal(., 1), wherever one looks."""
    posterior = linear_gaussian.posterior([0.1, 0.2])
    report = identify(posterior, at=posterior.prior.sample(5, rng=3))
    H, sd = linear_gaussian.H, linear_gaussian.sd
    _, cov = linear_gaussian.exact(np.zeros(2))
    F = H.T @ H / sd**2
    np.testing.assert_allclose(report.dfs, np.trace(F @ cov), rtol=1e-5)
    np.testing.assert_allclose(report.bits, -0.5 * np.linalg.slogdet(cov)[1] / np.log(2), rtol=1e-5)
    np.testing.assert_allclose(report.sd_left, np.sqrt(np.diag(cov)) * np.ones((5, 1)), rtol=1e-5)
    # The trace of 1 − covariance is the same number, and so is the sum over all directions.
    known, weights = report.directions(3)
    assert known.sum() == pytest.approx(report.dfs.mean(), rel=1e-10)
    np.testing.assert_allclose(weights @ weights.T, np.eye(3), atol=1e-12)
    assert report.silent == ("c",)


def test_one_datum_of_a_signal():
    """Signal variance 3, error variance 1: one bit, and three quarters of a degree of freedom."""
    report = Identifiability(("a",), np.array([[np.sqrt(3.0)]]))
    assert report.bits == pytest.approx(1.0) and report.dfs == pytest.approx(0.75)
    assert report.sd_left[0] == pytest.approx(0.5)


def test_independent_data_add_and_repeated_data_do_not():
    S = np.array([[2.0, 0.0], [0.0, 3.0]])
    alone = [design_bits(S, [k]) for k in (0, 1)]
    assert design_bits(S) == pytest.approx(sum(alone))
    twice = np.array([[2.0, 0.0], [2.0, 0.0]])
    assert design_bits(twice) < 2 * design_bits(twice, [0])


def test_what_is_learnt_of_confounded_parameters_is_their_product():
    """h = ln a + ln b: raising one is raising the other; h = ln a − ln b: a quotient."""
    table = ParameterTable([Parameter(n, "1", 0.1, 10.0, 1.0, prior="log-uniform") for n in "abc"])
    for sign, group in ((1.0, ("a", "b")), (-1.0, ("a", "/b"))):
        posterior = Posterior(
            Prior(table),
            lambda theta, sign=sign: np.stack(
                [
                    np.log(theta[..., 0]) + sign * np.log(theta[..., 1]),
                    np.log(theta[..., 2]) * 0.1,
                ],
                axis=-1,
            ),
            GaussianLikelihood([0.0, 0.0], 0.1),
        )
        report = identify(posterior, at=Prior(table).sample(20, rng=4))
        found = report.together()
        assert len(found) == 1 and {n.strip("/") for n in found[0]} == {"a", "b"}
        assert any(n.startswith("/") for n in found[0]) == (sign < 0), (found, group)
        known, weights = report.directions(1)
        np.testing.assert_allclose(np.abs(weights[0]), [0.5**0.5, 0.5**0.5, 0.0], atol=1e-6)
        assert known[0] > 0.99


# --- CLM5 ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def columns():
    """150 synthetic sites of the twin world, six depths each, seen from a draw of the prior."""
    world = twin_world(150, rng=0)
    prior = Prior(clm5.PARAMETERS)
    depth = np.broadcast_to([0.05, 0.15, 0.3, 0.5, 0.8, 1.2], (150, 6))

    def report(error):
        data = ProfileObservations(depth, np.ones((150, 6)), error, clm5.LAYERS.node)
        posterior = Posterior(
            prior,
            observations=data,
            model_vjp=lambda theta: clm5.observed(theta, world.forcing.expand()),
        )
        return identify(posterior, at=prior.sample(4, rng=5, sites=(150,)))

    return report


@pytest.mark.parametrize(
    ("error", "known"), [(0.02, 3.5), (0.1, 2.4), (0.3, 1.7), (0.6, 1.3)]
)
def test_a_profile_knows_about_two_numbers_out_of_21(columns, error, known):
    """Within 10 % of what an independent, simpler column model on other synthetic sites had given.

    This one gives 3.2, 2.4, 1.8 and 1.4: no bedrock and other climates there explain the rest.
    """
    assert columns(error).dfs.mean() == pytest.approx(known, rel=0.1)


def test_wood_has_no_influence_and_passive_carbon_is_one_product(columns):
    report = columns(0.3)
    assert report.silent == ("tau_cwd",)
    at = report.names.index
    assert report.influence[at("tau_cwd")] < 1e-13 * report.influence.max()
    assert report.likeness[at("tau_s3"), at("fs1s3")] > 0.97
    assert report.likeness[at("tau_s3"), at("fs3s1")] > 0.99
    groups = [{name.strip("/") for name in group} for group in report.together()]
    assert any({"tau_s3", "fs1s3", "fs2s3", "fs3s1"} <= group for group in groups)
    # efolding is narrowed most, and nothing but a handful by more than a tenth.
    left = report.sd_left.mean((0, 1))
    assert left.argmin() == at("efolding") and (left < 0.9).sum() <= 5


def test_report_reads_as_text(columns):
    text = str(columns(0.6))
    assert "21 parameters, 6 data, mean of 600 places" in text
    assert "no influence        tau_cwd" in text
    assert max(map(len, text.splitlines())) <= 75
    assert "fs1s3" in text.split("hardly told apart")[1]


# --- information of any model --------------------------------------------------------------------


def test_information_gain_is_the_divergence_of_two_normals(linear_gaussian):
    """KL of the exact posterior from the prior, data set by data set; its mean is the bits."""
    _, data = linear_gaussian.simulate((100,), rng=6)
    posterior = linear_gaussian.posterior(data)
    gain = information_gain(posterior, sample(posterior, "importance", n_draws=20_000, rng=7))
    mean, cov = linear_gaussian.exact(data)
    shift = ((mean - linear_gaussian.prior.centre) ** 2).sum(-1)
    exact = 0.5 * (np.trace(cov) - 3 + shift - np.linalg.slogdet(cov)[1]) / np.log(2)
    np.testing.assert_allclose(gain, exact, atol=0.06)
    bits = identify(linear_gaussian.posterior(data[0]), at=posterior.prior.sample(1, rng=8)).bits
    assert gain.mean() == pytest.approx(float(bits[0]), abs=4 * gain.std() / np.sqrt(100))


def test_information_needs_an_evidence(linear_gaussian):
    posterior = linear_gaussian.posterior([0.1, 0.2])
    chains = sample(posterior, "metropolis", rng=1, n_chains=4, n_warmup=100, n_draws=20)
    with pytest.raises(InputError, match="Markov chains do not give"):
        information_gain(posterior, chains)


def test_marginal_bits():
    rng = np.random.default_rng(9)
    before = rng.standard_normal((40_000, 2))
    after = before * [0.25, 1.0]
    bits = marginal_bits(before, after, bins=100)
    exact = (np.log(4.0) - 0.5 + 0.5 / 16) / np.log(2)
    np.testing.assert_allclose(bits, [exact, 0.0], atol=0.03)
    # The unit, and the logarithm, do not matter.
    np.testing.assert_allclose(marginal_bits(np.exp(before), np.exp(after), bins=100), bits, rtol=1e-9)
    # A third of the range; the edge at 1/3 is itself known to a quarter of a bin only.
    assert marginal_bits(rng.random(40_000), rng.random(40_000) / 3, bins=60) == pytest.approx(
        np.log2(3), abs=0.06
    )


def test_marginal_bits_of_weighted_draws(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=10)
    posterior = linear_gaussian.posterior(data)
    ensemble = sample(posterior, "importance", n_draws=40_000, rng=11)
    prior = posterior.prior.sample(40_000, rng=12)
    weighted = marginal_bits(prior, ensemble)
    even = marginal_bits(prior, ensemble.resample(20_000, rng=13).draws)
    np.testing.assert_allclose(weighted, even, atol=0.03)
    assert weighted[2] < 0.02 < weighted[0]


# --- designs -------------------------------------------------------------------------------------


def test_greedy_beats_random_and_is_near_the_best():
    rng = np.random.default_rng(14)
    shares = []
    for _ in range(30):
        S = rng.standard_normal((9, 4)) * rng.gamma(1.0, 1.0, (9, 1))
        chosen = greedy_design(S, 3)
        best = max(design_bits(S, picks) for picks in combinations(range(9), 3))
        random = np.mean([design_bits(S, rng.choice(9, 3, replace=False)) for _ in range(40)])
        assert chosen.bits[-1] == pytest.approx(design_bits(S, chosen.order), rel=1e-10)
        assert random < chosen.bits[-1] <= best * (1 + 1e-12)
        shares.append(chosen.bits[-1] / best)
    assert min(shares) > 1 - 1 / np.e and np.mean(shares) > 0.97


def test_greedy_over_many_places_takes_the_mean():
    rng = np.random.default_rng(15)
    S = rng.standard_normal((6, 5, 3))
    first = greedy_design(S, 1)
    means = [design_bits(S, [k]) for k in range(5)]
    assert first.order[0] == int(np.argmax(means)) and first.bits[0] == pytest.approx(max(means))
    chosen = greedy_design(S, 4)
    assert (np.diff(np.append(0, chosen.bits), 2) <= 1e-12).all()  # each adds less than the last


def test_a_target_asks_for_other_measurements():
    """The strong signal is of something else; what is wanted is seen by the weak one."""
    S = np.array([[10.0, 0.0], [0.0, 1.0]])
    assert greedy_design(S, 1).order == (0,)
    wanted = greedy_design(S, 1, target=[0.0, 1.0])
    assert wanted.order == (1,) and wanted.bits[0] == pytest.approx(0.5)  # variance halved
    # Bits about a target: from its variance before and after, whatever the design.
    rng = np.random.default_rng(16)
    S, c = rng.standard_normal((6, 4)), rng.standard_normal(4)
    chosen = greedy_design(S, 3, target=c)
    rows = S[list(chosen.order)]
    after = c @ np.linalg.inv(np.eye(4) + rows.T @ rows) @ c
    assert chosen.bits[-1] == pytest.approx(-0.5 * np.log2(after / (c @ c)), rel=1e-10)


def test_a_measurement_may_be_repeated():
    S = np.array([[3.0, 0.0], [0.0, 0.1]])
    assert greedy_design(S, 3, repeat=True).order == (0, 0, 0)
    assert set(greedy_design(S, 2).order) == {0, 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: greedy_design(np.ones((3, 2)), 4), "at most 3, but 4 was given"),
        (lambda: greedy_design(np.ones((3, 2)), 0), "at most 3, but 0"),
        (lambda: greedy_design(np.ones((3, 2)), 1, target=[0.0, 0.0]), "target is zero"),
        (lambda: greedy_design(np.ones((3, 2)), 1, target=[1.0]), "target must end in axes"),
        (lambda: greedy_design([[np.nan]], 1), "S holds 1 value"),
        (lambda: marginal_bits(np.zeros(100), np.zeros(100)), "100 draws are too few for 50 bins"),
        (lambda: marginal_bits(np.zeros((900, 2)), np.zeros((900, 3))), "draws of the same numbers"),
    ],
)
def test_bad_designs_and_draws(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_bad_identify(linear_gaussian):
    posterior = linear_gaussian.posterior([0.1, 0.2])
    with pytest.raises(InputError, match="'a' must lie strictly between 0 and 1"):
        identify(posterior, at=[1.0, 5.0, 0.0])
    bare = Posterior(posterior.prior, likelihood=lambda theta: theta[..., 0])
    with pytest.raises(InputError, match="has only a likelihood"):
        identify(bare, at=[0.5, 5.0, 0.0])
