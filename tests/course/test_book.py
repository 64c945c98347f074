"""The built book: no warning, and in a browser without a network everything moves."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from landcarbon.course.notebooks import read

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted(p.relative_to(ROOT) for p in ROOT.glob("book/module*/*.ipynb"))
APPENDIX = sorted(
    p.relative_to(ROOT)
    for p in (ROOT / "book/appendix").glob("*.*")
    if p.suffix in (".ipynb", ".md")
)
PAGES = [Path("book/intro.ipynb"), *CHAPTERS, *(p for p in APPENDIX if p.suffix == ".ipynb")]
TEXTS = sorted(p.relative_to(ROOT) for p in ROOT.glob("book/*/**/*.md"))


@pytest.fixture(scope="session")
def html(built: subprocess.CompletedProcess[str]) -> Path:
    folder = Path(built.args[-1])
    if not (folder / "index.html").exists():
        pytest.fail("the book was not built; see test_builds_without_a_warning")
    return folder


def test_builds_without_a_warning(built: subprocess.CompletedProcess[str]) -> None:
    said = [line for line in built.stderr.splitlines() if re.search("WARNING|ERROR", line)]
    assert built.returncode == 0, "\n".join(said or built.stderr.splitlines()[-20:])


def test_every_page_is_in_the_table_of_contents() -> None:
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"file: (\S+)", toc))
    pages = [*CHAPTERS, *APPENDIX]
    missing = [str(p) for p in pages if p.with_suffix("").as_posix() not in named]
    assert not missing


def test_every_module_has_a_library_page() -> None:
    pages = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("book/appendix/api/*.md"))
    modules = [
        p.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for p in sorted((ROOT / "landcarbon").glob("*/**/*.py"))
        if not p.stem.startswith("_") and "exercises" not in p.parts
    ]
    missing = [m for m in modules if f".. automodule:: {m}\n" not in pages]
    assert not missing, f"add a block to book/appendix/api/<wing>.md for {missing}"


def test_every_figure_has_alternative_text(html: Path) -> None:
    bare = []
    for page in html.glob("book/**/*.html"):
        text = page.read_text(encoding="utf-8")
        for tag in re.findall(r"<img\b[^>]*>", text):
            alt = re.search(r'\balt="([^"]*)"', tag)
            generated = "_images/" in tag and (not alt or len(alt[1].split()) < 5)
            if generated:
                bare.append(f"{page.name}: {tag[:120]}")
    assert not bare, "\n".join(bare)


def test_every_link_to_a_section_finds_it(html: Path) -> None:
    names: dict[Path, set[str]] = {}
    lost, chapters = [], set()
    for page in html.glob("book/**/*.html"):
        for address, name in re.findall(r'href="([^":#?]*)#([^"]+)"', page.read_text("utf-8")):
            target = (page.parent / address).resolve() if address else page.resolve()
            if target not in names:
                names[target] = set(re.findall(r'\bid="([^"]+)"', target.read_text("utf-8")))
            if name not in names[target]:
                lost.append(f"{page.name}: {address}#{name}")
            if target.stem.endswith("_refresher") and page.stem[:2].isdigit():
                chapters.add((page.stem, target.stem))
    assert not lost
    assert len(chapters) == 2 * len(CHAPTERS), "every chapter links both refreshers"


def test_every_link_has_words(html: Path) -> None:
    mute = [p.name for p in html.glob("book/**/*.html")
            if re.search(r'<a [^>]*>\s*(?:<span class="std[^>]*>)?\s*<span class="math[^>]*>[^<]*</span>'
                         r"\s*(?:</span>)?\s*</a>", p.read_text("utf-8"))]  # fmt: skip
    assert not mute, "a formula is a picture to who hears the page"


def test_every_column_has_a_name(html: Path) -> None:
    bare = [p.name for p in html.glob("book/**/*.html")
            if re.search(r"<th\b[^>]*>(<p></p>)?</th>", p.read_text("utf-8"))]  # fmt: skip
    assert not bare


VISIBLE = """[...document.querySelectorAll('.jupyter-widgets img')]
    .filter(i => i.offsetParent !== null)
    .map(i => i.alt)"""


@pytest.mark.parametrize("source", PAGES, ids=lambda p: p.stem)
def test_page_works_without_a_network(source: Path, html: Path, browser) -> None:
    page = browser.page()
    page.open((html / source.with_suffix(".html")).as_uri())
    notebook = (ROOT / source).read_text(encoding="utf-8")
    formulas = page.evaluate("document.querySelectorAll('.math').length")
    if formulas:
        assert page.wait("document.querySelectorAll('.math mjx-container').length"), "raw formulas"

    widgets = len(re.findall(r"\bexplore\(", notebook)) if source.suffix == ".ipynb" else 0
    if widgets:
        assert page.wait("document.querySelectorAll('.jupyter-widgets [role=slider]').length"), (
            "no slider appeared"
        )
        assert page.wait(f"({VISIBLE}).length"), "no picture inside the widget"
        sliders = page.evaluate("document.querySelectorAll('.jupyter-widgets [role=slider]').length")
        for i in range(sliders):
            before = page.evaluate(VISIBLE)
            handle = f"document.querySelectorAll('.jupyter-widgets [role=slider]')[{i}]"
            page.evaluate(f"{handle}.focus()")
            page.press("ArrowRight")
            moved = page.wait(f"JSON.stringify({VISIBLE}) !== {json_of(before)}", 5)
            if not moved:  # the slider may stand at its right end
                page.press("ArrowLeft")
                moved = page.wait(f"JSON.stringify({VISIBLE}) !== {json_of(before)}", 5)
            assert moved, f"slider {i + 1} does not change the picture"
            assert len(page.evaluate(VISIBLE)) == len(before)
            spoken = page.evaluate(f"[{handle}.ariaLabel, {handle}.ariaValueText]")
            read = f"{handle}.closest('.widget-slider').querySelector"
            seen = [page.evaluate(f"{read}('{part}').textContent") for part in
                    (".widget-label", ".widget-readout")]
            assert all(spoken) and spoken == seen, "a slider must say its name and its value"

    if source in CHAPTERS:
        answer_the_quiz(page)

    outside = [u for u in page.requests if not u.startswith(("file:", "data:", "blob:", "about:"))]
    assert not outside
    # JupyterBook 1 includes one script twice; the page works all the same.
    assert not [e for e in page.errors if "THEBE_JS_URL" not in e]


def test_library_pages_show_tables_and_no_addresses(html: Path) -> None:
    pages = {p.stem: p.read_text(encoding="utf-8") for p in html.glob("book/appendix/api/*.html")}
    assert "<th class=\"head\"><p>symbol</p></th>" in pages["matrix"]
    for name, text in pages.items():
        assert "Alias for field number" not in text, name
        assert str(ROOT) not in text, name
        assert not re.search(r" at 0x[0-9a-f]{6,}", text), name


def test_first_page_leads_on(html: Path) -> None:
    text = (html / "index.html").read_text(encoding="utf-8")
    assert re.search('<meta name="description" content="[^"]{50,}"', text)
    assert '<a href="book/intro.html">' in text


def test_first_page_has_a_picture_that_unfolds_when_seen(html: Path, browser) -> None:
    motion = "document.querySelector('.tag_moving img').getAnimations()[0]?.currentTime"
    page = browser.page()
    page.open((html / "book/intro.html").as_uri())
    page.evaluate("document.querySelector('.tag_moving img').scrollIntoView()")
    assert page.wait(f"{motion} > 100")
    page.evaluate("document.querySelector('.tag_moving img').getAnimations()[0].finish()")
    assert page.wait(f"{motion} === undefined")
    page.evaluate("document.querySelector('.tag_moving .runs').click()")
    assert page.evaluate(motion) < 5000
    still = browser.page()
    still.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    still.open((html / "book/intro.html").as_uri())
    assert not still.evaluate("document.getAnimations().length")
    assert not still.evaluate("document.querySelectorAll('.tag_moving .runs').length")


def test_links_have_a_preview_and_wrong_addresses_a_page(html: Path) -> None:
    text = (html / "book/module1/03_one_matrix_equation.html").read_text(encoding="utf-8")
    assert re.search('<meta property="og:title" content="[^"]*One matrix equation[^"]*"', text)
    assert re.search('<meta property="og:description" content="[^"]{50,}"', text)
    assert "There is no such page" in (html / "404.html").read_text(encoding="utf-8")


def test_a_figure_opens_large(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module1/03_one_matrix_equation.html").as_uri())
    page.evaluate("document.querySelector('img.opens').click()")
    assert page.evaluate("document.querySelector('.figure-large img').getBoundingClientRect().width") > 1000
    page.evaluate("document.querySelector('.figure-large button').click()")
    assert page.wait("!document.querySelector('.figure-large')")


def test_search_shows_chapters_first(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "search.html").as_uri() + "?q=spin-up")
    found = "[...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href'))"
    assert page.wait(f"({found}).length > 5")
    assert all("book/module" in link for link in page.evaluate(found)[:3])
    assert page.wait("document.querySelectorAll('#search-results li p.context').length > 5")
    texts = "[...document.querySelectorAll('#search-results li p.context')].map(p => p.textContent)"
    for text in page.evaluate(texts)[:6]:
        assert "spin" in text.lower() and "Contents" not in text


def answer_the_quiz(page) -> None:
    """Nothing is told before a choice; the choice is kept; the end has a score and what was missed."""
    questions = page.evaluate("document.querySelectorAll('.quiz-question').length")
    assert questions >= 3, "no quiz on the page"
    told = "[...document.querySelectorAll('.quiz-feedback')].filter(f => f.checkVisibility()).length"
    assert page.evaluate(told) == 0
    for n in range(questions):
        box = f"document.querySelectorAll('.quiz-question')[{n}]"
        right = f"{box}.querySelector('.quiz-choice[data-right] input').click()"
        wrong = f"{box}.querySelector('.quiz-choice:not([data-right]) input').click()"
        check = f"{box}.querySelector('button').click()"
        before = page.evaluate(told)
        page.evaluate(right if n else wrong)
        assert page.evaluate(told) == before, "a choice alone tells nothing"
        page.evaluate(check)
        assert page.evaluate(told) == before + 1
        if n == 0:
            page.evaluate(right)
            page.evaluate(check)
    missed = page.evaluate("document.querySelector('.quiz-question').dataset.concept")
    score = "document.querySelector('.quiz-score').textContent"
    assert f"{questions - 1} of {questions}" in page.evaluate(score)
    assert missed in page.evaluate(score)
    kept = page.evaluate(score)
    page.open(page.evaluate("location.href"))
    assert page.evaluate(score) == kept
    page.evaluate("document.querySelector('.quiz-again').click()")
    assert page.evaluate(told) == 0


CONTRAST = """(() => {
    const part = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    const light = rgb => 0.2126 * part(rgb[0]) + 0.7152 * part(rgb[1]) + 0.0722 * part(rgb[2]);
    const colour = text => text.match(/[\\d.]+/g).map(Number);
    const ground = node => {
        const c = colour(getComputedStyle(node).backgroundColor);
        return c.length === 4 && c[3] === 0 ? ground(node.parentElement) : c;
    };
    return [...document.querySelectorAll(WHICH)].filter(n => n.textContent).map(n => {
        const a = light(colour(getComputedStyle(n).color)), b = light(ground(n));
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
})()"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_quiz_can_be_read_in_both_themes(theme: str, html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module0/00_first_run.html").as_uri())
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.evaluate("document.querySelector('.quiz-choice input').click()")
    page.evaluate("document.querySelector('.quiz-question button').click()")
    parts = ".quiz-question > p, .quiz-choice label, .quiz-feedback, .quiz-choice code, .quiz button, .quiz-score"
    found = page.evaluate(CONTRAST.replace("WHICH", repr(parts)))
    assert len(found) > 20
    assert min(found) >= 4.5


