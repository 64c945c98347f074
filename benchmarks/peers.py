"""Samplers and filters beside their peers, on posteriors and chaotic models that others publish.

    python course.py bench peers                      # what of emcee and NumPyro is installed comes along

Posteriors of posteriordb (https://github.com/stan-dev/posteriordb), with the data and, for arK and garch,
the means and sds of a million draws in https://github.com/stan-dev/stat_comp_benchmarks (BSD-3-Clause);
those of eight schools are integrated here, those of the funnel are known. All but NUTS walk on
`Posterior.log_density_real`; NUTS has models of its own, as its users write them.

The error of a run is that of its means, in posterior standard deviations. `true ESS` is what it is worth: the number
of independent draws that would be as far off, p * runs / sum of squared errors; `told` is the smallest bulk
ESS that the run itself tells, of its worst parameter. Times are those of the processor, one thread, compilation
included.

The filters have the settings of Sakov et al. (2012) and of Sakov and Oke (2008); members, inflations and the
RMSE beside which ours stands are those listed for them at https://github.com/nansencenter/DAPPER. 1000 data
times, the first ones left out.

An argument is the number of runs, and `--keep` writes both tables for the appendix:
`python benchmarks/peers.py 4 --keep`.
"""

from __future__ import annotations

import csv
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from _timing import heading, table  # first: it holds BLAS to one thread

import arviz as az
import numpy as np
from scipy import stats

from landcarbon.assimilation import (
    ConvergenceWarning,
    GaussianLikelihood,
    Normal,
    Posterior,
    StatedPrior,
    StateObservations,
    dirichlet,
    enkf,
    normal,
    particle_filter,
    sample,
    uniform,
)
from landcarbon.assimilation.smc import prior_population
from landcarbon.assimilation.streams import streams

SERIES = np.genfromtxt(Path(__file__).with_name("posteriordb.csv"), delimiter=",", names=True)
EFFECT = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
ERROR = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Case:
    """A posterior, its means and sds by parameter, and the same model for NumPyro."""

    posterior: Posterior
    mean: np.ndarray
    sd: np.ndarray
    numpyro: Callable[[Any, Any, Any], Any]


def eight_schools() -> Case:
    """Effects of coaching in eight schools (Rubin 1981), non-centred: 10 parameters."""
    prior = StatedPrior(
        {"mu": normal(0, 5), "tau": stats.halfcauchy(scale=5)} | {f"z_{j}": normal(0, 1) for j in range(8)}
    )
    posterior = Posterior(
        prior, lambda theta: theta[..., :1] + theta[..., 1:2] * theta[..., 2:], GaussianLikelihood(EFFECT, ERROR)
    )
    # Given tau all is normal: y_j ~ Normal(mu, tau^2 + sd_j^2), mu ~ Normal(0, 25).
    tau = np.exp(np.linspace(np.log(1e-4), np.log(1e4), 20_001))[:, None]
    w = 1.0 / (tau**2 + ERROR**2)
    precision = w.sum(-1) + 1 / 25
    mu, mu_var = (w * EFFECT).sum(-1) / precision, 1.0 / precision
    like = 0.5 * (np.log(w).sum(-1) - (w * EFFECT**2).sum(-1) + mu**2 * precision - np.log(precision))
    t = tau[:, 0]
    p = np.exp(like - like.max()) * t / (1 + (t / 5) ** 2)
    p /= p.sum()
    pull = tau * w  # E[z_j | mu, tau] = pull_j (y_j - mu)
    z, z_var = pull * (EFFECT - mu[:, None]), 1 - tau**2 * w + pull**2 * mu_var[:, None]
    first = np.column_stack([mu, t, z])
    second = np.column_stack([mu**2 + mu_var, t**2, z**2 + z_var])
    mean = p @ first

    def model(pyro: Any, dist: Any, jnp: Any) -> None:
        mu, tau = pyro.sample("mu", dist.Normal(0, 5)), pyro.sample("tau", dist.HalfCauchy(5))
        with pyro.plate("school", 8):
            z = pyro.sample("z", dist.Normal(0, 1))
            pyro.sample("y", dist.Normal(mu + tau * z, ERROR), obs=EFFECT)

    return Case(posterior, mean, np.sqrt(p @ second - mean**2), model)


