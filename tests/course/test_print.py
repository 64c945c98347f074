"""Paper loses nothing: what a page says is on it, within its width; the page of all pages leads to itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from landcarbon.course import doctor, pdf

PAPER = 673  # A4 less its margins, in pixels

LOST = """(() => {
  window.dispatchEvent(new Event("beforeprint"));
  const texts = document.createTreeWalker(document.querySelector("article.bd-article"), NodeFilter.SHOW_TEXT);
  const left_out = "script, style, button, h1, mjx-container, .headerlink, .term-text, .lite-here, .done-box, .live, "
    + ".jupyter-widgets, .quiz-score, details.hide > summary";
  const lost = [];
  while (texts.nextNode()) {
    const node = texts.currentNode, parent = node.parentElement, range = document.createRange();
    if (!node.data.trim() || parent.closest(left_out)) continue;
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()];
    let seen = boxes.length && parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })
      && boxes.every((box) => box.right <= document.documentElement.clientWidth + 1);
    for (let part = parent; seen && part.tagName !== "ARTICLE"; part = part.parentElement) {
      const cut = getComputedStyle(part).overflowX !== "visible", frame = part.getBoundingClientRect();
      seen = !cut || boxes.every((box) => box.right <= frame.right + 1 && box.bottom <= frame.bottom + 1);
    }
    if (!seen) lost.push(node.data.trim().slice(0, 60));
  }
  return lost;
})()"""


@pytest.fixture
def printed(built: subprocess.CompletedProcess[str], browser):
    """A page of the book as paper would have it, for readers whose screens are dark."""
    with browser.stranger() as page:

        def show(name: str):
            dark = [{"name": "prefers-color-scheme", "value": "dark"}]
            page.call("Emulation.setEmulatedMedia", media="print", features=dark)
            page.open((Path(built.args[-1]) / "book" / f"{name}.html").as_uri(), width=PAPER)
            assert page.wait("!document.querySelector('.math') || window.MathJax?.startup?.promise")
            page.evaluate("window.MathJax?.startup?.promise.then(() => 0)")
            assert page.evaluate("!document.querySelector('.math') || Boolean(document.querySelector('mjx-math'))")
            return page

        yield show


@pytest.mark.parametrize(
    "name",
    ["module1/02_flow_diagrams", "module4/21_proda", "appendix/ledger", "appendix/promises", "appendix/api/matrix"],
)
def test_paper_has_every_word(name: str, printed) -> None:
    page = printed(name)
    assert page.evaluate(LOST) == []
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.evaluate("""[...document.querySelectorAll('.bd-article :is(mjx-math, img)')].filter(
        (part) => part.getBoundingClientRect().right > innerWidth + 1).length""") == 0


def test_a_widget_is_its_picture_and_what_it_shows(printed) -> None:
    page = printed("module1/03_one_matrix_equation")
    stills = page.evaluate("""[...document.querySelectorAll('.still')].map((still) => {
        const picture = still.closest('.cell_output').querySelector('img');
        return still.checkVisibility() && picture.checkVisibility() && picture.alt === still.textContent; })""")
    assert stills == [True, True]
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.querySelectorAll('.bd-article details[open]').length") == 0


def test_equations_of_the_library_are_set(built: subprocess.CompletedProcess[str]) -> None:
    pages = {page.name: page.read_text("utf-8") for page in Path(built.args[-1]).glob("book/appendix/api/*.html")}
    written = {name: re.findall(r'class="module-equation.*?</pre>', text, re.S) for name, text in pages.items()}
    assert sum(map(len, written.values())) > 20  # equations in plain letters stay
    assert not [name for name, parts in written.items() if any("\\" in part for part in parts)]
    assert pages["forecasting.html"].count('<div class="math') > 10


CHAPTER = """# {title}

## The idea

See [there](#the-idea), [the other]({other}.md), [its idea]({other}.md#the-idea).

```python
print({title!r})
```
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all pages of a book with two chapters whose sections have the same names."""
    folder = tmp_path_factory.mktemp("whole")
    source = folder / "book"
    source.mkdir()
    (source / "intro.md").write_text(
        '# The book\n\n[All](intro.md)\n\n<p><a href="one.html">Begin</a></p>\n\n```{toctree}\none\ntwo\n```\n', "utf-8"
    )
    for name, other in ("one", "two"), ("two", "one"):
        (source / f"{name}.md").write_text(CHAPTER.format(title=name, other=other), "utf-8")
    out = folder / "out"
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-C", "-b", "singlehtml", "-D", "root_doc=book/intro",
         "-D", "extensions=myst_parser,sphinx.ext.autodoc,landcarbon.course.sphinx_extension",
         "-D", "myst_heading_anchors=2", "-D", "myst_html_meta.description=A book", str(folder), str(out)],
        check=True,
    )  # fmt: skip
    return out / "whole.html"


def test_links_of_the_whole_lead_to_their_own_chapter(whole: Path) -> None:
    text = whole.read_text("utf-8")
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names))
    body = text[text.index("<h1>") : text.index("sphinxsidebar")]
    links = re.findall(r'<a [^>]*?href="([^"]+)"', body)
    assert all(link[0] == "#" and link[1:] in names for link in links), links
    first, one, two = re.split("<h[12]>(?:one|two)", body)
    assert 'href="#document-book/one">Begin' in first
    idea = {part: re.search(r'<section id="([^"]*the-idea)', part)[1] for part in (one, two)}
    for here, other in (one, two), (two, one):
        assert f'href="#{idea[here]}">there' in here
        assert re.search(f'href="#{idea[other]}"><span[^>]*>its idea', here)


def test_the_whole_is_printed_with_its_contents_and_no_address_of_this_disk(whole: Path, tmp_path: Path) -> None:
    if doctor.browser() is None:
        pytest.skip("no browser found")
    pdf.write(whole, tmp_path / "book.pdf")
    data = (tmp_path / "book.pdf").read_bytes()
    assert b"/Outlines" in data and b"/StructTreeRoot" in data
    assert data.count(b"/Dest") >= 6
    assert b"file:" not in data and str(whole.parent).encode() not in data
