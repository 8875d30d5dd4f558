"""The handle of a workflow: its inputs, runs, sweeps and outputs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._text import shown
from invokeai_py_client.engine.index_map import (
    export_input_index_map,
    verify_input_index_map,
    write_index_map,
)
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
from invokeai_py_client.engine.prompts import find_prompt
from invokeai_py_client.errors import NotFoundError, RunError, UsageError
from invokeai_py_client.lookup import BOARDS
from invokeai_py_client.run.batch_ids import new_batch_id
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
from invokeai_py_client.transport.payload import path_part
from invokeai_py_client.transport.retry import patient, patiently
from invokeai_py_client.v1.workflows import V1WorkflowHandleMethods
from invokeai_py_client.workflow.outputs import (
    OutputMapping,
    WorkflowOutput,
    WorkflowSubmission,
    list_outputs,
    map_outputs,
)

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.lookup import BoardRef
    from invokeai_py_client.models.base import Row
    from invokeai_py_client.pool.pool import AsyncInvokeAIPool
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.requests import Request
    from invokeai_py_client.sweep.sweep import AsyncSweep

Values = Mapping[Any, Any]
"""Values keyed by input: index, label, field name or ``node.field``."""

_Callback = Callable[[RunEvent], object]

logger = logging.getLogger("invokeai_py_client.workflow")

# The number of a queue's latest runs that an estimate of a run's duration is based on.
_LATEST = 20


class AsyncWorkflowHandle(V1WorkflowHandleMethods, AsyncObject):
    """A workflow prepared for a server.

    Values set on the handle apply to all later runs. Values passed to ``run()`` or ``start()`` apply to that run
    only. Inputs that are not set are sent unchanged.

    Attributes:
        definition: The original workflow. It is never changed.
        inputs: The workflow's inputs.
        pool: The pool of servers that sweeps use, if a pool created the handle. Otherwise None.

    Example:
        ```python
        wf = await client.workflow("portrait.json")
        run = await wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        await run.images[0].save("lighthouse.png")
        ```
    """

    _latest: tuple[AsyncRun, ...] = ()
    _session_id: str | None = None
    _seeds_noted: bool = False
    _watching: Mapping[type[RunEvent], _Callback] = MappingProxyType({})

    def __init__(
        self,
        client: AsyncInvokeAIClient | Connection | None,
        definition: WorkflowDefinition,
        loaded: LoadedWorkflow | None = None,
        schema: Schema | None = None,
        *,
        note_seeds: bool = True,
    ) -> None:
        """Create a handle without a server, to inspect a workflow. Use ``create_workflow()`` for a handle that can run.

        Args:
            client: None. Repositories pass their connection.
            definition: The workflow.
            loaded: The loaded workflow. Defaults to loading it with the node types of InvokeAI 6.14.2.
            schema: The node types. Defaults to those of InvokeAI 6.14.2.
            note_seeds: Whether to log once that a seed replaces a random node. Defaults to True.

        Raises:
            UsageError: There is a client but no schema.
            WorkflowFormatError: The workflow has a format that this client cannot read.
        """
        if loaded is None or schema is None:
            if client is not None:
                raise UsageError(
                    "WorkflowHandle() inspects a workflow without a server, so client must be None. "
                    "Use client.workflow_repo.create_workflow(definition) for a handle that can run."
                )
            from invokeai_py_client.engine.load import load_workflow
            from invokeai_py_client.schema.reference import reference_schema
            from invokeai_py_client.workflow.offline import NoServer

            client, schema = NoServer(), reference_schema()
            loaded = load_workflow(definition, schema)
        self.connection = cast("Connection", getattr(client, "connection", client))
        self._loaded = loaded
        self._schema = schema
        self._seeds_noted = not note_seeds
        self.definition: WorkflowDefinition = definition
        self.pool: AsyncInvokeAIPool | None = None
        self.inputs: InputSet = InputSet(loaded, schema)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._loaded.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about what was changed or ignored when the workflow was loaded, a sentence each."""
        return self._loaded.warnings

    @property
    def node_count(self) -> int:
        """The number of nodes that run, not counting iterations."""
        return len(self._loaded.nodes)

    def node_label(self, node_id: str) -> str:
        """Return the node's name in the web UI: its label, the title of its type, or its id."""
        return self.inputs.node_labels().get(node_id, node_id)

    async def _node_types(self) -> Schema:
        """Return the server's node types. A server that was restarted may have other ones than at first."""
        self._schema = await self.connection.schema()
        return self._schema

    # ------------------------------------------------------------------ inputs

    def list_inputs(self) -> list[WorkflowInput]:
        """List the inputs in the workflow's form, in order. An input's index does not depend on its label."""
        return list(self.inputs)

    def get_input(self, address: int | str) -> WorkflowInput:
        """Return an input by index, label, field name or ``node.field``.

        Raises:
            UnknownInputError: No input matches. The error suggests similar names.
            AmbiguousInputError: Several inputs match. The error lists them.
        """
        return self.inputs.find(address)

    def get_input_value(self, address: int | str) -> IvkField[Any]:
        """Return the typed field of an input. Its ``value`` can be read and assigned.

        Raises:
            UnknownInputError: No input matches.
            AmbiguousInputError: Several inputs match.
        """
        return self.inputs.find(address).field

    def set_input_value(self, address: int | str, value: Any) -> None:
        """Set one input to a value, or to the value of another field.

        Raises:
            UnknownInputError: No input matches.
            AmbiguousInputError: Several inputs match.
            InputValueError: The value is not valid.
        """
        from invokeai_py_client.ivk_fields.base import IvkField

        given: Any = cast("IvkField[Any]", value).value if isinstance(value, IvkField) else value
        self.inputs.set({address: given})

    def set(self, values: Values | None = None, /, **named: Any) -> None:
        """Set inputs for all later runs. All values are validated before any is set.

        Args:
            values: Values keyed by index, label, field name or ``node.field``.
            **named: Values keyed by name, if the name is a Python identifier. ``positive_prompt`` matches the label
                "Positive Prompt".

        Raises:
            UnknownInputError: No input matches a name.
            InputValueError: Values have the wrong type or are out of range. The error lists all of them.
        """
        self.inputs.set(_together(values, named))

    def preview(self) -> list[dict[str, Any]]:
        """Return the inputs as dicts with index, label, field, type, value and limits."""
        from invokeai_py_client.engine.inputs import input_row

        return [input_row(item) for item in self.inputs]

    async def json_schema(self, *, choices: bool = True, everything: bool = False) -> dict[str, Any]:
        """Return the JSON Schema of the inputs, to let a program or a person fill them in.

        The schema is draft 2020-12, without references and without null. Every value that it allows is valid for
        ``set()``, ``run()`` and ``start()``: ``wf.run({"steps": 30})``. A key that is left out keeps the value of the
        workflow. Its keys match ``^[A-Za-z0-9_.-]{1,64}$``, whatever the labels contain.

        Args:
            choices: Whether to list the server's models and boards as choices, up to 60 for each input. If False,
                they are described in words, and nothing is requested from the server. Defaults to True.
            everything: Whether to include the inputs that are not in the form. Defaults to False.

        Returns:
            The schema. The current values are its defaults, and inputs that need a value are required.
        """
        from invokeai_py_client.engine.json_schema import json_schema, needs
        from invokeai_py_client.run.lookup import ServerSide

        server = ServerSide(self.connection)
        models, boards = needs(self.inputs, everything=everything) if choices else (False, False)
        return json_schema(
            self.name,
            self.definition.description,
            self.inputs,
            models=await server.models() if models else None,
            boards={one.board_id: one.board_name for one in await server.boards()} if boards else None,
            everything=everything,
        )

    def export_input_index_map(self, path: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
        """Export which input each index refers to, to check it later with ``verify_input_index_map()``.

        Args:
            path: A file to write the map to, as JSON. Defaults to no file.

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
        """Compare the inputs with an exported index map.

        Args:
            kept: The result of ``export_input_index_map()``, or the file that it wrote.

        Returns:
            Rows under the keys ``unchanged``, ``moved``, ``missing`` and ``new``.

        Raises:
            UsageError: The argument is not an index map.
        """
        return verify_input_index_map(self.inputs, kept)

    async def sync_dnn_model(self, by_name: bool = True, by_base: bool = True) -> list[tuple[Row, Row]]:
        """Replace models that the workflow refers to on another server with this server's models.

        Runs replace a model automatically if the server has the same model under another key. This method also
        accepts models that are not identical, so check the returned changes.

        Args:
            by_name: Whether to accept a model with the same name and type. Defaults to True.
            by_base: Whether to accept the first model with the same base and type, if no other model matches.
                Defaults to True.

        Returns:
            The identifiers of each replaced model, before and after. Read their parts by key or by attribute.
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
        """Return the problems of the form's inputs, keyed by index. Empty if all inputs are valid."""
        found = {item.input_index: item.field.problems() for item in self.inputs if not item.connected}
        return {index: problems for index, problems in found.items() if problems and index is not None}

    # ------------------------------------------------------------------ runs

    async def enqueue_request(
        self,
        values: Values | str | None = None,
        /,
        *,
        validate: bool = True,
        runs: int = 1,
        prepend: bool = False,
        auto_board: BoardRef | None = None,
        **named: Any,
    ) -> dict[str, Any]:
        """Return the request body that ``start()`` would post to ``enqueue_batch``.

        Args:
            values: Values for this request only; see ``set()``. A text is the prompt, if there is only one.
            validate: Whether to check everything first. If False, the body is built exactly as the web UI would
                build it, and only the server's schema is requested. Defaults to True.
            runs: How many times the server repeats the batch. Defaults to 1.
            prepend: Whether to add the runs to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            **named: Values keyed by name.

        Raises:
            NotReadyError: The workflow cannot run as it is. The error lists all problems.
            InputValueError: Values have the wrong type or are out of range.
            ModelNotFoundError: A model is not on the server.
        """
        inputs = self._inputs_with(values, named)
        return await prepare_request(
            self.connection,
            self._loaded,
            await self._node_types() if validate else self._schema,
            inputs,
            validate=validate,
            runs=runs,
            prepend=prepend,
            auto_board=_board_text(auto_board),
        )

    async def start(
        self,
        values: Values | str | None = None,
        /,
        *,
        prepend: bool = False,
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> AsyncRun:
        """Start a run and return immediately.

        Args:
            values: Values for this run only; see ``set()``. A text is the prompt, if there is only one.
            prepend: Whether to add the run to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``, which the web UI shows.
            **named: Values keyed by name.

        Returns:
            The run, to follow, wait for or cancel.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
            InputValueError: Values have the wrong type or are out of range. Nothing was sent.
            ModelNotFoundError: A model is not on the server. Nothing was sent.
            UsageError: The workflow's batch nodes result in several runs; see ``start_batch()``.
            EnqueueError: The server's queue is full.
        """
        runs = await self.start_batch(
            values, prepend=prepend, auto_board=auto_board, queue_id=queue_id, only_one=True, **named
        )
        return runs[0]

    async def start_batch(
        self,
        values: Values | str | None = None,
        /,
        *,
        runs: int = 1,
        prepend: bool = False,
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        only_one: bool = False,
        **named: Any,
    ) -> list[AsyncRun]:
        """Start all runs that result from the workflow's batch nodes, in one request.

        Args:
            values: Values for these runs only; see ``set()``. A text is the prompt, if there is only one.
            runs: How many times the server repeats the whole batch. Defaults to 1.
            prepend: Whether to add the runs to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``.
            only_one: Whether to raise an error if there would be more than one run. Defaults to False.
            **named: Values keyed by name.

        Returns:
            The runs, in the batch's order: the last axis varies fastest.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
            UsageError: There would be more than one run, but ``only_one`` is True.
            EnqueueError: The server's queue is full.
        """
        path_part(queue_id, "a queue")  # before images are uploaded
        inputs = self._inputs_with(values, named)
        body = await prepare_request(
            self.connection,
            self._loaded,
            await self._node_types(),
            inputs,
            runs=runs,
            prepend=prepend,
            auto_board=_board_text(auto_board),
            batch_id=new_batch_id(),
        )
        self._note_seeds(inputs)
        asked = count_runs(body)
        if only_one and asked != 1:
            raise UsageError(
                f"The batch nodes of {self.name!r} result in {asked} runs: expected one. Use start_batch() instead."
            )
        return await start_runs(self.connection, body, inputs, queue_id=queue_id)

    async def run(
        self,
        values: Values | str | None = None,
        /,
        *,
        timeout: float | None = None,
        progress: bool | Callable[[RunEvent], object] | None = None,
        preview: bool | None = None,
        prepend: bool = False,
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> AsyncRun:
        """Run the workflow and wait until the run is finished.

        If the call is interrupted (by Ctrl-C, or because its task is canceled), the run is canceled on the server.
        Use ``start()`` for a run that should continue.

        Args:
            values: Values for this run only; see ``set()``. A text is the prompt, if there is only one.
            timeout: Seconds to wait. The run continues afterwards. Defaults to no limit.
            progress: Whether to show live progress. Defaults to True in a terminal or notebook, False elsewhere. If
                it is a function, it is called with each event.
            preview: Whether to show a live preview of the image. Defaults to True in a notebook, False elsewhere. In
                a terminal, this needs the extra ``invokeai-py-client[preview]``.
            prepend: Whether to add the run to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``, which the web UI shows.
            **named: Values keyed by name.

        Returns:
            The finished run with its images and outputs.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
            InputValueError: Values have the wrong type or are out of range. Nothing was sent.
            UsageError: The extra for previews is not installed. Nothing was sent.
            RunFailedError: A node failed. The error names it.
            RunCanceledError: Someone canceled the run.
            RunTimeoutError: The run was not finished in time.
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
        """Return the median duration of the queue's latest completed runs in seconds, or None if it has none."""
        from invokeai_py_client.run.queue_items import item_ids, read_states
        from invokeai_py_client.run.results import seconds_of_item

        newest = (await item_ids(self.connection, queue_id))[-_LATEST:]
        items = (await read_states(self.connection, queue_id, newest)).values()
        times = [seconds_of_item(item) for item in items if item["status"] == "completed"]
        known = sorted(seconds for seconds in times if seconds is not None)
        return known[len(known) // 2] if known else None

    # ------------------------------------------------------------------ sweeps

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
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        pool: AsyncInvokeAIPool | None = None,
        **named: Any,
    ) -> AsyncSweep:
        """Start many runs that differ in some inputs, in as few requests as possible.

        The values of an axis can be:

        - a list, or an array or a column of numpy, pandas or polars
        - a notation such as ``"1-10 (+2)"`` for numbers or ``"a || b"`` for texts
        - the ``pathlib.Path`` of a text file with one value per line
        - a folder or a pattern, for images
        - ``invokeai_py_client.sweep.sources.DynamicPrompts``

        Models, boards and other values that a server's batch cannot contain take one request per value. They vary
        slowest.

        Args:
            axes: The values of each input that varies, keyed by index, label, field name or ``node.field``.
            mode: ``"product"`` runs every combination, the last axis varying fastest. ``"zip"`` pairs the axes.
                Defaults to ``"product"``.
            repeat: How many times to run each combination, each time with another seed. Defaults to 1.
            seed: An axis like any other; or ``"random"`` for a different, recorded seed per run; or ``"workflow"`` to
                let the workflow's random nodes draw a seed in each run; or a number: with ``repeat``, the first seed.
                Defaults to the same seed in all runs: the workflow's, or a random, recorded one if the workflow draws
                its seeds.
            values: Values for all of these runs; see ``set()``.
            manifest: A new file that records the sweep, so that it can be resumed; see ``AsyncSweep.resume()``.
            background: Whether to keep only two runs at a time in the queue, so that other jobs can run in between.
                Defaults to False.
            prepend: Whether to add the runs to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``, which the web UI shows.
            pool: The servers that the runs are sent to. Defaults to the pool that created this handle, if any.
            **named: Axes keyed by name.

        Returns:
            The sweep. Iterate over it to get the runs as they finish.

        Raises:
            InputValueError: Values have the wrong type or are out of range. Nothing was sent.
            UsageError: An axis is empty, or the axes cannot be combined. Nothing was sent.
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
        """
        plan = await self.sweep_plan(
            axes, mode=mode, repeat=repeat, seed=seed, values=values, auto_board=auto_board, **named
        )
        return await self.start_sweep(
            plan, manifest=manifest, background=background, prepend=prepend, queue_id=queue_id, pool=pool
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
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        pool: AsyncInvokeAIPool | None = None,
    ) -> AsyncSweep:
        """Start one run for each row of a table.

        Args:
            rows: Dicts of values keyed by input, a CSV or JSONL file, or a pandas or polars table.
            repeat: How many times to run each row, each time with another seed. Defaults to 1.
            seed: ``"random"``, ``"workflow"`` or a number; see ``sweep()``.
            values: Values for all of these runs; see ``set()``.
            manifest: A new file that records the sweep, so that it can be resumed.
            background: Whether to keep only two runs at a time in the queue. Defaults to False.
            prepend: Whether to add the runs to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``.
            pool: The servers that the runs are sent to. Defaults to the pool that created this handle, if any.

        Returns:
            The sweep. Its runs have the order of the rows, except that rows with the same model are grouped.

        Raises:
            InputValueError: Values have the wrong type or are out of range. Nothing was sent.
            UsageError: The table is empty, or the file cannot be read.
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
        """
        plan = self.sweep_rows_plan(rows, repeat=repeat, seed=seed, values=values, auto_board=auto_board)
        return await self.start_sweep(
            plan, manifest=manifest, background=background, prepend=prepend, queue_id=queue_id, pool=pool
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
        auto_board: BoardRef | None = None,
        **named: Any,
    ) -> SweepPlan:
        """Plan a sweep and validate all its values without sending anything. See also ``check_sweep()``.

        The plan includes the inputs. ``start_sweep(plan)`` needs no other values, and values set on the workflow later
        do not change the plan.

        Args:
            axes: The values of each input that varies.
            mode: ``"product"`` or ``"zip"``. Defaults to ``"product"``.
            repeat: How many times to run each combination. Defaults to 1.
            seed: See ``sweep()``.
            values: Values for all runs.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            **named: Axes keyed by name.

        Returns:
            The plan: the number of runs and requests, and the values of each run.

        Raises:
            InputValueError: Values have the wrong type or are out of range.
            UsageError: An axis is empty, or the axes cannot be combined.
        """
        from invokeai_py_client.sweep.plan import is_single_seed, plan_sweep
        from invokeai_py_client.sweep.sources import spelled_out

        wanted = _together(axes, named)
        if seed is not None and not is_single_seed(seed):
            wanted["seed"], seed = seed, None
        wanted = await spelled_out(self.connection, wanted)
        inputs = self._inputs_with(values, {})
        plan = plan_sweep(
            inputs, wanted, mode=mode, repeat=repeat, seed=seed, auto_board=_board_text(auto_board)
        )
        self._note_seeds(inputs, plan.axes)
        return plan

    def sweep_rows_plan(
        self,
        rows: Any,
        *,
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        auto_board: BoardRef | None = None,
    ) -> SweepPlan:
        """Plan a sweep over rows and validate all values without sending anything. See also ``check_sweep()``.

        The plan includes the inputs, like that of ``sweep_plan()``.

        Args:
            rows: Dicts of values keyed by input, a CSV or JSONL file, or a pandas or polars table.
            repeat: How many times to run each row. Defaults to 1.
            seed: See ``sweep_rows()``.
            values: Values for all runs.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.

        Raises:
            InputValueError: Values have the wrong type or are out of range.
            UsageError: The table is empty, or the file cannot be read.
        """
        from invokeai_py_client.sweep.plan import plan_rows
        from invokeai_py_client.sweep.rows import rows_of

        inputs = self._inputs_with(values, {})
        plan = plan_rows(inputs, rows_of(rows), repeat=repeat, seed=seed, auto_board=_board_text(auto_board))
        self._note_seeds(inputs, plan.axes)
        return plan

    async def check_sweep(
        self, plan: SweepPlan, *, values: Values | None = None, auto_board: BoardRef | None = None
    ) -> None:
        """Check whether ``start_sweep()`` would start a plan, including whether models, boards and images exist.

        Nothing is enqueued or uploaded.

        Args:
            plan: The plan that ``sweep_plan()`` or ``sweep_rows_plan()`` returned.
            values: More values for all of its runs. They override those of the plan.
            auto_board: The board (object, id or name) for board fields set to "auto"; ``"none"`` for no board. Defaults
                to the plan's board.

        Raises:
            NotReadyError: The workflow cannot run as it is. The error lists all problems.
            ModelNotFoundError: A model is not on the server.
            InputValueError: The additional values have the wrong type or are out of range.
        """
        await self.sweep_requests(plan, values=values, auto_board=auto_board)

    async def start_sweep(
        self,
        plan: SweepPlan,
        *,
        values: Values | None = None,
        manifest: str | os.PathLike[str] | None = None,
        background: bool = False,
        prepend: bool = False,
        auto_board: BoardRef | None = None,
        queue_id: str = "default",
        pool: AsyncInvokeAIPool | None = None,
    ) -> AsyncSweep:
        """Start the runs of a plan. The plan includes its inputs and its board.

        Args:
            plan: The plan that ``sweep_plan()`` or ``sweep_rows_plan()`` returned.
            values: More values for all of its runs. They override those of the plan.
            manifest: A new file that records the sweep, so that it can be resumed.
            background: Whether to keep only two runs at a time in the queue. Defaults to False.
            prepend: Whether to add the runs to the front of the queue. Defaults to False.
            auto_board: The board (object, id or name) for board fields set to "auto"; ``"none"`` for no board. Defaults
                to the plan's board.
            queue_id: The queue. Defaults to ``"default"``.
            pool: The servers that the runs are sent to. Defaults to the pool that created this handle, if any.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
            ModelNotFoundError: A model is not on the server. Nothing was sent.
            InputValueError: The additional values have the wrong type or are out of range. Nothing was sent.
        """
        from invokeai_py_client.sweep.sweep import start_sweep

        return await start_sweep(
            self.connection,
            self._loaded,
            await self._node_types(),
            plan,
            plan.inputs_with(values, self.inputs),
            manifest=manifest,
            background=background,
            prepend=prepend,
            auto_board=_board_text(auto_board),
            queue_id=queue_id,
            pool=self.pool if pool is None else pool,
        )

    async def sweep_requests(
        self, plan: SweepPlan, *, values: Values | None = None, auto_board: BoardRef | None = None
    ) -> list[Request]:
        """Return the requests that ``start_sweep()`` would send, with placeholders in place of local images.

        Nothing is enqueued or uploaded.

        Args:
            plan: The plan that ``sweep_plan()`` or ``sweep_rows_plan()`` returned.
            values: More values for all of its runs. They override those of the plan.
            auto_board: The board (object, id or name) for board fields set to "auto"; ``"none"`` for no board. Defaults
                to the plan's board.

        Raises:
            NotReadyError: The workflow cannot run as it is. The error lists all problems.
            ModelNotFoundError: A model is not on the server.
            InputValueError: The additional values have the wrong type or are out of range.
        """
        from invokeai_py_client.sweep.requests import prepare_requests

        return await prepare_requests(
            self.connection,
            self._loaded,
            await self._node_types(),
            plan,
            plan.inputs_with(values, self.inputs),
            auto_board=_board_text(auto_board),
            upload=False,
            placeholders=True,
        )

    async def extend_sweep(
        self,
        manifest: str | os.PathLike[str],
        rows: Any,
        *,
        repeat: int = 1,
        seed: Any = None,
        values: Values | None = None,
        auto_board: BoardRef | None = None,
    ) -> int:
        """Add the new rows of a table to a sweep that has been started. ``Sweep.resume()`` then runs them.

        Rows that the sweep already has are skipped. The new runs use the seed of the others if they share one.

        Args:
            manifest: The manifest of the sweep.
            rows: The whole table: dicts, a CSV or JSONL file, or a pandas or polars table.
            repeat: How many times to run each new row. Defaults to 1.
            seed: See ``sweep_rows()``. Defaults to the seed that the runs of the sweep share.
            values: Values for all new runs.
            auto_board: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.

        Returns:
            The number of runs that were added.

        Raises:
            NotReadyError: The workflow cannot run with the new rows. The sweep was not changed.
            InputValueError: A row has invalid values. The sweep was not changed.
            UsageError: The table does not have the columns of the sweep, or a file cannot be read.
        """
        from invokeai_py_client._paths import user_path
        from invokeai_py_client.sweep.extension import extend_sweep
        from invokeai_py_client.sweep.rows import rows_of

        return await extend_sweep(
            self.connection,
            self._loaded,
            await self._node_types(),
            self._inputs_with(values, {}),
            user_path(manifest),
            rows_of(rows),
            repeat=repeat,
            seed=seed,
            auto_board=_board_text(auto_board),
        )

    # ------------------------------------------------------------------ the latest submission

    @face(sync_name="submit_sync", async_name="submit")
    async def submit(
        self,
        *,
        board_id: BoardRef | None = None,
        queue_id: str = "default",
        priority: int = 0,
        subscribe_events: bool = True,
        on_invocation_started: _Callback | None = None,
        on_invocation_progress: _Callback | None = None,
        on_invocation_complete: _Callback | None = None,
        on_invocation_error: _Callback | None = None,
    ) -> WorkflowSubmission:
        """Submit the workflow with its current values and return immediately.

        The callbacks are called during ``wait_for_completion()``.

        Args:
            board_id: The board (object, id or name) for board fields set to "auto". Defaults to uncategorized.
            queue_id: The queue. Defaults to ``"default"``, which the web UI shows.
            priority: If greater than 0, the workflow is added to the front of the queue. Servers have no other
                priorities. Defaults to 0.
            subscribe_events: Ignored; kept for older code. Events are always followed.
            on_invocation_started: Called for each node that starts.
            on_invocation_progress: Called for each step of a node.
            on_invocation_complete: Called for each completed node.
            on_invocation_error: Called for each failed node.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
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
        with patiently():
            item = await read_item(self.connection, runs[0].queue_id, runs[0].item_id, runs[0].batch_id)
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
        """Wait until all runs of the latest submission are finished.

        Args:
            timeout: Seconds to wait. Defaults to no limit.
            poll_interval: Ignored; kept for older code. Events are followed instead of polling.
            progress_callback: Called with the queue item after each change of its status.
            queue_id: Ignored; kept for older code. The queue of the submission is used.

        Returns:
            The first queue item in the server's format, with its results.

        Raises:
            RunTimeoutError: The run was not finished in time. It continues.
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
    async def submit_and_monitor(self, *, board_id: BoardRef | None = None) -> AsyncIterator[RunEvent]:
        """Submit the workflow and yield its events until all its runs are finished.

        Raises:
            NotReadyError: The workflow cannot run as it is. Nothing was sent.
        """
        await self.submit(board_id=board_id)
        for run in self._submitted():  # a queue runs the items of a batch one after the other
            async for event in run.events():
                yield event

    @face(sync_name="cancel", async_name="cancel_async")
    async def cancel(self) -> bool:
        """Cancel the latest submission.

        Returns:
            Whether it is canceled now. False if it had already finished.

        Raises:
            RunError: Nothing was submitted.
        """
        statuses = [await run.cancel() for run in self._submitted()]
        return all(status.state.value == "cancelled" for status in statuses)

    @patient
    async def get_queue_item(self, queue_id: str | None = None) -> dict[str, Any] | None:
        """Fetch the queue item of the latest submission's first run.

        Args:
            queue_id: Ignored; kept for older code. The queue of the submission is used.

        Returns:
            The item, or None if nothing was submitted or the item is no longer in the queue.
        """
        del queue_id
        if not self._latest:
            return None
        run = self._latest[0]
        try:
            return await read_item(self.connection, run.queue_id, run.item_id, run.batch_id)
        except NotFoundError:
            return None

    @property
    def session_id(self) -> str | None:
        """The session of the latest submission's first run, or None if nothing was submitted."""
        return self._session_id

    def list_outputs(self) -> list[WorkflowOutput]:
        """List the nodes whose images appear in the gallery, in the workflow's order."""
        return list_outputs(self._loaded, self.inputs)

    def map_outputs_to_images(self, item: Mapping[str, Any] | None = None) -> list[OutputMapping]:
        """Return the images of each output node.

        Args:
            item: A queue item returned by ``wait_for_completion()``. Defaults to the latest one.

        Raises:
            RunError: Nothing was submitted.
            RunNotFinishedError: The latest run is not known to be finished. Wait for it first.
        """
        found = self._submitted()[0].item if item is None else item
        return map_outputs(self._loaded, self.inputs, found)

    # ------------------------------------------------------------------ internals

    def _inputs_with(self, values: Values | str | None, named: Mapping[str, Any]) -> InputSet:
        if isinstance(values, str):
            values = {find_prompt(self._loaded, self.inputs).key: values}
        given = _together(values, named)
        if not given:
            return self.inputs
        inputs = self.inputs.copy()
        inputs.set(given)
        return inputs

    def _note_seeds(self, inputs: InputSet, axes: Sequence[str] = ()) -> None:
        """Log once that a seed, which was set or is an axis, replaces random nodes of the workflow."""
        seeds = inputs.random_seeds()
        drawn = {item.key for item in inputs.random_seeds(unset=True)}
        for name in axes:
            fields = set(inputs.find_settable(name).feeds)
            drawn -= {item.key for item in seeds if fields.issuperset(item.feeds)}
        replaced = [item.node_name for item in seeds if item.key not in drawn]
        if replaced and not self._seeds_noted:
            self._seeds_noted = True
            logger.warning(
                "Note: the seed replaces the random number of %s for these runs. The workflow is not changed.",
                " and ".join(map(repr, replaced)),
            )

    async def _watch(
        self, run: AsyncRun, timeout: float | None, progress: bool | None, preview: bool | None
    ) -> None:
        from invokeai_py_client.display import display_for, is_interactive

        if progress is False or (progress is None and not is_interactive()):
            await run.wait(timeout)
            return
        with display_for(self.node_label, self.node_count, preview=preview) as display:
            await run.wait(timeout, on_event=display.show)
            await display.finish(run)

    def _submitted(self) -> tuple[AsyncRun, ...]:
        if not self._latest:
            raise RunError("Nothing was submitted yet. Call submit_sync(), submit() or start() first.")
        return self._latest

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import inputs_html, listed_inputs

        return inputs_html(self.name, listed_inputs(self.inputs))

    def __str__(self) -> str:
        from invokeai_py_client.display.inputs import inputs_text, listed_inputs

        return inputs_text(self.name, listed_inputs(self.inputs))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "pool": None}  # a pool cannot be pickled

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"pool": None, **state})  # versions without pools did not have it

    def __repr__(self) -> str:
        count = len(self.inputs)
        return f"<AsyncWorkflowHandle {self.name!r}: {count} input{'s' * (count != 1)}>"


def _board_text(board: BoardRef | None) -> str | None:
    """Return a board's id or name; requests and plans contain no objects."""
    return None if board is None else BOARDS.text(board)


def _together(values: Values | None, named: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the values of a mapping and of keywords together.

    Raises:
        UsageError: The values are not a mapping, or an input is in both.
    """
    if values is None:
        return dict(named)
    if not isinstance(values, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
        raise UsageError(
            f"Invalid values {shown(values)}: expected a mapping of inputs to values, such as {{'steps': 30}}."
        )
    twice = values.keys() & named.keys()
    if twice:
        raise UsageError(
            f"The input {min(twice)!r} has two values: {shown(values[min(twice)])} and {shown(named[min(twice)])}."
        )
    return {**values, **named}