def ark() -> Case:
    """An autoregression of order five: 7 parameters."""
    y, K = SERIES["arK"], 5
    prior = StatedPrior({f"b_{k}": normal(0, 10) for k in range(K + 1)} | {"sigma": stats.halfcauchy(scale=2.5)})
    past = np.column_stack([np.ones(len(y) - K), *(y[K - k : len(y) - k] for k in range(1, K + 1))])

    def log_likelihood(theta: np.ndarray) -> np.ndarray:
        sigma = theta[..., -1]
        r = y[K:] - theta[..., :-1] @ past.T
        return -0.5 * (r**2).sum(-1) / sigma**2 - (len(y) - K) * (np.log(sigma) + HALF_LOG_2PI)

    def model(pyro: Any, dist: Any, jnp: Any) -> None:
        b = pyro.sample("b", dist.Normal(0, 10).expand([K + 1]).to_event(1))
        pyro.sample("y", dist.Normal(past @ b, pyro.sample("sigma", dist.HalfCauchy(2.5))), obs=y[K:])

    mean = [-8.0385e-04, 6.9162e-01, 4.4017e-01, 1.0501e-01, -3.5651e-02, -3.0124e-01, 1.5046e-01]
    sd = [1.0804e-02, 7.0665e-02, 8.6986e-02, 9.2030e-02, 8.6731e-02, 7.0036e-02, 7.8006e-03]
    return Case(Posterior(prior, likelihood=log_likelihood), np.array(mean), np.array(sd), model)


def garch() -> Case:
    """GARCH(1, 1), flat priors: 4 parameters, and a ridge that runs into an edge."""
    y = SERIES["garch"]
    prior = StatedPrior(
        {"mu": uniform(-20, 30), "alpha_0": uniform(0, 40), ("alpha_1", "beta_1"): dirichlet(1, 1, 1)}
    )

    def log_likelihood(theta: np.ndarray) -> np.ndarray:
        mu, a0, a1, b1 = np.moveaxis(theta, -1, 0)
        r2 = (y - mu[..., None]) ** 2
        var = np.full(r2.shape, 0.25)
        for t in range(1, len(y)):
            var[..., t] = a0 + a1 * r2[..., t - 1] + b1 * var[..., t - 1]
        return -0.5 * (r2 / var + np.log(var)).sum(-1) - len(y) * HALF_LOG_2PI

    def model(pyro: Any, dist: Any, jnp: Any) -> None:
        import jax

        mu, a0 = pyro.sample("mu", dist.Uniform(-20, 30)), pyro.sample("alpha_0", dist.Uniform(0, 40))
        share = pyro.sample("share", dist.Dirichlet(jnp.ones(3)))

        def step(var: Any, r2: Any) -> Any:
            return a0 + share[0] * r2 + share[1] * var, var

        var = jax.lax.scan(step, 0.25 + 0 * mu, (jnp.asarray(y) - mu) ** 2)[1]
        pyro.sample("y", dist.Normal(mu, jnp.sqrt(var)), obs=y)

    mean, sd = [5.0507, 1.4694, 0.56875, 0.29155], [0.12300, 0.56721, 0.12566, 0.12262]
    return Case(Posterior(prior, likelihood=log_likelihood), np.array(mean), np.array(sd), model)


def funnel() -> Case:
    """Neal's funnel: v ~ Normal(0, 3), nine x ~ Normal(0, e^(v/2)); v is judged."""
    prior = StatedPrior({"v": normal(0, 3)} | {f"x_{j}": normal(0, 10) for j in range(9)})

    def log_likelihood(theta: np.ndarray) -> np.ndarray:
        v, x2 = theta[..., 0], (theta[..., 1:] ** 2).sum(-1)
        return -0.5 * x2 * np.exp(-v) - 4.5 * v + 0.5 * x2 / 100 + 9 * np.log(10)

    def model(pyro: Any, dist: Any, jnp: Any) -> None:
        v = pyro.sample("v", dist.Normal(0, 3))
        with pyro.plate("j", 9):
            pyro.sample("x", dist.Normal(0, jnp.exp(v / 2)))

    return Case(Posterior(prior, likelihood=log_likelihood), np.zeros(1), np.array([3.0]), model)


def ours(method: str, **options: Any) -> Callable[[Case, int], tuple[np.ndarray, str]]:
    """One of our samplers: draws (chain, draw, p), and what it warns of."""

    def run(case: Case, seed: int) -> tuple[np.ndarray, str]:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            found = sample(case.posterior, method, rng=seed, **options)
        draws = found.draws if found.draws.ndim == 3 else found.draws[None]
        return draws, "warns" if told else "nothing"

    return run


