"""JSON schemas of fields, reduced to the keywords that decide which values are valid.

A reduced schema has only these keywords: ``type``, ``enum``, ``const``, ``anyOf``, ``oneOf``, ``allOf``, ``items``,
``prefixItems``, ``properties``, ``required``, ``additionalProperties``, ``uniqueItems``, ``pattern``, the limits,
``default``, and ``title`` (the name of a referenced type). References are resolved. A recursive reference becomes the
empty schema, which accepts any value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from invokeai_py_client.schema.document import (
    JsonObject,
    as_list,
    as_object,
    is_null,
    is_number,
    reference_name,
)
from invokeai_py_client.schema.template import NO_LIMITS, Limits

SCHEMA_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
SCHEMA_PLACES: Final = ("items", "additionalProperties")

LIMIT_NAMES: Final = {  # keywords of JSON Schema, attributes of Limits
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
}
_COUNTS: Final = frozenset({"min_length", "max_length", "min_items", "max_items"})
_NUMERIC: Final = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of")

# pydantic cannot translate a limit on a union (controlnet.control_weight in InvokeAI 6.14), and writes its own keyword
# into the document. The server still enforces the limit.
_PYDANTIC_WORDS: Final = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_VERBATIM: Final = ("type", "enum", "const", "required", "uniqueItems", "pattern", "default")


class Shapes:
    """Reduces the schemas of one document. Equal references are reduced to the same object."""

    def __init__(self, definitions: JsonObject) -> None:
        self._definitions = definitions
        self._resolved: dict[str, dict[str, Any]] = {}
        self._open: set[str] = set()

    def reduce(self, schema: Any) -> dict[str, Any]:
        """Return the reduced form of a schema."""
        node = as_object(schema)
        if node is None:
            return {}
        reduced: dict[str, Any] = {}
        if (name := reference_name(node)) is not None:
            referred = self._resolve(name)
            if len(node) == 1:
                return referred
            reduced.update(referred)
        for word in _VERBATIM:
            if word in node:
                reduced[word] = node[word]
        for word in LIMIT_NAMES:
            if is_number(node.get(word)):
                reduced[word] = node[word]
        for word, standard in _PYDANTIC_WORDS.items():
            if is_number(node.get(word)):
                reduced[standard] = node[word]
        for word in SCHEMA_LISTS:
            if branches := as_list(node.get(word)):
                reduced[word] = [self.reduce(branch) for branch in branches]
        for word in SCHEMA_PLACES:
            if word in node:
                place = node[word]
                reduced[word] = place if isinstance(place, bool) else self.reduce(place)
        if (properties := as_object(node.get("properties"))) is not None:
            reduced["properties"] = {key: self.reduce(value) for key, value in properties.items()}
        return _count_items(reduced)

    def _resolve(self, name: str) -> dict[str, Any]:
        if name in self._resolved:
            return self._resolved[name]
        if name in self._open:
            return {}
        definition = as_object(self._definitions.get(name)) or {}
        if definition.get("class") in ("invocation", "output"):
            return {"title": name}  # a node is not a value, and a graph would pull in all other nodes
        self._open.add(name)
        try:
            shape = {"title": name, **self.reduce(definition)}
        finally:
            self._open.discard(name)
        self._resolved[name] = shape
        return shape


def _count_items(reduced: dict[str, Any]) -> dict[str, Any]:
    """Rename the limits on the length of a list.

    For a limit on a union that contains a list, pydantic writes ``maxLength`` (llava_onevision_vllm.images).
    """
    if reduced.get("type") == "array" or any(
        branch.get("type") == "array" for branch in reduced.get("anyOf", ())
    ):
        for length, items in (("minLength", "minItems"), ("maxLength", "maxItems")):
            if length in reduced:
                reduced[items] = reduced.pop(length)
    return reduced


def map_schemas(schema: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a copy of a reduced schema with ``change`` applied to each schema directly inside it."""
    copy = dict(schema)
    for word in SCHEMA_LISTS:
        if word in copy:
            copy[word] = [change(branch) for branch in copy[word]]
    for word in SCHEMA_PLACES:
        if isinstance(copy.get(word), Mapping):
            copy[word] = change(copy[word])
    if "properties" in copy:
        copy["properties"] = {key: change(value) for key, value in copy["properties"].items()}
    return copy


def stated_limits(schema: JsonObject) -> Limits:
    """Return the limits at the top level of a schema: those that the editor checks."""
    found = {
        attribute: schema[word]
        for word, attribute in LIMIT_NAMES.items()
        if is_number(schema.get(word)) and (attribute not in _COUNTS or isinstance(schema[word], int))
    }
    return Limits(**found) if found else NO_LIMITS


def deeper_limits(schema: JsonObject, reduced: JsonObject) -> Limits:
    """Return the limits that the server checks although the top level of the schema does not state them.

    If several branches accept the same kind of value, the loosest limit counts, so that these limits never reject a
    value that the server accepts.

    Args:
        schema: The field's schema.
        reduced: Its reduced form.
    """
    top = stated_limits(schema)
    scalars: list[Limits] = []
    elements: list[Limits] = []
    lists: list[Limits] = []
    for leaf in _leaves(reduced):
        if leaf.get("type") == "array":
            lists.append(stated_limits(leaf))
            elements.extend(stated_limits(item) for item in _leaves(leaf.get("items")))
        else:
            scalars.append(stated_limits(leaf))
    values = scalars or elements
    found = {name: _loosest(values, name) for name in (*_NUMERIC, "min_length", "max_length")}
    found |= {name: _loosest(lists, name) for name in ("min_items", "max_items")}
    for name, limit in found.items():
        if limit == getattr(top, name):
            found[name] = None
    return Limits(**found) if any(limit is not None for limit in found.values()) else NO_LIMITS  # type: ignore[arg-type]


def _leaves(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the alternatives of a schema. A limit stated on a union applies to each of its branches."""
    node = as_object(schema)
    if node is None:
        return
    branches: list[Any] = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    if not branches:
        yield dict(node)
        return
    own = {word: node[word] for word in LIMIT_NAMES if word in node}
    for branch in branches:
        if not is_null(branch):
            yield from _leaves({**own, **branch})


def _loosest(limits: Iterable[Limits], name: str) -> Any:
    values = [getattr(limit, name) for limit in limits]
    if not values or any(value is None for value in values):
        return None
    if name == "multiple_of":
        return values[0] if len(set(values)) == 1 else None
    return min(values) if "min" in name.split("_") or name.endswith("minimum") else max(values)
