"""Consoles for rich that replace control characters in everything they print."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from invokeai_py_client._text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment


class _Nowhere(io.StringIO):
    """A stream that discards everything."""

    def write(self, text: str, /) -> int:
        return len(text)


def default_stream() -> TextIO:
    """Return standard error, or an empty stream if the process has none, like a program without a console."""
    return sys.stderr or _Nowhere()


def console_for(stream: TextIO) -> Console:
    """Return a console that writes to a stream.

    Labels and messages come from workflow files and servers. Their control characters are replaced here, so that
    they cannot move the cursor, clear the screen or change the window's title. The codes that rich itself writes
    for colors, bars and pictures are kept.
    """
    from rich.console import Console
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield Segment(printable(segment.text), segment.style)

    return SafeConsole(file=stream)
