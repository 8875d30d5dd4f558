"""Nodes of another version than the server's, brought to the server's as the editor does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.structure import is_version, major_of
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate

# What the editor puts into a fresh node's input where its template has no default; by the type's name
# alone, whatever its cardinality.
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
    """The value of an input in a node that was just added in the editor; ``UNSET`` for none."""
    if template.default is not UNSET:
        return copy_json(template.default)
    return copy_json(_FALLBACKS.get(template.type.name, UNSET))


def needs_update(content: Mapping[str, Any], template: NodeTemplate) -> bool:
    """Whether a node is of another version than the server's."""
    return content["version"] != template.version


def update_inputs(content: dict[str, Any], template: NodeTemplate, connected: set[str]) -> bool:
    """Brings a node to the server's version; False (and no change) where the major versions differ."""
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
    """InvokeAI 6.14 gave image_collection a list of its own beside the one that takes a connection."""
    parts = tuple(major_of(part) for part in version.split(".")[:3])
    collection, images = inputs.get("collection"), inputs.get("images")
    if parts >= _IMAGES_SINCE or collection is None or images is None or "collection" in connected:
        return
    if isinstance(collection.get("value"), list) and not images.get("value"):
        images["value"] = collection["value"]
        collection["value"] = []
