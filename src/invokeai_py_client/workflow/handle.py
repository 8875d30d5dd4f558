"""The handle of a workflow: all that can be done with it, the submission words included.

Those (submit, wait, map outputs) are a thin layer over the latest run.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import face
from invokeai_py_client.errors import NotFoundError, RunError
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
)
from invokeai_py_client.run.queue_items import read_item
from invokeai_py_client.transport.loop import call_back
from invokeai_py_client.workflow.outputs import OutputMapping, WorkflowOutput, list_outputs, map_outputs
from invokeai_py_client.workflow.submission import WorkflowSubmission
from invokeai_py_client.workflow.sweepable import AsyncSweepableWorkflow

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun

_Callback = Callable[[RunEvent], object]


class AsyncWorkflowHandle(AsyncSweepableWorkflow):
    """A workflow made ready for one server.

    Example:
        ```python
        wf = await client.workflow_repo.create_workflow("portrait.json")
        run = await wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        await run.images[0].save("lighthouse.png")
        ```
    """

    _latest: tuple[AsyncRun, ...] = ()
    _session_id: str | None = None
    _watching: Mapping[type[RunEvent], _Callback] = MappingProxyType({})

    @face(sync_name="submit_sync", async_name="submit")
    async def submit(
        self,
        *,
        board_id: str | None = None,
        queue_id: str = "default",
        priority: int = 0,
        subscribe_events: bool = True,
        on_invocation_started: _Callback | None = None,
        on_invocation_progress: _Callback | None = None,
        on_invocation_complete: _Callback | None = None,
        on_invocation_error: _Callback | None = None,
    ) -> WorkflowSubmission:
        """Submit the workflow as it is set, and return at once.

        Args:
            board_id: The board for board fields that say "auto".
            queue_id: The queue; the web UI shows ``default``.
            priority: Above 0, it goes to the front of the queue: servers know no other priorities.
            subscribe_events: Events are always followed; kept for older callers.
            on_invocation_started: Called for each node that begins, while it is waited for.
            on_invocation_progress: Called for each step of a node, while it is waited for.
            on_invocation_complete: Called for each node that has ended, while it is waited for.
            on_invocation_error: Called for a node that failed, while it is waited for.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        del subscribe_events
        runs = await self.start_batch(auto_board=board_id, queue_id=queue_id, prepend=priority > 0)
        given = {
            NodeStarted: on_invocation_started,
            NodeProgress: on_invocation_progress,
            NodeCompleted: on_invocation_complete,
            NodeFailed: on_invocation_error,
        }
        self._latest = tuple(runs)
        self._watching = {kind: function for kind, function in given.items() if function is not None}
        item = await read_item(self.connection, runs[0].queue_id, runs[0].item_id)
        self._session_id = item.get("session_id")
        return WorkflowSubmission(
            batch_id=runs[0].batch_id,
            item_ids=[run.item_id for run in runs],
            session_id=self._session_id,
        )

    @face(sync_name="wait_for_completion_sync", async_name="wait_for_completion")
    async def wait_for_completion(
        self,
        timeout: float | None = None,
        poll_interval: float = 2.0,
        progress_callback: Callable[[dict[str, Any]], object] | None = None,
        queue_id: str | None = None,
    ) -> dict[str, Any]:
        """Wait until the latest submission has ended, all of its runs.

        Args:
            timeout: Seconds to wait at most; forever by default.
            poll_interval: Events are followed, so nothing is polled; kept for older callers.
            progress_callback: Called with the queue item's status whenever it changes.
            queue_id: The queue is known since the submission; kept for older callers.

        Returns:
            The first queue item as the server gives it, with its results.

        Raises:
            RunTimeoutError: Time ran out; the run goes on.
            RunError: Nothing was submitted.
        """
        del poll_interval, queue_id
        runs = self._submitted()
        watching = self._watching

        async def tell(event: RunEvent) -> None:
            function = watching.get(type(event))
            if function is not None:
                await call_back(function, event)
            if progress_callback is not None and isinstance(event, StatusChanged):
                await call_back(progress_callback, dict(event.raw))

        until = None if timeout is None else time.monotonic() + timeout
        for run in runs:
            left = None if until is None else max(0.0, until - time.monotonic())
            await run._wait(left, tell if watching or progress_callback else None)  # pyright: ignore[reportPrivateUsage]
        return dict(runs[0].item)

    @face(sync_name="submit_and_monitor", async_name="submit_sync_monitor_async")
    async def submit_and_monitor(self, *, board_id: str | None = None) -> AsyncIterator[RunEvent]:
        """Submit the workflow, and give its events until it has ended.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        await self.submit(board_id=board_id)
        for run in self._submitted():  # a queue runs the items of a batch one after the other
            async for event in run.events():
                yield event

    @face(sync_name="cancel", async_name="cancel_async")
    async def cancel(self) -> bool:
        """Cancel the latest submission.

        Returns:
            Whether it is canceled now; False if it had ended before.

        Raises:
            RunError: Nothing was submitted.
        """
        statuses = [await run.cancel() for run in self._submitted()]
        return all(status.state.value == "cancelled" for status in statuses)

    async def get_queue_item(self, queue_id: str | None = None) -> dict[str, Any] | None:
        """The queue item of the latest submission's first run, as the server has it now.

        Args:
            queue_id: The queue is known since the submission; kept for older callers.

        Returns:
            The item; None where nothing was submitted, or the queue no longer has it.
        """
        del queue_id
        if not self._latest:
            return None
        run = self._latest[0]
        try:
            return await read_item(self.connection, run.queue_id, run.item_id)
        except NotFoundError:
            return None

    @property
    def session_id(self) -> str | None:
        """The session of the latest submission's first run; None where nothing was submitted."""
        return self._session_id

    def validate_inputs(self) -> dict[int, list[str]]:
        """What is wrong with the form's inputs, by index; empty where nothing is."""
        found = {item.input_index: item.field.problems() for item in self.inputs if not item.connected}
        return {index: problems for index, problems in found.items() if problems and index is not None}

    def list_outputs(self) -> list[WorkflowOutput]:
        """The nodes whose images reach the gallery, in the workflow's order."""
        return list_outputs(self._loaded, self.inputs)

    def map_outputs_to_images(self, item: Mapping[str, Any] | None = None) -> list[OutputMapping]:
        """The images of each output node.

        Args:
            item: A queue item as ``wait_for_completion()`` gives it; by default the latest one.

        Raises:
            RunError: Nothing was submitted.
            RunNotFinishedError: The latest run was not waited for.
        """
        found = self._submitted()[0].item if item is None else item
        return map_outputs(self._loaded, self.inputs, found)

    def _submitted(self) -> tuple[AsyncRun, ...]:
        if not self._latest:
            raise RunError("Nothing was submitted yet: call submit_sync(), submit() or start() first.")
        return self._latest
