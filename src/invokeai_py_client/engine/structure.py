"""The parts of a workflow document, checked and reduced to what the file format knows.

The rules are the official editor's: what it refuses to load is refused here, with the place named; keys
that the format does not know are dropped, because the editor drops them too.
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
    """Raises the error for a document that the editor would not load."""
    raise WorkflowFormatError(f"The workflow cannot be loaded: {where} {what}.")


def is_version(value: Any) -> bool:
    """Whether a value is a version as the editor accepts them: three numbers with dots between."""
    return type(value) is str and _is_version(value)


@lru_cache(maxsize=256)
def _is_version(text: str) -> bool:
    parts = text.split(".")
    return len(parts) >= 3 and all(to_integer(part) is not None for part in parts[:3])


def major_of(version: str) -> int:
    """The first number of a version that ``is_version()`` accepts."""
    return to_integer(version.split(".")[0]) or 0


def text(record: Mapping[str, Any], key: str, where: str) -> str:
    """A key that must hold text, empty or not."""
    value = record.get(key)
    if type(value) is not str:
        refuse(where, f"{_has(record, key)} (text is needed)")
    return value


def name(record: Mapping[str, Any], key: str, where: str) -> str:
    """A key that must hold text other than white space, which is trimmed."""
    value = record.get(key)
    if type(value) is not str:
        value = text(record, key, where)
    value = trim(value)
    if not value:
        refuse(where, f"has an empty {key!r}")
    return value


def flag(record: Mapping[str, Any], key: str, where: str) -> bool:
    """A key that must hold true or false."""
    value = record.get(key)
    if type(value) is not bool:
        refuse(where, f"{_has(record, key)} (true or false is needed)")
    return value


def mapping_of(value: Any, where: str) -> dict[str, Any]:
    """A value that must be an object."""
    if not isinstance(value, dict):
        refuse(where, "is not an object")
    return cast("dict[str, Any]", value)


def list_of(record: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """A key that must hold a list."""
    value = record.get(key)
    if not isinstance(value, list):
        refuse(where, f"{_has(record, key)} (a list is needed)")
    return cast("list[Any]", value)


def _has(record: Mapping[str, Any], key: str) -> str:
    return (
        f"has no {key!r}" if key not in record else f"has an unusable {key!r}: {clip(str(record[key]), 60)!r}"
    )


def read_version(data: Mapping[str, Any]) -> str:
    """The version of the file format, which must be one that the editor knows how to read."""
    meta: Any = data.get("meta")
    version: Any = cast("dict[str, Any]", meta).get("version") if isinstance(meta, dict) else None
    if not is_version(version):
        refuse("its meta.version", "is missing or no version, so its format is unknown")
    if version not in ("1.0.0", "2.0.0", "3.0.0", FORMAT_VERSION):
        refuse(
            "its format", f"is version {version}; those known are 1.0.0, 2.0.0, 3.0.0 and {FORMAT_VERSION}"
        )
    return version


def read_header(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document's own properties, without its nodes, edges and form."""
    header: dict[str, Any] = {key: text(data, key, "it") for key in HEADER}
    if "id" in data and not text(data, "id", "it"):
        refuse("its id", "is empty")
    meta = mapping_of(data.get("meta"), "its meta")
    category = meta.get("category", "user")
    if category not in ("user", "default"):
        refuse("its meta.category", f"is {clip(str(category), 60)!r}; it can be 'user' or 'default'")
    header["exposedFields"] = [
        read_field_identifier(item, f"exposed field {index + 1}")
        for index, item in enumerate(list_of(data, "exposedFields", "it"))
    ]
    header["meta"] = {"category": category, "version": FORMAT_VERSION}
    return header


def read_field_identifier(value: Any, where: str) -> dict[str, Any]:
    """Which input of which node is meant."""
    record = mapping_of(value, where)
    return {"nodeId": name(record, "nodeId", where), "fieldName": name(record, "fieldName", where)}


def read_position(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Where a node lies on the canvas."""
    if "position" not in record:
        return {"x": 0, "y": 0}
    position = mapping_of(record["position"], f"the position of {where}")
    if not is_number(position.get("x")) or not is_number(position.get("y")):
        refuse(f"the position of {where}", "lacks a number for x or y")
    return {"x": position["x"], "y": position["y"]}


def read_node(value: Any, index: int) -> dict[str, Any]:
    """A node; the inputs of an invocation stay as they are, apart from their names and labels."""
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
            refuse(where, f"is of type {kind!r}, but its data are not")
        if kind == "notes":
            content["notes"] = text(data, "notes", where)
    elif kind == "current_image":
        refuse(where, "shows the current image, which the editor never saves; remove it from the file")
    else:
        refuse(where, f"has the unknown type {clip(str(kind), 60)!r}")
    return {"id": node_id, "type": kind, "data": content, "position": read_position(record, where)}


def _read_invocation(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    content: dict[str, Any] = {"id": name(data, "id", where)}
    version = data.get("version")
    if not is_version(version):
        refuse(
            where,
            f"has the unusable version {clip(str(version), 60)!r} (three numbers are needed, as in 1.0.0)",
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
        for key, item in mapping_of(data.get("inputs"), f"what {where} has for inputs").items()
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
    """An edge: a connection, or the line that stands for several while nodes are collapsed."""
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
        refuse(where, f"{_has(record, 'type')} ('default' or 'collapsed' is needed)")
    return edge
