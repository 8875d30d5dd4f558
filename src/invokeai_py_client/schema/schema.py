"""The node types of one server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from invokeai_py_client.schema.template import NodeTemplate


class Schema(Mapping[str, NodeTemplate]):
    """Node templates by invocation type.

    Attributes:
        version: The server's version, for messages.
    """

    def __init__(self, nodes: Mapping[str, NodeTemplate], version: str = "") -> None:
        self.version = version
        self._nodes = nodes

    def __getitem__(self, node_type: str) -> NodeTemplate:
        return self._nodes[node_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        return f"<Schema of InvokeAI {self.version or '?'}: {len(self)} node types>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Schema, (dict(self._nodes), self.version)
