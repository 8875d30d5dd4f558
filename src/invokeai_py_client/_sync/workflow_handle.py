"""The handle of a workflow: all that can be done with it, the submission words included."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/handle.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.workflow_sweepable import SweepableWorkflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from invokeai_py_client.run.events import (
        RunEvent,
    )
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle, _Callback
    from invokeai_py_client.workflow.outputs import OutputMapping, WorkflowOutput
    from invokeai_py_client.workflow.submission import WorkflowSubmission


class WorkflowHandle(SweepableWorkflow):
    """A workflow made ready for one server.

    Example:
        ```python
        wf = client.workflow_repo.create_workflow("portrait.json")
        run = wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        run.images[0].save("lighthouse.png")
        ```
    """

    _impl: AsyncWorkflowHandle

    def submit_sync(
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
        return self._call(
            self._impl.submit(
                board_id=board_id,
                queue_id=queue_id,
                priority=priority,
                subscribe_events=subscribe_events,
                on_invocation_started=on_invocation_started,
                on_invocation_progress=on_invocation_progress,
                on_invocation_complete=on_invocation_complete,
                on_invocation_error=on_invocation_error,
            )
        )

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
        return await self._await(
            self._impl.submit(
                board_id=board_id,
                queue_id=queue_id,
                priority=priority,
                subscribe_events=subscribe_events,
                on_invocation_started=on_invocation_started,
                on_invocation_progress=on_invocation_progress,
                on_invocation_complete=on_invocation_complete,
                on_invocation_error=on_invocation_error,
            )
        )

    def wait_for_completion_sync(
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
        return self._call(self._impl.wait_for_completion(timeout, poll_interval, progress_callback, queue_id))

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
        return await self._await(
            self._impl.wait_for_completion(timeout, poll_interval, progress_callback, queue_id)
        )

    def submit_and_monitor(self, *, board_id: str | None = None) -> Iterator[RunEvent]:
        """Submit the workflow, and give its events until it has ended.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        return self._iterate(self._impl.submit_and_monitor(board_id=board_id))

    def submit_sync_monitor_async(self, *, board_id: str | None = None) -> AsyncIterator[RunEvent]:
        """Submit the workflow, and give its events until it has ended.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        return self._follow(self._impl.submit_and_monitor(board_id=board_id))

    def cancel(self) -> bool:
        """Cancel the latest submission.

        Returns:
            Whether it is canceled now; False if it had ended before.

        Raises:
            RunError: Nothing was submitted.
        """
        return self._call(self._impl.cancel())

    async def cancel_async(self) -> bool:
        """Cancel the latest submission.

        Returns:
            Whether it is canceled now; False if it had ended before.

        Raises:
            RunError: Nothing was submitted.
        """
        return await self._await(self._impl.cancel())

    def get_queue_item(self, queue_id: str | None = None) -> dict[str, Any] | None:
        """The queue item of the latest submission's first run, as the server has it now.

        Args:
            queue_id: The queue is known since the submission; kept for older callers.

        Returns:
            The item; None where nothing was submitted, or the queue no longer has it.
        """
        return self._call(self._impl.get_queue_item(queue_id))

    @property
    def session_id(self) -> str | None:
        """The session of the latest submission's first run; None where nothing was submitted."""
        return self._impl.session_id

    def validate_inputs(self) -> dict[int, list[str]]:
        """What is wrong with the form's inputs, by index; empty where nothing is."""
        return self._impl.validate_inputs()

    def list_outputs(self) -> list[WorkflowOutput]:
        """The nodes whose images reach the gallery, in the workflow's order."""
        return self._impl.list_outputs()

    def map_outputs_to_images(self, item: Mapping[str, Any] | None = None) -> list[OutputMapping]:
        """The images of each output node.

        Args:
            item: A queue item as ``wait_for_completion()`` gives it; by default the latest one.

        Raises:
            RunError: Nothing was submitted.
            RunNotFinishedError: The latest run was not waited for.
        """
        return self._impl.map_outputs_to_images(item)
