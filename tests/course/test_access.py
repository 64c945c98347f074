"""axe-core on every built page, light and dark, on a desktop and on a phone.

axe-core is no part of the course: LANDCARBON_AXE names its axe.min.js (npm package axe-core). Without it these tests
are left out. Each run adds a line for each finding to the file that LANDCARBON_AXE_TABLE names.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

AXE = os.environ.get("LANDCARBON_AXE")
ROOT = Path(__file__).parents[2]
PAGES = ["index", "404", "search", "genindex", "book/intro",
         *sorted(p.relative_to(ROOT).with_suffix("").as_posix() for kind in ("ipynb", "md")
                 for p in (ROOT / "book").glob(f"*/**/*.{kind}"))]  # fmt: skip

RUN = """axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations.map(v => ({
    rule: v.id, nodes: v.nodes.map(n => ({
        target: n.target.join(' '), text: n.failureSummary}))}))))"""


@pytest.mark.skipif(not AXE, reason="LANDCARBON_AXE names no axe.min.js")
@pytest.mark.parametrize("name", PAGES)
def test_page_is_for_everyone(name: str, built: subprocess.CompletedProcess[str], browser) -> None:
    source = Path(str(AXE)).read_text(encoding="utf-8")
    found_here = []
    with browser.stranger() as page:
        for width in (1280, 390):
            page.open((Path(built.args[-1]) / f"{name}.html").as_uri(), width=width)
            page.wait("document.querySelector('.jupyter-widgets') ? document.querySelector('[role=slider]') : true")
            page.evaluate(source + ";0")
            for theme in ("light", "dark"):
                page.evaluate(f"document.documentElement.dataset.theme = '{theme}'; "
                              "new Promise(done => setTimeout(done, 300))")
                page.wait("!document.getAnimations().some(a => a.playState === 'running')")  # colours move over
                found = json.loads(page.evaluate(RUN))
                for violation in found:
                    for node in violation["nodes"]:
                        line = [name, theme, str(width), violation["rule"], node["target"],
                                " ".join(node["text"].split())]  # fmt: skip
                        found_here.append(line)
                        if table := os.environ.get("LANDCARBON_AXE_TABLE"):
                            with open(table, "a", encoding="utf-8") as file:
                                file.write("\t".join(line) + "\n")
    assert not found_here, "\n".join(" ".join(line) for line in found_here[:20])
