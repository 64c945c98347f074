"""Every public function of assimilation and learning, one argument spoiled at a time."""

import pytest

from .calls import modules
from .cases import hold

MODULES = [*modules("landcarbon.assimilation"), *modules("landcarbon.learning")]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_sentence_or_a_sound_result(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hold(module)
