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
    """Builds the request that the official editor would send.

    Nothing is checked here: see ``invokeai_py_client.engine.readiness.find_problems()``.

    Args:
        loaded: The workflow.
        schema: The server's node types.
        values: Values that replace those of the workflow, as they go on the wire; ``UNSET`` removes one.
            All others go out as they came in.
        runs: How many times to run it.
        prepend: Whether it goes before everything else that waits in the queue.
        auto_board: The id of the board for fields set to "auto"; None for no board.
        generated: What the server answered for ``invokeai_py_client.engine.batch.server_generators()``,
            by node id.
        batch_id: The id of the batch; without one the server makes one up.
        destination: Where results go; the editor's word for the gallery.
        origin: Who asks; the editor's word for itself.
        random: Where generators without a seed draw from.

    Returns:
        A new dict that shares nothing with the workflow.

    Raises:
        InputValueError: A generator asks for more values than any queue takes.
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
    """Return the document that goes along with the request, and ends up inside its images: with the values used."""
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
