"""Evaluation: held-out skill of PRODA and its rivals, all on the same folds.

===========  =====================================  =================  ============
symbol       meaning                                shape              code name
===========  =====================================  =================  ============
observed     ln carbon of the profiles              (site, obs)        observed
predicted    the same by one who has not seen       (approach, site,   predicted
             the site                               obs)
R²           of all values together                 (approach,)        r2
===========  =====================================  =================  ============

Sources: Tao et al. 2020, Front. Big Data 3:17, doi:10.3389/fdata.2020.00017 (the rivals); intervals and
folds: `landcarbon.learning.skill`, `landcarbon.learning.folds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.learning import proda
from landcarbon.learning.folds import Folds
from landcarbon.learning.rivals import RIVALS, chosen
from landcarbon.learning.skill import Difference, bootstrap_score, scores
from landcarbon.learning.task import Task, pieces
from landcarbon.learning.validation import Held, Prediction, Rival, generator, held_out
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_rng, as_whole

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Evaluation", "evaluate"]

Array = NDArray[np.float64]

LEVEL = 0.9  # of the intervals whose coverage is counted


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Held-out skill of PRODA and its rivals.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a method: `r2` with its interval, `rmse`, `bias` (all on ln carbon), `coverage` of
        the 90 % predictive interval (methods that have one), `seconds`.
    predictions : xarray.Dataset
        `observed` (site, obs) and `predicted` (approach, site, obs), ln gC m-3; NaN where nothing
        was measured. `fold` and `block` of each site.
    networks : mapping of str to tuple
        Of methods that have one, `Network` or `Hybrid`: that of each fold.
    z : mapping of str to ndarray, (site, p)
        Of methods with a process model, held-out parameters in unbounded coordinates.
    """

    table: pd.DataFrame
    predictions: xr.Dataset
    networks: Mapping[str, tuple[Any, ...]] = field(repr=False, default_factory=dict)
    z: Mapping[str, Array] = field(repr=False, default_factory=dict)

    def gap(self, method: str, rival: str, *, n_draws: int = 2000, rng: Rng = 0) -> Difference:
        """R² of a method minus R² of a rival, with a paired block-bootstrap interval."""
        lacking = [n for n in ("observed", "predicted", "block") if n not in self.predictions.variables]
        if lacking:
            raise InputError(
                f"{lacking[0]!r} is missing: a gap needs the predictions, which a summary does not hold."
            )
        known = list(self.predictions["approach"].values)
        for name in (method, rival):
            if name not in known:
                raise InputError(f"{name!r} was not evaluated; there are {', '.join(known)}.")
        seen = np.isfinite(self.predictions["observed"].values)
        block = np.broadcast_to(self.predictions["block"].values[:, None], seen.shape)[seen]
        at = {name: self.predictions["predicted"].sel(approach=name).values[seen] for name in known}
        return bootstrap_score(
            self.predictions["observed"].values[seen],
            at[method],
            block,
            rival=at[rival],
            n_draws=n_draws,
            rng=rng,
        )

    def to_dataset(self) -> xr.Dataset:
        """`predictions` with the columns of `table` along "approach": all that can be stored."""
        data = self.predictions.copy()
        units = {"rmse": "1", "bias": "1", "seconds": "s"}
        for name, column in self.table.items():
            values = column.to_numpy()
            values = values.astype("int8") if values.dtype == bool else values
            data[f"score_{name}"] = ("approach", values, {"units": units.get(str(name), "1")})
        return data

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Evaluation:
        """The inverse of :meth:`to_dataset`; networks and parameters are not stored.

        A summary without predictions will do for the table; `gap` then says what is missing.

        Raises
        ------
        InputError
            A dataset of another kind.
        """
        import pandas as pd

        need = ("approach", "score_r2", "score_held_out")
        lacking = [name for name in need if name not in getattr(data, "variables", ())]
        if lacking:
            raise InputError(f"{lacking[0]!r} is missing: give what Evaluation.to_dataset() has made.")
        names = [str(name) for name in data if str(name).startswith("score_")]
        columns = {name.removeprefix("score_"): data[name].values for name in names}
        table = pd.DataFrame(columns, index=pd.Index(data["approach"].values, name="approach"))
        table["held_out"] = table["held_out"].astype(bool)
        return cls(table, data.drop_vars(names))

    def __str__(self) -> str:
        shown = self.table.copy()
        shown["r2"] = [
            f"{r:.2f} [{a:.2f}, {b:.2f}]"
            for r, a, b in zip(shown["r2"], shown["lower"], shown["upper"])
        ]
        shown["coverage"] = [f"{c:.0%}" if c == c else "" for c in shown["coverage"]]
        shown["held_out"] = ["yes" if h else "no" for h in shown["held_out"]]
        attrs = self.predictions.attrs
        head = (
            f"ln carbon, {attrs['sites']} profiles, {attrs['values']} values, "
            f"{attrs['folds']} {attrs['kind']} folds, {attrs['blocks']} blocks"
        )
        body = shown.drop(columns=["lower", "upper"]).to_string(
            formatters={
                "rmse": "{:.2f}".format,
                "bias": "{:+.2f}".format,
                "seconds": "{:.1f}".format,
            }
        )
        return f"{head}\n{body}"


