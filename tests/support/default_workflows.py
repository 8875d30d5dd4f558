"""Facts about the 26 default workflows of InvokeAI 6.14.2, from sources other than our code.

``tests/data/default-workflows.json`` holds facts, not the workflows. The workflows are read from the server's library.

- ``inputs``: label, node id and field name of each input in the editor's order. If ``order_recorded`` is
  true, the order was recorded from the editor; otherwise its rules were applied to the file by hand.
- ``ready``: whether the editor let the workflow be invoked.
- ``filled``: the values that were set in the file before recording (invented models and images).
- ``posted``: digests of the parts of the request that the editor sent; see ``digests.py``.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data"
FACTS: dict[str, dict[str, Any]] = json.loads((DATA / "default-workflows.json").read_text(encoding="utf-8"))

# Node types that 6.14.2 no longer has, by the workflows that use them.
GONE: dict[str, tuple[str, ...]] = {
    "Face Detailer - SD1.5": ("canny_image_processor",),
    "Text to Image -  SD1.5, Control": ("canny_image_processor", "midas_depth_image_processor"),
    "Upscaler - SD1.5, ESRGAN": ("canny_image_processor",),
}
# Their flux_denoise has version 3.0.0, the server's has 4.6.0: the editor refuses to invoke them.
OTHER_MAJOR = ("Image to Image - FLUX", "Text to Image - FLUX")
INVOKABLE = sorted(FACTS.keys() - GONE.keys() - set(OTHER_MAJOR))
RECORDED = sorted(name for name, facts in FACTS.items() if "posted" in facts)

_LIMITS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
}
_LISTS = {"SINGLE": "", "COLLECTION": "[]", "SINGLE_OR_COLLECTION": "|[]"}


@cache
def editor_templates() -> dict[str, Any]:
    """Return the node types as the editor reads them from the server's schema."""
    return json.loads(lzma.decompress((DATA / "templates-6.14.2.json.xz").read_bytes()))


def editor_input(node_type: str, field: str) -> dict[str, Any] | None:
    """Return the editor's template of an input, or None if the server lacks the node type."""
    node = editor_templates().get(node_type)
    return None if node is None else node["inputs"][field]


def type_of(template: Mapping[str, Any]) -> str:
    """Return a type with its cardinality in our notation."""
    return template["type"]["name"] + _LISTS[template["type"]["cardinality"]]


def limits_of(template: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits that the editor enforces. Limits of the form override the schema's."""
    limits = {ours: template[theirs] for theirs, ours in _LIMITS.items() if theirs in template}
    for setting, ours in (("min", "minimum"), ("max", "maximum")):
        if settings.get(setting) is not None:
            limits[ours] = settings[setting]
    return limits


def form_settings(document: Mapping[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the field settings of a document's form."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for element in ((document.get("form") or {}).get("elements") or {}).values():
        if element["type"] == "node-field":
            shown = element["data"]["fieldIdentifier"]
            found[shown["nodeId"], shown["fieldName"]] = element["data"].get("settings") or {}
    return found


def models_that_fit(
    template: Mapping[str, Any], records: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the server's models that the editor offers for a field."""
    return [
        record
        for record in records
        if all(
            record.get(part) in template[f"ui_model_{part}"]
            for part in ("base", "type", "format", "variant")
            if f"ui_model_{part}" in template
        )
    ]


def expected_graph_nodes(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the nodes of the graph that the editor builds from an unchanged file.

    A second, short implementation of what the engine does, for files whose connections are all valid and that have no
    batches, connectors or called workflows. The rules:

    - an invocation node is sent with its type, id, flags and values;
    - a node of an older minor version gets the server's defaults for missing fields;
    - fields that the server's node lacks are omitted, and so are connected fields;
    - a board that is "auto" or "none" is omitted.
    """
    fed = {(edge["target"], edge.get("targetHandle")) for edge in document["edges"]}
    nodes: dict[str, dict[str, Any]] = {}
    for node in document["nodes"]:
        if node["type"] != "invocation":
            continue
        data = node["data"]
        template = editor_templates()[data["type"]]
        values = {
            name: held["value"]
            for name, held in data["inputs"].items()
            if name in template["inputs"] and held.get("value") is not None
        }
        if data["version"] != template["version"] and _major(data) == _major(template):
            defaults = {name: one["default"] for name, one in template["inputs"].items() if "default" in one}
            values = {**defaults, **values}
        nodes[node["id"]] = {
            "id": node["id"],
            "type": data["type"],
            "use_cache": data["useCache"],
            "is_intermediate": data["isIntermediate"],
            **{
                name: value
                for name, value in values.items()
                if (node["id"], name) not in fed and not (name == "board" and value in ("auto", "none"))
            },
        }
    return nodes


def _major(versioned: Mapping[str, Any]) -> str:
    return versioned["version"].partition(".")[0]
