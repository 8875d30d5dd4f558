"""The choice of a display: terminal, notebook or plain lines."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from invokeai_py_client.display.console import default_stream
from invokeai_py_client.display.progress import Labels, LineDisplay
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.events import RunEvent

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun


class Display(Protocol):
    """A display for the events of a run."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def show(self, event: RunEvent) -> None:
        """Update the display after an event."""
        ...

    async def finish(self, run: AsyncRun) -> None:
        """Show the images of a run that has ended, if the display can."""
        ...


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook.

    The module ``ipykernel`` may also be loaded in a process that only starts kernels.
    """
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def is_interactive(stream: TextIO | None = None) -> bool:
    """Return whether output is shown live: in a terminal or a notebook.

    Args:
        stream: The stream to check. Defaults to standard error.
    """
    target = default_stream() if stream is None else stream
    return in_notebook() or (target.isatty() and os.environ.get("TERM") != "dumb")


def display_for(
    labels: Labels, node_count: int, stream: TextIO | None = None, *, preview: bool | None = None
) -> Display:
    """Return progress bars for a terminal or a notebook, else plain lines.

    Args:
        labels: Returns the label of a node, given its id.
        node_count: The minimum number of nodes that will run.
        stream: The stream to write to. Defaults to standard error, so that results can be piped.
        preview: Whether to show a live preview of the image. Defaults to None: only in a notebook.
    """
    target = default_stream() if stream is None else stream
    if not is_interactive(target):
        return LineDisplay(labels, target)
    if in_notebook():
        from invokeai_py_client.display.notebook import NotebookDisplay

        return NotebookDisplay(labels, node_count, preview=preview is not False)
    from invokeai_py_client.display.bars import BarDisplay
    from invokeai_py_client.display.console import console_for

    return BarDisplay(labels, node_count, console_for(target), preview=bool(preview))


def check_preview(preview: bool | None, stream: TextIO | None = None) -> None:
    """Check, before a run is sent, that a preview can be shown.

    Raises:
        UsageError: The output is a terminal, and the extra ``preview`` is not installed.
    """
    if not preview or in_notebook() or not is_interactive(stream):
        return  # plain lines have no preview
    missing = [name for name in ("PIL", "textual_image") if find_spec(name) is None]
    if missing:
        raise UsageError(
            "Previews in a terminal require the extra 'preview'. Install it with: "
            "pip install 'invokeai-py-client[preview]'"
        )
