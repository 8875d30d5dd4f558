"""Validation of the parts of a workflow document, by the rules of the official editor.

Documents that the editor does not load are rejected with the location of the error. Keys that are not part of the
file format are dropped, as in the editor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

from invokeai_py_client._text import clip
from invokeai_py_client.editor.js import is_number, to_integer, trim
from invokeai_py_client.errors import WorkflowFormatError

FORMAT_VERSION = "4.0.0"
HEADER = ("name", "author", "description", "version", "contact", "tags", "notes")


def refuse(where: str, what: str) -> NoReturn:
    """Raise the error for a document that the editor would not load."""
    raise WorkflowFormatError(f"The workflow cannot be loaded: {where} {what}.")


def is_version(value: Any) -> bool:
    """Return whether a value is a version that the editor accepts: three numbers separated by dots."""
    return type(value) is str and _is_version(value)


@lru_cache(maxsize=256)
def _is_version(text: str) -> bool:
    parts = text.split(".")
    return len(parts) >= 3 and all(to_integer(part) is not None for part in parts[:3])


def major_of(version: str) -> int:
    """Return the first number of a version that ``is_version()`` accepts."""
    return to_integer(version.split(".")[0]) or 0


def text(record: Mapping[str, Any], key: str, where: str) -> str:
    """Return the value of a key that must be text, which may be empty."""
    value = record.get(key)
    if type(value) is not str:
        refuse(where, f"{_has(record, key)} (expected text)")
    return value


def name(record: Mapping[str, Any], key: str, where: str) -> str:
    """Return the trimmed value of a key that must be text other than white space."""
    value = record.get(key)
    if type(value) is not str:
        value = text(record, key, where)
    value = trim(value)
    if not value:
        refuse(where, f"has an empty {key!r}")
    return value


def flag(record: Mapping[str, Any], key: str, where: str) -> bool:
    """Return the value of a key that must be true or false."""
    value = record.get(key)
    if type(value) is not bool:
        refuse(where, f"{_has(record, key)} (expected true or false)")
    return value


def mapping_of(value: Any, where: str) -> dict[str, Any]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        refuse(where, "is not an object")
    return cast("dict[str, Any]", value)


def list_of(record: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return the value of a key that must be a list."""
    value = record.get(key)
    if not isinstance(value, list):
        refuse(where, f"{_has(record, key)} (expected a list)")
    return cast("list[Any]", value)


def _has(record: Mapping[str, Any], key: str) -> str:
    return (
        f"has no {key!r}" if key not in record else f"has an invalid {key!r}: {clip(str(record[key]), 60)!r}"
    )


def read_version(data: Mapping[str, Any]) -> str:
    """Return the version of the file format, which must be one that the editor supports."""
    meta: Any = data.get("meta")
    version: Any = cast("dict[str, Any]", meta).get("version") if isinstance(meta, dict) else None
    if not is_version(version):
        refuse("its meta.version", "is missing or not a valid version, so its format is unknown")
    if version not in ("1.0.0", "2.0.0", "3.0.0", FORMAT_VERSION):
        refuse(
            "its format",
            f"is version {version}; the supported versions are 1.0.0, 2.0.0, 3.0.0 and {FORMAT_VERSION}",
        )
    return version


