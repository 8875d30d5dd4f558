"""The inputs of a workflow: the fields in its form, and all other fields that accept a value."""

from __future__ import annotations

import json
import operator
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from invokeai_py_client._text import listed, node_place, shown
from invokeai_py_client.engine.addressing import FieldPath, InputIndex, is_portable, plain
from invokeai_py_client.engine.batch import value_of
from invokeai_py_client.engine.references import old_model
from invokeai_py_client.engine.seeds import (
    ALL_SEEDS,
    SEED,
    SeedNames,
    detach,
    draw_seed,
    is_random,
    is_seed_field,
    random_seeds,
    seed_template,
)
from invokeai_py_client.engine.server_rules import RULES, node_findings, rule_schema
from invokeai_py_client.engine.wiring import EdgeIndex, resolve_source
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow, Node
from invokeai_py_client.errors import InputError, InputValueError, UnknownInputError
from invokeai_py_client.ivk_fields.base import IvkField, field_place
from invokeai_py_client.ivk_fields.kinds import make_field
from invokeai_py_client.ivk_fields.pending import find_pending
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate, NodeTemplate

_TAKEN = frozenset(
    {"auto_board", "background", "manifest", "mode", "only_one", "pool", "prepend", "preview", "progress"}
    | {"queue_id", "repeat", "runs", "timeout", "validate", "values"}
)
"""Names of arguments of a handle's methods. Inputs with these names cannot be passed as keywords."""


_SEVERAL = (list, tuple, range, set, frozenset)


@dataclass(slots=True, eq=False)
class WorkflowInput:
    """An input of a workflow. Its ``value`` can be read and assigned.

    Attributes:
        input_index: The position in the form, from 0, which is the stable name of the input. None for fields that
            are not in the form.
        label: The label that the editor shows for the input.
        field_name: The field's name in requests.
        node_name: The label of the node, or the title of its type.
        node_id: The id of the node.
        field: The typed field that holds the value.
        connected: Whether an edge feeds the input. Connected inputs do not accept values, except seeds that a random
            node feeds.
        feeds: The fields that get the value, if the input is the seed drawn by a random node.
        copies: Other fields that get the same value.
        only_in_graph: Whether batch data cannot carry the value, because a copy is not in the schema of its node.
    """

    input_index: int | None
    label: str
    field_name: str
    node_name: str
    node_id: str
    field: IvkField[Any]
    connected: bool
    feeds: tuple[Key, ...] = ()
    copies: tuple[Key, ...] = ()
    only_in_graph: bool = False

    @property
    def key(self) -> Key:
        """The node id and the field name."""
        return self.node_id, self.field_name

    @property
    def type(self) -> str:
        """The field's type, such as ``IntegerField`` or ``ImageField[]``."""
        return self.field.type_text

    @property
    def is_seed(self) -> bool:
        """Whether the input is a seed, which accepts ``"random"`` for a random value."""
        return bool(self.feeds) or (self.field_name == SEED and self.type == "IntegerField")

    @property
    def required(self) -> bool:
        """Whether the node needs this input in order to run."""
        return self.field.required

    @property
    def value(self) -> Any:
        """The input's value, or None if it has no value.

        Raises:
            InputValueError: On assignment, if the value is not valid.
            InputError: On assignment, if a connection feeds the input.
        """
        return self.field.value

    @value.setter
    def value(self, value: Any) -> None:
        self.field.keep(self.check(value))

    @property
    def jsonpath(self) -> str:
        """The JSONPath of the input in the workflow document."""
        return f"$.nodes[?(@.id='{self.node_id}')].data.inputs.{self.field_name}"

    def check(self, value: Any) -> Any:
        """Return a value as the field would store it. ``"random"`` draws a seed.

        Raises:
            InputValueError: The value is not valid.
            InputError: The input does not accept values.
        """
        if self.is_seed and is_random(value):
            value = draw_seed()
        try:
            return self.field.check(value)
        except InputValueError as error:
            if self.is_seed and value in (-1, "-1"):
                raise InputValueError(f'{error} For a random seed, use "random".') from None
            if isinstance(value, _SEVERAL) and not self.type.endswith("[]"):
                raise InputValueError(f"{error} For a run with each value, use a sweep.") from None
            raise

    def validate_input(self) -> bool:
        """Return whether the value is valid, and present if it is required."""
        return self.field.validate_field()

    def __getstate__(self) -> list[Any]:
        return [getattr(self, one.name) for one in fields(self)]

    def __setstate__(self, state: Sequence[Any]) -> None:
        # An input pickled by a version that did not know random seeds has fewer values.
        known = dict(zip((one.name for one in fields(self)), state, strict=False))
        for one in fields(self):
            setattr(self, one.name, known.get(one.name, False if one.name == "only_in_graph" else ()))

    def __repr__(self) -> str:
        index = "" if self.input_index is None else f"[{self.input_index}] "
        return f"<{index}{self.label}: {self.type} = {shown(self.field.display_value)}>"


