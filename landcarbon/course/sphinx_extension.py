"""What the built book needs beyond its standard extensions.

Figures carry their alternative text in the output metadata of the notebook, as `plots.show`
writes it; MyST-NB reads width and height from there but not the text, so `AltText` adds it.
Module docstrings hold equations and tables laid out for reading in the source; they are shown as
they stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

_BAR = re.compile(r"``.*?``|\\\||\|")

__all__ = ["AltText", "setup"]


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


def _as_written(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Show a module docstring as it stands, and bars as bars instead of substitutions."""
    rest = "\n".join(lines[1:]).strip("\n")
    if what == "module" and rest:
        lines[:] = [lines[0], "", "::", "", *(f"   {line}" for line in rest.split("\n")), ""]
    elif what != "module":
        lines[:] = [
            line if line.lstrip().startswith((">>>", "...")) else _BAR.sub(_escaped, line)
            for line in lines
        ]


def _escaped(found: re.Match[str]) -> str:
    return r"\|" if found[0] == "|" else found[0]


def setup(app: Any) -> dict[str, bool]:
    """Entry point of Sphinx."""
    app.connect("autodoc-process-docstring", _as_written, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
