"""A workflow file as it is: the immutable document a workflow comes from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from invokeai_py_client.engine.plain_json import clean, parse_json, where
from invokeai_py_client.engine.png import PNG_SIGNATURE, embedded_workflow
from invokeai_py_client.errors import WorkflowFormatError

T = TypeVar("T")

_ATOMS = frozenset({str, int, float, bool, type(None)})
_REQUIRED = ("meta", "nodes", "edges")


class WorkflowDefinition:
    """A workflow document. It never changes: what it hands out are copies.

    Use one of the ``from_*`` constructors. They check that the document is a workflow; whether it can be
    used on a given server shows when it is loaded.
    """

    __slots__ = ("_data", "_source")

    def __init__(self, data: Mapping[str, Any], source: str = "") -> None:
        foreign: Any = data
        self._data = _checked(clean(foreign, source) if isinstance(foreign, Mapping) else foreign, source)
        self._source = source

    @classmethod
    def from_file(cls, path: str | Path) -> WorkflowDefinition:
        """Reads a JSON file, or a PNG image that InvokeAI made and that carries its workflow.

        Raises:
            WorkflowFormatError: There is no such file, or it holds no workflow.
        """
        file = Path(path).expanduser()
        try:
            content = file.read_bytes()
        except FileNotFoundError as error:
            raise WorkflowFormatError(f"there is no workflow file {str(file)!r}") from error
        except IsADirectoryError as error:
            raise WorkflowFormatError(f"{str(file)!r} is a directory, not a workflow file") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkflowFormatError(f"the workflow file {str(file)!r} cannot be read: {reason}") from error
        if content.startswith(PNG_SIGNATURE):
            return cls.from_png(content, source=str(file))
        return cls._from_json_bytes(content, str(file))

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkflowDefinition:
        """Reads JSON text.

        Raises:
            WorkflowFormatError: The text is not JSON, or not a workflow.
        """
        if isinstance(text, bytes):
            return cls._from_json_bytes(text, "")
        return cls._parsed(text, "")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WorkflowDefinition:
        """Takes a copy of a decoded workflow document.

        Raises:
            WorkflowFormatError: It is not a workflow, or holds what JSON cannot.
        """
        return cls(data)

    @classmethod
    def from_png(cls, content: bytes, *, source: str = "") -> WorkflowDefinition:
        """Reads the workflow that InvokeAI embedded in a PNG image.

        Raises:
            WorkflowFormatError: It is not a PNG image, or carries no workflow.
        """
        return cls._parsed(embedded_workflow(content, source), source)

    @classmethod
    def _parsed(cls, text: str, source: str) -> WorkflowDefinition:
        definition = cls.__new__(cls)
        definition._data = _checked(parse_json(text, source), source)  # nobody else has it: no copy is needed
        definition._source = source
        return definition

    @classmethod
    def _from_json_bytes(cls, content: bytes, source: str) -> WorkflowDefinition:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise WorkflowFormatError(
                f"{where(source)} is neither JSON text nor a PNG image (byte {error.start} is not UTF-8)"
            ) from error
        return cls._parsed(text, source)

    @property
    def name(self) -> str:
        """The workflow's name, or ""."""
        return self._text("name")

    @property
    def description(self) -> str:
        """The workflow's description, or ""."""
        return self._text("description")

    @property
    def version(self) -> str:
        """The version its author gave it, or "". Not the version of the file format."""
        return self._text("version")

    @property
    def author(self) -> str:
        """Who made it, or ""."""
        return self._text("author")

    @property
    def contact(self) -> str:
        """How to reach its author, or ""."""
        return self._text("contact")

    @property
    def tags(self) -> str:
        """Its tags, separated by commas, or ""."""
        return self._text("tags")

    @property
    def notes(self) -> str:
        """Its notes, or ""."""
        return self._text("notes")

    @property
    def meta(self) -> dict[str, Any]:
        """A copy of what it says of its format."""
        meta = self._data["meta"]
        return copy_json(cast("dict[str, Any]", meta)) if isinstance(meta, dict) else {}

    @property
    def format_version(self) -> str:
        """The version of the file format: ``meta.version``, or ""."""
        meta = self._data["meta"]
        version: Any = cast("dict[str, Any]", meta).get("version") if isinstance(meta, dict) else None
        return version if isinstance(version, str) else ""

    @property
    def id(self) -> str | None:
        """Its id in the library of the server it was saved on, if any."""
        return self._text("id") or None

    @property
    def source(self) -> str:
        """Where it was read from, for messages; "" if not from a file."""
        return self._source

    @property
    def node_types(self) -> frozenset[str]:
        """The types of its invocation nodes (``sdxl_model_loader``...), known to a server or not."""
        found: set[str] = set()
        for node in self._data["nodes"]:
            data: Any = cast("dict[str, Any]", node).get("data") if isinstance(node, dict) else None
            if isinstance(data, dict) and cast("dict[str, Any]", node).get("type") == "invocation":
                kind = cast("dict[str, Any]", data).get("type")
                if isinstance(kind, str):
                    found.add(kind)
        return frozenset(found)

    @property
    def nodes(self) -> list[Any]:
        """A copy of its nodes."""
        return copy_json(self._data["nodes"])

    @property
    def edges(self) -> list[Any]:
        """A copy of its edges."""
        return copy_json(self._data["edges"])

    @property
    def form(self) -> dict[str, Any] | None:
        """A copy of its form, or None if it has none."""
        form = self._data.get("form")
        return copy_json(cast("dict[str, Any]", form)) if isinstance(form, dict) else None

    def to_dict(self) -> dict[str, Any]:
        """A fresh copy of the whole document, as it was read."""
        return copy_json(self._data)

    def to_json(self, indent: int | None = 2) -> str:
        """The whole document as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a JSON file.

        Raises:
            WorkflowFormatError: The file cannot be written.
        """
        file = Path(path).expanduser()
        try:
            file.write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise WorkflowFormatError(
                f"the workflow file {str(file)!r} cannot be written: {reason}"
            ) from error

    @property
    def node_count(self) -> int:
        """How many nodes it has, notes included."""
        return len(self._data["nodes"])

    @property
    def edge_count(self) -> int:
        """How many edges it has."""
        return len(self._data["edges"])

    def get_node_by_id(self, node_id: str) -> dict[str, Any] | None:
        """A copy of a node; None where there is none of this id."""
        return next((node for node in self._dicts() if node.get("id") == node_id), None)

    def get_nodes_by_type(self, node_type: str) -> list[dict[str, Any]]:
        """Copies of the nodes of an invocation type."""
        return [
            node
            for node in self._dicts()
            if isinstance(node.get("data"), dict) and node["data"].get("type") == node_type
        ]

    def _dicts(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes if isinstance(node, dict)]

    def view(self) -> Mapping[str, Any]:
        """The document itself, not a copy: for reading only."""
        return self._data

    def _text(self, key: str) -> str:
        value = self._data.get(key)
        return value if isinstance(value, str) else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkflowDefinition) and self._data == other._data

    def __hash__(self) -> int:
        return hash((self.name, self.id, len(self._data["nodes"]), len(self._data["edges"])))

    def __repr__(self) -> str:
        return f"<WorkflowDefinition {self.name!r}: {len(self._data['nodes'])} nodes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowDefinition, (self._data, self._source)


