"""JSON Schemas of single fields, and the values of fields in the form that these schemas describe.

A schema never allows a value that the field rejects. It may allow less: fields also accept aliases, records, numbers of
other libraries and the like.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import singledispatch
from types import MappingProxyType
from typing import Any, Final, cast

from invokeai_py_client._names import matching
from invokeai_py_client.editor.literals import GENERATORS, generator_schema
from invokeai_py_client.engine.models import find_model
from invokeai_py_client.errors import InputError
from invokeai_py_client.ivk_fields import (
    IvkBoardField,
    IvkBooleanField,
    IvkBoundingBoxField,
    IvkCollectionField,
    IvkColorField,
    IvkEnumField,
    IvkField,
    IvkFloatField,
    IvkGeneratorField,
    IvkImageField,
    IvkIntegerField,
    IvkLatentsField,
    IvkLoRAField,
    IvkModelIdentifierField,
    IvkSavedWorkflowField,
    IvkStringField,
    IvkStylePresetField,
    IvkSystemPromptField,
    IvkTensorField,
    IvkVideoField,
)
from invokeai_py_client.ivk_fields.models import filter_text, model_name
from invokeai_py_client.ivk_fields.pending import ModelByName
from invokeai_py_client.schema.strict import ANYTHING, is_valid, limit_words, narrowed, strict_schema
from invokeai_py_client.schema.template import UNSET, InputTemplate

MOST_CHOICES: Final = 60
"""The limit on the models or boards that a schema lists. If there are more, the schema describes them in words."""

IMAGE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "type": "string",
        # With a slash, the text would be the path of a local file, which may not exist.
        "pattern": r"^[^\s/\\][^/\\]*$",
        "description": "Name of an image",
    }
)
"""The schema of an image."""

_MOST_LABELS = 12
_NAME: Final = {"type": "string", "pattern": r"\S"}
_AUTO_BOARDS = ("auto", "none")
_COLOR = "^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$"
_CORNER = ("x_min", "y_min")
_SIZE = ("width", "height")

JsonSchema = dict[str, Any]
Field = IvkField[Any]


@dataclass(frozen=True, slots=True)
class ServerThings:
    """The things on a server that schemas list as choices.

    Attributes:
        models: The records of all models. None if they are not known.
        boards: The ids of all boards with their names. None if they are not known.
        image: The schema of an image.
    """

    models: Sequence[Mapping[str, Any]] | None = None
    boards: Mapping[str, str] | None = None
    image: Mapping[str, Any] = field(default_factory=lambda: IMAGE)

    def models_for(self, item: Field) -> dict[str, str]:
        """Return the text that selects each model that fits a field, by key: its name, or an ambiguous name's key."""
        fitting = (model for model in self.models or () if item.accepts_model(model))
        return _selecting({str(model["key"]): str(model["name"]) for model in fitting})

    def board_texts(self) -> dict[str, str]:
        """Return the text that selects each board, by id: its name, or the id if the name is ambiguous."""
        return _selecting(self.boards or {}, _AUTO_BOARDS)


def _selecting(names: Mapping[str, str], taken: Sequence[str] = ()) -> dict[str, str]:
    """Return the name of each thing if it selects only that thing, else its id. Sorted by name."""
    counts = Counter(names.values())
    ordered = sorted(names.items(), key=lambda thing: (thing[1].casefold(), thing[1], thing[0]))
    return {
        known: name
        if name.strip() == name != "" and counts[name] == 1 and name not in (*names, *taken)
        else known
        for known, name in ordered
    }


# --------------------------------------------------------------------------- schemas


def field_schema(
    item: Field, template: InputTemplate | None, things: ServerThings, rule: Mapping[str, Any]
) -> JsonSchema | None:
    """Return the schema of a field's values, or None if it accepts only null.

    Args:
        item: The field.
        template: Its description in the server's schema. None if the server does not know it.
        things: The choices of models and boards.
        rule: What the class of the node requires beyond the server's schema, as JSON Schema. It applies to the value,
            or to each item of a list.
    """
    server = strict_schema(template.json_schema if template else {})
    found = None if server is None else _schema(item, server, things)
    return _ruled(found, rule) if found and rule else found


def _ruled(schema: JsonSchema, rule: Mapping[str, Any]) -> JsonSchema:
    if "anyOf" in schema:
        return {**schema, "anyOf": [_ruled(branch, rule) for branch in schema["anyOf"]]}
    if schema.get("type") == "array":
        return {**schema, "items": narrowed(schema["items"], rule)}
    return narrowed(schema, rule)


