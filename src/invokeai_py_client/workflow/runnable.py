"""A workflow that can be run: one request, one run, many runs, a sweep."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.enqueue import (
    Enqueued,
    cancel_batches,
    cancel_quietly,
    enqueue,
    raise_if_truncated,
)
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.workflow.bound import AsyncBoundWorkflow

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.workflow.bound import Values


class AsyncRunnableWorkflow(AsyncBoundWorkflow):
    """A workflow whose inputs are set and that can be run.

    Values set on it hold for every later run; values given to ``run()`` or ``start()`` hold for that run
    alone. What nobody sets goes out exactly as the workflow has it.
    """

    async def enqueue_request(
        self,
        values: Values | None = None,
        /,
        *,
        validate: bool = True,
        runs: int = 1,
        prepend: bool = False,
        auto_board: str | None = None,
        **named: Any,
    ) -> dict[str, Any]:
        """The exact body that would be posted to ``enqueue_batch``.

        Args:
            values: Values for this request alone; see ``set()``.
            validate: Whether to check everything first. Without it, whatever the web UI would build is built,
                and the server is asked for nothing but its schema.
            runs: How often the server repeats the batch.
            prepend: Whether it goes to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            **named: Values by name.

        Raises:
            NotReadyError: The workflow cannot run as it is; the error lists all findings.
            InputValueError: Values are of the wrong type or out of range.
            ModelNotFoundError: The server lacks a model.
        """
        inputs = self._inputs_with(values, named)
        return await prepare_request(
            self.connection,
            self._loaded,
            self._schema,
            inputs,
            validate=validate,
            runs=runs,
            prepend=prepend,
            auto_board=auto_board,
        )

    async def start(
        self,
        values: Values | None = None,
        /,
        *,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> AsyncRun:
        """Start a run, and return at once.

        Args:
            values: Values for this run alone; see ``set()``.
            prepend: Whether it goes to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            queue_id: The queue; the web UI shows ``default``.
            **named: Values by name.

        Returns:
            The run, to follow, wait for or cancel.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
            ModelNotFoundError: The server lacks a model; nothing was sent.
            UsageError: The workflow's batch nodes make several runs of it; see ``start_batch()``.
            EnqueueError: The server's queue is full.
        """
        runs = await self.start_batch(
            values, prepend=prepend, auto_board=auto_board, queue_id=queue_id, only_one=True, **named
        )
        return runs[0]

    async def start_batch(
        self,
        values: Values | None = None,
        /,
        *,
        runs: int = 1,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        only_one: bool = False,
        **named: Any,
    ) -> list[AsyncRun]:
        """Start all runs that the workflow's batch nodes ask for, ``runs`` times, in one request.

        Args:
            values: Values for these runs alone; see ``set()``.
            runs: How often the server repeats the whole batch.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto".
            queue_id: The queue.
            only_one: Whether to refuse a request that would make more than one run.
            **named: Values by name.

        Returns:
            The runs, in the batch's order: the last axis varies fastest.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            EnqueueError: The server's queue is full.
        """
        inputs = self._inputs_with(values, named)
        body = await prepare_request(
            self.connection,
            self._loaded,
            self._schema,
            inputs,
            runs=runs,
            prepend=prepend,
            auto_board=auto_board,
            batch_id=str(uuid.uuid4()),
        )
        asked = _run_count(body)
        if only_one and asked != 1:
            raise UsageError(
                f"The batch nodes of {self.name!r} make {asked} runs of it; start them with start_batch()."
            )
        return await self._send(body, queue_id, inputs)

    async def run(
        self,
        values: Values | None = None,
        /,
        *,
        timeout: float | None = None,
        progress: bool | Callable[[RunEvent], object] | None = None,
        preview: bool | None = None,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> AsyncRun:
        """Run the workflow, and return when it is done.

        When the call is interrupted (Ctrl-C, or its task is cancelled), the run is canceled on the server:
        nobody else holds it. To leave it running, use ``start()``.

        Args:
            values: Values for this run alone; see ``set()``.
            timeout: Seconds to wait at most; the run goes on afterwards.
            progress: True shows live progress, False none; by default it is shown where a person watches (a
                terminal or a notebook). A function is called with each event instead.
            preview: Whether the progress has the picture as it looks so far: by default in a notebook, in a
                terminal when asked for, which needs the extra ``invokeai-py-client[preview]``.
            prepend: Whether it goes to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            queue_id: The queue; the web UI shows ``default``.
            **named: Values by name.

        Returns:
            The finished run with its images and outputs.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
            UsageError: A preview is asked for, and what it needs is not installed; nothing was sent.
            RunFailedError: A node failed; the error names it.
            RunCanceledError: Someone canceled it.
            RunTimeoutError: Time ran out.
        """
        from invokeai_py_client.display import check_preview

        check_preview(preview)
        run = await self.start(values, prepend=prepend, auto_board=auto_board, queue_id=queue_id, **named)
        try:
            if callable(progress):
                await run.wait(timeout, on_event=progress)
            else:
                await self._watch(run, timeout, progress, preview)
        except asyncio.CancelledError:
            await cancel_quietly(run.cancel())
            raise
        await run.result(0 if run.done else timeout)
        return run

    # ------------------------------------------------------------------ inside

    async def _send(self, body: Mapping[str, Any], queue_id: str, inputs: InputSet) -> list[AsyncRun]:
        batch_id: str = body["batch"]["batch_id"]
        tracker = BatchTracker(batch_id, in_front=body["prepend"])
        await self.connection.part(LiveRuns).follow(tracker, queue_id)
        tracker.settled = tracker.gaps  # a connection was made for it, before there was anything to miss
        try:
            enqueued: Enqueued = await enqueue(self.connection, queue_id, body, _run_count(body))
            raise_if_truncated(enqueued, batch_id)
        except asyncio.CancelledError:
            # Whether the server took it is not known; nobody will hold these runs, so they must not go on.
            await cancel_quietly(cancel_batches(self.connection, queue_id, [batch_id]))
            raise
        tracker.sent(enqueued.item_ids)
        labels, used = self._labels, inputs.snapshot()
        return [
            AsyncRun(self.connection, item_id, tracker, queue_id=queue_id, inputs=used, labels=labels)
            for item_id in enqueued.item_ids
        ]

    async def _watch(
        self, run: AsyncRun, timeout: float | None, progress: bool | None, preview: bool | None
    ) -> None:
        from invokeai_py_client.display import display_for, is_interactive

        if progress is False or (progress is None and not is_interactive()):
            await run.wait(timeout)
            return
        with display_for(self.node_label, self.node_count, preview=preview) as display:
            await run.wait(timeout, on_event=display.show)


def _run_count(body: Mapping[str, Any]) -> int:
    """How many queue items a request makes: the product of its lists' lengths, times ``runs``."""
    count: int = body["batch"]["runs"]
    for zipped in body["batch"].get("data") or ():
        count *= len(zipped[0]["items"]) if zipped else 0
    return count