GROUND = "parseFloat(getComputedStyle(NODE).backgroundColor.match(/[\\d.]+/g)[3] ?? 1)"


@pytest.mark.parametrize(("name", "box", "parts"), [
    ("module0/00_first_run", ".widget-subarea", ".jupyter-widgets .widget-label, .jupyter-widgets p, .live-told"),
    ("appendix/model_zoo", ".text_html.output", ".text_html :is(p, th, td, code)")])  # fmt: skip
def test_what_cells_show_has_no_light_ground_in_the_dark(name: str, box: str, parts: str, html: Path, browser) -> None:
    page = browser.page()
    page.open((html / f"book/{name}.html").as_uri())
    assert page.wait(f"document.querySelector({box!r})")
    assert page.wait(f"document.querySelectorAll({parts!r}).length > 2")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait("!document.getAnimations().some(a => a.playState === 'running')")
    node = f"document.querySelector('.cell_output {box}')"
    assert page.evaluate(GROUND.replace("NODE", node)) == 0
    assert min(page.evaluate(CONTRAST.replace("WHICH", repr(parts)))) >= 4.5


def test_printed_sentences_break_and_rows_of_tables_do_not(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module2/13_model_intercomparison.html").as_uri(), width=390)
    cells = [c for c in read(ROOT / "book/module2/13_model_intercomparison.ipynb").cells if c.cell_type == "code"]
    before = " ".join(o.text for c in cells if "remove-cell" not in c.metadata.get("tags", [])
                      for o in c.outputs if o.output_type == "stream")  # fmt: skip
    shown = page.evaluate("[...document.querySelectorAll('.cell_output .stream pre')].map(p => p.innerText).join(' ')")
    assert " ".join(shown.split()) == " ".join(before.split())
    sentences = "[...document.querySelectorAll('.cell_output .sentence')]"
    assert page.evaluate(f"{sentences}.some(s => s.textContent.startsWith('correlation with the residual'))")
    assert page.evaluate(f"{sentences}.every(s => s.getBoundingClientRect().right <= innerWidth)")
    assert not page.evaluate(f"{sentences}.some(s => s.textContent.startsWith('PRODA '))"), "a row of a table"


def test_names_of_the_library_fit_the_list_beside_the_page(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/appendix/api/assimilation.html").as_uri())
    links = "[...document.querySelectorAll('.bd-sidebar-secondary nav a')]"
    names = page.evaluate(f"{links}.map(a => a.textContent.trim())")
    assert "calibration" in names
    assert not [name for name in names if name.startswith("landcarbon.")]


SHOWN = """[...document.querySelectorAll('article.bd-article > section > section')]
    .filter(s => s.offsetParent !== null).map(s => s.id)"""


# What a reader sees of the page, in order, without what heads it: the letters, and the figures.
READS = """(() => {
    const heads = 'h2, h3, h4, h5, h6, thead, .headerlink, .admonition-title, .done-box, script, style';
    const walk = document.createTreeWalker(document.querySelector('article.bd-article > section'));
    const seen = [];
    for (let n = walk.currentNode; n; n = walk.nextNode()) {
        const part = n.nodeName === 'IMG' ? n : n instanceof Text && n.parentElement;
        if (part && !part.closest(heads) && part.checkVisibility()) seen.push(n.data ?? n.alt);
    }
    return seen.join('').replace(/\\s+/g, '');
})()"""
# What is wrong with the slide that is shown: parts outside of the window or under the bar, parts that scroll.
WRONG = """(() => {
    const article = document.querySelector('article.bd-article'), root = document.documentElement;
    const low = document.querySelector('.slide-bar').getBoundingClientRect().top + 1;
    const parts = [...article.querySelectorAll('*:not(svg *, mjx-assistive-mml *)')].filter(e => e.checkVisibility());
    const outside = parts.map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.width && r.height
        && !e.closest('.slide-tall') && (r.left < -1 || r.top < -1 || r.right > innerWidth + 1 || r.bottom > low));
    const scrolls = parts.filter(e => e.matches('pre, div.math, mjx-container[display], table, details, .cell_output')
        && (e.scrollWidth > e.clientWidth + 2 || e.scrollHeight > e.clientHeight + 2));
    const name = e => `${e.tagName}.${e.className}`;
    return [...outside.map(([e]) => name(e)), ...scrolls.map(name),
        ...(root.scrollHeight > innerHeight || root.scrollWidth > innerWidth ? ['the window scrolls'] : [])];
})()"""
SAID = "document.querySelector('.slide-bar span').textContent"
DRAWN = """document.querySelector('mjx-container')
    && [...document.querySelectorAll('script[type$="widget-view+json"]')]
        .every(s => s.parentElement.querySelector('.jupyter-widgets img')?.complete)"""


def test_page_turns_into_slides(html: Path, browser) -> None:
    page = browser.page()
    address = (html / "book/module1/03_one_matrix_equation.html").as_uri()
    page.open(address)
    all_sections = page.evaluate(SHOWN)
    assert len(all_sections) > 10
    page.evaluate("document.querySelector('.slide-begin').click()")
    assert page.evaluate(SHOWN) == []  # the title alone
    assert page.evaluate("document.querySelector('article.bd-article h1').checkVisibility()")
    assert not page.evaluate("document.querySelector('.bd-sidebar-primary').checkVisibility()")
    for section in all_sections[:2]:
        page.press("ArrowRight")
        assert page.evaluate(SHOWN) == [section]
    page.press("ArrowLeft")
    assert page.evaluate(SHOWN) == all_sections[:1]
    assert page.evaluate(SAID).startswith("2 of ")
    page.evaluate("document.querySelector('.slide-bar button:last-child').click()")
    assert page.evaluate(SHOWN) == all_sections

    # A figure that is opened large is closed by its own Escape; the next one leaves the slides.
    page.evaluate("document.querySelector('.slide-begin').click()")
    page.evaluate("document.querySelector('img.opens').click()")
    assert page.wait("document.querySelector('dialog[open]')")
    page.press("Escape")
    assert page.wait("!document.querySelector('dialog[open]')")
    assert page.evaluate("document.body.classList.contains('slides')")
    page.press("Escape")
    assert not page.evaluate("document.body.classList.contains('slides')")

    # Slides begin where the page was, and the page goes on where the slides were.
    page.evaluate("document.querySelector('#quiz').scrollIntoView({behavior: 'instant'})")
    page.evaluate("document.querySelector('.slide-begin').click()")
    assert page.evaluate(SHOWN) == ["quiz"]
    while page.evaluate(SHOWN) == ["quiz"]:
        page.press("ArrowRight")
    page.evaluate("document.querySelector('.slide-bar button:last-child').click()")
    assert 0 <= page.evaluate("document.querySelector('#exercises').getBoundingClientRect().top") < 200

    other = browser.page()
    other.open(f"{address}?slides#move-it")
    assert other.wait(f"JSON.stringify({SHOWN}) === '[\"move-it\"]'")
    slider = "document.querySelector('#move-it [role=slider]')"
    assert other.wait(slider)
    while not other.evaluate(f"{slider}.checkVisibility()"):
        other.press("ArrowRight")
    before = other.evaluate(VISIBLE)
    other.evaluate(f"{slider}.focus()")
    other.press("ArrowLeft")  # belongs to the slider, not to the slides
    assert other.wait(f"JSON.stringify({VISIBLE}) !== {json_of(before)}", 5)
    assert other.evaluate(SHOWN) == ["move-it"]


@pytest.mark.parametrize("chapter", ["module1/03_one_matrix_equation", "module3/14_bayes_in_seven_steps",
                                     "module5/24_forecasting_cycle"])
def test_slides_fit_the_window_and_leave_nothing_out(chapter: str, html: Path, browser) -> None:
    page = browser.page()
    page.open((html / f"book/{chapter}.html").as_uri(), 1280, 800)
    assert page.wait(DRAWN)
    text = page.evaluate(READS)
    page.evaluate("document.querySelector('.slide-begin').click()")
    for width, height in [(1280, 800), (1920, 1080)]:
        said = page.evaluate(SAID)
        page.resize(width, height)
        if (width, height) != (1280, 800):
            assert page.wait(f"{SAID} !== '{said}'"), "not laid again for the larger window"
            page.evaluate("document.querySelector('.slide-begin').click()")
        read, smallest = "", 1.0
        for number in range(1, 1 + int(page.evaluate(SAID).split()[-1])):
            assert page.evaluate(SAID).startswith(f"{number} of ")
            wrong = page.evaluate(WRONG)
            assert not wrong, f"slide {number} at {width} × {height}: {wrong}"
            read += page.evaluate(READS)
            zoom = page.evaluate("Number(document.querySelector('article.bd-article').style.zoom)")
            smallest = min(smallest, zoom / min(width / 1280, height / 720))
            page.press("ArrowRight")
        assert read == text, "every block on one slide, in the order of the page"
        assert smallest > 0.64


def test_slide_is_fitted_when_the_speaker_opens_code_or_answers_the_quiz(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module3/14_bayes_in_seven_steps.html").as_uri(), 1280, 800)
    assert page.wait(DRAWN)
    page.evaluate("document.querySelector('#move-it').scrollIntoView({behavior: 'instant'})")
    page.evaluate("document.querySelector('.slide-begin').click()")
    folded = "document.querySelector('#move-it details.hide')"
    while not page.evaluate(f"{folded}.checkVisibility()"):
        page.press("ArrowRight")
    page.evaluate(f"{folded}.open = true")
    assert page.wait("document.querySelector('.slide-tall')"), "too long for a slide: it scrolls in its own box"
    assert not [part for part in page.evaluate(WRONG) if not part.startswith(("DETAILS", "PRE"))]
    page.evaluate(f"{folded}.open = false")
    assert page.wait("!document.querySelector('.slide-tall')")
    assert page.evaluate(WRONG) == []

    # A quiz tells its feedback on the slide.
    button = "[...document.querySelectorAll('.quiz-question button')].find(b => b.checkVisibility())"
    while not page.evaluate(f"Boolean({button})"):
        page.press("ArrowRight")
    page.evaluate(f"{button}.parentElement.querySelector('input').click()")
    page.evaluate(f"{button}.click()")
    assert page.evaluate("[...document.querySelectorAll('.quiz-feedback')].some(f => f.checkVisibility())")
    assert page.wait(f"!{WRONG}.length", 5)


@pytest.mark.parametrize("source", [*PAGES, *TEXTS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_page_fits_a_phone(source: Path, html: Path, browser) -> None:
    page = browser.page()
    page.open((html / source.with_suffix(".html")).as_uri(), width=390)
    if source in CHAPTERS:
        page.wait("document.querySelectorAll('.jupyter-widgets img').length", 10)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.evaluate(
        "[...document.querySelectorAll('main img')].filter(i => i.offsetParent !== null "
        "&& i.getBoundingClientRect().width > 390).map(i => i.alt)"
    )
    assert not wide
    tracks = page.evaluate("[...document.querySelectorAll('.widget-slider .slider-container')]"
                           ".map(e => e.getBoundingClientRect().width)")
    assert min(tracks, default=150) >= 150, "a thumb needs a longer track"
    page.evaluate("document.documentElement.dataset.theme = 'dark'; new Promise(done => setTimeout(done, 100))")
    without_keys = page.evaluate("[...document.querySelectorAll('.bd-article .cell_output :is(table, pre), .math')]"
                                 ".filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0"
                                 " && getComputedStyle(e).overflowX === 'auto').map(e => e.textContent.slice(0, 80))")
    assert not without_keys, "what is cut must be reached by keys, in a darker theme with wider margins too"


def json_of(value: object) -> str:
    """The value as a JavaScript string that holds its JSON."""
    return json.dumps(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def test_what_a_reader_did_is_kept_and_shown(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module1/03_one_matrix_equation.html").as_uri())
    assert page.evaluate("document.querySelector('.done-box input').checked") is False
    page.evaluate("document.querySelector('.done-box input').click()")
    assert page.evaluate("document.querySelectorAll('.bd-sidebar-primary .done-mark').length") == 1
    page.open((html / "book/appendix/progress.html").as_uri())
    assert page.wait("document.querySelector('#progress-here table')")
    assert page.evaluate("document.querySelector('h1').textContent").startswith("My progress")
    rows = "[...document.querySelectorAll('#progress-here tbody tr')]"
    assert page.evaluate(f"{rows}.length") == len(CHAPTERS)
    assert page.evaluate(f"{rows}.filter(r => r.textContent.includes('✔')).length") == 1
    assert "Last read: " in page.evaluate("document.querySelector('#progress-here').textContent")
    page.open((html / "book/intro.html").as_uri())
    assert "One matrix equation" in page.evaluate("document.querySelector('#go-on').textContent")


def test_saved_work_is_read_again(html: Path, browser, tmp_path: Path) -> None:
    words = {"landcarbon.done": '{"03": "2026-05-04"}', "other.key": "no",
             "landcarbon.score.03": '{"questions": 7, "first": 5, "missed": ["columns", "signs"]}'}
    good, bad = tmp_path / "work.json", tmp_path / "holiday.json"
    notebook = {"type": "notebook", "path": "exercises/03_x.ipynb", "last_modified": "2026-05-04",
                "content": {"cells": [{"outputs": [{"text": "✔ 03.2 right"}]}]}}  # fmt: skip
    work = {"landcarbon": 1, "words": words, "models": {notebook["path"]: notebook}}
    good.write_text(json.dumps(work), encoding="utf-8")
    old = tmp_path / "old.json"
    notebook |= {"last_modified": "2026-05-03", "content": {"cells": []}}
    less = words | {"landcarbon.score.03": '{"questions": 7, "first": 1, "missed": []}'}
    old.write_text(json.dumps(work | {"words": less}), encoding="utf-8")
    bad.write_text("{}", encoding="utf-8")
    said = "document.querySelector('#progress-here [role=status]').textContent"
    with browser.stranger() as page:
        page.open((html / "book/appendix/progress.html").as_uri())
        answers = {bad: "This is no file from", good: "Your work is here.", old: "Your work is here. Not"}
        for path, answer in answers.items():
            assert page.wait("document.querySelector('#upload-work')")
            if path == old:  # work goes on in another tab, which this page does not see
                page.evaluate("""localStorage.setItem('landcarbon.done', '{"03": "2026-05-04", "10": "2026-05-05"}')""")
            document = page.call("DOM.getDocument")["root"]["nodeId"]
            field = page.call("DOM.querySelector", nodeId=document, selector="#upload-work")["nodeId"]
            page.call("DOM.setFileInputFiles", nodeId=field, files=[str(path)])
            assert page.wait(f"{said}.startsWith({answer!r})")
        row = "[...document.querySelectorAll('#progress-here tbody tr')].find(r => r.textContent.startsWith('03'))"
        text = page.evaluate(f"{row}.textContent")
        assert "2026-05-04" in text and "5 of 7" in text and "columns; signs" in text
        assert "2 ✔" in text, "a notebook comes where JupyterLite was never opened, and no older one replaces it"
        assert page.evaluate("localStorage.getItem('other.key')") is None
        assert "10" in json.loads(page.evaluate("localStorage.getItem('landcarbon.done')")), "no tick is taken back"


def test_a_module_has_one_page_that_sums_it_up(html: Path) -> None:
    for module in range(1, 6):
        text = (html / f"book/module{module}/summary.html").read_text(encoding="utf-8")
        chapters = [p for p in CHAPTERS if p.parent.name == f"module{module}"]
        for chapter in chapters:
            assert f'href="{chapter.stem}.html"' in text
            points = "\n".join(c.source for c in read(ROOT / chapter).cells).partition("## Key points")[2]
            assert points.partition("\n## ")[0].count("\n- ") >= 3
        assert text.count("<li><p>") >= 3 * len(chapters)
        assert text.count('class="math notranslate nohighlight"') >= len(chapters)


def test_a_word_of_the_glossary_tells_its_meaning(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module1/06_ages_and_transit_times.html").as_uri())
    words = "[...document.querySelectorAll('a.term')].map(a => a.firstChild.data.toLowerCase())"
    found = page.evaluate(words)
    assert "transit time" in found
    assert len(found) == len(set(found)), "a word is explained once"
    word = "[...document.querySelectorAll('a.term')].find(a => a.firstChild.data === 'transit time')"
    assert not page.evaluate(f"{word}.querySelector('.term-text').checkVisibility()")
    page.evaluate(f"{word}.focus()")
    page.press("ArrowLeft")  # the focus is seen when it comes by a key
    assert page.wait(f"{word}.querySelector('.term-text').checkVisibility()")
    entry = page.evaluate(f"{word}.href")
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    page.evaluate(f"{word}.blur(), {word}.click()")
    assert page.evaluate(f"{word}.querySelector('.term-text').checkVisibility()"), "a tap tells"
    assert page.evaluate("location.pathname").endswith("06_ages_and_transit_times.html")
    page.evaluate(f"{word}.click()")
    assert page.wait("location.pathname.endsWith('glossary.html')"), "the second tap leads on"
    page.open(entry)
    assert page.evaluate("document.querySelector(decodeURIComponent(location.hash)) !== null")


def test_menu_says_what_a_page_from_a_disk_needs(html: Path, browser) -> None:
    page = browser.page()
    page.open((html / "book/module1/03_one_matrix_equation.html").as_uri())
    assert page.wait("document.querySelector('.lite-list').textContent.includes('course.py serve')")
    page.evaluate("document.querySelector('.lite-menu > summary').click()")
    assert page.evaluate("document.querySelector('.lite-list').checkVisibility()")
    assert page.evaluate("document.querySelectorAll('.lite-list a').length") == 0
