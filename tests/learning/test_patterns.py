"""Categories of parameters by their patterns."""

from __future__ import annotations

import numpy as np
import pytest

from landcarbon.learning.patterns import categories
from landcarbon.matrix.errors import InputError

NAMES = list("abcdef")


@pytest.fixture
def z():
    """a, b go together, c against them; d and e go together; f alone."""
    x, y, w = np.random.default_rng(0).standard_normal((3, 200))
    noise = 0.2 * np.random.default_rng(1).standard_normal((200, 6))
    return np.stack([x, x, -x, y, y, w], axis=1) + noise


def test_what_goes_together_is_one_category_whatever_its_sign_and_scale(z):
    found = categories(z * [1, 100, 1, 1e-3, 1, 1] + 5, NAMES)
    assert found.groups == (("a", "b", "c"), ("d", "e"))
    assert found.pairs == {("a", "b"), ("a", "c"), ("b", "c"), ("d", "e")}


def test_a_stricter_limit_joins_less(z):
    assert categories(z, NAMES, alike=0.99).groups == ()
    assert categories(z, NAMES, alike=1e-6).groups == (tuple(NAMES),)


def test_agreement_is_one_with_itself_and_chance_is_none(z):
    found = categories(z, NAMES)
    assert found.agreement(found) == 1.0
    rng = np.random.default_rng(3)
    others = [categories(z[:, rng.permutation(6)], NAMES) for _ in range(60)]
    assert abs(np.mean([found.agreement(other) for other in others])) < 0.15


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda z: categories(z[:2], NAMES), "three sites"),
        (lambda z: categories(np.where(np.arange(6) == 2, 1.0, z), NAMES), "'c' is the same at all sites"),
        (lambda z: categories(z, NAMES[:5]), "z"),
        (lambda z: categories(z, NAMES, alike=2.0), "alike"),
        (lambda z: categories(z, NAMES, alike=0.999).agreement(categories(z, NAMES, alike=0.999)), "nothing to agree"),
        (lambda z: categories(z, NAMES).agreement(categories(z[:, :5], NAMES[:5])), "other parameters"),
    ],
)
def test_bad_input_gets_a_sentence(z, spoil, words):
    with pytest.raises(InputError, match=words):
        spoil(z)
