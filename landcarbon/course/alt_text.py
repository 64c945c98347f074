"""Alternative text of figures in the built book.

Figures carry their alternative text in the output metadata of the notebook, as `plots.show`
writes it; MyST-NB reads width and height from there but not the text, so this plugin adds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

__all__ = ["AltText"]


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
