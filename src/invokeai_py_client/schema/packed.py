"""A compact form of a schema: a small block of bytes whose nodes are decoded on demand.

The first line names the format. The rest is compressed text: a line with a JSON header (the server's version, the
length of the shared shapes and the end of each node), the shapes (schemas that occur more than once), and the JSON
of each node.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from invokeai_py_client.errors import SchemaFormatError
from invokeai_py_client.schema.codec import decode_node, encode_node
from invokeai_py_client.schema.document import JsonObject, as_object
from invokeai_py_client.schema.shapes import map_schemas
from invokeai_py_client.schema.template import (
    FieldType,
    InputTemplate,
    Limits,
    ModelFilter,
    NodeTemplate,
    OutputTemplate,
    Schema,
)

_LAYOUT: Final = 1
_SHARED: Final = "$"
# For shorter schemas, a reference would take more space than the schema itself.
_WORTH_SHARING: Final = 40
_DAMAGE: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def _format_line() -> bytes:
    """Return the line that names the format. It changes with the fields of the template classes."""
    classes = (FieldType, Limits, ModelFilter, InputTemplate, OutputTemplate, NodeTemplate)
    names = ",".join(f.name for cls in classes for f in fields(cls))
    return f"invokeai-schema {_LAYOUT} {zlib.crc32(names.encode()):08x}\n".encode()


FORMAT: Final = _format_line()


def pack(schema: Schema) -> bytes:
    """Return the compact form of a schema."""
    sharing = _Sharing(schema)
    lines = [_dump(encode_node(node, sharing.fold)) for node in schema.values()]
    shapes = _dump(sharing.shapes())
    ends: dict[str, int] = {}
    position = 0
    for node_type, line in zip(schema, lines, strict=True):
        position += len(line)
        ends[node_type] = position
    header = _dump({"version": schema.version, "shapes": len(shapes), "nodes": ends})
    return FORMAT + zlib.compress(b"\n".join((header, shapes + b"".join(lines))), 9)


def unpack(data: bytes) -> Schema:
    """Return the schema from its compact form. Its nodes are decoded when they are first used.

    Raises:
        SchemaFormatError: The data is damaged, or not in the format of this version.
    """
    if not data.startswith(FORMAT):
        raise SchemaFormatError("This is not a packed schema in the format of this version.")
    try:
        text = zlib.decompress(data[len(FORMAT) :])
        header, _, body = text.partition(b"\n")
        facts: dict[str, Any] = json.loads(header)
        nodes = PackedNodes(body, facts["shapes"], facts["nodes"])
        version: str = facts["version"]
    except (zlib.error, *_DAMAGE) as error:
        raise SchemaFormatError(f"The packed schema is damaged: {error}") from error
    return Schema(nodes, version)


class PackedNodes(Mapping[str, NodeTemplate]):
    """A mapping of node templates, each decoded when it is first used."""

    def __init__(self, body: bytes, shapes_length: int, ends: Mapping[str, int]) -> None:
        self._body = body
        self._shapes_length = shapes_length
        self._spans: dict[str, tuple[int, int]] = {}
        start = shapes_length
        for node_type, end in ends.items():
            self._spans[node_type] = (start, shapes_length + end)
            start = shapes_length + end
        self._made: dict[str, NodeTemplate] = {}
        self._shapes: list[dict[str, Any]] | None = None
        self._unfolded: dict[int, dict[str, Any]] = {}

    def __getitem__(self, node_type: str) -> NodeTemplate:
        node = self._made.get(node_type)
        if node is None:
            start, end = self._spans[node_type]
            try:
                made = decode_node(node_type, json.loads(self._body[start:end]), self._unfold)
            except _DAMAGE as error:
                raise SchemaFormatError(
                    f"The packed schema is damaged at {node_type!r}: {error!r}"
                ) from error
            # Two threads may decode the same node at once. The results are equal, and the first is kept.
            node = self._made.setdefault(node_type, made)
        return node

    def __contains__(self, node_type: object) -> bool:
        return node_type in self._spans

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def _unfold(self, schema: Any) -> Any:
        """Return a copy of a schema with its references to shapes resolved."""
        node = as_object(schema)
        if node is None:
            return schema
        number = node.get(_SHARED)
        return self._shape(number) if isinstance(number, int) else map_schemas(node, self._unfold)

    def _shape(self, number: int) -> dict[str, Any]:
        shape = self._unfolded.get(number)
        if shape is None:
            shapes = self._shapes
            if shapes is None:
                shapes = self._shapes = json.loads(self._body[: self._shapes_length])
            shape = self._unfolded.setdefault(number, map_schemas(shapes[number], self._unfold))
        return shape


class _Sharing:
    """Finds schemas that occur more than once, and replaces them with references."""

    def __init__(self, schema: Schema) -> None:
        self._texts: dict[int, bytes] = {}
        self._alive: list[Any] = []
        self._counts: Counter[bytes] = Counter()
        self._numbers: dict[bytes, int] = {}
        self._shapes: list[Any] = []
        for node in schema.values():
            for template in node.inputs.values():
                self._count(template.json_schema)

    def shapes(self) -> list[Any]:
        """Return the shared schemas. The list is complete after all schemas were folded."""
        return self._shapes

    def fold(self, schema: Any) -> Any:
        """Return a copy of a schema in which shared schemas are replaced with references."""
        node = as_object(schema)
        if node is None:
            return schema
        text = self._text(node)
        if len(text) < _WORTH_SHARING or self._counts[text] < 2:
            return map_schemas(node, self.fold)
        number = self._numbers.get(text)
        if number is None:
            folded = map_schemas(node, self.fold)
            number = self._numbers[text] = len(self._shapes)
            self._shapes.append(folded)
        return {_SHARED: number}

    def _count(self, schema: Any) -> Any:
        if (node := as_object(schema)) is not None:
            self._counts[self._text(node)] += 1
            map_schemas(node, self._count)
        return schema

    def _text(self, schema: JsonObject) -> bytes:
        # Parsed documents share their resolved references, so most schemas occur many times.
        text = self._texts.get(id(schema))
        if text is None:
            text = self._texts[id(schema)] = _dump(schema)
            self._alive.append(schema)
        return text


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