def evaluate(
    task: Task,
    folds: Folds,
    rivals: str | Rival | Iterable[str | Rival] = tuple(RIVALS),
    *,
    truth: ArrayLike | None = None,
    n_draws: int = 100,
    rng: Rng = 0,
    tell: Callable[[str, int], None] | None = None,
) -> Evaluation:
    """Cross-validated skill of PRODA and its rivals, all on the same folds.

    Every method predicts the data at sites it has not seen: ln carbon at the depths of profiles.

    Parameters
    ----------
    task : Task
        With covariates. Where it knows its sites (`task.knowing(sites)`), they are assimilated anew in
        each fold, without its test sites and in the same way; where a rival needs them and they are not
        known, they are assimilated first. Known sites also add the row "own_profile": the posterior at
        the very site, not held out, a bound for what the model can fit.
    folds : Folds
        From `landcarbon.learning.folds`, over the sites; its groups also guide early stopping.
    rivals : iterable of str or Rival
        Names in `landcarbon.learning.RIVALS`, or objects.
    truth : array_like, (site, p), optional
        True parameters of a twin world, physical units: adds the row "truth", the ceiling.
    n_draws : int
        Parameter draws a site for predictions.
    rng : Generator or int
        What a rival says depends on it, on the rival's name and on the fold, not on other rivals.
    tell : callable, optional
        `tell(method, fold)` when done.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Unknown method, folds over other sites, covariates missing at a site.
    """
    as_kind("task", task, Task)
    as_kind("folds", folds, Folds)
    rng = as_rng(rng)
    seed = int(rng.integers(2**63))
    asked = chosen(rivals)
    as_whole("n_draws", n_draws, 1)
    proda.logarithmic(task)
    _ = task.environment
    _fit_folds(folds, len(task))
    needs = any(getattr(rival, "needs_sites", False) for rival in asked.values())
    if task.known is None and needs:
        task = task.knowing(proda.assimilate(task, rng=rng))
    task = replace(task, groups=folds.group)

    def known(k: int, train: NDArray[np.int64]) -> Task:
        cut = task[train]
        if not needs:
            return cut
        return replace(cut, known=proda.again(task, train, k, rng=generator(seed, "sites", k)))

    found = {name: _Row(task) for name in asked}
    ways: dict[str, Any] = {"keep": _Said.of, "n_jobs": task.work.n_jobs, "folder": task.work.into("tasks").out}
    for said in held_out(asked, task, folds, n_draws=n_draws, seed=seed, prepare=known, **ways):
        found[said.name].add(said)
        if tell is not None:
            tell(said.name, said.fold)
    if task.known is not None:
        found["own_profile"] = _own(task, task.known)
    if truth is not None:
        theta = as_array("truth", truth, shape=(len(task), len(task.prior)))
        found["truth"] = _Row(task, task.predicted(theta))
    return _summary(task, folds, found)


def _fit_folds(folds: Folds, n: int) -> None:
    if folds.fold.size != n:
        raise InputError(
            f"The folds are over {folds.fold.size} sites, but the data have {n}. Make the folds from "
            "the coordinates of the same sites."
        )
    if any(learn.size == 0 or test.size == 0 for learn, test in folds):
        raise InputError("Every fold needs sites to learn from and sites to predict; make at least 2 folds.")