def read_header(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document's properties, without its nodes, edges and form."""
    header: dict[str, Any] = {key: text(data, key, "it") for key in HEADER}
    if "id" in data and not text(data, "id", "it"):
        refuse("its id", "is empty")
    meta = mapping_of(data.get("meta"), "its meta")
    category = meta.get("category", "user")
    if category not in ("user", "default"):
        refuse("its meta.category", f"is {clip(str(category), 60)!r}; expected 'user' or 'default'")
    header["exposedFields"] = [
        read_field_identifier(item, f"exposed field {index + 1}")
        for index, item in enumerate(list_of(data, "exposedFields", "it"))
    ]
    header["meta"] = {"category": category, "version": FORMAT_VERSION}
    return header


def read_field_identifier(value: Any, where: str) -> dict[str, Any]:
    """Return the identifier of a field: the id of its node and its name."""
    record = mapping_of(value, where)
    return {"nodeId": name(record, "nodeId", where), "fieldName": name(record, "fieldName", where)}


def read_position(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the position of a node on the canvas."""
    if "position" not in record:
        return {"x": 0, "y": 0}
    position = mapping_of(record["position"], f"the position of {where}")
    if not is_number(position.get("x")) or not is_number(position.get("y")):
        refuse(f"the position of {where}", "has no number for x or y")
    return {"x": position["x"], "y": position["y"]}


def read_node(value: Any, index: int) -> dict[str, Any]:
    """Return a node. The inputs of an invocation are kept unchanged except for their names and labels."""
    where = f"node {index + 1}"
    record = mapping_of(value, where)
    node_id = name(record, "id", where)
    where = f"node {index + 1} ({node_id!r})"
    kind = record.get("type")
    data = mapping_of(record.get("data"), f"the data of {where}")
    if kind == "invocation":
        content = _read_invocation(data, where)
    elif kind == "notes" or kind == "connector":
        content: dict[str, Any] = {
            "id": name(data, "id", where),
            "type": kind,
            "label": text(data, "label", where),
            "isOpen": flag(data, "isOpen", where),
        }
        if data.get("type") != kind:
            refuse(where, f"has type {kind!r}, but its data has another type")
        if kind == "notes":
            content["notes"] = text(data, "notes", where)
    elif kind == "current_image":
        refuse(where, "shows the current image, which the editor never saves; remove the node from the file")
    else:
        refuse(where, f"has an unknown type: {clip(str(kind), 60)!r}")
    return {"id": node_id, "type": kind, "data": content, "position": read_position(record, where)}


def _read_invocation(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    content: dict[str, Any] = {"id": name(data, "id", where)}
    version = data.get("version")
    if not is_version(version):
        refuse(
            where,
            f"has an invalid version: {clip(str(version), 60)!r} (expected three numbers, such as 1.0.0)",
        )
    content["version"] = version
    if "nodePack" in data and not text(data, "nodePack", where):
        refuse(where, "has an empty 'nodePack'")
    content["nodePack"] = data.get("nodePack", "invokeai")
    content["label"] = text(data, "label", where)
    content["notes"] = text(data, "notes", where)
    content["type"] = name(data, "type", where)
    content["inputs"] = {
        key: _read_input(item, key, where)
        for key, item in mapping_of(data.get("inputs"), f"'inputs' of {where}").items()
    }
    dynamic = mapping_of(data.get("dynamicInputTemplates", {}), f"'dynamicInputTemplates' of {where}")
    content["dynamicInputTemplates"] = dict(dynamic)
    for key in ("isOpen", "isIntermediate", "useCache"):
        content[key] = flag(data, key, where)
    return content


def _read_input(value: Any, key: str, where: str) -> dict[str, Any]:
    if type(value) is not dict:
        refuse(f"input {key!r} of {where}", "is not an object")
    record = cast("dict[str, Any]", value)
    label = record.get("label")
    description = record.get("description")
    own_name = record.get("name")
    own_name = trim(own_name) if type(own_name) is str else ""
    if not own_name:
        own_name = name(record, "name", f"input {key!r} of {where}")
    found: dict[str, Any] = {
        "name": own_name,
        "label": label if type(label) is str else "",
        "description": description if type(description) is str else "",
    }
    if "value" in record:
        found["value"] = record["value"]
    return found


def read_edge(value: Any, index: int) -> dict[str, Any]:
    """Return an edge: a connection, or the line that represents several connections of collapsed nodes."""
    where = f"edge {index + 1}"
    record = mapping_of(value, where)
    kind = record.get("type")
    edge: dict[str, Any] = {key: name(record, key, where) for key in ("id", "source", "target")}
    edge["type"] = kind
    if kind == "default":
        edge["sourceHandle"] = name(record, "sourceHandle", where)
        edge["targetHandle"] = name(record, "targetHandle", where)
        if "hidden" in record:
            edge["hidden"] = flag(record, "hidden", where)
    elif kind != "collapsed":
        refuse(where, f"{_has(record, 'type')} (expected 'default' or 'collapsed')")
    return edge
