"""Screening against functions whose indices are known."""

import numpy as np
import pytest

from landcarbon.assimilation import Prior
from landcarbon.assimilation.sensitivity import morris, sobol
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable
from landcarbon.models.pools import three_pool

ANGLES = Prior(ParameterTable([Parameter(n, "1", -np.pi, np.pi, 0.1) for n in ("x1", "x2", "x3")]))


def ishigami(x):
    """Ishigami & Homma (1990) with a = 7, b = 0.1."""
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_exact(a=7.0, b=0.1):
    V1 = 0.5 * (1 + b * np.pi**4 / 5) ** 2
    V2 = a**2 / 8
    V13 = b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    V = V1 + V2 + V13
    return np.array([V1, V2, 0]) / V, np.array([V1 + V13, V2, V13]) / V


def test_sobol_of_ishigami():
    shares = sobol(ANGLES, ishigami, n_base=4096, seed=1)
    S1, ST = ishigami_exact()
    np.testing.assert_allclose(shares["S1"], S1, atol=0.02)
    np.testing.assert_allclose(shares["ST"], ST, atol=0.02)
    assert shares["S1"].sum() <= 1.02 and shares["ST"].sum() >= 0.98
    assert (np.abs(shares["ST"] - ST) < 2 * shares["ST_conf"] + 1e-3).all()
    assert list(shares.parameter.values) == ["x1", "x2", "x3"] and shares.attrs["runs"] == 5 * 4096


def test_morris_of_ishigami_sees_the_interaction():
    effects = morris(ANGLES, ishigami, n_trajectories=500, seed=2)
    # x3 has no effect on average, but sigma tells that it acts with others.
    assert abs(effects["mu"].sel(parameter="x3")) < 0.2 * effects["mu_star"].sel(parameter="x3")
    assert effects["sigma"].sel(parameter="x3") > effects["mu_star"].sel(parameter="x3")


def test_morris_of_a_plane_is_exact_in_any_prior():
    """Steps are taken in the unit cube of the prior: a logarithm is straight if the prior is."""
    table = ParameterTable(
        [Parameter("a", "1", 2.0, 6.0, 3.0), Parameter("k", "1", 0.01, 1.0, 0.1, prior="log-uniform"),
         Parameter("idle", "1", 0.0, 1.0, 0.5)]
    )  # fmt: skip
    effects = morris(Prior(table), lambda x: 3 * x[:, 0] - np.log(x[:, 1]), seed=3)
    np.testing.assert_allclose(effects["mu"], [12.0, -np.log(100.0), 0.0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(effects["sigma"], 0.0, atol=1e-6)


def test_outputs_side_by_side():
    def model(x):
        return np.stack([ishigami(x), x[:, 0]], axis=-1)

    shares = sobol(ANGLES, model, n_base=512, seed=4)
    assert shares["S1"].dims == ("output", "parameter") and shares["S1"].shape == (2, 3)
    alone = sobol(ANGLES, ishigami, n_base=512, seed=4)
    np.testing.assert_allclose(shares["S1"][0], alone["S1"], rtol=1e-12)
    np.testing.assert_allclose(shares["ST"][1], [1, 0, 0], atol=0.02)


def test_soil_carbon_does_not_depend_on_what_only_vegetation_knows():
    names = ("k_vegetation", "k_soil", "litter_to_soil")
    prior = Prior(
        ParameterTable(
            [
                Parameter(names[0], "1/yr", 0.05, 0.3, 0.13),
                Parameter(names[1], "1/yr", 0.004, 0.02, 0.009),
                Parameter(names[2], "1", 0.2, 0.4, 0.3),
            ]
        )
    )

    def soil(x):
        return three_pool(x[:, 0], k_soil=x[:, 1], litter_to_soil=x[:, 2]).steady_state(60.0)[:, 2]

    shares = sobol(prior, soil, n_base=1024, seed=5)
    assert shares["ST"].sel(parameter="k_vegetation") == pytest.approx(0.0, abs=1e-12)
    assert shares["S1"].sel(parameter="k_soil") > shares["S1"].sel(parameter="litter_to_soil")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: morris(ANGLES, ishigami, n_trajectories=1, seed=1), "trajectories must be a whole"),
        (lambda: sobol(ANGLES, ishigami, n_base=1000, seed=1), "power of 2"),
        (lambda: sobol(ANGLES, lambda x: np.ones(len(x)), n_base=8, seed=1), "output 0 is 1 whatever"),
        (lambda: sobol(ANGLES, lambda x: x[0, 0], n_base=8, seed=1), "one row a run is expected"),
        (lambda: morris(ANGLES, lambda x: np.log(x[:, 0]), seed=1), "is not finite, where x1=-"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in log")
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