def copy_json(value: T) -> T:
    """A deep copy of JSON data; several times faster than ``copy.deepcopy``."""
    if type(value) is dict:
        known = cast("dict[str, Any]", value)
        return {key: item if item.__class__ in _ATOMS else copy_json(item) for key, item in known.items()}  # type: ignore[return-value]
    if type(value) is list:
        return [item if item.__class__ in _ATOMS else copy_json(item) for item in cast("list[Any]", value)]  # type: ignore[return-value]
    return value


def _checked(data: Any, source: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        kind = "a list" if isinstance(data, list) else type(data).__name__
        raise WorkflowFormatError(
            f"{where(source)} is not a workflow: it is {kind}, not an object with nodes"
        )
    known = cast("dict[str, Any]", data)
    missing = [key for key in _REQUIRED if key not in known]
    if missing or not isinstance(known["nodes"], list):
        raise WorkflowFormatError(f"{where(source)} is not an InvokeAI workflow{_guess(known, missing)}")
    if not isinstance(known["edges"], list):
        raise WorkflowFormatError(f"{where(source)} is not an InvokeAI workflow: its edges are not a list")
    return known


def _guess(data: dict[str, Any], missing: list[str]) -> str:
    """What a document that is no workflow seems to be instead."""
    nodes: Any = data.get("nodes")
    if "last_node_id" in data or "last_link_id" in data or (isinstance(nodes, list) and "links" in data):
        return ": it looks like one of ComfyUI, which InvokeAI cannot run"
    values = [cast("dict[str, Any]", value) for value in data.values() if isinstance(value, dict)]
    if values and any("class_type" in value for value in values):
        return ": it looks like a prompt of ComfyUI, which InvokeAI cannot run"
    if isinstance(nodes, dict) and "edges" in data:
        return (
            ": it looks like a graph, which is what a workflow is turned into to run."
            " Use the workflow it was made from (in the editor: Save As, or Download)"
        )
    if isinstance(data.get("workflow"), dict):
        return ': it looks like an answer of the server. Pass what it holds under "workflow"'
    if "batch" in data or "graph" in data:
        return ": it looks like a request to the queue, not the workflow it was made from"
    if missing:
        return f": {', '.join(repr(key) for key in missing)} {'is' if len(missing) == 1 else 'are'} missing"
    return ": its nodes are not a list"
