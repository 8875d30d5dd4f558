"""A workflow that can be swept: many runs that differ in some inputs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.workflow.runnable import AsyncRunnableWorkflow

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.requests import Request
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.workflow.bound import Values


# How many of a queue's latest runs are looked at to tell how long one takes.
_LATEST = 20


class AsyncSweepableWorkflow(AsyncRunnableWorkflow):
    """A workflow whose inputs can be varied over many runs."""

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
        plan = await self.sweep_plan(axes, mode=mode, repeat=repeat, seed=seed, values=values, **named)
        return await self.start_sweep(
            plan,
            values=values,
            manifest=manifest,
            background=background,
            prepend=prepend,
            auto_board=auto_board,
            queue_id=queue_id,
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
        return await self.start_sweep(
            self.sweep_rows_plan(rows, repeat=repeat, seed=seed, values=values),
            values=values,
            manifest=manifest,
            background=background,
            prepend=prepend,
            auto_board=auto_board,
            queue_id=queue_id,
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
        **named: Any,
    ) -> SweepPlan:
        """What ``sweep()`` would run, with every value checked. Nothing is sent; see ``check_sweep()``.

        Args:
            axes: For each input that varies its values.
            mode: ``product`` or ``zip``.
            repeat: How often each combination runs.
            seed: See ``sweep()``.
            values: Values for all runs.
            **named: Axes by name.

        Returns:
            How many runs and requests there are, and the values of each run.

        Raises:
            InputValueError: Values are of the wrong type or out of range.
            UsageError: An axis is empty, or the axes do not fit together.
        """
        from invokeai_py_client.sweep.plan import plan_sweep

        wanted = {**(axes or {}), **named}
        if seed is not None and seed != "random" and not isinstance(seed, int):
            wanted["seed"], seed = seed, None
        for name, given in wanted.items():
            wanted[name] = await self._spelled_out(given)
        return plan_sweep(self._inputs_with(values, {}), wanted, mode=mode, repeat=repeat, seed=seed)

    def sweep_rows_plan(
        self, rows: Any, *, repeat: int = 1, seed: Any = None, values: Values | None = None
    ) -> SweepPlan:
        """What ``sweep_rows()`` would run, with every value checked. Nothing is sent; see ``check_sweep()``.

        Args:
            rows: Dicts of values by input; a CSV or JSONL file; a pandas or polars table.
            repeat: How often each row runs.
            seed: See ``sweep_rows()``.
            values: Values for all runs.

        Raises:
            InputValueError: Values are of the wrong type or out of range.
            UsageError: There are no rows, or the file cannot be read.
        """
        from invokeai_py_client.sweep.plan import plan_rows
        from invokeai_py_client.sweep.rows import rows_of

        return plan_rows(self._inputs_with(values, {}), rows_of(rows), repeat=repeat, seed=seed)

    async def check_sweep(
        self, plan: SweepPlan, *, values: Values | None = None, auto_board: str | None = None
    ) -> None:
        """Look whether ``start_sweep()`` would start a plan: whether models, boards and images are there, too.

        Nothing is sent or uploaded.

        Args:
            plan: What ``sweep_plan()`` or ``sweep_rows_plan()`` gave.
            values: Values for all of its runs; the same as for the plan.
            auto_board: The board (id or name) for board fields that say "auto".

        Raises:
            NotReadyError: The workflow cannot run as it is; the error lists all findings.
            ModelNotFoundError: The server lacks a model.
        """
        await self._requests(plan, self._inputs_with(values, {}), False, auto_board, upload=False)

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
        """Start the runs of a plan.

        Args:
            plan: What ``sweep_plan()`` or ``sweep_rows_plan()`` gave.
            values: Values for all of these runs; the same as for the plan.
            manifest: A new file for the sweep's record, to resume it from.
            background: Keep only two runs at a time in the server's queue.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto".
            queue_id: The queue.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            ModelNotFoundError: The server lacks a model; nothing was sent.
        """
        inputs = self._inputs_with(values, {})
        requests = await self._requests(plan, inputs, prepend, auto_board)
        return await self._begun(plan, requests, inputs, manifest, background, queue_id)

    async def usual_seconds(self, *, queue_id: str = "default") -> float | None:
        """How long the queue's latest runs took, in the median; None where it has none that ended well."""
        from invokeai_py_client.run.queue_items import item_ids, read_states
        from invokeai_py_client.run.results import seconds_of_item

        newest = (await item_ids(self.connection, queue_id))[-_LATEST:]
        items = (await read_states(self.connection, queue_id, newest)).values()
        times = [seconds_of_item(item) for item in items if item["status"] == "completed"]
        known = sorted(seconds for seconds in times if seconds is not None)
        return known[len(known) // 2] if known else None

    # ------------------------------------------------------------------ inside

    async def _spelled_out(self, given: Any) -> Any:
        """Prompts with alternatives, spelled out by the server."""
        from invokeai_py_client.engine.batch import ServerGenerator
        from invokeai_py_client.run.lookup import ServerSide
        from invokeai_py_client.sweep.sources import DynamicPrompts

        if not isinstance(given, DynamicPrompts):
            return given
        generator = ServerGenerator(
            "axis",
            "dynamic_prompts",
            prompt=given.prompt,
            max_prompts=given.most,
            combinatorial=given.combinatorial,
            seed=given.seed,
        )
        return (await ServerSide(self.connection).generated([generator]))["axis"]

    async def _requests(
        self,
        plan: SweepPlan,
        inputs: InputSet,
        prepend: bool,
        auto_board: str | None,
        *,
        upload: bool = True,
    ) -> list[Request]:
        from invokeai_py_client.run.lookup import ServerSide
        from invokeai_py_client.sweep.requests import Request

        server = ServerSide(self.connection)
        requests: list[Request] = []
        for part in plan.parts:
            mine = inputs.copy()
            # A value of each axis stands in the graph, too: what is required must be there.
            mine.set({**part.fixed, **{axis.name: axis.values[0] for group in part.groups for axis in group}})
            data = part.data()
            body = await prepare_request(
                self.connection,
                self._loaded,
                self._schema,
                mine,
                prepend=prepend,
                auto_board=auto_board,
                data=data,
                server=server,
                upload=upload,
            )
            if not upload:
                continue
            if len(body["batch"]["data"]) > len(data):
                raise UsageError(
                    f"The workflow {self.name!r} makes a batch of its own; take its batch nodes out to sweep it."
                )
            shown = tuple({axis.name: axis.values for axis in group} for group in part.groups)
            requests.append(Request(part.first, part.count, part.fixed, shown, body))
        return requests

    async def _begun(
        self,
        plan: SweepPlan,
        requests: list[Request],
        inputs: InputSet,
        manifest: str | os.PathLike[str] | None,
        background: bool,
        queue_id: str,
    ) -> AsyncSweep:
        from invokeai_py_client.models.jsonable import jsonable
        from invokeai_py_client.sweep.manifest import FORMAT, ManifestWriter
        from invokeai_py_client.sweep.sweep import AsyncSweep

        batch_id = str(uuid.uuid4())
        used, labels = inputs.snapshot(), self._labels
        writer = None if manifest is None else ManifestWriter(Path(manifest), anew=True)
        if writer is not None:
            head: Mapping[str, Any] = {
                "format": FORMAT,
                "name": self.name,
                "url": self.connection.url,
                "queue": queue_id,
                "axes": plan.axes,
                "batch": batch_id,
                "inputs": used,
                "labels": labels,
                "background": background,
                "requests": len(requests),
            }
            writer.write("sweep", **jsonable(head))
            for request in requests:
                writer.write("request", **request.to_dict())
        sweep = AsyncSweep(
            self.connection,
            self.name,
            plan.axes,
            requests,
            batch_id=batch_id,
            inputs=used,
            labels=labels,
            queue_id=queue_id,
            background=background,
            manifest=writer,
        )
        await sweep._begin()  # pyright: ignore[reportPrivateUsage]
        return sweep
