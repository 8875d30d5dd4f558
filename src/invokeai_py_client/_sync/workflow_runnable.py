"""A workflow that can be run: one request, one run, many runs, a sweep."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/runnable.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import wrap
from invokeai_py_client._sync.workflow_bound import BoundWorkflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.workflow.bound import Values
    from invokeai_py_client.workflow.runnable import AsyncRunnableWorkflow


class RunnableWorkflow(BoundWorkflow):
    """A workflow whose inputs are set and that can be run.

    Values set on it hold for every later run; values given to ``run()`` or ``start()`` hold for that run
    alone. What nobody sets goes out exactly as the workflow has it.
    """

    _impl: AsyncRunnableWorkflow

    def enqueue_request(
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
        return self._call(
            self._impl.enqueue_request(
                values, validate=validate, runs=runs, prepend=prepend, auto_board=auto_board, **named
            )
        )

    def start(
        self,
        values: Values | None = None,
        /,
        *,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> Run:
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
        return wrap(
            self._call(
                self._impl.start(values, prepend=prepend, auto_board=auto_board, queue_id=queue_id, **named)
            )
        )

    def start_batch(
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
    ) -> list[Run]:
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
        return wrap(
            self._call(
                self._impl.start_batch(
                    values,
                    runs=runs,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                    only_one=only_one,
                    **named,
                )
            )
        )

    def run(
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
    ) -> Run:
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
        return wrap(
            self._call(
                self._impl.run(
                    values,
                    timeout=timeout,
                    progress=progress,
                    preview=preview,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                    **named,
                )
            )
        )
