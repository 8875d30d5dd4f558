"""The inputs of a workflow: what its form shows, and every other field that takes a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.errors import AmbiguousInputError, InputError, InputValueError, UnknownInputError
from invokeai_py_client.ivk_fields import IvkField, make_field
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate
from invokeai_py_client.workflow.addressing import Place, distinct_names, find_place, plain
from invokeai_py_client.workflow.batch import value_of
from invokeai_py_client.workflow.graph import resolved_edges
from invokeai_py_client.workflow.loaded import Key, LoadedWorkflow, Node
from invokeai_py_client.workflow.server_rules import RULES, node_findings


@dataclass(frozen=True, slots=True, eq=False)
class WorkflowInput:
    """One input of a workflow.

    Attributes:
        input_index: Its place in the form, from 0: its stable name. None for fields the form does not show.
        label: What the editor shows for it.
        field_name: The field's name on the wire.
        node_name: What the workflow calls its node: the node's label, or its type's title.
        node_id: Its node's id.
        field: The typed field that holds its value.
        connected: Whether an edge feeds it; then it takes no value.
    """

    input_index: int | None
    label: str
    field_name: str
    node_name: str
    node_id: str
    field: IvkField[Any]
    connected: bool

    @property
    def key(self) -> Key:
        """Node id and field name."""
        return self.node_id, self.field_name

    @property
    def type(self) -> str:
        """The field's type: ``IntegerField``, ``ImageField[]``..."""
        return self.field.type_text

    @property
    def required(self) -> bool:
        """Whether the node cannot run without it."""
        return self.field.required

    @property
    def value(self) -> Any:
        """Its value; None where it has none."""
        return self.field.value

    def __repr__(self) -> str:
        index = "" if self.input_index is None else f"[{self.input_index}] "
        return f"<{index}{self.label}: {self.type} = {self.field.display_value!r}>"