def with_emcee(case: Case, seed: int) -> tuple[np.ndarray, str]:
    """64 walkers from the same tempered start, 1000 steps, the second half kept."""
    import emcee

    posterior = case.posterior
    start = prior_population(posterior, streams(seed), 64, "tempered")
    walk = emcee.EnsembleSampler(64, start.shape[-1], posterior.log_density_real, vectorize=True)
    walk.random_state = np.random.RandomState(seed).get_state()
    walk.run_mcmc(start + 1e-6 * np.random.default_rng(seed).standard_normal(start.shape), 1000)
    z = np.swapaxes(walk.get_chain(discard=500), 0, 1)
    return posterior.prior.from_real(z), "nothing"


def with_nuts(case: Case, seed: int) -> tuple[np.ndarray, str]:
    """NumPyro's defaults: 4 chains, 1000 steps of warm-up and 1000 draws."""
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    jax.config.update("jax_enable_x64", True)
    kernel = NUTS(lambda: case.numpyro(numpyro, dist, jnp))
    walk = MCMC(kernel, num_warmup=1000, num_samples=1000, num_chains=4, chain_method="sequential", progress_bar=False)
    walk.run(jax.random.PRNGKey(seed))
    found = {k: np.asarray(v) for k, v in walk.get_samples(group_by_chain=True).items()}
    if "share" in found:
        found["share"] = found["share"][..., :2]
    order = [n for n in ("mu", "tau", "z", "b", "sigma", "alpha_0", "share", "v", "x") if n in found]
    draws = np.concatenate([np.atleast_3d(found[n]) for n in order], axis=-1)
    diverged = int(np.asarray(walk.get_extra_fields()["diverging"]).sum())
    return draws, "diverges" if diverged else "nothing"


def contenders() -> dict[str, Callable[[Case, int], tuple[np.ndarray, str]]]:
    """By name; peers that are not installed are left out."""
    from importlib.util import find_spec

    out = {
        "SMC (default)": ours("smc"),
        "HMC, numerical gradient": ours("hmc", gradient="numerical"),
        "Metropolis": ours("metropolis"),
        "differential evolution": ours("differential-evolution"),
    }
    if find_spec("emcee"):
        out["emcee"] = with_emcee
    if find_spec("numpyro"):
        out["NUTS (NumPyro)"] = with_nuts
    return out


def row(name: str, run: Callable[[Case, int], tuple[np.ndarray, str]], case: Case, runs: int) -> tuple[Any, ...]:
    """One line of the table."""
    begin, p = process_time(), len(case.mean)
    means, spread, told, said, low = [], [], [], [], []
    for seed in range(1, runs + 1):
        x, word = run(case, seed)
        x = x[..., :p]
        means.append((x.mean((0, 1)) - case.mean) / case.sd)
        spread.append(x.std((0, 1)) / case.sd)
        low.append((x[..., 0] < case.mean[0] - 1.645 * case.sd[0]).mean())
        said.append(word)
        if len(x) > 1:
            told.append(min(float(az.ess(x[..., k])) for k in range(p)))
    off, wide = np.array(means), np.mean(spread, axis=0)
    worst = wide[np.abs(np.log(wide)).argmax()]
    return (name, (process_time() - begin) / runs, np.sqrt((off**2).mean()), np.abs(off.mean(0)).max(), worst,
            f"{100 * np.mean(low):.1f}", f"{np.mean(told):.0f}" if told else "", f"{1.0 / (off**2).mean():.0f}",
            max(set(said), key=said.count))


def keep(name: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """A table as CSV, for the page of the appendix, if that is asked for."""
    if "--keep" not in sys.argv:
        return
    text = [[v if isinstance(v, str) else f"{v:.3g}" for v in row] for row in rows]
    path = Path(__file__).parents[1] / f"book/appendix/peers_{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *text])


def samplers(runs: int) -> None:
    """A table a posterior."""
    kept = []
    columns = ("sampler", "CPU s", "error/sd", "bias/sd", "sd ratio", "below 5 % [%]", "told ESS", "true ESS", "says")
    for make in (eight_schools, ark, garch, funnel):
        heading(f"{make.__name__}: {make.__doc__}", f"{runs} runs")
        case = make()
        rows = [row(name, run, case, runs) for name, run in contenders().items()]
        table(columns, rows)
        kept += [(make.__name__, *one) for one in rows]
    keep("samplers", ("posterior", *columns), kept)


def runge_kutta(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float) -> np.ndarray:
    """One step of the classical scheme."""
    a = f(x)
    b = f(x + h / 2 * a)
    c = f(x + h / 2 * b)
    return x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))


