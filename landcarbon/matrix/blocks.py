"""The matrices of a layered model as labelled blocks: one block for each pair of pools.

    M = A ξ K + V,      M[i, j] = A_ij diag(ξK_j)  +  V if i = j and pool i is mixed

====== ==================================== ============= ==== =============================
symbol meaning                              shape         unit code name
====== ==================================== ============= ==== =============================
A_ij   from pool j to pool i, all layers    (L, L)        1    blocks(m).A.sel(pool, source)
K_j    turnover rates of pool j             (L,)          yr-1 blocks(m).K.sel(pool)
V_ii   mixing of pool i between layers      (L, L)        yr-1 blocks(m).V
M      all of it                            (p, p, L, L)  yr-1 blocks(m).M
====== ==================================== ============= ==== =============================

Written this way in Huang et al. (2018), doi 10.1111/gcb.13948, for the 70 pools of CLM4.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_kind
from landcarbon.matrix.layers import transport_matrix

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["block_table", "blocks"]


def blocks(model: LayeredModel) -> xr.Dataset:
    """A, K, V and M with their pools and layers named.

    Parameters
    ----------
    model : LayeredModel
        One column (no leading axes).

    Returns
    -------
    xarray.Dataset
        A, V, M (pool, source, layer, source_layer) and K (pool, layer): carbon goes from `source`
        and `source_layer` to `pool` and `layer`. Layers are labelled from 1.

    Raises
    ------
    InputError
        More than one column.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> soil = SoilLayers([0.1, 0.2])
    >>> model = LayeredModel(("litter", "soil"), soil, [[1, 0], [-0.5, 1]], [[2, 2], [0.1, 0.05]],
    ...                      *exchange_rates([1e-3], soil))
    >>> blocks(model).A.sel(pool="soil", source="litter").values
    array([[-0.5, -0. ],
           [-0. , -0.5]])
    """
    import xarray as xr

    as_kind("model", model, LayeredModel)
    if model.shape:
        raise InputError(
            f"The model holds columns {model.shape}; give one, such as model.replace(K=model.K[0], …)."
        )
    p, L = model.K.shape
    eye = np.eye(L)
    V = np.zeros((p, p, L, L))
    for i in range(p):
        if model.mixed[i]:
            V[i, i] = model.mixed[i] * transport_matrix(model.down, model.up, model.layers)
    A = model.A[:, :, None, None] * eye
    M = A * model.K[None, :, None, :] + V
    square = ("pool", "source", "layer", "source_layer")
    names, layer = list(model.pools), np.arange(1, L + 1)
    return xr.Dataset(
        {
            "A": (square, A, {"units": "1", "long_name": "transfer matrix"}),
            "K": (("pool", "layer"), model.K, {"units": "yr-1", "long_name": "turnover rate"}),
            "V": (square, V, {"units": "yr-1", "long_name": "mixing between layers"}),
            "M": (square, M, {"units": "yr-1", "long_name": "outflow matrix A K + V"}),
        },
        coords={
            "pool": names,
            "source": names,
            "layer": ("layer", layer, {"long_name": "layer, from the surface"}),
            "source_layer": layer,
            "depth": ("layer", model.layers.node, {"units": "m", "long_name": "depth of the node"}),
        },
    )


def block_table(model: LayeredModel, matrix: str = "A") -> pd.DataFrame:
    """What stands in each block, in words: pools down, sources across.

    Parameters
    ----------
    model : LayeredModel
        One column.
    matrix : {"A", "V", "M"}

    Returns
    -------
    pandas.DataFrame of str
        '0', '1' (identity), 'diag(−0.45)' where one number fills the diagonal, 'diagonal',
        'tridiagonal'.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> soil = SoilLayers([0.1, 0.2, 0.7])
    >>> model = LayeredModel(("litter", "soil"), soil, [[1, 0], [-0.5, 1]], np.ones((2, 3)),
    ...                      *exchange_rates([1e-3, 1e-3], soil))
    >>> print(block_table(model, "A"))
                litter soil
    litter           1    0
    soil    diag(−0.5)    1
    """
    import pandas as pd

    as_kind("model", model, LayeredModel)
    if matrix not in ("A", "V", "M"):
        raise InputError(f"There is no matrix {matrix!r}; choose 'A', 'V' or 'M'.")
    array = blocks(model)[matrix].values
    words = [[_describe(block) for block in row] for row in array]
    return pd.DataFrame(words, index=list(model.pools), columns=list(model.pools))


def _describe(block: np.ndarray) -> str:
    diagonal = np.diagonal(block)
    if np.any(block != np.diag(diagonal)):
        return "tridiagonal"
    if not diagonal.any():
        return "0"
    if np.ptp(diagonal) > 1e-12 * np.abs(diagonal).max():
        return "diagonal"
    value = f"{diagonal[0]:.3g}".replace("-", "−")
    return "1" if diagonal[0] == 1 else f"diag({value})"
