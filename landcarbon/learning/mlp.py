r"""A small neural network in plain NumPy: forward, backward, one optimiser.

.. math::

    h_0 = x, \qquad h_l = \tanh(h_{l-1} W_l + b_l), \qquad y = h_{L-1} W_L + b_L

    \delta_L = \frac{\partial J}{\partial y}, \qquad
    \delta_{l-1} = (\delta_l W_l^T) \odot (1 - h_{l-1}^2)

    \frac{\partial J}{\partial W_l} = h_{l-1}^T \delta_l, \qquad
    \frac{\partial J}{\partial b_l} = \sum_{\text{rows}} \delta_l

====================  ====================================  ============  ====  =========
symbol                meaning                               shape         unit  code name
====================  ====================================  ============  ====  =========
:math:`x`             inputs, standardised                  (row, in)     1     x
:math:`W_l, b_l`      weights and biases of layer l         (in, out)     1     weights, biases
:math:`h_l`           what layer l passes on                (row, out)    1     h
:math:`y`             output                                (row, out)    1     y
:math:`J`             cost, any function of y               ()            own   cost
:math:`\delta_l`      its derivative where layer l ends     (row, out)    own   d
====================  ====================================  ============  ====  =========

The network knows nothing of the cost: `MLP.forward_and_vjp` returns the output and a function that
carries :math:`\partial J / \partial y` back to the weights, the same form as the adjoint of a
process model, so that the two can be chained (`landcarbon.learning.hybrid`).

Sources: backpropagation, Rumelhart, Hinton & Williams 1986, Nature 323:533, doi:10.1038/323533a0;
Adam, Kingma & Ba 2015, arXiv:1412.6980; decay apart from the gradient, Loshchilov & Hutter 2019,
arXiv:1711.05101.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_number, as_rng, as_whole
from landcarbon.matrix.frozen import keep, keep_whole

__all__ = ["MLP", "FromFunction", "Net", "Schedule", "Training", "train"]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Cost = Callable[[Array, Rows], tuple[float, Array]]


@dataclass(frozen=True, eq=False)
class MLP:
    """A multilayer perceptron: tanh in the hidden layers, nothing after the last.

    Attributes
    ----------
    weights : tuple of ndarray, (in, out)
    biases : tuple of ndarray, (out,)

    Examples
    --------
    >>> net = MLP.start((3, 8, 2), rng=1)
    >>> net(np.zeros((5, 3))).shape, net.size
    ((5, 2), 50)
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    @classmethod
    def start(cls, sizes: Sequence[int], rng: Rng = 0, last: float = 0.1) -> MLP:
        """Random weights, small enough that no unit is saturated.

        Parameters
        ----------
        sizes : sequence of int
            Widths from input to output.
        rng : Generator or int
        last : float
            Factor on the last layer: the network begins near 0 whatever its input.

        Raises
        ------
        InputError
            Fewer than two widths, or a width below 1.
        """
        last = as_number("last", last)
        given = as_array("sizes", sizes, shape=(None,), hint="Try (5, 32, 1).")
        if given.ndim != 1 or len(given) < 2:
            raise InputError(
                f"sizes are the widths of the layers from input to output, but {sizes!r} was given. "
                "Try (5, 32, 1)."
            )
        sizes = [as_whole("the width of a layer", n, 1) for n in given]
        rng = as_rng(rng)
        pairs = list(pairwise(sizes))
        weights = [rng.standard_normal(pair) / np.sqrt(pair[0]) for pair in pairs]
        weights[-1] *= last
        return cls(tuple(weights), tuple(np.zeros(n) for _, n in pairs))

    @property
    def size(self) -> int:
        """Number of weights and biases."""
        return sum(a.size for a in (*self.weights, *self.biases))

    def __call__(self, x: ArrayLike) -> Array:
        """Output (row, out) for inputs (row, in)."""
        return self._layers(x)[-1]

    def _layers(self, x: ArrayLike) -> list[Array]:
        h = [as_array("x", x, shape=(None, self.weights[0].shape[0]))]
        for k, (W, b) in enumerate(zip(self.weights, self.biases), 1):
            a = h[-1] @ W + b
            h.append(np.tanh(a) if k < len(self.weights) else a)
        return h

    def forward_and_vjp(self, x: ArrayLike) -> tuple[Array, Callable[[ArrayLike], MLP]]:
        """Output, and a function from ∂J/∂output (row, out) to ∂J/∂weights, as an `MLP`.

        Examples
        --------
        >>> net = MLP.start((2, 4, 1), rng=1)
        >>> y, pull = net.forward_and_vjp([[0.5, -1.0], [0.2, 0.3]])
        >>> pull(np.ones_like(y)).biases[-1]     # J = sum of y: each row adds 1
        array([2.])
        """
        h = self._layers(x)

        def pullback(dy: ArrayLike) -> MLP:
            d = np.asarray(dy, dtype=float)
            dW, db = [], []
            for k in reversed(range(len(self.weights))):
                dW.append(h[k].T @ d)
                db.append(d.sum(axis=0))
                d = (d @ self.weights[k].T) * (1.0 - h[k] ** 2)  # of no use at k = 0
            return MLP(tuple(reversed(dW)), tuple(reversed(db)))

        return h[-1], pullback

    def vector(self) -> Array:
        """All weights and biases in a row."""
        return np.concatenate([a.ravel() for a in (*self.weights, *self.biases)])

    def shrinking(self) -> Array:
        """1 for weights, which decay, 0 for biases, in the order of `vector`."""
        return np.concatenate(
            [np.ones(w.size) for w in self.weights] + [np.zeros(b.size) for b in self.biases]
        )

    def with_vector(self, vector: ArrayLike) -> MLP:
        """The same network with other weights and biases, in the order of `vector`."""
        v = as_array("vector", vector, shape=(self.size,))
        parts = [*self.weights, *self.biases]
        cuts = np.cumsum([a.size for a in parts])[:-1]
        new = [piece.reshape(a.shape) for piece, a in zip(np.split(v, cuts), parts)]
        n = len(self.weights)
        return MLP(tuple(new[:n]), tuple(new[n:]))


