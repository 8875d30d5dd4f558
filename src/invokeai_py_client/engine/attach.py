"""The workflow document that goes along with a request, and ends up inside the images it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
from invokeai_py_client.schema.template import UNSET


def attached_workflow(loaded: LoadedWorkflow, values: Mapping[Key, Any]) -> dict[str, Any] | None:
    """A fresh copy of the loaded workflow's document with the values used written into it."""
    if loaded.document is None:
        return None
    document: dict[str, Any] = copy_json(dict(loaded.document))
    if not values:
        return document
    inputs = {
        node["id"]: node["data"]["inputs"] for node in document["nodes"] if node["type"] == "invocation"
    }
    for (node_id, field_name), value in values.items():
        fields = inputs.get(node_id)
        if fields is None:
            continue
        if field_name not in fields:
            if value is UNSET:
                continue
            fields[field_name] = {"name": field_name, "label": "", "description": ""}
        if value is UNSET:
            fields[field_name].pop("value", None)
        else:
            fields[field_name]["value"] = copy_json(value)
    return document
