"""A workflow on one server and its inputs: to list, to read, to set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.engine.index_map import (
    export_input_index_map,
    verify_input_index_map,
    write_index_map,
)
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.ivk_fields import IvkField
    from invokeai_py_client.models.row import Row
    from invokeai_py_client.schema.schema import Schema

Values = Mapping[Any, Any]
"""Values by input: index, label, field name or ``node.field``."""


class AsyncBoundWorkflow(AsyncObject):
    """A workflow and the inputs that a server's schema gives it.

    Attributes:
        definition: The workflow as it was given; never changed.
        inputs: Its inputs.
    """

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
        return self._labels.get(node_id, node_id)

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
        from invokeai_py_client.engine.input_rows import input_row

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

    @property
    def _labels(self) -> dict[str, str]:
        titles = {kind: self._schema[kind].title for kind in self._schema}
        return {
            node.id: node.label or titles.get(node.type, node.type) for node in self._loaded.nodes.values()
        }

    def _inputs_with(self, values: Values | None, named: Mapping[str, Any]) -> InputSet:
        if not values and not named:
            return self.inputs
        inputs = self.inputs.copy()
        inputs.set({**(values or {}), **named})
        return inputs

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import inputs_html

        return inputs_html(self.name, self.inputs)

    def __repr__(self) -> str:
        from invokeai_py_client.display.inputs import inputs_text

        return inputs_text(self.name, self.inputs)
