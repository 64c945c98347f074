"""What the built book needs beyond its standard extensions.

Figures carry their alternative text in the output metadata of the notebook, as `plots.show`
writes it; MyST-NB reads width and height from there but not the text, so `AltText` adds it.
Module docstrings hold equations and tables laid out for reading in the source: the tables become
tables of the page, equations in LaTeX are set, others stay as they stand.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, ClassVar
from urllib.parse import quote

from docutils import nodes

from landcarbon.course.notebooks import read

_LITERAL = re.compile(r"``.*?``|`[^`]+`|\\\||\*\*|[|*_]")
_ALIGNED = re.compile(r"\S {3,}\S")
_BAR = re.compile(r"``.*?``|\\\||\|")
_BORDER = re.compile(r"=+( +=+)+$")
_MODULE = re.compile(r"<module '([\w.]+)' from '[^']*'>")
_INDENT = "    "

__all__ = ["AltText", "in_short", "page_source", "setup"]


class AltText:
    """MyST-NB renderer of PNG outputs (entry point group ``myst_nb.mime_renderers``)."""

    mime_priority_overrides: ClassVar[Sequence[tuple[str, str, int | None]]] = ()

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[Any] | None:
        """Image nodes with their alternative text, or None to leave the output to MyST-NB."""
        alt = data.output_metadata.get(data.mime_type, {}).get("alt")
        if data.mime_type != "image/png" or not alt:
            return None
        nodes: list[Any] = renderer.render_image(data)
        for node in nodes:
            node["alt"] = alt
        return nodes


def page_source(lines: Sequence[str]) -> list[str]:
    """reStructuredText of a module docstring: equations as written, tables as tables, text escaped.

    Examples
    --------
    >>> for line in page_source(["    X = |A| b", "", "= ====", "a b_2 ", "= ====", "x |y| ", "= ===="]):
    ...     print(line)
    .. code-block:: none
       :class: module-equation
    <BLANKLINE>
       X = |A| b
    <BLANKLINE>
    .. list-table::
       :header-rows: 1
    <BLANKLINE>
       * - a
         - b\\_2
       * - x
         - \\|y\\|
    <BLANKLINE>
    """
    page: list[str] = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        written = paragraph.split("\n")
        if _BORDER.fullmatch(written[0].strip()):
            page += _table(written)
        elif paragraph.startswith(_INDENT) or any(_ALIGNED.search(line) for line in written):
            page += _as_written(paragraph)
        else:
            page += _text(written)
    return page


def _text(lines: list[str]) -> list[str]:
    """A paragraph; what is numbered stands by itself, and a colon needs no second one."""
    page: list[str] = []
    for line in lines:
        if re.match(r"\[\d+\] ", line):
            page.append("")
        page.append(_escaped(re.sub("::$", ":", line.removeprefix(_INDENT))))
    return [*([] if page == [":"] else page), ""]


def _as_written(paragraph: str) -> list[str]:
    """An equation, or words in columns; what is written in LaTeX is set, each equation on its line."""
    if re.search(r"\\[a-zA-Z]", paragraph):
        equations = re.split(r"\\qquad *\n", dedent(paragraph).rstrip())
        aligned = ["& " + equation.lstrip() for equation in equations] if len(equations) > 1 else equations
        return [".. math::", "", *indent("\n\n".join(aligned), "   ").split("\n"), ""]
    written = indent(dedent(paragraph).rstrip(), "   ")
    return [".. code-block:: none", "   :class: module-equation", "", *written.split("\n"), ""]


def _table(lines: list[str]) -> list[str]:
    """A simple table, whose columns stand under its border, as a list of rows."""
    border = lines[0].rstrip()
    starts = [found.start() for found in re.finditer("=+", border)]
    rows: list[list[str]] = []
    for line in lines:
        if _BORDER.fullmatch(line.strip()):
            continue
        cells = [line[a:b].strip() for a, b in pairwise([*starts, None])]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells)]
    page = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        page += [f"   {'  ' if n else '* '}- {_escaped(cell)}".rstrip() for n, cell in enumerate(row)]
    return [*page, ""]


def _escaped(text: str) -> str:
    """Stars, bars and low lines as they are, outside of what stands in backticks."""
    return _LITERAL.sub(lambda found: found[0] if len(found[0]) > 1 else "\\" + found[0], text)


def _docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Lay out a module docstring, and show bars as bars instead of substitutions."""
    if what == "module":
        lines[1:] = ["", *page_source(lines[1:])]
    else:
        lines[:] = [
            line if line.lstrip().startswith((">>>", "...")) else _BAR.sub(_bar, line)
            for line in lines
        ]


def _bar(found: re.Match[str]) -> str:
    return r"\|" if found[0] == "|" else found[0]


