"""Workflow files as immutable documents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from invokeai_py_client._atomic import write_draft
from invokeai_py_client._paths import user_path
from invokeai_py_client._text import decode_text
from invokeai_py_client.engine.plain_json import clean, parse_json, where
from invokeai_py_client.engine.png import embedded_workflow, is_image
from invokeai_py_client.errors import WorkflowFormatError

T = TypeVar("T")

_ATOMS = frozenset({str, int, float, bool, type(None)})
_REQUIRED = ("meta", "nodes", "edges")
_OTHER_FILES = {
    rb"GIF8": "a GIF image",
    rb"PK\x03\x04": "a ZIP archive",
    rb"\x1f\x8b": "a gzip archive",
    rb"%PDF": "a PDF document",
}
"""Patterns for the first bytes of files that are easily mistaken for workflows."""
_MARK = "\ufeff"
"""The byte order mark that some editors write at the beginning of a file."""


def is_document(text: str) -> bool:
    """Return whether a text is a document rather than the name of a file or a workflow.

    An object in a list or in quotation marks and a web page count as documents, so that the error about them says what
    they are.
    """
    start = text.lstrip(f"{_MARK} \t\r\n")
    if start[:5].lower().startswith(("<!", "<?", "<html")):
        return True
    if not start.startswith(("[", '"')):
        return start.startswith("{")
    try:
        data: Any = json.loads(start)
    except (ValueError, RecursionError):
        return False
    if isinstance(data, list):
        data = cast("list[Any]", data)[0] if data else None
    return isinstance(data, dict) or (isinstance(data, str) and data.lstrip().startswith("{"))


class WorkflowDefinition:
    """An immutable workflow document. All of its properties return copies.

    Use one of the ``from_*`` constructors. They check that the document is a workflow. Loading it checks
    whether a particular server can use it.
    """

    __slots__ = ("_data", "_source")

    def __init__(self, data: Mapping[str, Any], source: str = "") -> None:
        foreign: Any = data
        self._data = _checked(clean(foreign, source) if isinstance(foreign, Mapping) else foreign, source)
        self._source = source

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> WorkflowDefinition:
        """Read a JSON file, or an image with an embedded workflow: a PNG image by InvokeAI, or a converted one.

        Raises:
            WorkflowFormatError: The file does not exist, or does not contain a workflow.
        """
        file = user_path(path, WorkflowFormatError)
        try:
            content = file.read_bytes()
        except FileNotFoundError as error:
            raise WorkflowFormatError(f"Workflow file not found: {str(file)!r}.") from error
        except IsADirectoryError as error:
            raise WorkflowFormatError(f"{str(file)!r} is a directory; expected a workflow file.") from error
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the home of an unknown user
            reason = getattr(error, "strerror", None) or error
            raise WorkflowFormatError(f"Cannot read the workflow file {str(file)!r}: {reason}.") from error
        if is_image(content):
            return cls.from_png(content, source=str(file))
        return cls._from_json_bytes(content, str(file))

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkflowDefinition:
        """Parse JSON text.

        Raises:
            WorkflowFormatError: The text is not JSON, or not a workflow.
        """
        if isinstance(text, bytes):
            return cls._from_json_bytes(text, "")
        return cls._parsed(text.removeprefix("\ufeff"), "")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WorkflowDefinition:
        """Copy a workflow document that is already decoded.

        Raises:
            WorkflowFormatError: The document is not a workflow, or contains values that JSON cannot represent.
        """
        return cls(data)

    @classmethod
    def from_png(cls, content: bytes, *, source: str = "") -> WorkflowDefinition:
        """Read the workflow that InvokeAI embedded in a PNG image, or in an image converted from one.

        Raises:
            WorkflowFormatError: The content is not an image, or the image has no embedded workflow.
        """
        return cls._parsed(embedded_workflow(content, source), source)

    @classmethod
    def _parsed(cls, text: str, source: str) -> WorkflowDefinition:
        definition = cls.__new__(cls)
        # Nothing else refers to this data, so it needs no copy.
        definition._data = _checked(parse_json(text, source), source)
        definition._source = source
        return definition

    @classmethod
    def _from_json_bytes(cls, content: bytes, source: str) -> WorkflowDefinition:
        kind = next((kind for start, kind in _OTHER_FILES.items() if re.match(start, content, re.DOTALL)), "")
        if kind:
            raise WorkflowFormatError(
                f"{where(source)} is {kind}; expected JSON, or an image with an embedded workflow."
            )
        try:
            text = decode_text(content)
        except UnicodeDecodeError as error:
            raise WorkflowFormatError(
                f"{where(source)} is neither JSON text nor an image: byte {error.start} is not"
                f" {error.encoding.upper()}."
            ) from error
        return cls._parsed(text, source)

    @property
    def name(self) -> str:
        """The workflow's name, or "" if it has no name."""
        return self._text("name")

    @property
    def description(self) -> str:
        """The workflow's description, or "" if it has none."""
        return self._text("description")

    @property
    def version(self) -> str:
        """The author's version of the workflow, or "". This is not the version of the file format."""
        return self._text("version")

    @property
    def exposedFields(self) -> list[Any]:
        """The fields that workflows before InvokeAI 5.6 expose instead of a form, as in the document."""
        exposed: Any = self.to_dict().get("exposedFields")
        return cast("list[Any]", exposed) if isinstance(exposed, list) else []

    @property
    def author(self) -> str:
        """The workflow's author, or ""."""
        return self._text("author")

    @property
    def contact(self) -> str:
        """The author's contact details, or ""."""
        return self._text("contact")

    @property
    def tags(self) -> str:
        """The workflow's tags, separated by commas, or ""."""
        return self._text("tags")

    @property
    def notes(self) -> str:
        """The workflow's notes, or ""."""
        return self._text("notes")

    @property
    def meta(self) -> dict[str, Any]:
        """A copy of the metadata of the file format."""
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
        """The workflow's id in the library of the server that it was saved on, or None."""
        return self._text("id") or None

    @property
    def source(self) -> str:
        """The file that the workflow was read from, or ""."""
        return self._source

    @property
    def node_types(self) -> frozenset[str]:
        """The types of all invocation nodes, such as ``sdxl_model_loader``, including types unknown to a server."""
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
        """A copy of the nodes."""
        return copy_json(self._data["nodes"])

    @property
    def edges(self) -> list[Any]:
        """A copy of the edges."""
        return copy_json(self._data["edges"])

    @property
    def form(self) -> dict[str, Any] | None:
        """A copy of the form, or None if the workflow has no form."""
        form = self._data.get("form")
        return copy_json(cast("dict[str, Any]", form)) if isinstance(form, dict) else None

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole document, as it was read."""
        return copy_json(self._data)

    def to_json(self, indent: int | None = 2) -> str:
        """Return the whole document as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a JSON file.

        Raises:
            WorkflowFormatError: The file cannot be written.
        """
        file = user_path(path, WorkflowFormatError)
        try:
            write_draft(file, self.to_json().encode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkflowFormatError(f"Cannot write the workflow file {str(file)!r}: {reason}.") from error

    @property
    def node_count(self) -> int:
        """The number of nodes, including notes."""
        return len(self._data["nodes"])

    @property
    def edge_count(self) -> int:
        """The number of edges."""
        return len(self._data["edges"])

    def get_node_by_id(self, node_id: str) -> dict[str, Any] | None:
        """Return a copy of the node with an id, or None if it does not exist."""
        return next((node for node in self._dicts() if node.get("id") == node_id), None)

    def get_nodes_by_type(self, node_type: str) -> list[dict[str, Any]]:
        """Return copies of the nodes of an invocation type."""
        return [
            node
            for node in self._dicts()
            if isinstance(node.get("data"), dict) and node["data"].get("type") == node_type
        ]

    def _dicts(self) -> list[dict[str, Any]]:
        return [node for node in self.nodes if isinstance(node, dict)]

    def view(self) -> Mapping[str, Any]:
        """Return the document itself rather than a copy. Do not modify it."""
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
    """Return a deep copy of JSON data. This is several times faster than ``copy.deepcopy``."""
    if type(value) is dict:
        known = cast("dict[str, Any]", value)
        return {key: item if item.__class__ in _ATOMS else copy_json(item) for key, item in known.items()}  # type: ignore[return-value]
    if type(value) is list:
        return [item if item.__class__ in _ATOMS else copy_json(item) for item in cast("list[Any]", value)]  # type: ignore[return-value]
    return value


def _checked(data: Any, source: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise WorkflowFormatError(
            f"{where(source)} is not a workflow: it is {_kind(data)}; expected an object with nodes."
        )
    known = cast("dict[str, Any]", data)
    missing = [key for key in _REQUIRED if key not in known]
    if missing or not isinstance(known["nodes"], list):
        raise WorkflowFormatError(f"{where(source)} is not an InvokeAI workflow: {_guess(known, missing)}.")
    if not isinstance(known["edges"], list):
        raise WorkflowFormatError(f"{where(source)} is not an InvokeAI workflow: its edges are not a list.")
    return known


def _kind(data: Any) -> str:
    if isinstance(data, str):
        return "text in quotation marks, which may be a workflow encoded as JSON twice"
    if data is None:
        return "null"
    return "a list" if isinstance(data, list) else f"a {type(data).__name__}"


def _guess(data: dict[str, Any], missing: list[str]) -> str:
    """Return a guess at the kind of a document that is not a workflow."""
    nodes: Any = data.get("nodes")
    if "last_node_id" in data or "last_link_id" in data or (isinstance(nodes, list) and "links" in data):
        return "it looks like a ComfyUI workflow, which InvokeAI cannot run"
    values = [cast("dict[str, Any]", value) for value in data.values() if isinstance(value, dict)]
    if values and any("class_type" in value for value in values):
        return "it looks like a ComfyUI prompt, which InvokeAI cannot run"
    if isinstance(nodes, dict) and "edges" in data:
        return (
            "it looks like a graph, the form in which a workflow runs."
            " Use the workflow that the graph was made from (in the editor: Save As, or Download)"
        )
    if "item_id" in data and "session_id" in data:
        if isinstance(data.get("workflow"), dict):
            return "it looks like a queue item. Pass its 'workflow' instead"
        return "it looks like a queue item without a workflow. Use the workflow that it was started from"
    if isinstance(data.get("workflow"), dict):
        return "it looks like a response of the server. Pass its 'workflow' instead"
    batch: Any = data.get("batch")
    if isinstance(batch, dict) and isinstance(cast("dict[str, Any]", batch).get("workflow"), dict):
        return "it looks like a request to the queue. Pass its 'batch.workflow' instead"
    if "batch" in data or "graph" in data:
        return "it looks like a request to the queue. Use the workflow that the request was made from"
    if "app_version" in data or "generation_mode" in data:
        return (
            "it looks like the metadata of an image. Use the workflow that is embedded in the image instead"
        )
    if missing:
        return f"{', '.join(repr(key) for key in missing)} {'is' if len(missing) == 1 else 'are'} missing"
    return "its nodes are not a list"
