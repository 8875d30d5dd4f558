"""The official editor's rules for the type of a field, which follows from its JSON schema."""

from __future__ import annotations

from typing import Any, Final

from invokeai_py_client.schema.document import as_list, as_object, is_null, reference_name
from invokeai_py_client.schema.template import FieldType

_PRIMITIVES: Final = {
    "integer": "IntegerField",
    "number": "FloatField",
    "string": "StringField",
    "boolean": "BooleanField",
}


def parse_field_type(schema: Any) -> FieldType | None:
    """Return the field type for a schema, or None if the editor has no type for it."""
    if (name := reference_name(schema)) is not None:
        return FieldType(name)
    node = as_object(schema)
    if node is None or "$ref" in node:
        return None
    if node.get("const"):
        return FieldType("EnumField")
    kind = node.get("type")
    if not kind:
        return _combined(node)
    if isinstance(node.get("enum"), list):
        return FieldType("EnumField")
    if kind == "array":
        return _collection(node.get("items"))
    # There is no field type for "object", "null" and lists of types.
    name = _PRIMITIVES.get(kind) if isinstance(kind, str) else None
    return None if name is None else FieldType(name)


def _collection(items: Any) -> FieldType | None:
    name = reference_name(items) or _primitive(items)
    return None if name is None else FieldType(name, "COLLECTION")


def _combined(node: Any) -> FieldType | None:
    """Return the field type for a schema without a ``type``."""
    if all_of := as_list(node.get("allOf")):
        name = reference_name(all_of[0])
        return None if name is None else FieldType(name)
    branches = [branch for branch in as_list(node.get("anyOf")) if not is_null(branch)]
    if len(branches) == 1:
        return parse_field_type(branches[0])
    if len(branches) == 2:
        return _single_or_collection(*branches)
    return None


def _single_or_collection(one: Any, other: Any) -> FieldType | None:
    """Return the field type for ``T | list[T]``, in either order. The editor supports no other unions."""
    if not _is_array(one):
        one, other = other, one
    if not _is_array(one) or _is_array(other):
        return None
    name = _element(one["items"]) if "items" in one else None
    return FieldType(name, "SINGLE_OR_COLLECTION") if name is not None and name == _element(other) else None


def _is_array(schema: Any) -> bool:
    node = as_object(schema)
    return node is not None and "$ref" not in node and node.get("type") == "array"


def _element(schema: Any) -> str | None:
    if (name := reference_name(schema)) is not None:
        return name
    node = as_object(schema)
    kind = None if node is None else node.get("type")
    return _PRIMITIVES.get(kind, kind) if isinstance(kind, str) else None


def _primitive(schema: Any) -> str | None:
    node = as_object(schema)
    kind = None if node is None else node.get("type")
    return _PRIMITIVES.get(kind) if isinstance(kind, str) else None