def lorenz63(X: np.ndarray, k: int) -> np.ndarray:
    """A quarter of a time unit."""
    for _ in range(25):
        X = runge_kutta(lambda x: np.stack([
            10.0 * (x[..., 1] - x[..., 0]),
            x[..., 0] * (28.0 - x[..., 2]) - x[..., 1],
            x[..., 0] * x[..., 1] - 8.0 / 3.0 * x[..., 2]], axis=-1), X, 0.01)  # fmt: skip
    return X


def lorenz96(X: np.ndarray, k: int) -> np.ndarray:
    """0.05 time units of a ring of forty."""
    return runge_kutta(lambda x: (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1) - x + 8.0, X, 0.05)


def twin(step: Any, first: np.ndarray, spread: float, error: float, dt: float, seed: int) -> tuple[Any, ...]:
    """A truth of 1000 steps, all of it measured after each, and what is believed of its start."""
    rng, m = np.random.default_rng(seed), first.size
    path = [first + spread * rng.standard_normal(m)]
    for k in range(1000):
        path.append(step(path[-1], k))
    truth, t = np.stack(path), dt * np.arange(1001)
    seen = truth[1:] + error * rng.standard_normal((1000, m))
    data = StateObservations(seen.ravel(), error, t, end=np.repeat(t[1:], m), H=np.tile(np.eye(m), (1000, 1)))
    return truth, data, Normal(first, sd=np.full(m, spread))


def filters(runs: int) -> None:
    """RMSE of the analysis beside the published one."""
    heading("Lorenz-63 and Lorenz-96, settings as published", f"{runs} runs")
    l63 = (lorenz63, np.array([1.509, -1.531, 25.46]), np.sqrt(2.0), np.sqrt(2.0), 0.25)
    l96 = (lorenz96, np.eye(40)[0], np.sqrt(0.001), 1.0, 0.05)
    square = {"method": "square-root"}
    cases = [
        ("Lorenz-63, EnKF, stochastic, inflation 1.04", l63, enkf, 10, {"inflation": (1.0, 1.04)}, 64, 0.65),
        ("Lorenz-63, EnKF, stochastic, inflation 1.01", l63, enkf, 100, {"inflation": (1.0, 1.01)}, 64, 0.56),
        ("Lorenz-63, EnKF, square root, inflation 1.30", l63, enkf, 3, square | {"inflation": (1.0, 1.3)}, 64, 0.80),
        ("Lorenz-63, particles, jitter", l63, particle_filter, 800, {"jitter": 0.35, "ess": 0.2}, 64, 0.28),
        ("Lorenz-63, particles, jitter", l63, particle_filter, 4000, {"jitter": 0.2, "ess": 0.05}, 64, 0.27),
        ("Lorenz-96, EnKF, stochastic, inflation 1.06", l96, enkf, 40, {"inflation": (1.0, 1.06)}, 400, 0.22),
        ("Lorenz-96, EnKF, stochastic, inflation 1.08", l96, enkf, 28, {"inflation": (1.0, 1.08)}, 400, 0.24),
    ]  # fmt: skip
    rows = []
    for name, model, method, members, options, burn, published in cases:
        found, begin = [], process_time()
        for seed in range(1, runs + 1):
            truth, data, start = twin(*model, seed)
            done = method(model[0], start.sample(members, rng=seed), data, rng=seed + 100, **options)
            found.append(np.sqrt(((done.mean() - truth)[burn:] ** 2).mean(-1)).mean())
        seconds = (process_time() - begin) / runs
        rows.append((name, f"{members}", np.mean(found), np.std(found), published, seconds))
    columns = ("filter", "members", "RMSE", "sd of runs", "published", "CPU s")
    table(columns, rows)
    keep("filters", columns, rows)


if __name__ == "__main__":
    n = next((int(word) for word in sys.argv[1:] if word.isdigit()), 4)
    filters(n)
    samplers(n)
