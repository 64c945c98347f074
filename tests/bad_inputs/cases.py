"""What both files of this folder hold, for some of the modules each: two processes share the work."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType

from .calls import calls
from .spoil import Outcome, attack

HERE = Path(__file__).parent
PATIENCE = 2.0  # seconds a function; the whole of it: python -m bad_inputs.table

MEANT = {
    ("assimilation.joint", "JointObservations.split", "model_values", "not finite"):
        "gives each stream its part of what the model said: the stream judges it",
    ("assimilation.observations.profile", "ProfileObservations.log_likelihood", "model_values", "not finite"):
        "a layer without carbon has likelihood 0, whose logarithm is −inf: a sampler turns such a state down",
    ("assimilation.forest", "weather", "table", "unheard"):
        "the last column is no driver, and only drivers are read",
    ("assimilation.forest", "observed_days", "table", "unheard"):
        "the last column is another stream than the one that is asked for",
    ("assimilation.stated", "StatedPrior.log_density", "theta", "not finite"):
        "what a prior holds impossible has density 0, whose logarithm is −inf",
    ("forecasting.decision", "value_of_forecast", "actions", "unheard"):
        "actions are the caller's own things: only the caller's payoff reads them",
    ("forecasting.noise", "add_observation_error", "ensemble", "not finite"):
        "what is missing stays missing",
    ("learning.hybrid", "Outputs.coordinates", "y", "not finite"):
        "a network that has run away says NaN; training sees it and stops there",
    ("matrix.steps", "Propagator.__call__", "X", "not finite"):
        "a run reads its states before its steps: to look at them in each would take longer than the step",
    ("matrix.steps", "Propagator.__call__", "u", "not finite"):
        "a run reads its input before its steps",
    ("models.process", "leading", "forcing", "unheard"):
        "asks for the shape alone",
}  # fmt: skip
"""What looks like a fault and is what the docstring says, with the reason: module, function, argument, what."""


def key(module: ModuleType, outcome: Outcome) -> tuple[str, str, str, str]:
    return module.__name__.removeprefix("landcarbon."), outcome.function, outcome.argument, outcome.what


def hold(module: ModuleType) -> None:
    """A sentence or a sound result for every spoiled call of a module.

    A fault is a raw traceback, a result that is no longer finite, a call that does not end, or a result that did
    not hear a gap, a mask, a date, a complex number or words. What is meant so stands in `MEANT`; what stands
    there and happens no more is to be struck out.
    """
    told, found, hurried = [], set(), set()
    for call in calls(module):
        began = time.perf_counter()
        for outcome in attack(call, PATIENCE):
            if not outcome.fault:
                continue
            if key(module, outcome) in MEANT:
                found.add(key(module, outcome))
                continue
            told.append(" · ".join([*key(module, outcome), outcome.spoiler, outcome.told]))
        if time.perf_counter() - began > PATIENCE:
            hurried.add(call.name)
    assert not told, "\n".join(told)
    gone = [k for k in MEANT if "landcarbon." + k[0] == module.__name__ and k not in found and k[1] not in hurried]
    assert not gone, f"these happen no more: strike them out of MEANT: {gone}"