@dataclass(frozen=True, eq=False)
class FromFunction:
    """A network of any framework: one function of weights and inputs, with its pullback.

    Attributes
    ----------
    function : callable
        `function(w, x)`: w (weight,) and x (row, in) give the output (row, out) and a function from
        ∂J/∂output (row, out) to ∂J/∂w (weight,). In PyTorch, with `w` unpacked into the module::

            def function(w, x):
                w = torch.tensor(w, requires_grad=True)
                y = torch.func.functional_call(module, unpack(w), torch.tensor(x))
                return y.detach().numpy(), lambda d: torch.autograd.grad(
                    y, w, torch.tensor(d))[0].numpy()
    weights : ndarray, (weight,)
        Where it starts.
    decays : ndarray of bool, (weight,), optional
        Weights that decay; biases do not. Default all.

    Examples
    --------
    A linear map y = x w:

    >>> line = FromFunction(lambda w, x: (x @ w[:, None], lambda d: x.T @ d[:, 0]), np.array([1.0, 2.0]))
    >>> y, pull = line.forward_and_vjp([[3.0, 4.0]])
    >>> float(y[0, 0]), pull(np.ones((1, 1))).vector()
    (11.0, array([3., 4.]))
    """

    function: Callable[[Array, Array], tuple[Array, Callable[[Array], Array]]]
    weights: Array
    decays: NDArray[np.bool_] | None = None

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.weights.size

    def __call__(self, x: ArrayLike) -> Array:
        """Output (row, out) for inputs (row, in)."""
        return self._run(x)[0]

    def forward_and_vjp(self, x: ArrayLike) -> tuple[Array, Callable[[ArrayLike], FromFunction]]:
        """Output, and a function from ∂J/∂output to ∂J/∂weights in the shape of a network."""
        y, pull = self._run(x)
        return y, lambda dy: self.with_vector(pull(np.asarray(dy, float)))

    def _run(self, x: ArrayLike) -> tuple[Array, Callable[[Array], Array]]:
        x = as_array("x", x, shape=(None, None))
        try:
            y, pull = self.function(self.weights, x)
            return np.asarray(y, dtype=float), pull
        except (TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"the function of the network stopped at x of shape {x.shape}, (row, in), with "
                f"{type(error).__name__}: {error}"
            ) from error

    def vector(self) -> Array:
        """All weights in a row."""
        return np.array(self.weights, dtype=float)

    def with_vector(self, vector: ArrayLike) -> FromFunction:
        """The same network with other weights."""
        return replace(self, weights=as_array("vector", vector, shape=(self.weights.size,)))

    def shrinking(self) -> Array:
        """1 where weights decay, 0 elsewhere."""
        return np.ones(self.size) if self.decays is None else np.asarray(self.decays, float)


Net = MLP | FromFunction


