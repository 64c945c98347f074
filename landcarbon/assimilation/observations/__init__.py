"""Observations: what was measured, how well, and how likely a model makes it."""

from landcarbon.assimilation.observations.likelihood import GaussianLikelihood, ObservationStream
from landcarbon.assimilation.observations.profile import ProfileObservations
from landcarbon.assimilation.observations.radiocarbon import RadiocarbonObservations
from landcarbon.assimilation.observations.series import SeriesObservations

__all__ = [
    "GaussianLikelihood",
    "ObservationStream",
    "ProfileObservations",
    "RadiocarbonObservations",
    "SeriesObservations",
]
