"""Typical wrong answers of chapter 00, each with the kind of error its check must name."""

import numpy as np

CARD = {
    "question": "How much carbon does a meadow hold?",
    "pools": ["soil"],
    "stock": 12.0,
    "input": 600.0,
    "residence_time": 20.0,
    "refuted_by": "Soil cores from meadows of known age.",
}

WRONG = {
    "00.1": [
        (lambda I, k: I * k, "units"),
        (lambda I, k: -I / k, "sign"),
        (lambda I, k: 1 / k, "limit"),
        (lambda I, k: I / (1 - np.exp(-k)), "mass balance", "then I − k X ="),
        (lambda I, k: k / I, "limit"),
        (lambda I, k: I // k, "value", "drops what follows"),
        (lambda I, k: None, "incomplete", "return"),
        (500 / 0.05, "shape", "without brackets"),
    ],
    "00.2": [
        (lambda k: 1 / k, "identity"),
        (lambda k: 0.5 / k, "limit"),
        (lambda k: np.log(2) * k, "units"),
        (lambda k: np.log(0.5) / k, "sign"),
        (lambda k: np.log10(2) / k, "value"),
        (lambda k: np.log(0.5) / np.log(1 - k), "limit", "once a year"),
        (lambda k: np.log(2) / (1 - np.exp(-k)), "limit", "once a year"),
        (lambda k: np.log(2), "units"),
    ],
    "00.3": [
        (lambda: CARD, "units"),
        (lambda: CARD | {"stock": 5000.0}, "identity"),
        (lambda: CARD | {"question": "Carbon?"}, "incomplete", "full sentence"),
        (lambda: {k: v for k, v in CARD.items() if k != "refuted_by"}, "incomplete", "refuted_by"),
        (lambda: CARD | {"stock": 12_000.0, "pools": "soil"}, "shape", "by name"),
        (lambda: CARD | {"stock": -12_000.0}, "sign"),
        (lambda: CARD | {"stock": "12000 gC"}, "shape", "the number alone"),
        (lambda: CARD | {"stock": 120.0}, "identity", "600 × 20 = 12000"),
        (lambda: [*CARD.values()], "shape", "braces"),
    ],
}
