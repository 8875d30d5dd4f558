"""Migration of workflows and nodes from other versions to those of a server, by the rules of the editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from invokeai_py_client.editor.js import is_integer, is_number
from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.structure import (
    HEADER,
    is_version,
    list_of,
    major_of,
    mapping_of,
    read_version,
)
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate

_OLD_BASES = ("any", "sd-1", "sd-2", "sdxl", "sdxl-refiner")

# The names in format 1.0.0 of the types whose literals are kept. List and "polymorphic" types have names
# with the same stem.
_STEMS = {
    "boolean": "BooleanField",
    "integer": "IntegerField",
    "float": "FloatField",
    "string": "StringField",
    "enum": "EnumField",
    "color": "ColorField",
    "image": "ImageField",
    "scheduler": "SchedulerField",
}


def _is_model(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    model = cast("dict[str, Any]", value)
    model_name = model.get("model_name")
    return isinstance(model_name, str) and len(model_name) >= 3 and model.get("base_model") in _OLD_BASES


def _has(key: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and isinstance(cast("dict[str, Any]", value).get(key), str)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_KEPT: Mapping[str, Callable[[Any], bool]] = {
    "IntegerField": is_integer,
    "FloatField": is_number,
    "StringField": _is_text,
    "EnumField": _is_text,
    "SchedulerField": _is_text,
    "BooleanField": lambda value: type(value) is bool,
    "ImageField": _has("image_name"),
    "BoardField": _has("board_id"),
    "ColorField": lambda value: isinstance(value, dict),
}


def _survives(type_name: str, value: Any) -> bool:
    if type_name.endswith("ModelField"):
        return _is_model(value)
    kept = _KEPT.get(type_name)
    return kept is not None and kept(value)


def _type_name(kind: Any, version: str) -> str:
    if version == "2.0.0":
        found: Any = cast("dict[str, Any]", kind).get("name") if isinstance(kind, dict) else None
        return found if isinstance(found, str) else ""
    if not isinstance(kind, str):
        return ""
    if kind.endswith(("Field", "ModelField")):
        return kind
    return _STEMS.get(kind.removesuffix("Collection").removesuffix("Polymorphic").lower(), "")


def _migrate_inputs(inputs: Mapping[str, Any], version: str) -> dict[str, Any]:
    migrated: dict[str, Any] = {}
    for key, value in inputs.items():
        field = dict(mapping_of(value, f"input {key!r}"))
        if "value" in field and not _survives(_type_name(field.get("type"), version), field["value"]):
            del field["value"]
        migrated[key] = field
    return migrated


def _migrate_node(value: Any, version: str, schema: Mapping[str, NodeTemplate]) -> Any:
    if not isinstance(value, dict):
        return value
    node = cast("dict[str, Any]", value)
    data: Any = node.get("data")
    if node.get("type") != "invocation" or not isinstance(data, dict):
        return node
    data = dict(cast("dict[str, Any]", data))
    if isinstance(data.get("inputs"), dict):
        data["inputs"] = _migrate_inputs(cast("dict[str, Any]", data["inputs"]), version)
    if version == "1.0.0":
        node_type: Any = data.get("type")
        template = schema.get(node_type) if isinstance(node_type, str) else None
        data["nodePack"] = template.node_pack if template is not None else "Unknown"
        data.setdefault("useCache", True)
        data["version"] = data.get("version") or "1.0.0"
    return {**node, "data": data}


def to_current(data: Mapping[str, Any], schema: Mapping[str, NodeTemplate]) -> Mapping[str, Any]:
    """Return the document in the current format.

    A document in the current format, or in the previous one, which is the same, is returned as it is.

    Raises:
        WorkflowFormatError: The editor does not support the document's format.
    """
    version = read_version(data)
    if version not in ("1.0.0", "2.0.0"):
        return data
    current = dict(data)
    meta = mapping_of(data.get("meta"), "its meta")
    if version == "1.0.0":
        for key in HEADER:
            current.setdefault(key, "")
        for key in ("nodes", "edges", "exposedFields"):
            current.setdefault(key, [])
        meta = {"category": "user"}
    current["meta"] = {**meta, "version": version}
    current["nodes"] = [_migrate_node(node, version, schema) for node in list_of(current, "nodes", "it")]
    for key in ("id",) if version == "1.0.0" else ():
        current.pop(key, None)
    current.pop("form", None)  # these formats have no forms
    return current


# The values that the editor uses in new nodes if the template has no default. They depend on the name of the
# type only, not on its cardinality.
_FALLBACKS: Mapping[str, Any] = {
    "EnumField": "",
    "BooleanField": False,
    "ColorField": {"r": 0, "g": 0, "b": 0, "a": 1},
    "FloatField": 0,
    "IntegerField": 0,
    "LoRAField": [],
    "SchedulerField": "dpmpp_3m_k",
    "SavedWorkflowField": "",
    "StringField": "",
}
_IMAGES_SINCE = (1, 0, 2)


def fresh_value(template: InputTemplate) -> Any:
    """Return the value of an input in a new node of the editor, or ``UNSET``."""
    if template.default is not UNSET:
        return copy_json(template.default)
    return copy_json(_FALLBACKS.get(template.type.name, UNSET))


def needs_update(content: Mapping[str, Any], template: NodeTemplate) -> bool:
    """Return whether a node's version differs from the server's."""
    return content["version"] != template.version


def update_inputs(content: dict[str, Any], template: NodeTemplate, connected: set[str]) -> bool:
    """Update a node to the server's version. Returns False, without changes, if the major versions differ."""
    if not is_version(template.version) or major_of(content["version"]) != major_of(template.version):
        return False
    old_version = content["version"]
    content["version"] = template.version
    old = content["inputs"]
    inputs: dict[str, Any] = {}
    for name, field in template.inputs.items():
        entry = old.get(name)
        if entry is None:
            entry = {"name": name, "label": "", "description": ""}
        if "value" not in entry:
            value = fresh_value(field)
            if value is not UNSET:
                entry["value"] = value
        inputs[name] = entry
    if content["type"] == "image_collection":
        _move_images(inputs, old_version, connected)
    if content["type"] == "core_metadata":
        inputs.update((name, entry) for name, entry in old.items() if name not in inputs)
    content["inputs"] = inputs
    return True


def _move_images(inputs: dict[str, Any], version: str, connected: set[str]) -> None:
    """Move images to the field that InvokeAI 6.14 added to image_collection beside the connectable one."""
    parts = tuple(major_of(part) for part in version.split(".")[:3])
    collection, images = inputs.get("collection"), inputs.get("images")
    if parts >= _IMAGES_SINCE or collection is None or images is None or "collection" in connected:
        return
    if isinstance(collection.get("value"), list) and not images.get("value"):
        images["value"] = collection["value"]
        collection["value"] = []
