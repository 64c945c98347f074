"""Samplers side by side at one soil column with 21 parameters: the worst parameter counts.

    python course.py bench mcmc

The site is `problems.soil_column()`: six depths with an error of 30 %, synthetic. Bias and spread are
measured against importance sampling from the prior, which is exact here. A gradient counts as three
model runs, about what it costs. For SMC and importance sampling, whose draws are not a chain, the
effective size is that of the mean: variance of the posterior over variance of the mean between runs,
averaged over parameters. Times are those of the processor, one thread.

An argument shortens all runs: `python benchmarks/mcmc.py 0.3`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from time import process_time

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np

from landcarbon.assimilation import Draws, Posterior, problems, sample

warnings.filterwarnings("ignore", "More chains")
COLUMNS = ("sampler", "runs/1000", "CPU s", "min ESS", "ESS/s", "ESS/1000 runs", "R-hat", "bias/sd",
           "sd ratio")


class Counter:
    """Counts the columns that the model is asked for."""

    def __init__(self, posterior: Posterior) -> None:
        self.runs = 0
        model, vjp = posterior.model, posterior.model_vjp

        def counted(theta: np.ndarray) -> np.ndarray:
            self.runs += theta[..., 0].size
            return model(theta)

        def counted_vjp(theta: np.ndarray) -> tuple:
            self.runs += 3 * theta[..., 0].size
            return vjp(theta)

        self.posterior = replace(posterior, model=counted, model_vjp=counted_vjp)


def published(
    posterior: Posterior, rng: np.random.Generator, n_uniform: int, n_adaptive: int, annealed: bool
) -> Draws:
    """The published scheme, shortened: three chains from prior draws, in the unit cube.

    Uniform steps whose length follows the acceptance; then normal steps with (2.4 / 21) times the
    covariance of what was accepted, refreshed every hundred steps; proposals drawn again until they
    are inside. `annealed` with its acceptance exp(-dJ ln(t + 2)), keeping accepted states only;
    otherwise with the right acceptance and repeats. The second half is kept.
    """
    prior, n_chains, p = posterior.prior, 3, len(posterior.prior)
    u = prior.to_unit(prior.sample(n_chains, rng))
    lp = posterior.log_likelihood(prior.from_unit(u))
    scale, factor, accepted, states = 0.1, np.eye(p), [], []
    for t in range(n_uniform + n_adaptive):
        if t >= n_uniform and (t - n_uniform) % 100 == 0:
            past = np.concatenate(states)[np.concatenate(accepted)]
            cov = np.cov(past.T) if len(past) > 2 * p else scale**2 / 3 * np.eye(p)
            factor = np.linalg.cholesky(2.4 / 21 * cov + 1e-10 * np.eye(p))
        new = u.copy()
        todo = np.ones(n_chains, dtype=bool)
        while todo.any():
            if t < n_uniform:
                step = scale * rng.uniform(-1, 1, (todo.sum(), p))
            else:
                step = rng.standard_normal((todo.sum(), p)) @ factor.T
            new[todo] = u[todo] + step
            todo = ((new <= 0) | (new >= 1)).any(-1)
        lp_new = posterior.log_likelihood(prior.from_unit(new))
        power = np.log(t + 2.0) if annealed else 1.0
        accept = np.log(rng.random(n_chains)) < power * (lp_new - lp)
        u, lp = np.where(accept[:, None], new, u), np.where(accept, lp_new, lp)
        accepted.append(accept)
        states.append(u)
        if t < n_uniform and t % 50 == 49:
            rate = np.mean(accepted[-50:])
            scale = min(0.3, scale * (0.7 if rate < 0.1 else 1.4 if rate > 0.5 else 1.0))
    chain, moved = np.array(states).swapaxes(0, 1), np.array(accepted).T
    half = chain.shape[1] // 2
    chain, moved = chain[:, half:], moved[:, half:]
    if annealed:
        n = moved.sum(1).min()
        chain = np.stack([c[m][-n:] for c, m in zip(chain, moved)])
    return Draws(posterior.names, prior.from_unit(chain), np.zeros(chain.shape[:2]), moved.mean(1))


def emcee_walk(posterior: Posterior, rng: np.random.Generator, n_draws: int) -> Draws | None:
    """emcee's stretch moves, 64 walkers evaluated together; None where it is not installed."""
    try:
        import emcee
    except ImportError:
        return None
    prior = posterior.prior
    start = prior.to_real(prior.sample(64, rng))
    walk = emcee.EnsembleSampler(64, len(prior), posterior.log_density_real, vectorize=True)
    walk.random_state = np.random.RandomState(int(rng.integers(2**31))).get_state()
    walk.run_mcmc(start, 2 * n_draws)
    z = walk.get_chain(discard=n_draws).swapaxes(0, 1)
    return Draws(posterior.names, prior.from_real(z), np.zeros(z.shape[:2]), walk.acceptance_fraction)


def against(
    posterior: Posterior, exact: tuple[np.ndarray, np.ndarray], draws: np.ndarray
) -> tuple[float, str]:
    """Largest bias, in posterior sd, and range of the ratio of sds."""
    u = posterior.prior.to_unit(draws.reshape(-1, len(posterior.prior)))
    ratio = u.std(0) / exact[1]
    return np.abs((u.mean(0) - exact[0]) / exact[1]).max(), f"{ratio.min():.2f}-{ratio.max():.2f}"


