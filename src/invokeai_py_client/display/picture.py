"""Live preview of an image in a terminal: in pixels if the terminal supports them, else in half-block characters."""

# The library is only partly typed.
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
    """A rich renderable that shows the latest preview.

    It is rendered once per preview, not on every refresh, because encoding an image as sixels is slow.
    """

    def __init__(self) -> None:
        # On import, this module queries the terminal's capabilities over standard output.
        from textual_image.renderable import HalfcellImage, Image, UnicodeImage

        # UnicodeImage is the fallback for streams that are not a terminal, and this stream is a terminal.
        self._kind: Any = HalfcellImage if Image is UnicodeImage else Image
        self._preview: Preview | None = None
        self._image: Any = None
        self._drawn: list[Segment] = []
        self._size = (0, 0)

    def show(self, preview: Preview) -> None:
        """Show a new preview. Previews that cannot be decoded are skipped."""
        if preview is self._preview:
            return
        self._preview = preview
        try:
            image = decode(preview.data, "of the preview").convert("RGB")
        except (APIRequestError, ValueError):
            return  # a broken preview must not interrupt the wait
        self.clear()
        self._image = self._kind(image, width="auto", height="auto")

    def clear(self) -> None:
        """Remove the image from the terminal."""
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
