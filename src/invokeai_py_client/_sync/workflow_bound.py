"""A workflow on one server and its inputs: to list, to read, to set."""

# Written by tools/generate_sync.py from src/invokeai_py_client/workflow/bound.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face
from invokeai_py_client.workflow.bound import AsyncBoundWorkflow, Values

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.models.row import Row


class BoundWorkflow(Face[AsyncBoundWorkflow]):
    """A workflow and the inputs that a server's schema gives it.

    Attributes:
        definition: The workflow as it was given; never changed.
        inputs: Its inputs.
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

    def _repr_html_(self) -> str:
        return self._impl._repr_html_()
