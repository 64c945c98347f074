"""Random systems for property tests."""

import numpy as np

from landcarbon.matrix import MatrixModel


def random_model(seed, n, lead=()):
    """A stable model with about half of all transfers and rates over four orders of magnitude."""
    rng = np.random.default_rng(seed)
    f = rng.uniform(size=(*lead, n, n)) * (rng.uniform(size=(*lead, n, n)) < 0.5)
    f *= 1 - np.eye(n)
    total = f.sum(axis=-2, keepdims=True)
    f *= rng.uniform(0, 0.95, size=(*lead, 1, n)) / np.maximum(total, 1e-3)
    f = np.minimum(f, 0.95)
    K = 10.0 ** rng.uniform(-3, 1, size=(*lead, n))
    B = rng.dirichlet(np.ones(n), size=lead)
    return MatrixModel([f"p{i}" for i in range(n)], A=np.eye(n) - f, K=K, B=B)
