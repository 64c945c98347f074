"""Every public function of the other wings, one argument spoiled at a time."""

import pandas as pd
import pytest

from .calls import modules, public
from .cases import HERE, MEANT, hold

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


def test_the_page_holds_no_fault():
    """The table that the page shows: each module of today, and no fault in any."""
    table = pd.read_csv(HERE / "table.csv", index_col="module")
    assert not table[["raw", "not_finite", "unheard", "hangs"]].to_numpy().any()
    assert set(table.index) - {"all"} <= {m.__name__ for m in modules()}
    assert (table.drop("all").sum() == table.loc["all"]).all()
