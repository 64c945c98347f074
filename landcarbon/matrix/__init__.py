"""The matrix approach: dX/dt = B I − A ξ K X − V X."""

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel

__all__ = ["InputError", "MatrixModel", "as_array"]