def _signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: Any
) -> tuple[str, Any] | None:
    """A module as a default is its name, not where it lay when the book was built."""
    return (_MODULE.sub(r"\1", signature), returns) if signature else None


def _alias(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Fields are told in the docstring of their class: not once more, by an alias or their default."""
    alias = (getattr(obj, "__doc__", None) or "").startswith("Alias for field")
    default = what == "class" and getattr(obj, "__name__", name) != name
    return True if alias or default else None


def _summary(app: Any, page: str, source: list[str]) -> None:
    """The page of a module says of each chapter its idea, its equation and its key points, as they stand there."""
    folder = Path(app.srcdir, page).parent
    chapters = sorted(folder.glob("[0-9]*.ipynb")) if page.endswith("/summary") else []
    for path in chapters:
        text = "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        source[0] += "\n\n" + in_short(path.name, text)


def in_short(name: str, text: str) -> str:
    """The idea, the first numbered equation and the key points of a chapter.

    Examples
    --------
    >>> print(in_short("x.ipynb", "# 00 · X\\n## The idea\\nOne.\\n\\nMore.\\n## Key points\\n\\n- Two."))
    ## 00 · X
    <BLANKLINE>
    One. [The chapter](x.ipynb)
    <BLANKLINE>
    - Two.
    """
    parts = dict(re.findall(r"^##? (.+)\n((?:(?!##? ).*\n?)*)", text, re.M))
    title = re.search("^# (.+)", text, re.M)
    idea = re.sub(r" ?\{cite:\w\}`[^`]*`", "", parts.get("The idea", "")).strip().split("\n\n")[0]
    equation = re.search(r"\$\$(?:(?!\$\$)[^$])*\$\$(?= \(eq-)", parts.get("The equation", ""))
    said = [f"## {title[1] if title else name}", f"{idea} [The chapter]({name})", equation[0] if equation else "",
            parts.get("Key points", "").strip()]  # fmt: skip
    return "\n\n".join(filter(None, said))


def _terms(app: Any, error: Exception | None) -> None:
    """The glossary as a script: name, place and text of each entry, for `terms.js`."""
    page = "book/appendix/glossary"
    if error or app.builder.name != "html" or page not in app.env.found_docs:
        return
    found = []
    for entry in app.env.get_doctree(page).findall(nodes.definition_list_item):
        *terms, definition = [part for part in entry.children if isinstance(part, (nodes.term, nodes.definition))]
        text = " ".join(definition.astext().split())
        if not any(definition.findall(nodes.math)):
            found += [[name.strip(), term["ids"][0], text] for term in terms for name in term.astext().split(",")]
    script = f"window.glossary = {json.dumps([page, found], ensure_ascii=False)};\n"
    Path(app.outdir, "_static", "glossary.js").write_text(script, encoding="utf-8")


def _first_page(app: Any, error: Exception | None) -> None:
    """An `index.html` with a title, a description and a link, where there would be a bare refresh."""
    root = f"{app.config.root_doc}.html"
    if error or app.builder.name != "html" or root == "index.html":
        return
    about = app.config.myst_html_meta["description"]
    Path(app.outdir, "index.html").write_text(
        f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{app.config.html_title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{about}">
<meta http-equiv="refresh" content="0; url={root}"></head>
<body><main><h1>{app.config.html_title}</h1><p>{about}</p>
<p><a href="{root}">Open the course</a></p></main></body></html>
""",
        encoding="utf-8",
    )


def _not_found(app: Any, error: Exception | None) -> None:
    """A page for addresses that lead nowhere, and a map of the site where its address is known.

    A server shows it at any depth, so it finds the first page by what stands before ``/book/``.
    """
    if error or app.builder.name != "html":
        return
    title = app.config.html_title
    Path(app.outdir, "404.html").write_text(
        f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Not found: {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; }}