@dataclass(frozen=True, eq=False)
class Training:
    """A trained network and how it got there.

    Attributes
    ----------
    net : MLP or FromFunction
        As it was at the best epoch.
    last : MLP or FromFunction
        As it was when training stopped.
    history : ndarray, (epoch, 2)
        Mean cost a row on the training and on the validation rows.
    best : int
        Epoch of the smallest validation cost.
    seconds : float
    """

    net: Net
    last: Net
    history: Array
    best: int
    seconds: float


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: Adam, in mini-batches, stopping early.

    Attributes
    ----------
    batch : int
        Rows in a step.
    rate : float
        Step length of Adam; it falls to a tenth towards `epochs` along a cosine.
    decay : float
        Share by which weights shrink for each unit of `rate`; biases do not.
    epochs : int
        Most passes over all rows.
    patience : int
        Epochs without a smaller validation cost after which training stops.

    Raises
    ------
    InputError
        A count below 1.
    """

    batch: int = 128
    rate: float = 3e-3
    decay: float = 1e-3
    epochs: int = 200
    patience: int = 20

    def __post_init__(self) -> None:
        keep_whole(self, batch=1, epochs=1, patience=1)
        for name in ("rate", "decay"):
            keep(self, **{name: as_number(name, getattr(self, name), lower=0.0)})
        if self.batch < 1 or self.epochs < 1 or self.patience < 1:
            raise InputError(
                f"batch, epochs and patience must be at least 1, but {self.batch}, {self.epochs} and "
                f"{self.patience} were given."
            )

    def pace(self, epoch: int) -> float:
        """Step length in an epoch."""
        epoch = as_whole("epoch", epoch)
        return float(self.rate * (0.55 + 0.45 * np.cos(np.pi * epoch / self.epochs)))


def train(
    net: Net,
    x: ArrayLike,
    cost: Cost,
    validation: ArrayLike,
    *,
    rng: Rng = 0,
    tell: Callable[[int, float, float], None] | None = None,
    **schedule: Any,
) -> Training:
    """Minimise a cost of the network's output with Adam, in mini-batches, stopping early.

    Parameters
    ----------
    net : MLP, FromFunction or alike
        Where to start.
    x : array_like, (row, in)
    cost : callable
        `cost(y, rows)`: *mean* cost over these rows and its derivative with respect to y
        (len(rows), out).
    validation : array_like of bool, (row,)
        Rows that never move a weight; training stops when their cost has not fallen for `patience`
        epochs, and the network of the best epoch is returned.
    rng : Generator or int
        Order of the rows.
    tell : callable, optional
        `tell(epoch, training cost, validation cost)`.
    **schedule
        For :class:`Schedule`: `batch`, `rate`, `decay`, `epochs`, `patience`.

    Returns
    -------
    Training

    Raises
    ------
    InputError
        No rows to train on or none to validate; a cost that is not finite.

    Examples
    --------
    >>> x = np.linspace(-2, 2, 200)[:, None]
    >>> t = np.sin(2 * x)
    >>> def cost(y, rows):
    ...     e = y - t[rows]
    ...     return 0.5 * float((e**2).mean()), e / e.size
    >>> net = MLP.start((1, 16, 1), rng=1)
    >>> done = train(net, x, cost, np.arange(200) % 5 == 0, rate=0.02, epochs=300, rng=1)
    >>> bool(done.history[done.best, 1] < 0.01)
    True
    """
    as_kind("net", net, "forward_and_vjp")
    began = time.perf_counter()
    plan = Schedule(**schedule)
    x = as_array("x", x, shape=(None, None))
    held = np.asarray(validation, dtype=bool)
    if held.shape != (x.shape[0],) or held.all() or not held.any():
        raise InputError(
            f"validation marks {int(held.sum())} of {x.shape[0]} rows (shape {held.shape}): mark "
            "some of them, not all, with one True or False a row."
        )
    rng = as_rng(rng)
    as_kind("cost", cost, callable)
    learn, ask = np.flatnonzero(~held), np.flatnonzero(held)
    adam = _Adam.start(net, plan.decay)
    best, best_cost, kept = 0, np.inf, net
    history: list[tuple[float, float]] = []
    for epoch in range(plan.epochs):
        order = rng.permutation(learn)
        total = 0.0
        for rows in np.array_split(order, max(1, round(order.size / plan.batch))):
            y, pull = net.forward_and_vjp(x[rows])
            J, dy = cost(y, rows)
            g = pull(dy).vector()
            if not np.isfinite(J) or not np.isfinite(g).all():
                raise InputError(
                    f"the cost or its gradient is not finite in epoch {epoch}. Try a smaller rate "
                    f"than {plan.rate:g}, and look for outliers in the inputs."
                )
            net = net.with_vector(adam.step(g, plan.pace(epoch)))
            total += J * rows.size
        now = cost(net(x[ask]), ask)[0]
        history.append((total / learn.size, now))
        if tell is not None:
            tell(epoch, *history[-1])
        if now < best_cost:
            best, best_cost, kept = epoch, now, net
        elif epoch - best >= plan.patience:
            break
    return Training(kept, net, np.array(history), best, time.perf_counter() - began)


@dataclass
class _Adam:
    """Weights on their way, with running means of the gradient and of its square."""

    v: Array
    m: Array
    s: Array
    shrink: Array
    steps: int = 0

    @classmethod
    def start(cls, net: Net, decay: float) -> _Adam:
        v = net.vector()
        return cls(v, np.zeros(v.size), np.zeros(v.size), decay * net.shrinking())

    def step(self, g: Array, pace: float) -> Array:
        self.steps += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.s = 0.999 * self.s + 0.001 * g * g
        move = self.m / (1 - 0.9**self.steps) / (np.sqrt(self.s / (1 - 0.999**self.steps)) + 1e-8)
        self.v = self.v - pace * (move + self.shrink * self.v)
        return self.v
