"""Common sense as data: rules that parameters and the behaviour of a model must keep.

::

    p(theta | rules, d) ∝ p(theta) p(d | theta) Π_r [rule r holds at theta]
    p(rules)            = ∫ p(theta) Π_r [rule r holds at theta] dtheta       share of the prior left

====== ================================= =============== ==== ============== =================
symbol meaning                           shape           unit code name      source
====== ================================= =============== ==== ============== =================
theta  parameters                        (..., p)        own  theta          Prior
r      a rule: true or false             (..., rule)          passes         Bloom 2015
p(d)   likelihood of the data, if any    (...)                log_likelihood observations
====== ================================= =============== ==== ============== =================

Bloom & Williams (2015), Biogeosciences 12, 1299–1315, doi 10.5194/bg-12-1299-2015, call such rules
ecological and dynamic constraints: bounds of one parameter by another, nearness to the steady state,
growth and decay of pools. They cost no measurement. A rule is a claim all the same, and a wrong one
is as bad as a wrong datum: count what each of them throws away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior, a_prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.matrix.errors import InputError, as_kind
from landcarbon.matrix.frozen import keep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Constraints"]

Array = NDArray[np.float64]
Rule = Callable[[dict[str, Array]], ArrayLike]


@dataclass(frozen=True, init=False, eq=False)
class Constraints:
    """Named rules on the parameters of a prior.

    Parameters
    ----------
    prior : Prior
    rules : mapping of str to callable
        Each takes the parameters by name, {name: values (...)}, and returns True where the rule
        holds. A rule about behaviour runs the model.

    Raises
    ------
    InputError
        No rule; a rule that does not answer with True or False for each parameter vector.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("k_litter", "yr-1", 0.1, 1.0, 0.5),
    ...                               Parameter("k_soil", "yr-1", 0.0, 1.0, 0.01)]))
    >>> rules = Constraints(prior, {"litter decays faster": lambda p: p["k_litter"] > p["k_soil"],
    ...                             "soil lasts a year": lambda p: p["k_soil"] < 1.0})
    >>> rules.passes([[0.5, 0.2], [0.5, 0.9]])
    array([[ True,  True],
           [False,  True]])
    >>> rules.count(prior.sample(10_000, rng=1))["passes"].round(2).to_dict()
    {'litter decays faster': 0.55, 'soil lasts a year': 1.0, 'all': 0.55}
    """

    prior: Prior
    rules: dict[str, Rule]

    def __init__(self, prior: Prior, rules: Mapping[str, Rule]) -> None:
        as_kind("rules", rules, Mapping)
        a_prior(prior)
        if not rules or not all(callable(rule) for rule in rules.values()):
            raise InputError(
                "Constraints needs at least one rule, {'litter decays faster': lambda p: "
                "p['k_litter'] > p['k_soil']}."
            )
        keep(self, prior=prior, rules=dict(rules))

    def passes(self, theta: ArrayLike) -> NDArray[np.bool_]:
        """Which rules hold at theta (..., p): (..., rule)."""
        theta = self.prior.check(theta)
        named = self.prior.table.dict(theta)
        answers = []
        for name, rule in self.rules.items():
            answer = np.asarray(rule(named))
            if answer.dtype != bool or answer.shape != theta.shape[:-1]:
                raise InputError(
                    f"the rule {name!r} returned {answer.dtype} of shape {answer.shape}; one True or "
                    f"False for each parameter vector is expected, {theta.shape[:-1]}."
                )
            answers.append(answer)
        return np.stack(answers, axis=-1)

    def holds(self, theta: ArrayLike) -> NDArray[np.bool_]:
        """Where all rules hold (...)."""
        return np.asarray(self.passes(theta).all(-1))

    def count(self, theta: ArrayLike) -> pd.DataFrame:
        """Share of the draws theta (..., p) that each rule lets pass, and that fail by it alone.

        A rule that nothing fails alone is implied by the others, or throws nothing away.
        """
        import pandas as pd

        passes = self.passes(theta).reshape(-1, len(self.rules))
        broken = (~passes).sum(-1)
        rows = {
            name: (passes[:, k].mean(), (~passes[:, k] & (broken == 1)).mean())
            for k, name in enumerate(self.rules)
        }
        rows["all"] = (passes.all(-1).mean(), np.nan)
        table = pd.DataFrame(rows, index=pd.Index(["passes", "only this fails"])).T
        return table.rename_axis("rule")

    def on(self, posterior: Posterior | None = None) -> Posterior:
        """The same posterior under the rules; without one, the prior under the rules.

        Of the prior alone, the evidence is the share of it that passes all rules.
        """
        if posterior is None:
            return Posterior(
                self.prior, likelihood=lambda theta: np.where(self.holds(theta), 0.0, -np.inf)
            )
        if posterior.prior.names != self.prior.names:
            raise InputError(
                f"the rules are on {', '.join(self.prior.names)}, but the posterior is of "
                f"{', '.join(posterior.names)}."
            )
        return Posterior(
            posterior.prior,
            likelihood=lambda theta: np.where(
                self.holds(theta), posterior.log_likelihood(theta), -np.inf
            ),
            sites=posterior.sites,
        )
