"""Progress of a run in a terminal: a bar for all nodes, a bar for the current node, and optionally a preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from invokeai_py_client.display.progress import Labels, Progress
from invokeai_py_client.run.events import RunEvent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from invokeai_py_client.display.picture import Picture
    from invokeai_py_client.run.run import AsyncRun

_REFRESHES = 10
# Pixel images are erased and redrawn each time, which flickers.
_REFRESHES_OF_PICTURES = 4


class BarDisplay:
    """Progress bars that disappear when the run has ended."""

    def __init__(self, labels: Labels, node_count: int, console: Console, *, preview: bool = False) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._progress = Progress(labels, max(node_count, 1))
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._nodes = self._bars.add_task("queued", total=self._progress.total)
        self._node = self._bars.add_task("", total=None, visible=False)
        self._picture: Picture | None = None
        if preview:
            from invokeai_py_client.display.picture import Picture

            self._picture = Picture()
        self._live = Live(
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_OF_PICTURES if preview else _REFRESHES,
            get_renderable=self._shown,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()
        if self._picture is not None:
            self._picture.clear()

    async def finish(self, run: AsyncRun) -> None:
        """Do nothing: the bars disappear."""

    def show(self, event: RunEvent) -> None:
        """Update the bars after an event."""
        before = self._progress.node
        self._progress.take(event)
        now = self._progress
        self._bars.update(self._nodes, description=now.word, completed=now.done, total=now.total)
        if now.node != before and now.fraction is None:
            # Replace the bar, because its total cannot be unset.
            self._bars.remove_task(self._node)
            self._node = self._bars.add_task(f"  {now.node}", total=None)
        elif now.node and now.fraction is not None:
            self._bars.update(
                self._node, description=f"  {now.node}", total=1.0, completed=now.fraction, visible=True
            )
        if self._picture is not None and now.preview is not None:
            self._picture.show(now.preview)

    def _shown(self) -> RenderableType:
        if self._picture is None:
            return self._bars
        from rich.console import Group

        return Group(self._bars, self._picture)
