"""A run in a notebook: bars and a thumbnail below the cell."""

# IPython tells its types only in part.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client.display.progress import Labels, Progress
from invokeai_py_client.run.events import Preview, RunEvent, StatusChanged

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

# Every message to the page stands in the notebook's stream; more a second nobody sees.
_SHORTEST = 0.1
_WIDEST = 256


class Cell:
    """HTML below a notebook's cell, which changes as it is told and is gone in the end."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._shown = -_SHORTEST

    def show(self, html: str, *, at_once: bool = False) -> None:
        """Show other HTML; not more often than a page follows, unless it has to be now."""
        now = time.monotonic()
        if self._handle is not None and not at_once and now - self._shown < _SHORTEST:
            return
        self._shown = now
        data: dict[str, Any] = {"text/html": html, "text/plain": ""}
        if self._handle is None:
            from IPython.display import DisplayHandle

            self._handle = DisplayHandle()
            self._handle.display(data, raw=True)
        else:
            self._handle.update(data, raw=True)

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._handle is not None:
            self.show("", at_once=True)


class NotebookDisplay:
    """Bars and a thumbnail that are gone when the run has ended."""

    def __init__(self, labels: Labels, node_count: int, *, preview: bool = True) -> None:
        self._progress = Progress(labels, max(node_count, 1))
        self._preview = preview
        self._cell = Cell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._cell.clear()

    def show(self, event: RunEvent) -> None:
        """Show how the run stands after an event."""
        before = self._progress.preview
        self._progress.take(event)
        first = before is None and self._progress.preview is not None
        page = page_of(self._progress, preview=self._preview)
        self._cell.show(page, at_once=first or isinstance(event, StatusChanged))


def page_of(progress: Progress, *, preview: bool) -> str:
    """How a run stands, as HTML."""
    rows = [bar_of(progress.word, progress.done, progress.total)]
    if progress.node:
        rows.append(bar_of(progress.node, progress.fraction, 1))
    picture = _picture_of(progress.preview) if preview else ""
    return f"<div>{''.join(rows)}{picture}</div>"


def bar_of(text: str, done: float | None, total: float) -> str:
    """A bar and its text, as HTML; one without an end where it is not known how far it is."""
    value = "" if done is None else f' value="{done:g}" max="{total:g}"'
    return f'<div><progress{value} style="width: 12em"></progress> {escape(text)}</div>'


def _picture_of(preview: Preview | None) -> str:
    if preview is None or not preview.data_url.startswith("data:image/") or preview.width < 1:
        return ""
    width = min(preview.width, _WIDEST)
    return f'<img src="{escape(preview.data_url)}" width="{width}" alt="the picture so far">'
