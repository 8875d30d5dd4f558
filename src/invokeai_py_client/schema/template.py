"""Descriptions of a server's node types, read from its OpenAPI document.

A *node template* describes a node type, and an *input template* one of its inputs. The terms are those of the official
editor, which derives the same facts from the same document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from invokeai_py_client._text import brief_repr


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""The absence of a value, as opposed to ``None``, which is a value (null in JSON)."""

Cardinality = Literal["SINGLE", "COLLECTION", "SINGLE_OR_COLLECTION"]
InputKind = Literal["any", "direct", "connection"]


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of an input or output.

    Attributes:
        name: ``IntegerField``, ``ImageField``, ``ModelIdentifierField``...; custom nodes add their own.
        cardinality: Whether it is one value, a list, or either.
        batch: Whether it is an output of a generator node or the matching input of a batch node.
        original: The type derived from the schema, if a ``ui_type`` renamed it. For example, a ``SchedulerField`` is an
            ``EnumField``, and connects like one. Ignored in comparisons.
    """

    name: str
    cardinality: Cardinality = "SINGLE"
    batch: bool = False
    original: FieldType | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        """Return the type with its cardinality: ``IntegerField``, ``IntegerField[]`` or ``IntegerField|[]``."""
        suffix = {"SINGLE": "", "COLLECTION": "[]", "SINGLE_OR_COLLECTION": "|[]"}[self.cardinality]
        return self.name + suffix


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that the server's schema sets for a value. None means no limit.

    Numeric limits apply to a number or to each number in a list. Lengths apply to a string or to each string in a list.
    ``min_items`` and ``max_items`` apply to the list itself.
    """

    __repr__ = brief_repr

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
    """A filter for the models that fit a field. None means any (``ui_model_*`` in the schema, InvokeAI 6.8+)."""

    __repr__ = brief_repr

    base: tuple[str, ...] | None = None
    type: tuple[str, ...] | None = None
    variant: tuple[str, ...] | None = None
    format: tuple[str, ...] | None = None
    provider_id: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class InputTemplate:
    """One input of a node type.

    Attributes:
        name: The field's name in the API.
        title: The field's name for display.
        type: The field's type.
        input: ``direct`` for a value only, ``connection`` for a connection only, ``any`` for either.
        required: Whether the node needs a value or a connection to run.
        default: The value in a new node in the editor, or ``UNSET`` if there is no default.
        limits: The limits at the top level of the field's schema, which the editor checks.
        nested_limits: The limits inside ``anyOf`` or ``items``, which the server checks too.
        options: The choices of an enumeration.
        option_labels: The editor's labels for choices.
        models: The filter for models that fit, if it is a model field.
        nullable: Whether the server accepts an explicit null.
        json_schema: The field's schema with references resolved, without descriptions. Templates share its parts, so
            treat it as read-only. See ``invokeai_py_client.schema.shapes``.
        server_input: Like ``input``, but for the server. If the editor has no widget for a type, ``input`` is
            ``connection`` although the server also accepts a value. Then this is ``any``.
    """

    __repr__ = brief_repr

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

    __repr__ = brief_repr

    name: str
    title: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """One node type.

    Attributes:
        type: The invocation type (``flux_denoise``).
        version: The node's semantic version.
        output_type: The ``type`` of its results.
        use_cache: Whether a new node uses the server's invocation cache.
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

    def __repr__(self) -> str:
        return f"<NodeTemplate {self.type} {self.version}: {len(self.inputs)} inputs, {len(self.outputs)} outputs>"


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
