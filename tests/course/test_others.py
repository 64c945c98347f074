"""The page on other tools: its functions move every kind of model there and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from strategies import random_model

from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.models.century import century3
from landcarbon.models.emanuel import emanuel5
from landcarbon.models.teco import teco8

PAGE = Path(__file__).parents[2] / "book/appendix/what_others_do.ipynb"
MODELS = [century3(), emanuel5(), teco8(), *(random_model(seed, n) for seed, n in enumerate((2, 5, 12)))]


@pytest.fixture(scope="module")
def page() -> dict[str, object]:
    """The functions of the page, run as a reader would."""
    cells = [c for c in json.loads(PAGE.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    names: dict[str, object] = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
    return names


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.n}-{m.pools[0]}")
def test_two_files_hold_a_model_to_the_last_digit(page: dict, tmp_path: Path, model: MatrixModel) -> None:
    xi = np.linspace(0.3, 1.7, model.n)
    page["export"](model, xi, tmp_path)
    again, found = page["load"](tmp_path)
    assert again.pools == model.pools
    for got, was in ((again.A, model.A), (again.K, model.K), (again.B, model.B), (found, xi)):
        np.testing.assert_array_equal(got, was)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.n}-{m.pools[0]}")
def test_the_other_sign_has_the_same_steady_state(page: dict, model: MatrixModel) -> None:
    matrix, u = page["compartmental"](model, 360.0, 0.7)
    np.testing.assert_allclose(-np.linalg.solve(matrix, u), model.steady_state(360.0, 0.7), rtol=1e-9)
    back, I = page["from_compartmental"](model.pools, matrix, u)  # noqa: E741
    np.testing.assert_allclose(back.steady_state(I), model.steady_state(360.0, 0.7), rtol=1e-9)


def test_a_file_that_creates_carbon_is_refused(page: dict, tmp_path: Path) -> None:
    page["export"](century3(), 1.0, tmp_path)
    text = (tmp_path / "A.csv").read_text(encoding="utf-8").replace("-0.446", "-1.446")
    (tmp_path / "A.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="active"):
        page["load"](tmp_path)
