"""Typical wrong answers of chapter 02, each with the kind of error its check must name."""

import numpy as np

RATES = {"litter": 2.0, "microbes": 1.5, "soil": 0.05}
SHARES = {"litter": 0.75, "soil": 0.25}
ARROWS = [
    ("litter", "microbes", 0.4), ("litter", "soil", 0.1), ("microbes", "litter", 0.2),
    ("microbes", "soil", 0.4), ("soil", "microbes", 0.2),
]  # fmt: skip


def bog(plant, litter, peat, *, to_litter=0.75, to_peat=0.25, on=0.2, loss=-1.0):
    a, b, c = plant / 4, litter / 2.5, peat / 1000
    return [240 + loss * a, to_litter * a + loss * b, to_peat * a + on * b + loss * c]


def years_times_carbon(plant, litter, peat):
    a, b, c = 4 * plant, 2.5 * litter, 1000 * peat
    return [240 - a, 0.75 * a - b, 0.25 * a + 0.2 * b - c]


def receiver(plant, litter, peat):
    """Transfers that depend on the pool where the arrow ends."""
    return [
        240 - plant / 4,
        0.75 * litter / 2.5 - litter / 2.5,
        0.25 * peat / 1000 + 0.2 * peat / 1000 - peat / 1000,
    ]


def fraction_of_the_pool(plant, litter, peat):
    """The fraction multiplies the carbon, not what leaves."""
    return [240 - plant / 4, 0.75 * plant - litter / 2.5, 0.25 * plant + 0.2 * litter - peat / 1000]


def years_of_the_target(plant, litter, peat):
    """The stock of the donor over the years of the pool where the arrow ends."""
    return [240 - plant / 4, 0.75 * plant / 2.5 - litter / 2.5, (0.25 * plant + 0.2 * litter - peat) / 1000]


def upwards(plant, litter, peat):
    a, b, c = plant / 4, litter / 2.5, peat / 1000
    return [240 + 0.75 * b + 0.25 * c - a, 0.2 * c - b, -c]


def card(**changes):
    return lambda: {"rates": RATES, "shares": SHARES, "arrows": ARROWS} | changes


def scaled(by):
    return [(s, t, f * by[s]) for s, t, f in ARROWS]


def eco(derivatives, respiration, pools=("leaf", "wood", "litter", "soil")):
    return lambda: {
        "pools": pools, "input": 400.0, "derivatives": derivatives, "respiration": respiration
    }


K = np.array([1.0, 0.05, 0.5, 0.02])


def chain(X, harvest=0.0, passed=0.3):
    leaf, wood, litter, soil = K * X
    return np.array([300 - leaf, 100 - wood - harvest, leaf + wood - litter, passed * litter - soil])


def breath(X, passed=0.3):
    return (1 - passed) * 0.5 * X[2] + 0.02 * X[3]


def still(X):
    dX = chain(X)
    dX[3] = 0.0
    return dX


def twice(plant, litter, peat):
    """What is passed on is subtracted once more."""
    a, b, c = plant / 4, litter / 2.5, peat / 1000
    return [240 - 2 * a, 0.75 * a - b - 0.2 * b, 0.25 * a + 0.2 * b - c]


WRONG = {
    "02.1": [
        (lambda p, q, r: bog(p, q, r, loss=1.0), "sign"),
        (years_times_carbon, "units"),
        (receiver, "identity", "depends on litter itself"),
        (twice, "mass balance", "subtracted twice"),
        (upwards, "transposed"),
        (fraction_of_the_pool, "mass balance"),
        (lambda p, q, r: bog(p, q, r, to_peat=0.0), "incomplete"),
        (lambda p, q, r: bog(p, q, r, on=0.8), "mass balance"),
        (lambda p, q, r: bog(p, q, r, to_litter=0.25, to_peat=0.75), "value"),
        (lambda p, q, r: [x * (1 if i else 0) for i, x in enumerate(bog(p, q, r))], "limit"),
        (lambda p, q, r: np.add(bog(p, q, r), [p, q, r]), "identity", "a year later"),
        (lambda p, q, r: np.add(bog(p, q, r), [0, 0.2 * q / 2.5, 0]), "mass balance", "only what is respired"),
        (years_of_the_target, "identity", "the years of litter"),
    ],
    "02.2": [
        (card(arrows=scaled(RATES)), "units"),
        (card(arrows=[(t, s, f) for s, t, f in ARROWS]), "transposed"),
        (card(arrows=ARROWS[:-1]), "incomplete", "soil → microbes"),
        (
            card(arrows=[(s, t, f * RATES[s] / RATES[t]) for s, t, f in ARROWS]),
            "identity",
        ),
        (card(rates={pool: 1 / k for pool, k in RATES.items()}), "units"),
        (card(rates={pool: -k for pool, k in RATES.items()}), "sign"),
        (card(shares={"litter": 300.0, "soil": 100.0}), "units"),
        (card(arrows=[(s, t, 3 * f) for s, t, f in ARROWS]), "mass balance"),
        (card(arrows=[(s, t, 0.9 * f) for s, t, f in ARROWS]), "value"),
        (lambda: (RATES, SHARES, ARROWS), "shape", "a dict with the entries"),
        (card(rates=[2.0, 1.5, 0.05]), "shape", "rates is a dict"),
        (card(shares=[0.75, 0.0, 0.25]), "shape", "shares is a dict"),
        (card(arrows=[*ARROWS, ("litter", "air", 0.5)]), "shape", "air: no pool"),
        (card(arrows=[*ARROWS[:-1], ("soil", "microbes", 0.01)]), "value", "soil → microbes"),
        (card(arrows={("litter", "microbes"): 0.4}), "shape", "is a list"),
    ],
    "02.3": [
        (eco(chain, lambda X: breath(X, passed=0.5)), "mass balance"),
        (eco(chain, lambda X: 0.0), "mass balance"),
        (eco(lambda X: chain(X, harvest=150.0), lambda X: breath(X) + 150), "limit"),
        (eco(still, lambda X: breath(X) + chain(X)[3]), "incomplete"),
        (eco(chain, breath, pools=("leaf", "wood", "soil")), "incomplete"),
        (eco(lambda X: chain(X).sum(), breath), "shape"),
        (eco(lambda X: chain(X) + X * X, breath), "not finite"),
        (eco(lambda X: chain(X) + [300, 100, 0, 0], breath), "mass balance", "add up to 800"),
        (eco(chain, lambda X: -breath(X)), "sign"),
        (eco(chain, lambda X: (K * X).sum()), "mass balance", "Look at leaf"),
        (eco(chain(np.full(4, 100.0)), breath), "shape", "without brackets"),
        (lambda: eco(chain, breath)() | {"input": [300, 100]}, "shape", "one number"),
    ],
}