@dataclass(frozen=True, eq=False)
class _Said:
    """What is kept of what a rival says of some sites: no draws."""

    name: str
    fold: int
    test: NDArray[np.int64]
    mean: Array
    z: Array | None
    covered: Array | None
    network: Any
    seconds: float

    @classmethod
    def of(cls, held: Held) -> _Said:
        """From all of it."""
        said = held.said
        covered = None if said.draws is None else _covered(said, held.asked.data, held.rng)
        network = getattr(held.predictor, "network", None)
        return cls(held.name, held.fold, held.test, said.mean, said.z, covered, network, held.seconds)


def _covered(said: Prediction, data: Any, rng: Rng) -> Array:
    """Which values lie in their interval."""
    low, high = said.interval(data, LEVEL, rng)
    return ((low <= data.data) & (data.data <= high)).astype(float)


class _Row:
    """What one rival has said so far."""

    def __init__(self, task: Task, predicted: Array | None = None, held_out: bool = False) -> None:
        self.task, self.held_out, self.seconds = task, held_out, 0.0
        shape = task.data.data.shape
        self.predicted = np.full(shape, np.nan) if predicted is None else predicted
        self.covered: Array | None = None
        self.z: Array | None = None
        self.networks: dict[int, Any] = {}

    def add(self, said: _Said) -> None:
        """Put a fold, or a piece of one, in its place."""
        test = said.test
        self.held_out = True
        self.seconds += said.seconds
        self.predicted[test] = said.mean
        if said.covered is not None:
            self.covered = np.full(self.predicted.shape, np.nan) if self.covered is None else self.covered
            self.covered[test] = said.covered
        if said.z is not None:
            self.z = np.full((len(self.task), said.z.shape[-1]), np.nan) if self.z is None else self.z
            self.z[test] = said.z
        if said.network is not None:
            self.networks[said.fold] = said.network


def _own(task: Task, sites: proda.Sites) -> _Row:
    row, rng = _Row(task), np.random.default_rng(0)
    row.covered = np.empty(row.predicted.shape)
    for part in pieces(len(task)):
        draws = np.asarray(sites.prediction[part])
        row.predicted[part] = draws.mean(axis=1)
        row.covered[part] = _covered(Prediction(row.predicted[part], draws), task.data[part], rng)
    row.seconds = sites.seconds
    return row


def _summary(task: Task, folds: Folds, found: Mapping[str, _Row]) -> Evaluation:
    import pandas as pd
    import xarray as xr

    obs, mask = task.data, task.data.mask
    block = np.broadcast_to(folds.group[:, None], mask.shape)[mask]
    rows = []
    for name, row in found.items():
        s = scores(obs.data[mask], row.predicted[mask])
        ci = bootstrap_score(obs.data[mask], row.predicted[mask], block)
        cover = np.nan if row.covered is None else row.covered[mask].mean()
        rows.append((name, s.r2, ci.lower, ci.upper, s.rmse, s.bias, cover, row.held_out, row.seconds))
    columns = ["approach", "r2", "lower", "upper", "rmse", "bias", "coverage", "held_out", "seconds"]
    table = pd.DataFrame(rows, columns=columns).set_index("approach")
    stacked = np.stack([np.where(mask, row.predicted, np.nan) for row in found.values()])
    profile = hasattr(obs, "depth")
    unit = {"units": "ln(gC m-3)"} if profile else {}
    variables = {
        "observed": (("site", "obs"), np.where(mask, obs.data, np.nan), unit),
        "predicted": (("approach", "site", "obs"), stacked, unit),
    }
    if profile:
        variables["depth"] = (("site", "obs"), np.where(mask, obs.depth, np.nan), {"units": "m"})
    data = xr.Dataset(
        variables,
        coords={
            "approach": list(found),
            "site": task.site if task.known is None else task.known.site,
            "fold": ("site", folds.fold),
            "block": ("site", folds.group),
        },
        attrs={
            "sites": int(mask.shape[0]),
            "values": int(mask.sum()),
            "folds": folds.n_folds,
            "kind": folds.kind,
            "blocks": int(np.unique(folds.group).size),
        },
    )
    networks = {name: tuple(row.networks.values()) for name, row in found.items() if row.networks}
    z = {name: row.z for name, row in found.items() if row.z is not None}
    return Evaluation(table, data, networks, z)
