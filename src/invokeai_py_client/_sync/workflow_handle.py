"""A workflow on one server, with inputs to set and runs to start."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/handle.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.workflow.handle import AsyncWorkflowHandle, Values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client._sync.sweep_sweep import Sweep
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.workflow.definition import WorkflowDefinition
    from invokeai_py_client.workflow.inputs import InputSet, WorkflowInput


class WorkflowHandle(Face[AsyncWorkflowHandle]):
    """A workflow made ready for one server.

    Values set on the handle hold for every later run; values given to :meth:`run` or :meth:`start` hold for
    that run alone. What nobody sets goes out exactly as the workflow has it.

    Attributes:
        definition: The workflow as it was given; never changed.
        inputs: Its inputs.

    Example:
        wf = client.workflow_repo.create_workflow("portrait.json")
        run = wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        run.images[0].save("lighthouse.png")
    """

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

    def export_input_index_map(self) -> list[dict[str, Any]]:
        """What stands at each index, to be kept and verified when the workflow changes."""
        return self._impl.export_input_index_map()

    def verify_input_index_map(self, kept: Any) -> dict[str, list[Any]]:
        """Which inputs of a kept index map are unchanged, moved, missing or new."""
        return self._impl.verify_input_index_map(kept)

    def sync_dnn_model(
        self, by_name: bool = True, by_base: bool = True
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Put this server's models in the place of those that the workflow brought from another one.

        A run does so by itself where the server has the very same model under another key. This also takes
        models that are not the same, so look at what it changed.

        Args:
            by_name: Whether a model of the same name and type will do.
            by_base: Whether, failing that, the first model of the same base and type will do.

        Returns:
            For each model that was changed its identifier before and after.
        """
        return self._call(self._impl.sync_dnn_model(by_name, by_base))

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
            values: Values for this request alone; see :meth:`set`.
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
            values: Values for this run alone; see :meth:`set`.
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
            UsageError: The workflow's batch nodes make several runs of it; see :meth:`start_batch`.
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
            values: Values for these runs alone; see :meth:`set`.
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
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **named: Any,
    ) -> Run:
        """Run the workflow, and return when it is done.

        When the call is interrupted (Ctrl-C, or its task is cancelled), the run is canceled on the server:
        nobody else holds it. To leave it running, use :meth:`start`.

        Args:
            values: Values for this run alone; see :meth:`set`.
            timeout: Seconds to wait at most; the run goes on afterwards.
            progress: True shows live progress, False none; by default it is shown where a person watches (a
                terminal or a notebook). A function is called with each event instead.
            prepend: Whether it goes to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            queue_id: The queue; the web UI shows ``default``.
            **named: Values by name.

        Returns:
            The finished run with its images and outputs.

        Raises:
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
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
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                    **named,
                )
            )
        )

    def sweep(
        self,
        *,
        mode: str = "product",
        values: Values | None = None,
        prepend: bool = False,
        auto_board: str | None = None,
        queue_id: str = "default",
        **axes: Iterable[Any],
    ) -> Sweep:
        """Start many runs that differ in some inputs, in one request.

        Args:
            mode: ``product`` makes every combination, the last axis varying fastest; ``zip`` pairs the axes.
            values: Values for all of these runs; see :meth:`set`.
            prepend: Whether they go to the front of the queue.
            auto_board: The board (id or name) for board fields that say "auto"; uncategorized by default.
            queue_id: The queue; the web UI shows ``default``.
            **axes: For each input that varies, its values. Texts, numbers, truths and choices can vary.

        Returns:
            The sweep, to go through in finishing order.

        Raises:
            InputValueError: Values are of the wrong type or out of range; nothing was sent.
            UsageError: An axis cannot vary within a batch, or is empty; nothing was sent.
            NotReadyError: The workflow cannot run as it is; nothing was sent.
            EnqueueError: The server's queue is full.
        """
        return wrap(
            self._call(
                self._impl.sweep(
                    mode=mode,
                    values=values,
                    prepend=prepend,
                    auto_board=auto_board,
                    queue_id=queue_id,
                    **axes,
                )
            )
        )

    def _repr_html_(self) -> str:
        return self._impl._repr_html_()
