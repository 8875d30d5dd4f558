"""The picture as it looks so far, in a terminal: in pixels where the terminal can draw them, else in half blocks."""

# The library tells its types only in part.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.files.images import decode
from invokeai_py_client.run.events import Preview

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment

_MOST_ROWS = 20
_ROWS_OF_BARS = 4


class Picture:
    """Something that rich can print, and that changes.

    It is drawn once for each preview, not at each turn of a spinner: to code a picture as sixels takes a while.
    """

    def __init__(self) -> None:
        # Asks the terminal at the first import what it can draw, by way of standard output.
        from textual_image.renderable import HalfcellImage, Image, UnicodeImage

        # Its shades of grey are for a stream that is no terminal; this one is.
        self._kind: Any = HalfcellImage if Image is UnicodeImage else Image
        self._preview: Preview | None = None
        self._image: Any = None
        self._drawn: list[Segment] = []
        self._size = (0, 0)

    def show(self, preview: Preview) -> None:
        """Show another picture from now on; one that cannot be read is left out."""
        if preview is self._preview:
            return
        self._preview = preview
        try:
            image = decode(preview.data, "of the preview").convert("RGB")
        except (APIRequestError, ValueError):
            return  # a server's trouble with a preview is no reason to stop watching
        self.clear()
        self._image = self._kind(image, width="auto", height="auto")

    def clear(self) -> None:
        """Have the terminal forget the picture."""
        if self._image is not None:
            self._image.cleanup()
        self._image, self._size = None, (0, 0)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        if self._image is None:
            return
        size = options.max_width, min(_MOST_ROWS, max(console.height - _ROWS_OF_BARS, 1))
        if self._size != size:
            self._drawn = list(console.render(self._image, options.update_dimensions(*size)))
            self._size = size
        yield from self._drawn