a {{ color: light-dark(#0f5fd0, #7fb0f0); }} input, button {{ font: inherit; padding: 0.3rem 0.6rem; }}</style></head>
<body><main><h1>There is no such page</h1>
<p>It may have another name now. <a id="first" href="/">The first page of the course</a> has the list of all;
or search:</p>
<form id="search" role="search" action="/search.html">
<input type="search" name="q" aria-label="Search this book"> <button>Search</button></form>
</main><script>
const site = "{app.config.html_baseurl}" && new URL("{app.config.html_baseurl}");
const [before, ...inside] = window.location.pathname.split(/\\/(?:book|lite|_static)\\//);
const here = inside.length ? before : before.replace(/[^/]*$/, "");
const root = (site.host === window.location.host ? site.pathname : here).replace(/\\/?$/, "/");
document.getElementById("first").href = root + "index.html";
document.getElementById("search").action = root + "search.html";
</script></body></html>
""",
        encoding="utf-8",
    )
    if base := app.config.html_baseurl:
        lines = "".join(
            f"<url><loc>{base.rstrip('/')}/{name}.html</loc></url>\n" for name in sorted(app.env.found_docs)
        )
        Path(app.outdir, "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
            f"{lines}</urlset>\n",
            encoding="utf-8",
        )


def _previews(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """What a messenger or a search engine shows of a link; the picture needs the address of the site."""
    about = escape(app.config.myst_html_meta["description"])
    title = escape(re.sub("<[^>]+>", "", context.get("title", "")) or app.config.html_title)
    tags = {"og:title": title, "og:description": about, "og:type": "article", "og:site_name": app.config.html_title}
    if base := app.config.html_baseurl:
        tags |= {"og:image": f"{base.rstrip('/')}/_static/page.png", "og:url": f"{base.rstrip('/')}/{page}.html"}
    lines = "".join(f'<meta property="{name}" content="{value}">\n' for name, value in tags.items())
    context["metatags"] = context.get("metatags", "") + lines


def _one_page(app: Any) -> None:
    """The builder of one page takes the nodes of all extensions, not only of those that know its name."""
    handlers = app.registry.translation_handlers
    if app.builder.name == "singlehtml":
        handlers["singlehtml"] = handlers.get("html", {}) | handlers.get("singlehtml", {})
        app.config.html_scaled_image_link = False


def _one_document(app: Any, tree: nodes.document, page: str) -> None:
    """On the page that holds all pages an identifier stands once, and links lead to the one they meant."""
    if app.builder.name != "singlehtml":
        return
    there: dict[str, str] = {}  # identifier: the page that has it first
    renamed: dict[tuple[str, str], str] = {}

    def collect(node: nodes.Element, page: str) -> None:
        page = node.get("docname", page)
        for name in node.get("ids", []):
            if there.setdefault(name, page) != page:
                renamed[page, name] = f"{nodes.make_id(page)}-{name}"
        for child in node.children:
            if isinstance(child, nodes.Element):
                collect(child, page)

    def change(node: nodes.Element, page: str) -> None:
        page = node.get("docname", page)
        for key in "ids", "backrefs":
            if node.get(key):
                node[key] = [renamed.get((page, name), name) for name in node[key]]
        if "refid" in node:
            node["refid"] = renamed.get((page, node["refid"]), node["refid"])
        if node.get("refuri", "").startswith("#document-"):
            target, _, name = node["refuri"].removeprefix("#document-").partition("#")
            if name or target == root:
                node["refuri"] = "#" + renamed.get((target, name), name or first)
        if isinstance(node, nodes.raw):
            address = rf'href="#document-{posixpath.dirname(page)}/\1"'
            node[:] = [nodes.Text(re.sub(r'href="([\w/.]+)\.html"', address, node.astext()))]
        for child in node.children:
            if isinstance(child, nodes.Element):
                change(child, page)

    root, first = app.config.root_doc, next(tree.findall(nodes.section))["ids"][0]
    collect(tree, root)
    change(tree, root)


def _whole(app: Any, error: Exception | None) -> None:
    """The page of all pages as `whole.html`, where its addresses lead from; code keeps the marks that have a colour.

    A browser that prints needs memory for each mark: without the plain ones it is two thirds.
    """
    if error or app.builder.name != "singlehtml":
        return
    page = Path(app.outdir, f"{app.config.root_doc}.html")
    text = re.sub(r'<span class="(?:n|nn|p|o|w|gp|go)">([^<]*)</span>|<span></span>', r"\1", page.read_text("utf-8"))
    Path(app.outdir, "whole.html").write_text(text, encoding="utf-8")
    page.unlink()


def _address(app: Any, config: Any) -> None:
    """The site's address comes from whoever publishes it: LANDCARBON_SITE."""
    config.html_baseurl = config.html_baseurl or os.environ.get("LANDCARBON_SITE", "")


def _remark(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """A link for remarks at the foot, if whoever publishes gives an address that ends before the page's name."""
    if address := os.environ.get("LANDCARBON_REMARKS"):
        context["theme_extra_footer"] = (
            f'<a href="{escape(address + quote(page))}">Something wrong or unclear on this page? Tell us.</a>'
        )


def setup(app: Any) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("autodoc-process-docstring", _docstring, priority=900)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _alias)
    app.connect("config-inited", _address)
    app.connect("builder-inited", _one_page)
    app.connect("doctree-resolved", _one_document, priority=900)
    app.connect("source-read", _summary)
    app.connect("html-page-context", _previews)
    app.connect("html-page-context", _remark)
    app.connect("build-finished", _first_page)
    app.connect("build-finished", _not_found)
    app.connect("build-finished", _terms)
    app.connect("build-finished", _whole)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