Address = int | str | Key | WorkflowInput
"""An address of an input: its index, a name, (node id, field name), or the input itself."""


class InputSet:
    """The inputs of a workflow, with their values.

    Iterating yields the form's inputs in order. All other fields that accept a value can be found by name. If
    the form shows a field twice, it is a single input at its first position.
    """

    def __init__(self, loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate]) -> None:
        self._loaded = loaded
        self._schema = schema
        self._feeds = _feeds(loaded)
        keys = dict.fromkeys((shown.node_id, shown.field_name) for shown in loaded.form)
        self._order: tuple[Key, ...] = tuple(keys)
        self._form: dict[Key, int] = {key: index for index, key in enumerate(keys)}
        self._settings = {(f.node_id, f.field_name): f.settings for f in reversed(loaded.form)}
        self._made: dict[Key, WorkflowInput] = {}
        self._names: Counter[str] | None = None
        self._find_seeds()
        self._index = self._new_index()

    def __len__(self) -> int:
        return len(self._form)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return (self._input(key) for key in self._order)

    def __repr__(self) -> str:
        return f"<InputSet: {listed([item.label for item in self], 5) or 'no inputs in the form'}>"

    def __contains__(self, item: object) -> bool:
        return isinstance(item, WorkflowInput) and self._made.get(item.key) is item

    def __getitem__(self, address: Address) -> WorkflowInput:
        return self.find(address)

    @property
    def may_make_videos(self) -> bool:
        """Whether a node of the workflow has a video as an output, or calls a workflow that may have one."""
        kinds = (self._schema.get(node.type) for node in self._loaded.nodes.values())
        types = [output.type.name for kind in kinds if kind is not None for output in kind.outputs.values()]
        return not {"VideoField", "AnyField"}.isdisjoint(types)

    def find(self, address: Address) -> WorkflowInput:
        """Return the input with an index, a name, or a (node id, field name), or the one equal to another handle's.

        Raises:
            UnknownInputError: No input matches.
            AmbiguousInputError: Several inputs match.
        """
        if isinstance(address, str):
            return self._input(self._index.find(address).key)
        if isinstance(address, WorkflowInput):
            return self.at(address.key)
        if isinstance(address, tuple):
            return self.at(address)
        try:
            index = None if isinstance(address, bool) else operator.index(address)
        except TypeError:
            index = None
        if index is None:
            raise UnknownInputError(
                f"Invalid input address {address!r}: expected an index, a name, or (node id, field name).",
                str(address),
            )
        if not 0 <= index < len(self._form):
            known = (
                f"expected an index from 0 to {len(self._form) - 1}" if self._form else "the form is empty"
            )
            raise UnknownInputError(f"The form has no input {index}: {known}.", index)
        return self._input(self._order[index])

    def at(self, key: Key) -> WorkflowInput:
        """Return the input with a node id and a field name.

        Raises:
            UnknownInputError: The workflow has no such node, or the node has no such field.
        """
        if self._is_virtual(key):
            return self._input(key)
        node = self._loaded.nodes.get(key[0]) if len(key) == 2 else None
        if node is None:
            raise UnknownInputError(
                f"The workflow has no node {key[0]!r}."
                if key
                else "Invalid input address (): expected (node id, field name)."
            )
        if self.template(key) is None and key not in self._form:
            known = ", ".join(map(repr, self._schema[node.type].inputs)) if node.type in self._schema else ""
            hint = f" Its fields: {known}." if known else ""
            raise UnknownInputError(
                f"Node {self._name_of_node(node)!r} has no field {key[1]!r}.{hint}", key[1]
            )
        return self._input(key)

    def listed(self) -> list[WorkflowInput]:
        """Return the form's inputs, followed by the seed that random nodes draw if the form does not show one."""
        drawn = self.main_seeds() if self._seeds else []
        return [*self, *(item for item in drawn if item.feeds)]

    def everything(self) -> list[WorkflowInput]:
        """Return the form's inputs, followed by all other fields that accept a value, node by node."""
        others = [place.key for place in self._index.others]
        return [self._input(key) for key in (*self._order, *others)]

    def set(self, values: Mapping[Any, Any]) -> None:
        """Assign values by index or name (see ``find()``). If one of them is invalid, none is assigned.

        Raises:
            UnknownInputError: An input does not exist.
            AmbiguousInputError: A name matches several inputs.
            InputValueError: A value is not valid for its input.
            InputError: A connection feeds an input, or there are several errors. The message lists all of them.
        """
        checked: list[tuple[WorkflowInput, Any]] = []
        errors: list[InputError] = []
        first: dict[Key, Address] = {}
        for address, value in values.items():
            try:
                item = self.find_settable(address)
                if first.setdefault(item.key, address) is not address:
                    raise InputError(
                        f"{field_place(item.label, item.node_name)} has two values: "
                        f"{shown(values[first[item.key]])} and {shown(value)}."
                    )
                checked.append((item, item.check(value)))
            except InputError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            alike = all(isinstance(error, InputValueError) for error in errors)
            raise (InputValueError if alike else InputError)("\n".join(map(str, errors)))
        if any(item.key == ALL_SEEDS for item, _ in checked):
            for key in self._free_seeds:  # values that were set earlier for single seeds
                if key in self._made:
                    self._made[key].field.hold(self._own_value(key))
        for item, value in checked:
            item.field.keep(value)

    def find_settable(self, address: Address) -> WorkflowInput:
        """Return the input that a value for an address is assigned to: the input of ``find()``, or its random seed.

        If a random node feeds the field, the value replaces the output of that node.

        Raises:
            UnknownInputError: No input matches.
            AmbiguousInputError: Several inputs match.
        """
        item = self.find(address)
        source = self._feeds.get(item.key)
        return self._input(source) if source is not None and source in self._seeds else item

    def apply_seeds(self, values: Mapping[Key, Any]) -> tuple[LoadedWorkflow, dict[Key, Any]]:
        """Return the workflow and the values of a request in which seeds that were set replace random nodes.

        The fields that copy another field get its value.

        Args:
            values: The values that were set, as the server expects them, by input.
        """
        spread = dict(values)
        for key, copies in self._loaded.copies.items():
            if key in values:
                spread.update(dict.fromkeys(copies, values[key]))
        seed = spread.pop(ALL_SEEDS, UNSET)
        if seed is not UNSET:
            for key in self._free_seeds:
                spread.setdefault(key, seed)
        return detach(self._loaded, self._seeds, spread)

    def random_seeds(self, *, unset: bool = False) -> list[WorkflowInput]:
        """Return the seeds that random nodes draw in each run.

        Args:
            unset: Whether to omit those that are set to a value, which then replaces the random node. Defaults to
                False.
        """
        chosen: set[Key] = set()
        if unset:
            chosen = {key for key, item in self.touched().items() if item.value is not None}
        if ALL_SEEDS in chosen:
            return []
        return [self._input(key) for key in self._seeds if key not in chosen]

    def main_seeds(self) -> list[WorkflowInput]:
        """Return the seeds that a seed for the whole workflow sets: those in the form, else all others."""
        shown = [
            self.find_settable(key)
            for key in self._order
            if self._feeds.get(key) in self._seeds or (key not in self._feeds and self._holds_seed(key))
        ]
        if shown:
            return list({item.key: item for item in shown}.values())
        if self._is_virtual(ALL_SEEDS):
            return [self._input(ALL_SEEDS)]
        return [self._input(key) for key in self._free_seeds]

    def values(self) -> dict[Key, Any]:
        """Return the values that were set, as the server expects them, without untouched values."""
        return {key: item.field.to_api_format() for key, item in self.touched().items()}

    def touched(self) -> dict[Key, WorkflowInput]:
        """Return the inputs that were set."""
        return {key: item for key, item in dict(self._made).items() if item.field.is_set_by_user}

    def copy(self) -> InputSet:
        """Return independent copies of the inputs with their values."""
        other = object.__new__(InputSet)
        other.__dict__.update(self.__dict__)
        other._made = {
            key: replace(item, field=item.field.copy())
            for key, item in dict(self._made).items()  # another thread may be adding an input
        }
        return other

    def name_of(self, item: WorkflowInput) -> str:
        """Return an unambiguous name of an input: its label as an identifier if possible, else ``node.field``."""
        if item.key == ALL_SEEDS or (item.feeds and self._is_set_by(SEED, item)):
            return SEED
        place = self._index.place(item.key)
        if place is None:  # a connection-only field
            return f"{item.node_id}.{item.field_name}"
        for name in (plain(item.label), item.label):
            if name and name not in _TAKEN and not name.isdigit() and self._index.means(name, place):
                return name
        return self._index.distinct_name(place)

    def key_of(self, item: WorkflowInput) -> str:
        """Return an unambiguous name of an input that accepts values, for keys of a JSON Schema.

        The name has 1 to 64 of the characters ``A-Z a-z 0-9 _ . -``, whatever the labels contain: ``name_of()`` if
        it has only these and does not contain the node's id, else ``field`` or ``node.field``, else the field and a
        number.
        """
        name = self.name_of(item)
        place = self._index.place(item.key)
        if place is None:
            return name
        has_id = name == f"{item.node_id}.{item.field_name}" and item.node_id not in place.node_names[1:]
        if is_portable(name) and not has_id:
            return name
        field = plain(item.field_name)
        names = [field]
        if not has_id:  # else the node's other names do not make the input unambiguous
            names += [f"{node}.{field}" for node in map(plain, place.node_names[1:]) if node]
        for one in dict.fromkeys(names):
            if is_portable(one) and one not in _TAKEN and not one.isdigit() and self._index.means(one, place):
                return one
        return self._index.numbered_name(place)

    def _is_set_by(self, name: str, item: WorkflowInput) -> bool:
        try:
            return self.find_settable(name).key == item.key
        except InputError:
            return False

    def snapshot(self) -> dict[str, Any]:
        """Return values that can be set again, by name: those in the form, seeds, and all others that were set.

        Missing values, and values in the workflow that are invalid, are omitted.
        """
        shown = {item.key: item for item in self} | self.touched()
        if ALL_SEEDS not in shown:
            shown |= {key: self._input(key) for key in self._free_seeds}
        return {
            self.name_of(item): item.field.reusable_value
            for item in shown.values()
            if item.field.is_set_by_user or _can_be_set(item.field)
        }

    def node_labels(self) -> dict[str, str]:
        """Return the name that the editor shows for each node, by id: its label, or its type's title, or its type."""
        return {node.id: self._name_of_node(node) for node in self._loaded.nodes.values()}

    def template(self, key: Key) -> InputTemplate | None:
        """Return the schema's template of a field, or None if the field is unknown."""
        if key in self._seeds:
            return seed_template(key[1], [self.template(fed) for fed in self._seeds[key]])
        if key == ALL_SEEDS:
            return seed_template(SEED, [self.template(fed) for fed in self._free_seeds])
        node = self._loaded.nodes.get(key[0])
        return None if node is None else node.template_of(key[1], self._schema.get(node.type))

    def rule_of(self, key: Key) -> dict[str, Any]:
        """Return what a field's node requires of it on the server beyond the schema, as JSON Schema."""
        node = self._loaded.nodes.get(key[0])
        return {} if node is None else rule_schema(node.type, key[1])

    def note_of(self, key: Key) -> str:
        """Return the author's description of a field in the workflow, or ""."""
        node = self._loaded.nodes.get(key[0])
        held = None if node is None else node.inputs.get(key[1])
        return "" if held is None else held.description

    def has_rules(self, node_id: str) -> bool:
        """Return whether a node's class on the server checks more than its schema describes."""
        node = self._loaded.nodes.get(node_id)
        return node is not None and node.type in RULES

    def refusals(self, node_id: str, instead: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return the errors that a node's class on the server would raise with other values for some of its fields.

        Args:
            node_id: The node.
            instead: The other values by field name, as the server expects them.

        Returns:
            Pairs of a field name and its error.
        """
        node = self._loaded.nodes[node_id]
        kind = self._schema.get(node.type)
        if kind is None or node.type not in RULES:
            return []
        own = {
            key: item.field.to_api_format()
            for key, item in self.touched().items()
            if key[0] == node_id and not find_pending(item.field.value)
        }
        names = dict.fromkeys([*node.inputs, *(name for _, name in own)])
        sent = {name: value_of(node, name, own) for name in names} | dict(instead)
        return list(node_findings(kind, {name: value for name, value in sent.items() if value is not UNSET}))

    # ------------------------------------------------------------------ inside

    def __copy__(self) -> InputSet:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> InputSet:
        return self.copy()  # the workflow and the schema are immutable

    def __getstate__(self) -> dict[str, Any]:
        kinds = {node.type for node in self._loaded.nodes.values()}
        schema = {kind: self._schema[kind] for kind in kinds if kind in self._schema}
        state = {**self.__dict__, "_schema": schema, "_made": self.touched()}
        del state["_index"], state["_names"]
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._names = None
        if "_seeds" not in state:  # pickled by a version that did not set random seeds
            self._find_seeds()
        self._index = self._new_index()

    def _find_seeds(self) -> None:
        self._seeds = random_seeds(self._loaded, self._schema, self._feeds)
        free: list[Key] = []
        for node in self._loaded.nodes.values():
            key = (node.id, SEED)
            if key not in self._form and key not in self._feeds and self._holds_seed(key):
                free.append(key)
            free.extend(seed for seed in self._seeds if seed[0] == node.id)
        # Seeds outside the form: fields with a value, and outputs of random nodes.
        self._free_seeds: tuple[Key, ...] = tuple(free)

    def _is_virtual(self, key: Key) -> bool:
        return key in self._seeds or (key == ALL_SEEDS and len(self._free_seeds) > 1)

    def _holds_seed(self, key: Key) -> bool:
        return key[1] == SEED and is_seed_field(SEED, self.template(key))

    def _input(self, key: Key) -> WorkflowInput:
        item = self._made.get(key)
        # Two threads may make the same input. Both get the first one that was stored.
        return item if item is not None else self._made.setdefault(key, self._make(key))

    def _make(self, key: Key) -> WorkflowInput:
        if self._is_virtual(key):
            return self._make_seed(key)
        node_id, field_name = key
        node = self._loaded.nodes[node_id]
        # A node type that is not on the server has no templates, but its fields can still be inspected.
        template = self.template(key) or InputTemplate(
            field_name, field_name, FieldType("AnyField"), "any", required=False
        )
        label, name = _label(node, template), self._name_of_node(node)
        value = self._own_value(key)
        if key in self._loaded.unusable:
            value = old_model(self._loaded.unusable[key], template) or value
        field = make_field(
            template,
            value,
            label=label,
            node_label=name,
            node_id=node_id if self._shares_name(name) else "",
            settings=self._settings.get(key),
            refusal=self._refusal(key, template),
        )
        copies = self._loaded.copies.get(key, ())
        return WorkflowInput(
            self._form.get(key),
            label,
            field_name,
            name,
            node_id,
            field,
            key in self._feeds,
            copies=copies,
            only_in_graph=any(self.template(copy) is None for copy in copies),
        )

    def _own_value(self, key: Key) -> Any:
        node = self._loaded.nodes.get(key[0])
        held = None if node is None else node.inputs.get(key[1])
        return UNSET if held is None else held.value

    def _make_seed(self, key: Key) -> WorkflowInput:
        """Return the input for the seed of a random node, or for all seeds outside the form."""
        node = self._loaded.nodes.get(key[0])
        name = "" if node is None else self._name_of_node(node)
        template = self.template(key)
        assert template is not None
        field = make_field(
            template, label=template.title, node_label=name, node_id=key[0] if self._shares_name(name) else ""
        )
        feeds = self._seeds.get(key) or self._fields_of_all_seeds()
        return WorkflowInput(None, template.title, key[1], name, key[0], field, False, feeds)

    def _fields_of_all_seeds(self) -> tuple[Key, ...]:
        fields = (fed for key in self._free_seeds for fed in self._seeds.get(key, (key,)))
        return tuple(dict.fromkeys(fields))

    def _refusal(self, key: Key, template: InputTemplate) -> str:
        source = self._feeds.get(key)
        if source is not None:
            feeder = self._loaded.nodes.get(source[0])
            name = repr(node_place(source[0], self.node_labels())) if feeder is not None else "another node"
            if source in self._seeds:
                return (
                    f"{name} draws a random seed for it, so no value can be assigned; set the seed by"
                    f" name instead, for example with set({SEED}=7)"
                )
            return (
                f"a connection from {name} (output {source[1]!r}) feeds it, so no value can be set; "
                "set the inputs of that node instead"
            )
        if template.server_input == "connection":
            return "no value can be set, as it only accepts a connection from another node"
        return ""

    def place_of(self, key: Key) -> str:
        """Return the name of a field in messages: its label and its node's, such as ``Steps (denoise)``."""
        if self.template(key) is not None:
            return self.at(key).field.place
        return field_place(key[1], self._name_of_node(self._loaded.nodes[key[0]]))

    def _shares_name(self, name: str) -> bool:
        if self._names is None:
            self._names = Counter(map(self._name_of_node, self._loaded.nodes.values()))
        return self._names[name] > 1

    def _name_of_node(self, node: Node) -> str:
        kind = self._schema.get(node.type)
        return node.label or (kind.title if kind else "") or node.type

    def _new_index(self) -> InputIndex:
        nodes = self._loaded.nodes
        form = [
            self._place(nodes[node_id], name, self.template((node_id, name))) for node_id, name in self._order
        ]
        all_seeds = FieldPath(ALL_SEEDS, "Seed", ("",), settable=True, in_form=False, is_seed=True)
        return InputIndex(form, self._all_places, all_seeds)

    def _all_places(self) -> list[FieldPath]:
        """Return all fields that accept a value, are fed by a connection, or are in the form."""
        places: list[FieldPath] = []
        in_form: dict[str, list[str]] = {}
        for node_id, name in self._order:
            in_form.setdefault(node_id, []).append(name)
        for node in self._loaded.nodes.values():
            kind = self._schema.get(node.type)
            templates: dict[str, InputTemplate | None] = {**(kind.inputs if kind else {}), **node.dynamic}
            for name in in_form.get(node.id, ()):
                templates.setdefault(name, None)
            for name, template in templates.items():
                place = self._place(node, name, template)
                if place.settable or place.in_form or place.key in self._feeds:
                    places.append(place)
            places.extend(self._seed_place(node, key) for key in self._seeds if key[0] == node.id)
        return places

    def _seed_place(self, node: Node, key: Key) -> FieldPath:
        """Return the path of the seed that a random node draws."""
        kind = self._schema.get(node.type)
        names = (node.id, node.label, node.type, kind.title if kind else "")
        return FieldPath(key, "Seed", names, settable=True, in_form=False, is_seed=True)

    def _place(self, node: Node, name: str, template: InputTemplate | None) -> FieldPath:
        key = (node.id, name)
        kind = self._schema.get(node.type)
        takes_value = key not in self._feeds and (template is None or template.server_input != "connection")
        return FieldPath(
            key,
            _label(node, template, name),
            (node.id, node.label, node.type, kind.title if kind else ""),
            takes_value,
            key in self._form,
            key not in self._form and takes_value and is_seed_field(name, template),
        )


def seed_names(inputs: InputSet) -> SeedNames:
    """Return the names of a workflow's seeds."""
    main = inputs.main_seeds()
    if main and main[0].key == ALL_SEEDS:
        main += inputs.random_seeds() or [inputs.at(key) for key in main[0].feeds]
    drawn = {item.key: inputs.name_of(item) for item in inputs.random_seeds(unset=True)}
    return SeedNames(tuple(map(inputs.name_of, main)), drawn)


def _can_be_set(field: IvkField[Any]) -> bool:
    """Return whether a field's current value could be assigned to it."""
    if field.value is None:
        return False
    try:
        field.check(field.reusable_value)
    except InputError:
        return False
    return True


def _label(node: Node, template: InputTemplate | None, name: str = "") -> str:
    name = template.name if template else name
    held = node.inputs.get(name)
    return (held.label if held else "") or (template.title if template else "") or name


def _feeds(loaded: LoadedWorkflow) -> dict[Key, tuple[str, str]]:
    """Return the output that feeds each connected input, with connectors resolved."""
    index = EdgeIndex(loaded.edges) if loaded.connectors else None
    feeds: dict[Key, tuple[str, str]] = {}
    for edge in loaded.edges:
        if edge.target not in loaded.nodes:
            continue
        source = (edge.source, edge.source_field)
        if index is not None:
            source = resolve_source(*source, loaded.connectors, index)
        if source is not None:
            feeds.setdefault((edge.target, edge.target_field), source)
    return feeds


def input_row(item: WorkflowInput) -> dict[str, Any]:
    """Return an input as JSON-ready data."""
    return {
        "index": item.input_index,
        "label": item.label,
        "field": item.field_name,
        "node": item.node_name,
        "node_id": item.node_id,
        "type": item.type,
        "required": item.required,
        "connected": item.connected,
        "value": plain_value(item),
        "allowed": item.field.allowed,
    }


def type_word(kind: str) -> str:
    """Return a readable name of a type: "Model" for ``ModelIdentifierField``, "Image list" for ``ImageField[]``."""
    name = kind.rstrip("|[]")
    word = (
        name.removesuffix("IdentifierField") if name == "ModelIdentifierField" else name.removesuffix("Field")
    )
    if kind.endswith("|[]"):
        return f"{word} or list"
    return f"{word} list" if kind.endswith("[]") else word


def plain_value(item: WorkflowInput) -> Any:
    """Return an input's value as JSON data, or None if it has no value."""
    try:
        return json.loads(json.dumps(item.field.display_value, default=str))
    except (TypeError, ValueError):
        return str(item.field.display_value)
