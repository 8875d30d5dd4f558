"""The body of ``POST /api/v1/queue/{queue_id}/enqueue_batch``."""

from __future__ import annotations

import random as _random
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from invokeai_py_client.engine.batch import build_data
from invokeai_py_client.engine.definition import copy_json
from invokeai_py_client.engine.graph import build_graph
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
from invokeai_py_client.schema.template import UNSET, NodeTemplate


def build_request(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    values: Mapping[Key, Any],
    *,
    runs: int = 1,
    prepend: bool = False,
    auto_board: str | None = None,
    generated: Mapping[str, Sequence[Any]] | None = None,
    batch_id: str | None = None,
    destination: str | None = "gallery",
    origin: str | None = "workflows",
    random: Callable[[], float] = _random.random,
) -> dict[str, Any]:
    """Build the request that the official editor would send.

    Values are not checked here. Use ``invokeai_py_client.engine.readiness.find_problems()`` for that.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        values: Values that replace those of the workflow, as the server expects them. ``UNSET`` removes a value.
            All other values are sent unchanged.
        runs: The number of times to run the workflow. Defaults to 1.
        prepend: Whether to run it before all other pending items of the queue. Defaults to False.
        auto_board: The id of the board for fields set to "auto". Defaults to None, for no board.
        generated: The server's values for ``invokeai_py_client.engine.batch.server_generators()``, by node id.
        batch_id: The id of the batch. Defaults to None: the server chooses one.
        destination: The destination of the results. Defaults to the editor's name of the gallery.
        origin: The sender of the request. Defaults to the editor's name of its workflow tab.
        random: The source of random numbers for generators without a seed.

    Returns:
            A new dict that shares no data with the workflow.

    Raises:
        InputValueError: A generator produces more values than any queue accepts.
    """
    batch: dict[str, Any] = {
        "graph": build_graph(loaded, schema, values, auto_board=auto_board, graph_id=str(uuid.uuid4())),
        "workflow": _attached_workflow(loaded, values),
        "runs": runs,
        "origin": origin,
        "destination": destination,
        "data": build_data(loaded, values, generated or {}, random),
    }
    if batch_id is not None:
        batch["batch_id"] = batch_id
    return {"prepend": prepend, "batch": batch}


def _attached_workflow(loaded: LoadedWorkflow, values: Mapping[Key, Any]) -> dict[str, Any] | None:
    """Return the workflow to attach to the request, with the values used. The server embeds it in the images."""
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
