"""The handle of a workflow: all that can be done with it."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/handle.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.workflow.handle import AsyncWorkflowHandle, Values, _Callback

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client._sync.sweep_sweep import Sweep
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.models.row import Row
    from invokeai_py_client.run.events import (
        RunEvent,
    )
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.workflow.outputs import OutputMapping, WorkflowOutput
    from invokeai_py_client.workflow.submission import WorkflowSubmission


class WorkflowHandle(Face[AsyncWorkflowHandle]):
    """A workflow made ready for one server.

    Values set on it hold for every later run. Values given to ``run()`` or ``start()`` hold for that run alone.
    What nobody sets goes out exactly as the workflow has it.

    Attributes:
        definition: The workflow as it was given; never changed.
        inputs: Its inputs.

    Example:
        ```python
        wf = client.workflow_repo.create_workflow("portrait.json")
        run = wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        run.images[0].save("lighthouse.png")
        ```
    """

    @property
    def connection(self) -> Connection:
        return self._impl.connection

    @property
    def definition(self) -> WorkflowDefinition:
        """The workflow as it was given; never changed."""
        return self._impl.definition

    @property
    def inputs(self) -> InputSet:
        """Its inputs."""
        return self._impl.inputs

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._impl.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What loading changed or could not use, one sentence each."""
        return self._impl.warnings

    @property
    def node_count(self) -> int:
        """How many nodes run, iterations not counted."""
        return self._impl.node_count

    def node_label(self, node_id: str) -> str:
        """What the editor shows for a node: its label, or its type's title, or its id."""
        return self._impl.node_label(node_id)

    def list_inputs(self) -> list[WorkflowInput]:
        """The inputs that the workflow's form shows, in its order. The index is the stable name of each."""
        return self._impl.list_inputs()

    def get_input(self, address: int | str) -> WorkflowInput:
        """An input by index, label, field name or ``node.field``.

        Raises:
            UnknownInputError: There is none; the error names close ones.
            AmbiguousInputError: There are several; the error names them.
        """
        return self._impl.get_input(address)

    def get_input_value(self, address: int | str) -> IvkField[Any]:
        """The typed field of an input: read and assign its ``value``.

        Raises:
            UnknownInputError: There is no such input.
            AmbiguousInputError: There are several.
        """
        return self._impl.get_input_value(address)

    def set_input_value(self, address: int | str, value: Any) -> None:
        """Set one input, to a value or to that of another field.

        Raises:
            UnknownInputError: There is no such input.
            AmbiguousInputError: There are several.
            InputValueError: The value does not fit.
        """
        self._impl.set_input_value(address, value)

    def set(self, values: Values | None = None, /, **named: Any) -> None:
        """Set inputs for all later runs. All values are checked before any is set.

        Args:
            values: Values by index, label, field name or ``node.field``.
            **named: The same by name, where the name is a Python identifier (``positive_prompt`` finds the
                label "Positive Prompt").

        Raises:
            UnknownInputError: An input is not there.
            InputValueError: Values are of the wrong type or out of range; the error lists them all.
        """
        self._impl.set(values, **named)

    def preview(self) -> list[dict[str, Any]]:
        """The inputs as plain rows: index, label, field, type, value, limits."""
        return self._impl.preview()

    def export_input_index_map(self, path: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """What stands at each index, to be kept and verified when the workflow changes.

        Args:
            path: A file to write it to, as JSON.

        Returns:
            A row for each input.
        """
        return self._impl.export_input_index_map(path)

    def verify_input_index_map(
        self, kept: str | os.PathLike[str] | Sequence[Mapping[str, Any]]
    ) -> dict[str, list[dict[str, Any]]]:
        """Which inputs of a kept index map are ``unchanged``, ``moved``, ``missing`` or ``new``.

        Args:
            kept: What ``export_input_index_map()`` gave, or the file that it wrote.

        Raises:
            UsageError: It is no such map.
        """
        return self._impl.verify_input_index_map(kept)

    def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> list[tuple[Row, Row]]:
        """Put this server's models in the place of those that the workflow brought from another one.

        A run does so by itself where the server has the very same model under another key. This also takes
        models that are not the same, so look at what it changed.

        Args:
            by_name: Whether a model of the same name and type will do.
            by_base: Whether, failing that, the first model of the same base and type will do.

        Returns:
            For each model that was changed its identifier before and after, by key or by attribute.
        """
        return self._call(self._impl.sync_dnn_model(by_name, by_base))

    def validate_inputs(self) -> dict[int, list[str]]:
        """What is wrong with the form's inputs, by index; empty where nothing is."""
        return self._impl.validate_inputs()

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

    def usual_seconds(self, *, queue_id: str = "default") -> float | None:
        """How long the queue's latest runs took, in the median; None where it has none that ended well."""
        return self._call(self._impl.usual_seconds(queue_id=queue_id))

    def sweep(
        self,
        axes: Values | None = None,
        /,
        *,
        mode: str = "product",
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        manifest: str | os.PathLike[str] | None = None,
        background: bool = False,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> Sweep:
        """Start many runs that differ in some inputs, in as few requests as can be.

        The values of an axis are a list; or ``"1-10 (+2)"`` for numbers, ``"a || b"`` for texts; a
        ``pathlib.Path`` of a text file, a line each; for images a folder or a pattern; or
        ``invokeai_py_client.sweep.sources.DynamicPrompts``. Models, boards and whatever else the server's
        batches cannot carry take one request for each value, and vary slowest.

        Args:
            axes: For each input that varies its values; by index, label, field name or ``node.field``.
            mode: ``product`` makes every combination, the last axis varying fastest; ``zip`` pairs the axes.
            repeat: How often each combination runs, each time with another seed.
            seed: An axis like any other. Or ``"random"``: a seed of its own for each run, kept with it. Or a number:
                with ``repeat`` the first of the seeds. By default all runs have the seed that the workflow has.
            values: Values for all of these runs; see ``set()``.
            manifest: A new file for the sweep's record, to resume it from; see ``Sweep.resume()``.
            background: Keep only two runs at a time in the server's queue, so that others come in between.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            queue_id: The queue; the web UI shows ``default``.
            **named: Axes by name.

        Returns:
            The sweep, to go through in finishing order.

        Raises:
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
            UsageError: An axis is empty, or the axes do not fit together; nothing was sent.
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        return wrap(
            self._call(
                self._impl.sweep(
                    axes,
                    mode=mode,
                    repeat=repeat,
                    seed=seed,
                    values=values,
                    manifest=manifest,
                    background=background,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                    **named,
                )
            )
        )

    def sweep_rows(
        self,
        rows: Any,
        *,
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        manifest: str | os.PathLike[str] | None = None,
        background: bool = False,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
    ) -> Sweep:
        """Start one run for each row of a table.

        Args:
            rows: Dicts of values by input; a CSV or JSONL file; a pandas or polars table.
            repeat: How often each row runs, each time with another seed.
            seed: ``"random"``: a seed of its own for each run. Or a number: with ``repeat`` the first of the seeds.
            values: Values for all of these runs; see ``set()``.
            manifest: A new file for the sweep's record, to resume it from.
            background: Keep only two runs at a time in the server's queue.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto".
            queue_id: The queue.

        Returns:
            The sweep; its runs stand in the order of the rows, but those that share a model go together.

        Raises:
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
            UsageError: There are no rows, or the file cannot be read.
            NotReadyError: The workflow cannot run as it is; nothing was sent.
        """
        return wrap(
            self._call(
                self._impl.sweep_rows(
                    rows,
                    repeat=repeat,
                    seed=seed,
                    values=values,
                    manifest=manifest,
                    background=background,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                )
            )
        )

    def sweep_plan(
        self,
        axes: Values | None = None,
        /,
        *,
        mode: str = "product",
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        auto_board: str | None = None,
        **named: Any,
    ) -> SweepPlan:
        """What ``sweep()`` would run, with every value checked. Nothing is sent; see ``check_sweep()``.

        The plan carries its inputs: ``start_sweep(plan)`` needs nothing else, and values that are set on the workflow
        later do not change the plan.

        Args:
            axes: For each input that varies its values.
            mode: ``product`` or ``zip``.
            repeat: How often each combination runs.
            seed: See ``sweep()``.
            values: Values for all runs.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            **named: Axes by name.

        Returns:
            How many runs and requests there are, and the values of each run.

        Raises:
            InputValueError: Values are of the wrong type or out of range.
            UsageError: An axis is empty, or the axes do not fit together.
        """
        return self._call(
            self._impl.sweep_plan(
                axes, mode=mode, repeat=repeat, seed=seed, values=values, auto_board=auto_board, **named
            )
        )

    def sweep_rows_plan(
        self,
        rows: Any,
        *,
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        auto_board: str | None = None,
    ) -> SweepPlan:
        """What ``sweep_rows()`` would run, with every value checked. Nothing is sent; see ``check_sweep()``.

        The plan carries its inputs, as that of ``sweep_plan()`` does.

        Args:
            rows: Dicts of values by input; a CSV or JSONL file; a pandas or polars table.
            repeat: How often each row runs.
            seed: See ``sweep_rows()``.
            values: Values for all runs.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.

        Raises:
            InputValueError: Values are of the wrong type or out of range.
            UsageError: There are no rows, or the file cannot be read.
        """
        return self._impl.sweep_rows_plan(
            rows, repeat=repeat, seed=seed, values=values, auto_board=auto_board
        )

    def check_sweep(
        self, plan: SweepPlan, *, values: Values | None = None, auto_board: str | None = None
    ) -> None:
        """Look whether ``start_sweep()`` would start a plan: whether models, boards and images are there, too.

        Nothing is sent or uploaded.

        Args:
            plan: The plan that ``sweep_plan()`` or ``sweep_rows_plan()`` returned.
            values: Further values for all of its runs. They take precedence over those of the plan, and are checked.
            auto_board: The board (id or name) for board fields that say "auto". Defaults to the plan's; ``"none"``
                means uncategorized.

        Raises:
            NotReadyError: The workflow cannot run as it is; the error lists all findings.
            ModelNotFoundError: The server lacks a model.
            InputValueError: Further values are of the wrong type or out of range.
        """
        self._call(self._impl.check_sweep(plan, values=values, auto_board=auto_board))

    def start_sweep(
        self,
        plan: SweepPlan,
        *,
        values: Values | None = None,
        manifest: str | os.PathLike[str] | None = None,
        background: bool = False,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
    ) -> Sweep:
        """Start the runs of a plan. The plan carries its inputs and its board; nothing has to be given again.

        Args:
            plan: The plan that ``sweep_plan()`` or ``sweep_rows_plan()`` returned.
            values: Further values for all of its runs. They take precedence over those of the plan, and are checked.
            manifest: A new file for the sweep's record, to resume it from.
            background: Keep only two runs at a time in the server's queue.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto". Defaults to the plan's; ``"none"``
                means uncategorized.
            queue_id: The queue.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            ModelNotFoundError: The server lacks a model; nothing was sent.
            InputValueError: Further values are of the wrong type or out of range; nothing was sent.
        """
        return wrap(
            self._call(
                self._impl.start_sweep(
                    plan,
                    values=values,
                    manifest=manifest,
                    background=background,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                )
            )
        )

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

    def _repr_html_(self) -> str:
        return self._impl._repr_html_()