def main(share: float = 1.0) -> None:
    """All rows; `share` shortens every run."""
    heading("Samplers at a CLM5 soil column, 21 parameters, 6 depths, error 30 %")
    posterior = problems.soil_column()
    begin = process_time()
    reference = sample(posterior, "importance", rng=1, n_draws=int(400_000 * share), chunk=2000)
    spent = process_time() - begin
    u, w = posterior.prior.to_unit(reference.draws), reference.weight
    mean = w @ u
    exact = mean, np.sqrt(w @ (u - mean) ** 2)

    def n(count: int) -> int:
        return max(100, int(count * share))

    chains: dict[str, Callable[[Posterior, np.random.Generator], Draws | None]] = {
        "published scheme": lambda p, rng: published(p, rng, n(1000), n(4000), True),
        "  with right acceptance": lambda p, rng: published(p, rng, n(1000), n(4000), False),
        "emcee, 64 walkers": lambda p, rng: emcee_walk(p, rng, n(700)),
        "adaptive Metropolis, 64": lambda p, rng: sample(
            p, "metropolis", rng, n_chains=64, n_warmup=n(500), n_draws=n(2000)),
        "differential evolution, 64": lambda p, rng: sample(
            p, "differential-evolution", rng, n_chains=64, n_warmup=n(500), n_draws=n(2000)),
        "HMC by the adjoint, 64": lambda p, rng: sample(
            p, "hmc", rng, n_chains=64, n_warmup=n(150), n_draws=n(800)),
    }  # fmt: skip
    rows = []
    for name, run in chains.items():
        count = Counter(posterior)
        begin = process_time()
        result = run(count.posterior, np.random.default_rng(2))
        seconds = process_time() - begin
        if result is None:
            print(f"{name.strip()}: not installed")
            continue
        ess = float(result.ess().min())
        bias, ratio = against(posterior, exact, result.draws)
        rows.append((name, count.runs / 1e3, seconds, ess, ess / seconds, 1e3 * ess / count.runs,
                     f"{result.rhat().max():.3f}", bias, ratio))

    repeats = 6
    count = Counter(posterior)
    begin = process_time()
    runs = [sample(count.posterior, "smc", rng=k, n_draws=n(2000)) for k in range(repeats)]
    seconds = (process_time() - begin) / repeats
    means = np.stack([posterior.prior.to_unit(r.draws).mean(0) for r in runs])
    ess = 1.0 / np.mean(((means - exact[0]) / exact[1]) ** 2)
    bias, ratio = against(posterior, exact, runs[0].draws)
    rows.append((f"tempered SMC, {n(2000)}", count.runs / repeats / 1e3, seconds, ess, ess / seconds,
                 1e3 * ess * repeats / count.runs, "-", bias, ratio))
    size = reference.draws.shape[0]
    rows.append(("importance, from the prior", size / 1e3, spent, float(reference.ess),
                 float(reference.ess) / spent, 1e3 * float(reference.ess) / size, "-", 0.0, "1.00-1.00"))
    table(COLUMNS, rows)
    slow, good = rows[0], max((r for r in rows if r[6] not in ("-",) and float(r[6]) < 1.01),
                              key=lambda r: r[4], default=None)
    if good is not None:
        print(f"\n{good[0].strip()}: R-hat {good[6]}, {good[4] / slow[4]:.0f} times the ESS per second of the "
              f"published scheme, {good[5] / slow[5]:.1f} times its ESS per model run")
    evidence = np.array([float(r.log_evidence) for r in runs])
    print(f"ln Z: importance {float(reference.log_evidence):.3f} ± {float(reference.log_evidence_error):.3f}, "
          f"SMC {evidence.mean():.3f}, between runs ± {evidence.std(ddof=1):.3f}")
    informative(share)


def informative(share: float) -> None:
    """The same column, so well known that chains hardly move: fifteen depths, error 5 %."""
    posterior = problems.soil_column(error=0.05, depth=np.linspace(0.03, 2.5, 15))
    print("\nFifteen depths, error 5 %: bias and sd ratio against four SMC runs of 1500 particles together\n")
    begin = process_time()
    runs = [sample(posterior, "smc", rng=k, n_draws=max(100, int(1500 * share))) for k in range(4)]
    seconds = (process_time() - begin) / 4
    u = np.stack([posterior.prior.to_unit(r.draws) for r in runs])
    exact = u.mean((0, 1)), u.std((0, 1))
    apart = np.sqrt((((u.mean(1) - exact[0]) / exact[1]) ** 2).sum(0) / 3).max()
    rows = [("tempered SMC, 1500", seconds, "-", 0.0, *against(posterior, exact, runs[0].draws))]
    for method, options in (
        ("hmc", {"n_warmup": 150, "n_draws": 200}),
        ("metropolis", {"n_warmup": 500, "n_draws": 2000}),
    ):
        begin = process_time()
        options = {k: max(100, int(n * share)) for k, n in options.items()}
        walk = sample(posterior, method, rng=5, n_chains=64, **options)
        spent = process_time() - begin
        rows.append((f"{method}, 64", spent, f"{walk.rhat().max():.2f}", float(walk.ess().min()),
                     *against(posterior, exact, walk.draws)))
    table(("sampler", "CPU s", "R-hat", "min ESS", "bias/sd", "sd ratio"), rows)
    evidence = np.array([float(r.log_evidence) for r in runs])
    print(f"\nSMC between runs: means ± {apart:.2f} sd, ln Z {evidence.mean():.2f} ± {evidence.std(ddof=1):.2f}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
