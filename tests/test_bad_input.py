"""Bad input from a beginner's hand, over the whole library: one sentence that helps, every time.

Each room tests its own cases; here are those a newcomer meets first, side by side.
"""

import re

import numpy as np
import pandas as pd
import pytest

from landcarbon import datasets
from landcarbon.assimilation import Prior, ProfileObservations, SeriesObservations
from landcarbon.datasets.profile_files import read_profiles_csv
from landcarbon.datasets.profiles import make_profiles
from landcarbon.learning.folds import blocked_folds
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.layers import SoilLayers
from landcarbon.matrix.simulate import simulate
from landcarbon.models import Parameter, clm5, three_pool
from landcarbon.theory import ages

MODEL = three_pool()


def forcing(**parts):
    normal = {"soil_temperature": np.full((20, 12), 285.0), "water_scalar": 0.5 * np.ones((20, 12)),
              "litter_input": [40.0, 100.0, 200.0, 60.0]}
    return clm5.Forcing(**normal | parts)


def layers(**columns):
    normal = {"profile_id": ["A"] * 3, "latitude": [45.0] * 3, "longitude": [10.0] * 3,
              "upper_depth": [0.0, 0.1, 0.3], "lower_depth": [0.1, 0.3, 0.6], "organic_carbon": [30.0, 20.0, 10.0],
              "bulk_density": [1300.0] * 3}
    return pd.DataFrame(normal | columns)


def csv(path, header):
    path.write_text(f"{header}\nA,45,10,0,10,30\nA,45,10,10,30,20\nA,45,10,30,60,10\n",
                    encoding="utf-8")
    return path


CASES = {
    "wrong shape": (
        lambda tmp: MatrixModel(("a", "b"), np.eye(3), [1, 1], [1, 0]), r"A must end in axes of length \(2, 2\)"),
    "NaN": (lambda tmp: simulate(MODEL, [0, 1], [1.0, np.nan, 1.0], 500.0), "NaN or infinite.*Fill or drop"),
    "negative rate": (lambda tmp: MODEL.replace(K=[0.1, -0.8, 0.01]), "'litter'.*not negative"),
    "fractions over 1": (
        lambda tmp: MODEL.replace(A=[[1, 0, 0], [-0.7, 1, 0], [-0.5, -0.3, 1]]), "1.2 of what leaves 'vegetation'"),
    "the other sign convention": (lambda tmp: MODEL.replace(A=-MODEL.A), "other sign convention"),
    "unknown pool": (lambda tmp: MODEL.index("vegetatoin"), "Did you mean 'vegetation'"),
    "unknown data set": (lambda tmp: datasets.load("issis"), "isis"),
    "column without a unit": (
        lambda tmp: read_profiles_csv(csv(
            tmp / "p.csv", "profile_id,latitude,longitude,upper_depth,lower_depth,organic_carbon")),
        "unit"),
    "layers that overlap": (lambda tmp: make_profiles(layers(upper_depth=[0.0, 0.05, 0.3])), "overlap"),
    "depth upside down": (
        lambda tmp: make_profiles(layers(upper_depth=[0.1, 0.3, 0.6], lower_depth=[0.0, 0.1, 0.3])),
        "[Dd]epth|below|above"),
    "per cent instead of g/kg": (
        lambda tmp: make_profiles(layers(organic_carbon=[3000.0, 20.0, 10.0])), "more than 1000 g carbon per kg"),
    "swapped coordinates": (lambda tmp: make_profiles(layers(latitude=[145.0] * 3)), "latitude"),
    "layers out of order": (lambda tmp: SoilLayers([0.1, -0.2, 0.3]), "thickness"),
    "degrees Celsius": (lambda tmp: forcing(soil_temperature=np.full((20, 12), 12.0)), "kelvin.*273.15"),
    "scalar above 1": (lambda tmp: forcing(water_scalar=np.full((20, 12), 50.0)), "at most 1"),
    "parameters in the wrong number": (lambda tmp: clm5.steady_state(np.ones(20), forcing()), r"\(21\)"),
    "carbon that cannot leave": (
        lambda tmp: MODEL.replace(K=[0.1, 0.8, 0.0]).steady_state(500.0), "soil can never leave"),
    "no input": (lambda tmp: ages.transit_time(MODEL, 0.0), "input"),
    "observation before the run": (
        lambda tmp: SeriesObservations([1.0], 0.1, t=[2000, 2010], end=[1999]), "before the model starts"),
    "depth below the column": (
        lambda tmp: ProfileObservations([[0.1, 60.0]], [[1e4, 1e3]], 0.3, clm5.LAYERS.node,
                                        bottom=clm5.LAYERS.bottom[-1]), "60"),
    "error of zero": (lambda tmp: ProfileObservations([[0.1]], [[1e4]], 0.0, clm5.LAYERS.node), "above 0"),
    "prior upside down": (lambda tmp: Prior([Parameter("k", "yr-1", 2.0, 1.0, 1.5)]), "lower must be below upper"),
    "fewer places than folds": (lambda tmp: blocked_folds([45.0, 45.1], [10.0, 10.1], n_folds=5), "folds"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_says_what_to_do(name, tmp_path):
    call, words = CASES[name]
    with pytest.raises(InputError) as caught:
        call(tmp_path)
    said = str(caught.value)
    assert re.search(words, said, flags=re.DOTALL), said
    assert len(said.split()) >= 8, "a sentence, not a word"
    assert said.rstrip().endswith((".", "?", ")")), said
    assert "Traceback" not in said and "array(" not in said


def test_input_errors_are_value_errors():
    assert issubclass(InputError, ValueError)
