"""A sweep: the runs of one batch, in the plural."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.loop import call_back
from invokeai_py_client.workflow.addressing import plain

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.run.run import AsyncRun


class AsyncSweep(AsyncObject):
    """Many runs of one workflow, sent in one request.

    Attributes:
        runs: The runs in the order of the axes: the last one varies fastest.
        axes: The names of the axes, in their order.

    Example:
        sweep = await wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        async for run in sweep:
            print(run.inputs, run.images)
    """

    def __init__(self, client: AsyncInvokeAIClient, runs: Sequence[AsyncRun], axes: Sequence[str]) -> None:
        self._client = client
        self.runs: list[AsyncRun] = list(runs)
        self.axes: tuple[str, ...] = tuple(axes)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, index: int) -> AsyncRun:
        return self.runs[index]

    def __aiter__(self) -> AsyncIterator[AsyncRun]:
        return self.as_completed()

    @property
    def failed(self) -> list[AsyncRun]:
        """The runs that have ended without success."""
        return [run for run in self.runs if run.done and not run.status.ok]

    async def as_completed(self) -> AsyncIterator[AsyncRun]:
        """The runs, each as soon as it has ended, well or not."""
        waiting = {asyncio.ensure_future(_ended(run)): run for run in self.runs}
        try:
            while waiting:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda task: waiting[task].item_id):
                    run = waiting.pop(task)
                    task.result()
                    yield run
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def wait(self, *, on_run: Callable[[AsyncRun], object] | None = None) -> list[AsyncRun]:
        """Wait until all runs have ended, well or not.

        Args:
            on_run: Called with each run that has ended.

        Returns:
            The runs in the order of the axes.
        """
        async for run in self.as_completed():
            if on_run is not None:
                await call_back(on_run, run)
        return self.runs

    async def cancel(self) -> None:
        """Cancel what has not ended yet."""
        if self.runs:
            await self._client._http.json(  # pyright: ignore[reportPrivateUsage]
                "PUT",
                f"/api/v1/queue/{self.runs[0].queue_id}/cancel_by_batch_ids",
                json={"batch_ids": [self.runs[0].batch_id]},
            )
            for run in self.runs:
                if not run.done:
                    await run.refresh()

    async def grid(self, *, rows: str | None = None, columns: str | None = None, cell: int = 256) -> PILImage:
        """The first image of each run on one labelled sheet. Needs the extra ``invokeai-py-client[image]``.

        Args:
            rows: The axis that goes down; by default the first one, where there are two.
            columns: The axis that goes across; by default the last one.
            cell: The longer side of each picture on the sheet, in pixels.

        Raises:
            UsageError: There is no such axis.
        """
        from invokeai_py_client.sweep.sheet import draw_sheet

        rows, columns = self._axis(rows), self._axis(columns)
        columns = columns or next((name for name in reversed(self.axes) if name != rows), None)
        rows = rows or next((name for name in self.axes if name != columns), None)
        pictures: list[tuple[dict[str, Any], PILImage]] = []
        for run in self.runs:
            if run.done and run.images:
                pictures.append((dict(run.inputs), await run.images[0].pil()))
        return await asyncio.to_thread(draw_sheet, pictures, rows, columns, cell)

    def _axis(self, name: str | None) -> str | None:
        if name is None or name in self.axes:
            return name
        found = next((axis for axis in self.axes if plain(axis) == plain(name)), None)
        if found is None:
            raise UsageError(f"{name!r} is no axis of this sweep; those are {', '.join(self.axes)}.")
        return found

    def __repr__(self) -> str:
        done = sum(run.done for run in self.runs)
        return f"<AsyncSweep over {', '.join(self.axes)}: {done} of {len(self.runs)} done>"


async def _ended(run: AsyncRun) -> None:
    await run.wait()
