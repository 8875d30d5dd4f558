"""Whether a server can do a request, and the request with that server's model keys."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from invokeai_py_client._text import listed
from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.pool.model_match import ModelInfo, explain_missing, find_model, models_in, translate

_BUILT_IN_PROMPTS = "0f8f5b2e-1c9e-4f2a-9a4e-1f1f1f1f"
"""The start of the ids of the system prompts that InvokeAI comes with (6.14.2). They are the same on all servers."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The models and node types of a server.

    Attributes:
        version: The version of InvokeAI.
        nodes: The version of each of its node types.
        models: Its models.
        devices: The number of its GPUs.
    """

    version: str
    nodes: Mapping[str, str]
    models: tuple[ModelInfo, ...]
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Needs:
    """The models and node types that a request needs.

    Attributes:
        models: The models, each once.
        nodes: The version of each node type. Empty if it is not known.
        labels: The labels of the nodes of each type. Nodes without a label are left out.
        packs: The node pack of each node type, if it is known.
        fixed: A sentence for each thing that cannot be moved to another server.
    """

    models: tuple[ModelInfo, ...]
    nodes: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    packs: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed: tuple[str, ...] = ()


def needs_of(body: Mapping[str, Any]) -> Needs:
    """Return what a request needs.

    Args:
        body: The body of ``enqueue_batch``.
    """
    graph_nodes = _graph_nodes(body)
    details = _workflow_nodes(body)
    nodes: dict[str, str] = {}
    labels: dict[str, tuple[str, ...]] = {}
    packs: dict[str, str] = {}
    fixed: list[str] = []
    for node_id, node in graph_nodes.items():
        kind = str(node.get("type"))
        detail = details.get(node_id, {})
        if not nodes.get(kind):
            nodes[kind] = _text(detail.get("version"))
        if label := _text(detail.get("label")):
            labels[kind] = (*labels.get(kind, ()), label)
        if pack := _text(detail.get("nodePack")):
            packs.setdefault(kind, pack)
        if kind == CALL:
            fixed.append(
                f"The node {_place(node_id, details)!r} calls a saved workflow, which is in the library of one server. "
                "Replace it with the nodes of that workflow."
            )
        fixed += _presets(node, _place(node_id, details))
    for datum in (datum for group in body["batch"].get("data") or () for datum in group):
        fixed += _presets(datum["items"], _place(str(datum["node_path"]), details))
    models = {model.identity: model for model in models_in(_values(body))}
    return Needs(tuple(models.values()), nodes, labels, packs, tuple(dict.fromkeys(fixed)))


def misfits(needs: Needs, info: ServerInfo) -> list[str]:
    """Return why a server cannot do a request, a sentence for each reason. Empty if it can."""
    found = list(needs.fixed)
    for kind, version in needs.nodes.items():
        theirs = info.nodes.get(kind)
        if theirs is None:
            pack = needs.packs.get(kind)
            source = f"the node pack {pack!r}" if pack else "the node pack that it is part of"
            if pack in (None, "invokeai"):
                source = "a version of InvokeAI that has it" if pack else source
            found.append(
                f"The node type {kind!r}{_label_hint(needs, kind)} is missing on this server. Install {source} there."
            )
        elif version and theirs and version.split(".")[0] != theirs.split(".")[0]:
            found.append(
                f"The node type {kind!r}{_label_hint(needs, kind)} has version {theirs} on this server; expected "
                f"{version.split('.')[0]}.x like {version}. Install the same version there."
            )
    found += [
        explain_missing(model, info.models)
        for model in needs.models
        if find_model(model, info.models) is None
    ]
    return found


def with_models(body: Mapping[str, Any], info: ServerInfo) -> dict[str, Any]:
    """Return a request with the keys that its models have on a server. It shares what does not change.

    The workflow in the request, which the server embeds in images, keeps its models.

    Args:
        body: The body of ``enqueue_batch``.
        info: The server.

    Raises:
        UsageError: If the server does not have a model.
    """
    batch: Mapping[str, Any] = body["batch"]
    graph = translate(batch["graph"], info.models)
    data = translate(batch.get("data"), info.models)
    if graph is batch["graph"] and data is batch.get("data"):
        return dict(body)
    changed = {**batch, "graph": graph}
    if "data" in batch:
        changed["data"] = data
    return {**body, "batch": changed}


def affinity_of(body: Mapping[str, Any]) -> Hashable:
    """Return a value that is equal for requests that load the same models."""
    return frozenset(model.identity for model in models_in(_values(body)))


def _graph_nodes(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return body["batch"]["graph"]["nodes"]


def _workflow_nodes(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the data of the nodes in the attached workflow, by id. The graph has neither versions nor labels."""
    workflow = body["batch"].get("workflow")
    if not isinstance(workflow, dict):
        return {}
    nodes = cast("list[dict[str, Any]]", cast("dict[str, Any]", workflow).get("nodes", []))
    return {str(node.get("id")): cast("dict[str, Any]", node.get("data") or {}) for node in nodes}


def _values(body: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a request that may contain models."""
    return [_graph_nodes(body), body["batch"].get("data")]


def _place(node_id: str, details: Mapping[str, dict[str, Any]]) -> str:
    """Return the label of a node, or its id."""
    return _text(details.get(node_id, {}).get("label")) or node_id


def _presets(value: Any, place: str) -> Iterator[str]:
    """Yield a sentence for each style preset and system prompt in a JSON value that only one server has."""
    if isinstance(value, dict):
        for name, part in cast("dict[str, Any]", value).items():
            if name == "style_preset_id":
                yield (
                    f"The node {place!r} uses a style preset of one server. Write its text into the prompt."
                )
            elif name == "system_prompt_id" and not _text(part).startswith(_BUILT_IN_PROMPTS):
                yield (
                    f"The node {place!r} uses a system prompt of one server. Use one that comes with InvokeAI."
                )
            else:
                yield from _presets(part, place)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _presets(part, place)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _label_hint(needs: Needs, kind: str) -> str:
    labels = needs.labels.get(kind, ())
    if not labels:
        return ""
    return f" (node{'s' if len(labels) > 1 else ''} {listed(labels, 4)})"