class InputSet:
    """The inputs of a workflow, with their values.

    Iterating gives the form's inputs in its order; every other field that takes a value is found by name.
    """

    def __init__(self, loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate]) -> None:
        self._loaded = loaded
        self._schema = schema
        self._connected = frozenset((edge.target, edge.target_field) for edge in resolved_edges(loaded))
        self._form: tuple[Key, ...] = tuple(dict.fromkeys((f.node_id, f.field_name) for f in loaded.form))
        self._settings = {(f.node_id, f.field_name): f.settings for f in reversed(loaded.form)}
        self._made: dict[Key, WorkflowInput] = {}
        self._places: list[Place] | None = None

    def __len__(self) -> int:
        return len(self._form)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return (self._input(key) for key in self._form)

    def __getitem__(self, address: int | str) -> WorkflowInput:
        return self.find(address)

    def find(self, address: int | str) -> WorkflowInput:
        """The input that an index or a name means.

        Raises:
            UnknownInputError: There is none.
            AmbiguousInputError: There are several.
        """
        if isinstance(address, int) and not isinstance(address, bool):
            if not 0 <= address < len(self._form):
                known = f"0 to {len(self._form) - 1}" if self._form else "none at all"
                raise UnknownInputError(f"The form has no input {address}; its indices are {known}.", address)
            return self._input(self._form[address])
        return self._input(find_place(str(address), self._all_places()).key)

    def at(self, key: Key) -> WorkflowInput:
        """The input of a node id and a field name.

        Raises:
            UnknownInputError: There is no such field.
        """
        return self._input(key)

    def everything(self) -> list[WorkflowInput]:
        """The form's inputs, then every other field that takes a value, node by node."""
        shown = set(self._form)
        others = [p.key for p in self._all_places() if p.settable and p.key not in shown]
        return [self._input(key) for key in (*self._form, *others)]

    def set(self, values: Mapping[Any, Any]) -> None:
        """Assign values by index or name: all of them, or none.

        Raises:
            UnknownInputError: An input is not there.
            AmbiguousInputError: A name means several inputs.
            InputValueError: Values do not fit; the error lists them all.
        """
        trial = self.copy()
        problems: list[str] = []
        for address, value in values.items():
            item = trial.find(address)
            try:
                trial._assign(item, value)
            except InputValueError as error:
                problems.append(str(error))
        if problems:
            raise InputValueError("\n".join(problems))
        self._made = trial._made

    def values(self) -> dict[Key, Any]:
        """The values that were set, as they go on the wire; untouched ones are not among them."""
        return {
            key: item.field.to_api_format() for key, item in self._made.items() if item.field.is_set_by_user
        }

    def touched(self) -> dict[Key, WorkflowInput]:
        """The inputs that were set."""
        return {key: item for key, item in self._made.items() if item.field.is_set_by_user}

    def copy(self) -> InputSet:
        """The same inputs with values of their own."""
        other = object.__new__(InputSet)
        other.__dict__.update(self.__dict__)
        other._made = {key: _copied(item) for key, item in self._made.items()}
        return other

    def name_of(self, item: WorkflowInput) -> str:
        """A name that is a keyword argument where possible: the label as an identifier, else ``node.field``."""
        name = plain(item.label)
        try:
            return (
                name
                if self.find(name) is item
                else distinct_names([self._place(item.key)], self._all_places())[0]
            )
        except (AmbiguousInputError, UnknownInputError):
            return distinct_names([self._place(item.key)], self._all_places())[0]

    def snapshot(self) -> dict[str, Any]:
        """The values by name: all of the form's, and what was set besides. They can be given to a run again."""
        shown = {item.key: item for item in self} | self.touched()
        return {self.name_of(item): item.field.display_value for item in shown.values() if not item.connected}

    def template(self, key: Key) -> InputTemplate | None:
        """What the schema says of a field."""
        node = self._loaded.nodes.get(key[0])
        return None if node is None else node.template_of(key[1], self._schema.get(node.type))

    def refusals(self, node_id: str, instead: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What a node's class on the server would refuse, with other values for some of its fields.

        Args:
            node_id: The node.
            instead: Those values by field name, as they go on the wire.

        Returns:
            Field names, and what is wrong with them.
        """
        node = self._loaded.nodes[node_id]
        kind = self._schema.get(node.type)
        if kind is None or node.type not in RULES:
            return []
        own = self.values()
        sent = {name: value_of(node, name, own) for name in node.inputs} | dict(instead)
        return list(node_findings(kind, {name: value for name, value in sent.items() if value is not UNSET}))

    # ------------------------------------------------------------------ inside

    def _assign(self, item: WorkflowInput, value: Any) -> None:
        if item.connected:
            raise InputError(
                f"{item.node_name}.{item.field_name} is fed by a connection in the workflow, so it takes no value; "
                "set the node that feeds it instead."
            )
        item.field.value = value

    def _input(self, key: Key) -> WorkflowInput:
        item = self._made.get(key)
        if item is None:
            item = self._made[key] = self._make(key)
        return item

    def _make(self, key: Key) -> WorkflowInput:
        node_id, field_name = key
        node = self._loaded.nodes[node_id]
        template = self.template(key)
        held = node.inputs.get(field_name)
        if template is None:
            raise UnknownInputError(
                f"Node {_node_name(node, None)!r} has no field {field_name!r}.", field_name
            )
        label = (held.label if held else "") or template.title or field_name
        name = _node_name(node, self._schema.get(node.type))
        field = make_field(
            template,
            UNSET if held is None else held.value,
            label=label,
            node_label=name,
            settings=self._settings.get(key),
        )
        index = self._form.index(key) if key in self._form else None
        return WorkflowInput(index, label, field_name, name, node_id, field, key in self._connected)

    def _all_places(self) -> list[Place]:
        if self._places is None:
            shown = set(self._form)
            self._places = [
                place for node in self._loaded.nodes.values() for place in self._places_of(node, shown)
            ]
        return self._places

    def _place(self, key: Key) -> Place:
        return next(place for place in self._all_places() if place.key == key)

    def _places_of(self, node: Node, shown: set[Key]) -> Iterator[Place]:
        kind = self._schema.get(node.type)
        templates = {**(kind.inputs if kind else {}), **node.dynamic}
        names = (node.id, node.label, node.type, kind.title if kind else "")
        for field_name, template in templates.items():
            key = (node.id, field_name)
            held = node.inputs.get(field_name)
            label = (held.label if held else "") or template.title or field_name
            takes_value = template.input != "connection" and key not in self._connected
            if takes_value or key in shown or key in self._connected:
                yield Place(key, label, names, takes_value, key in shown)


def _node_name(node: Node, template: NodeTemplate | None) -> str:
    return node.label or (template.title if template else "") or node.type


def _copied(item: WorkflowInput) -> WorkflowInput:
    return WorkflowInput(
        item.input_index,
        item.label,
        item.field_name,
        item.node_name,
        item.node_id,
        item.field.copy(),
        item.connected,
    )
