"""Every public function of the other wings, one argument spoiled at a time."""

import pandas as pd
import pytest

from .calls import modules, public
from .cases import HERE, hold

MODULES = [m for m in modules() if ".assimilation" not in m.__name__ and ".learning" not in m.__name__]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_sentence_or_a_sound_result(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hold(module)


def test_what_is_known_exists():
    """Each line of the list names a public function of today, once."""
    known = pd.read_csv(HERE / "known.csv")
    names = {m.__name__: set(public(m)) for m in modules()}
    for row in known.itertuples():
        assert row.function in names[row.module], row
    assert not known.duplicated(["module", "function", "argument"]).any()
