"""Digests of requests that the official editor sent for workflows that we do not keep copies of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from golden import normalised


def digest(value: Any) -> str:
    """Return a twelve-digit digest of a JSON value. 2 and 2.0 have the same digest, as in JSON."""
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def request_digests(request: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each part of a request: each node of the graph, the edges, each node of the workflow.

    Random ids (of the graph, the batch and form elements) and the order of edges are ignored.
    """
    whole = normalised(request)
    batch = whole.pop("batch")
    graph, workflow = batch.pop("graph"), batch.pop("workflow")
    parts: dict[str, Any] = {"envelope": {**whole, **batch}}
    parts |= {f"graph {node_id}": node for node_id, node in graph.pop("nodes").items()}
    parts |= {f"graph {key}": value for key, value in graph.items()}
    if workflow is None:
        parts["workflow"] = None
    else:
        parts |= {f"workflow {node['id']}": node for node in workflow.pop("nodes")}
        parts |= {f"workflow {key}": value for key, value in workflow.items()}
    return {name: digest(part) for name, part in parts.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
