"""Every public function of the other wings, one argument spoiled at a time."""

import pytest

from .calls import modules, public
from .cases import MEANT, hold

MODULES = [m for m in modules() if ".assimilation" not in m.__name__ and ".learning" not in m.__name__]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_sentence_or_a_sound_result(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hold(module)


def test_what_is_meant_exists():
    """Each line of the list names a public function of today."""
    names = {m.__name__.removeprefix("landcarbon."): set(public(m)) for m in modules()}
    for module, function, _, what in MEANT:
        assert function in names[module], (module, function)
        assert what in ("not finite", "unheard"), "a raw traceback is never meant"