@singledispatch
def _schema(item: Field, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    """Return the schema of a field's values.

    This is the function for types without a class and for parts of models: the server's own schema.

    Args:
        item: The field.
        server: The server's schema, without null. Empty if it is not known.
        things: The choices of models and boards.
    """
    if server:
        return server
    return {"type": "array"} if item.is_list else dict(ANYTHING)


@_schema.register
def _(item: IvkStringField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    if item.choices:
        return _choices(item, server)
    limits = _only(limit_words(item.limits), "minLength", "maxLength")
    return {"type": "string", **limits, **_only(server, "pattern")}


@_schema.register
def _(item: IvkIntegerField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _number("integer", item, server)


@_schema.register
def _(item: IvkFloatField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _number("number", item, server)


@_schema.register
def _(item: IvkBooleanField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return {"type": "boolean"}


@_schema.register
def _(item: IvkEnumField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _choices(item, server) if item.choices else {"type": "string", **_only(server, "pattern")}


@_schema.register
def _(item: IvkModelIdentifierField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _model(item, things)


@_schema.register
def _(item: IvkLoRAField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    weight = server.get("properties", {}).get("weight", {"type": "number"})
    return _object({"lora": _model(item, things), "weight": weight}, "lora")


@_schema.register
def _(item: IvkBoardField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    if things.boards is None or len(things.boards) > MOST_CHOICES:
        return _name("Name of a board, auto or none")
    return {"type": "string", "enum": [*_AUTO_BOARDS, *things.board_texts().values()]}


@_schema.register
def _(item: IvkImageField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return dict(things.image)


@_schema.register
def _(item: IvkVideoField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _name("Name of a video")


@_schema.register(IvkStylePresetField)
@_schema.register(IvkSystemPromptField)
@_schema.register(IvkSavedWorkflowField)
def _(item: Field, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return _name(item.allowed)


@_schema.register(IvkLatentsField)
@_schema.register(IvkTensorField)
def _(item: Field, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    if "properties" not in server:
        return _name(item.allowed)
    parts: dict[str, JsonSchema] = server["properties"]
    named = {key: {**part, **_NAME} if part.get("type") == "string" else part for key, part in parts.items()}
    return {**server, "properties": named}


@_schema.register
def _(item: IvkColorField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    return {"type": "string", "pattern": _COLOR}


@_schema.register
def _(item: IvkBoundingBoxField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    # JSON Schema cannot require that x_min is not greater than x_max, but it can require a size.
    corner: JsonSchema = {name: {"type": "integer"} for name in _CORNER}
    size: JsonSchema = {name: {"type": "integer", "minimum": 0} for name in _SIZE}
    return _object({**corner, **size}, *_CORNER, *_SIZE)


@_schema.register
def _(item: IvkGeneratorField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    kinds = [generator_schema(kind) for kind in GENERATORS if kind.startswith(item.family)]
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


@_schema.register
def _(item: IvkCollectionField, server: JsonSchema, things: ServerThings) -> JsonSchema | None:
    branches: list[JsonSchema] = server.get("anyOf", [server])
    lists = [branch for branch in branches if branch.get("type") == "array"]
    own: Any = lists[0].get("items", {}) if lists else server
    each = _schema(item.item, own if isinstance(own, dict) else {}, things)
    if each is None or (server and not lists):  # the server fails on lists here
        return each
    several = {"type": "array", "items": each, **_only(limit_words(item.limits), "minItems", "maxItems")}
    return {"anyOf": [each, several]} if item.takes_one else several


def _number(kind: str, item: Field, server: JsonSchema) -> JsonSchema:
    limits = limit_words(replace(item.limits, min_items=None, max_items=None))
    found = narrowed({"type": kind, **limits}, server)
    return _inclusive(found) if found.get("type") == "integer" else found


def _inclusive(schema: JsonSchema) -> JsonSchema:
    """Return the schema of whole numbers with inclusive limits, which form libraries of older drafts support too."""
    closed = dict(schema)
    for exclusive, inclusive, step in (
        ("exclusiveMinimum", "minimum", 1),
        ("exclusiveMaximum", "maximum", -1),
    ):
        limit = closed.get(exclusive)
        if isinstance(limit, int):
            del closed[exclusive]
            closed = narrowed(closed, {inclusive: limit + step})
    return closed


def _choices(item: Field, server: JsonSchema) -> JsonSchema | None:
    """Return the schema of a field with a list of choices. A few labels are described."""
    fitting = [one for one in item.choices or () if one is not None]
    if fitting != server.get("enum"):  # the choices may be those of a form
        fitting = [one for one in fitting if _kept(item, one) is not UNSET]
    if not fitting:
        return None
    is_text = all(isinstance(one, str) for one in fitting)
    schema: JsonSchema = {"type": "string", "enum": fitting} if is_text else {"enum": fitting}
    labels = item.choice_labels
    named = [(one, labels[one]) for one in fitting if labels.get(one) and labels[one] != str(one)]
    if named and len(fitting) <= _MOST_LABELS:
        schema["description"] = ", ".join(
            label if label.startswith(str(one)) else f"{one}: {label}" for one, label in named
        )
    return schema


def _model(item: IvkModelIdentifierField | IvkLoRAField, things: ServerThings) -> JsonSchema:
    texts = things.models_for(item)
    if 0 < len(texts) <= MOST_CHOICES:
        return {"type": "string", "enum": list(texts.values())}
    return _name(f"Model{filter_text(item.model_filter)}")


def _name(words: str) -> JsonSchema:
    return {**_NAME, "description": f"{words[:1].upper()}{words[1:]}"}


def _object(properties: JsonSchema, *required: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _only(schema: Mapping[str, Any], *words: str) -> JsonSchema:
    return {word: schema[word] for word in words if word in schema}


# --------------------------------------------------------------------------- values


def current_value(item: Field, things: ServerThings) -> Any:
    """Return a field's value in the form that its schema describes, as JSON data without null.

    The result is ``UNSET`` if there is no value, the value is not valid, or the server does not have it.
    """
    kept = UNSET if item.value is None else _kept(item, item.reusable_value)
    return UNSET if kept is UNSET else _without_null(_value(item, kept, things))


def default_of(item: Field, schema: JsonSchema, things: ServerThings) -> Any:
    """Return the value of a field if its schema allows it, else ``UNSET``."""
    value = current_value(item, things)
    return value if value is not UNSET and is_valid(schema, value) else UNSET


def _kept(item: Field, value: Any) -> Any:
    """Return a value as the field would store it, or ``UNSET`` if it is not valid."""
    try:
        return item.check(value)
    except InputError:
        return UNSET


@singledispatch
def _value(item: Field, value: Any, things: ServerThings) -> Any:
    """Return a value that a field stores in the form that the field's schema describes, or ``UNSET``.

    Args:
        item: The field.
        value: The value. It is valid.
        things: The server's models and boards.
    """
    return value


@_value.register
def _(item: IvkModelIdentifierField, value: Any, things: ServerThings) -> Any:
    return _model_text(item, value, things)


@_value.register
def _(item: IvkLoRAField, value: Any, things: ServerThings) -> Any:
    lora = _model_text(item, value["lora"], things)
    return UNSET if lora is UNSET else {"lora": lora, "weight": value["weight"]}


def _model_text(item: Field, value: Any, things: ServerThings) -> Any:
    """Return the text that selects a model on the server, or ``UNSET`` if the server does not have it."""
    if things.models is None:
        return model_name(value)
    texts = things.models_for(item)
    if isinstance(value, ModelByName):
        found = matching(value.text, list(texts.items()), lambda model: model[0], lambda model: model[1])
        return found[0][1] if len(found) == 1 else UNSET
    record = find_model(value, things.models)
    return UNSET if record is None else texts.get(str(record["key"]), UNSET)


@_value.register
def _(item: IvkBoardField, value: Any, things: ServerThings) -> Any:
    board = _holding(item, value).display_value
    if things.boards is None or board in _AUTO_BOARDS:
        return board
    texts = things.board_texts()
    return texts.get(board, board if board in texts.values() else UNSET)


@_value.register(IvkImageField)
@_value.register(IvkVideoField)
@_value.register(IvkStylePresetField)
@_value.register(IvkSystemPromptField)
def _(item: Field, value: Any, things: ServerThings) -> Any:
    named = _holding(item, value).display_value
    return named if isinstance(named, str) else UNSET


@_value.register
def _(item: IvkColorField, value: Any, things: ServerThings) -> Any:
    color = str(_holding(item, value).display_value)
    return color.removesuffix("ff") if len(color) == len("#rrggbbaa") else color


@_value.register
def _(item: IvkBoundingBoxField, value: Any, things: ServerThings) -> Any:
    corner = {name: value[name] for name in _CORNER}
    return {**corner, "width": value["x_max"] - value["x_min"], "height": value["y_max"] - value["y_min"]}


@_value.register
def _(item: IvkCollectionField, value: Any, things: ServerThings) -> Any:
    if not isinstance(value, list):
        return _value(item.item, value, things)
    items = [_value(item.item, one, things) for one in cast("list[Any]", value)]
    return UNSET if UNSET in items else items


def _holding(item: Field, value: Any) -> Field:
    other = item.copy()
    other.hold(value)
    return other


def _without_null(value: Any) -> Any:
    """Return a value without the keys of objects whose value is null, or ``UNSET`` if a list contains null."""
    if isinstance(value, dict):
        kept = {
            key: _without_null(one) for key, one in cast("dict[str, Any]", value).items() if one is not None
        }
        return UNSET if UNSET in kept.values() else kept
    if isinstance(value, list):
        items = [UNSET if one is None else _without_null(one) for one in cast("list[Any]", value)]
        return UNSET if UNSET in items else items
    return value
