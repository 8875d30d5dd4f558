"""What the server says about its node types: plain data, read from its OpenAPI document.

A *node template* describes one node type; an *input template* one of its inputs. The words follow the
official editor, which derives the same facts from the same document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""No value at all, as opposed to ``None``, which is a value (JSON's null)."""

Cardinality = Literal["SINGLE", "COLLECTION", "SINGLE_OR_COLLECTION"]
InputKind = Literal["any", "direct", "connection"]


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of an input or output.

    Attributes:
        name: ``IntegerField``, ``ImageField``, ``ModelIdentifierField``...; custom nodes add their own.
        cardinality: Whether one value, a list, or either is meant.
        batch: True on the outputs of generator nodes and the matching inputs of batch nodes.
        original: The type that the schema's shape gives, where a ``ui_type`` renamed it: a
            ``SchedulerField`` is an ``EnumField``, and connects as one. No part of comparisons.
    """

    name: str
    cardinality: Cardinality = "SINGLE"
    batch: bool = False
    original: FieldType | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """``IntegerField``, ``IntegerField[]`` or ``IntegerField|[]``."""
        suffix = {"SINGLE": "", "COLLECTION": "[]", "SINGLE_OR_COLLECTION": "|[]"}[self.cardinality]
        return self.name + suffix


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server's schema allows a value to be; None where it sets no limit.

    The numeric ones hold for a number or for each number of a list, the lengths for a string or each
    string of a list, ``min_items`` and ``max_items`` for the list itself.
    """

    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class ModelFilter:
    """Which models fit a model field; None means any (``ui_model_*`` of the schema, InvokeAI 6.8+)."""

    base: tuple[str, ...] | None = None
    type: tuple[str, ...] | None = None
    variant: tuple[str, ...] | None = None
    format: tuple[str, ...] | None = None
    provider_id: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class InputTemplate:
    """One input of a node type.

    Attributes:
        name: The field's name on the wire.
        title: The name shown to people.
        type: The field's type.
        input: ``direct`` takes only a value, ``connection`` only an edge, ``any`` either.
        required: Whether the node needs a value or an edge to run.
        default: The value a fresh node has in the editor; ``UNSET`` where it has none.
        limits: The limits stated at the top of the field's schema: those the editor checks.
        nested_limits: Limits stated deeper, inside ``anyOf`` or ``items``: the server checks them too.
        options: The choices of an enumeration.
        option_labels: What the editor shows for a choice.
        models: Which models fit, for model fields.
        nullable: Whether the server accepts an explicit null.
        json_schema: The field's schema as the server states it, references resolved, without prose; its
            parts are shared between templates, so treat it as read-only. See
            ``invokeai_py_client.schema.shapes``.
        server_input: What the server takes. The editor has no widget for some types and calls them
            ``connection``, although the server takes a value too; then this says ``any``.
    """

    name: str
    title: str
    type: FieldType
    input: InputKind
    required: bool
    default: Any = UNSET
    description: str = ""
    limits: Limits = NO_LIMITS
    nested_limits: Limits = NO_LIMITS
    options: tuple[Any, ...] | None = None
    option_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    models: ModelFilter | None = None
    ui_component: str | None = None
    ui_hidden: bool = False
    ui_order: int | None = None
    ui_type: str | None = None
    nullable: bool = False
    json_schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    server_input: InputKind = "any"


@dataclass(frozen=True, slots=True)
class OutputTemplate:
    """One output of a node type."""

    name: str
    title: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """One node type.

    Attributes:
        type: The invocation type (``flux_denoise``).
        version: The node's semantic version.
        output_type: The ``type`` that its results carry.
        use_cache: Whether a fresh node uses the server's invocation cache.
    """

    type: str
    title: str
    version: str
    inputs: Mapping[str, InputTemplate]
    outputs: Mapping[str, OutputTemplate]
    output_type: str
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    classification: str = "stable"
    node_pack: str = "invokeai"
    use_cache: bool = True


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
