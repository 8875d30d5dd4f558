"""The handle of a workflow: all that can be done with it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client.engine.index_map import (
    export_input_index_map,
    verify_input_index_map,
    write_index_map,
)
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
from invokeai_py_client.errors import NotFoundError, RunError, UsageError
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.events import (
    NodeCompleted,
    NodeFailed,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
)
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.run.queue_items import read_item
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.start import count_runs, start_runs
from invokeai_py_client.workflow.outputs import (
    OutputMapping,
    WorkflowOutput,
    WorkflowSubmission,
    list_outputs,
    map_outputs,
)

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.models.base import Row
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.sweep import AsyncSweep

Values = Mapping[Any, Any]
"""Values by input: index, label, field name or ``node.field``."""

_Callback = Callable[[RunEvent], object]

# How many of a queue's latest runs are looked at to estimate how long a run takes.
_LATEST = 20


class AsyncWorkflowHandle(AsyncObject):
    """A workflow made ready for one server.

    Values set on it hold for every later run. Values given to ``run()`` or ``start()`` hold for that run alone.
    What nobody sets goes out exactly as the workflow has it.

    Attributes:
        definition: The workflow as it was given; never changed.
        inputs: Its inputs.

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

    def __init__(
        self,
        connection: Connection,
        definition: WorkflowDefinition,
        loaded: LoadedWorkflow,
        schema: Schema,
    ) -> None:
        self.connection = connection
        self._loaded = loaded
        self._schema = schema
        self.definition = definition
        self.inputs: InputSet = InputSet(loaded, schema)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._loaded.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What loading changed or could not use, one sentence each."""
        return self._loaded.warnings

    @property
    def node_count(self) -> int:
        """How many nodes run, iterations not counted."""
        return len(self._loaded.nodes)

    def node_label(self, node_id: str) -> str:
        """What the editor shows for a node: its label, or its type's title, or its id."""
        return self.inputs.node_labels().get(node_id, node_id)

    # ------------------------------------------------------------------ its inputs

    def list_inputs(self) -> list[WorkflowInput]:
        """The inputs that the workflow's form shows, in its order. The index is the stable name of each."""
        return list(self.inputs)

    def get_input(self, address: int | str) -> WorkflowInput:
        """An input by index, label, field name or ``node.field``.

        Raises:
            UnknownInputError: There is none; the error names close ones.
            AmbiguousInputError: There are several; the error names them.
        """
        return self.inputs.find(address)

    def get_input_value(self, address: int | str) -> IvkField[Any]:
        """The typed field of an input: read and assign its ``value``.

        Raises:
            UnknownInputError: There is no such input.
            AmbiguousInputError: There are several.
        """
        return self.inputs.find(address).field

    def set_input_value(self, address: int | str, value: Any) -> None:
        """Set one input, to a value or to that of another field.

        Raises:
            UnknownInputError: There is no such input.
            AmbiguousInputError: There are several.
            InputValueError: The value does not fit.
        """
        from invokeai_py_client.ivk_fields.base import IvkField

        given: Any = cast("IvkField[Any]", value).value if isinstance(value, IvkField) else value
        self.inputs.set({address: given})

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
        self.inputs.set({**(values or {}), **named})

    def preview(self) -> list[dict[str, Any]]:
        """The inputs as plain rows: index, label, field, type, value, limits."""
        from invokeai_py_client.engine.inputs import input_row

        return [input_row(item) for item in self.inputs]

    def export_input_index_map(self, path: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """What stands at each index, to be kept and verified when the workflow changes.

        Args:
            path: A file to write it to, as JSON.

        Returns:
            A row for each input.
        """
        rows = export_input_index_map(self.inputs)
        if path is not None:
            write_index_map(path, rows)
        return rows

    def verify_input_index_map(
        self, kept: str | os.PathLike[str] | Sequence[Mapping[str, Any]]
    ) -> dict[str, list[dict[str, Any]]]:
        """Which inputs of a kept index map are ``unchanged``, ``moved``, ``missing`` or ``new``.

        Args:
            kept: What ``export_input_index_map()`` gave, or the file that it wrote.

        Raises:
            UsageError: It is no such map.
        """
        return verify_input_index_map(self.inputs, kept)

    async def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> list[tuple[Row, Row]]:
        """Put this server's models in the place of those that the workflow brought from another one.

        A run does so by itself where the server has the very same model under another key. This also takes
        models that are not the same, so look at what it changed.

        Args:
            by_name: Whether a model of the same name and type will do.
            by_base: Whether, failing that, the first model of the same base and type will do.

        Returns:
            For each model that was changed its identifier before and after, by key or by attribute.
        """
        from invokeai_py_client.engine.models import model_changes
        from invokeai_py_client.run.lookup import ServerSide

        models = await ServerSide(self.connection).models()
        changes = model_changes(
            self._loaded, self._schema, self.inputs, models, by_name=by_name, by_base=by_base
        )
        for change in changes:
            self.inputs.at(change.key).field.keep(change.value)
        return [(change.before, change.after) for change in changes]

    def validate_inputs(self) -> dict[int, list[str]]:
        """What is wrong with the form's inputs, by index; empty where nothing is."""
        found = {item.input_index: item.field.problems() for item in self.inputs if not item.connected}
        return {index: problems for index, problems in found.items() if problems and index is not None}

    # ------------------------------------------------------------------ a run

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
        asked = count_runs(body)
        if only_one and asked != 1:
            raise UsageError(
                f"The batch nodes of {self.name!r} make {asked} runs of it; start them with start_batch()."
            )
        return await start_runs(self.connection, body, inputs, queue_id=queue_id)

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

    async def usual_seconds(self, *, queue_id: str = "default") -> float | None:
        """How long the queue's latest runs took, in the median; None where it has none that ended well."""
        from invokeai_py_client.run.queue_items import item_ids, read_states
        from invokeai_py_client.run.results import seconds_of_item

        newest = (await item_ids(self.connection, queue_id))[-_LATEST:]
        items = (await read_states(self.connection, queue_id, newest)).values()
        times = [seconds_of_item(item) for item in items if item["status"] == "completed"]
        known = sorted(seconds for seconds in times if seconds is not None)
        return known[len(known) // 2] if known else None

    # ------------------------------------------------------------------ a sweep

    async def sweep(
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
    ) -> AsyncSweep:
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
            manifest: A new file for the sweep's record, to resume it from; see ``AsyncSweep.resume()``.
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
        plan = await self.sweep_plan(
            axes, mode=mode, repeat=repeat, seed=seed, values=values, auto_board=auto_board, **named
        )
        return await self.start_sweep(
            plan, manifest=manifest, background=background, prepend=prepend, queue_id=queue_id
        )

    async def sweep_rows(
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
    ) -> AsyncSweep:
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
        plan = self.sweep_rows_plan(rows, repeat=repeat, seed=seed, values=values, auto_board=auto_board)
        return await self.start_sweep(
            plan, manifest=manifest, background=background, prepend=prepend, queue_id=queue_id
        )

    async def sweep_plan(
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
        from invokeai_py_client.sweep.plan import plan_sweep
        from invokeai_py_client.sweep.sources import spelled_out

        wanted = {**(axes or {}), **named}
        if seed is not None and seed != "random" and not isinstance(seed, int):
            wanted["seed"], seed = seed, None
        wanted = await spelled_out(self.connection, wanted)
        inputs = self._inputs_with(values, {})
        return plan_sweep(inputs, wanted, mode=mode, repeat=repeat, seed=seed, auto_board=auto_board)

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
        from invokeai_py_client.sweep.plan import plan_rows
        from invokeai_py_client.sweep.rows import rows_of

        inputs = self._inputs_with(values, {})
        return plan_rows(inputs, rows_of(rows), repeat=repeat, seed=seed, auto_board=auto_board)

    async def check_sweep(
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
        from invokeai_py_client.sweep.requests import prepare_requests

        inputs = plan.inputs_with(values, self.inputs)
        await prepare_requests(
            self.connection, self._loaded, self._schema, plan, inputs, auto_board=auto_board, upload=False
        )

    async def start_sweep(
        self,
        plan: SweepPlan,
        *,
        values: Values | None = None,
        manifest: str | os.PathLike[str] | None = None,
        background: bool = False,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
    ) -> AsyncSweep:
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
        from invokeai_py_client.sweep.sweep import start_sweep

        return await start_sweep(
            self.connection,
            self._loaded,
            self._schema,
            plan,
            plan.inputs_with(values, self.inputs),
            manifest=manifest,
            background=background,
            prepend=prepend,
            auto_board=auto_board,
            queue_id=queue_id,
        )

    # ------------------------------------------------------------------ the latest submission

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

        def on_event(event: RunEvent) -> object:
            if isinstance(event, StatusChanged):
                return None if progress_callback is None else progress_callback(dict(event.raw))
            function = watching.get(type(event))
            return None if function is None else function(event)

        until = None if timeout is None else time.monotonic() + timeout
        for run in runs:
            left = None if until is None else max(0.0, until - time.monotonic())
            await run.wait(left, on_event=on_event if watching or progress_callback else None)
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

    # ------------------------------------------------------------------ inside

    def _inputs_with(self, values: Values | None, named: Mapping[str, Any]) -> InputSet:
        if not values and not named:
            return self.inputs
        inputs = self.inputs.copy()
        inputs.set({**(values or {}), **named})
        return inputs

    async def _watch(
        self, run: AsyncRun, timeout: float | None, progress: bool | None, preview: bool | None
    ) -> None:
        from invokeai_py_client.display import display_for, is_interactive

        if progress is False or (progress is None and not is_interactive()):
            await run.wait(timeout)
            return
        with display_for(self.node_label, self.node_count, preview=preview) as display:
            await run.wait(timeout, on_event=display.show)

    def _submitted(self) -> tuple[AsyncRun, ...]:
        if not self._latest:
            raise RunError("Nothing was submitted yet: call submit_sync(), submit() or start() first.")
        return self._latest

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import inputs_html

        return inputs_html(self.name, self.inputs)

    def __repr__(self) -> str:
        from invokeai_py_client.display.inputs import inputs_text

        return inputs_text(self.name, self.inputs)
