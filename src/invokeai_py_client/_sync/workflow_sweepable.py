"""A workflow that can be swept: many runs that differ in some inputs."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/sweepable.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import wrap
from invokeai_py_client._sync.workflow_runnable import RunnableWorkflow

if TYPE_CHECKING:
    import os

    from invokeai_py_client._sync.sweep_sweep import Sweep
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.workflow.bound import Values
    from invokeai_py_client.workflow.sweepable import AsyncSweepableWorkflow


class SweepableWorkflow(RunnableWorkflow):
    """A workflow whose inputs can be varied over many runs."""

    _impl: AsyncSweepableWorkflow

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
        return self._call(
            self._impl.sweep_plan(axes, mode=mode, repeat=repeat, seed=seed, values=values, **named)
        )

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
        return self._impl.sweep_rows_plan(rows, repeat=repeat, seed=seed, values=values)

    def check_sweep(
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

    def usual_seconds(self, *, queue_id: str = "default") -> float | None:
        """How long the queue's latest runs took, in the median; None where it has none that ended well."""
        return self._call(self._impl.usual_seconds(queue_id=queue_id))
