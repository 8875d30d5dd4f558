"""Who watches, and what is shown to them."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Protocol, Self, TextIO

from invokeai_py_client.display.progress import Labels, LineDisplay
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.events import RunEvent


class Display(Protocol):
    """Something that shows the events of a run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def show(self, event: RunEvent) -> None:
        """Show an event."""
        ...


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    return "ipykernel" in sys.modules


def is_interactive(stream: TextIO | None = None) -> bool:
    """Whether a person watches: a terminal, or a notebook."""
    where: TextIO = sys.stderr if stream is None else stream
    return in_notebook() or (where.isatty() and os.environ.get("TERM") != "dumb")


def display_for(
    labels: Labels, node_count: int, stream: TextIO | None = None, *, preview: bool | None = None
) -> Display:
    """Bars where a person watches, else plain lines.

    Args:
        labels: What the workflow calls a node, by its id.
        node_count: How many nodes will run, at least.
        stream: Where to write; standard error by default, so that results can be piped.
        preview: Whether to show the picture as it comes; by default in a notebook only.
    """
    where: TextIO = sys.stderr if stream is None else stream
    if not is_interactive(where):
        return LineDisplay(labels, where)
    if in_notebook():
        from invokeai_py_client.display.notebook import NotebookDisplay

        return NotebookDisplay(labels, node_count, preview=preview is not False)
    from rich.console import Console

    from invokeai_py_client.display.bars import BarDisplay

    return BarDisplay(labels, node_count, Console(file=where), preview=bool(preview))


def check_preview(preview: bool | None, stream: TextIO | None = None) -> None:
    """See that a picture can be shown, before something is sent that is to be watched.

    Raises:
        UsageError: A terminal needs the extra ``preview`` for it, which is not installed.
    """
    if not preview or in_notebook() or not is_interactive(stream):
        return  # where nobody watches there is no picture
    missing = [name for name in ("PIL", "textual_image") if find_spec(name) is None]
    if missing:
        raise UsageError(
            "A preview in the terminal needs the extra 'preview': pip install 'invokeai-py-client[preview]'."
        )
