"""Progress of a run in a notebook: bars and a thumbnail below the cell."""

# IPython is only partly typed.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Any, Self

from invokeai_py_client.display.progress import Labels, Progress
from invokeai_py_client.run.events import Preview, RunEvent, StatusChanged
from invokeai_py_client.run.html import run_html
from invokeai_py_client.transport.loop import call_back

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from invokeai_py_client.run.run import AsyncRun

# Every update is a message to the page. More updates per second would not be visible.
_SHORTEST = 0.1
_WIDEST = 256


class Cell:
    """HTML below a notebook's cell that can be updated and removed."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._shown = -_SHORTEST

    def show(self, html: str, *, at_once: bool = False) -> None:
        """Replace the HTML.

        Args:
            html: The new HTML.
            at_once: Whether to show it even if the last update was less than 0.1 seconds ago. Defaults to False: such
                updates are skipped.
        """
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
        """Remove the HTML."""
        if self._handle is not None:
            self.show("", at_once=True)


class NotebookDisplay:
    """Progress bars and a preview. When the run has ended, its images take their place."""

    def __init__(self, labels: Labels, node_count: int, *, preview: bool = True) -> None:
        self._progress = Progress(labels, max(node_count, 1))
        self._preview = preview
        self._cell = Cell()
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._finished:
            self._cell.clear()

    async def finish(self, run: AsyncRun) -> None:
        """Show the images of a run that has ended. Without images, the bars disappear."""
        html = await run_html(run)
        if html is not None:
            self._finished = True
            await call_back(self._show_result, html)

    def _show_result(self, html: str) -> None:
        self._cell.show(html, at_once=True)

    def show(self, event: RunEvent) -> None:
        """Show the progress after an event."""
        before = self._progress.preview
        self._progress.take(event)
        first = before is None and self._progress.preview is not None
        page = page_of(self._progress, preview=self._preview)
        self._cell.show(page, at_once=first or isinstance(event, StatusChanged))


def page_of(progress: Progress, *, preview: bool) -> str:
    """Return the progress of a run as HTML."""
    rows = [bar_of(progress.word, progress.done, progress.total)]
    if progress.node:
        rows.append(bar_of(progress.node, progress.fraction, 1))
    picture = _picture_of(progress.preview) if preview else ""
    return f"<div>{''.join(rows)}{picture}</div>"


def bar_of(text: str, done: float | None, total: float) -> str:
    """Return a progress bar and its text as HTML. Without a ``done``, the bar is indeterminate."""
    value = "" if done is None else f' value="{done:g}" max="{total:g}"'
    return f'<div><progress{value} style="width: 12em"></progress> {escape(text)}</div>'


def _picture_of(preview: Preview | None) -> str:
    if preview is None or not preview.data_url.startswith("data:image/") or preview.width < 1:
        return ""
    width = min(preview.width, _WIDEST)
    return f'<img src="{escape(preview.data_url)}" width="{width}" alt="preview">'
