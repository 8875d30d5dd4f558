"""Whether a server can do a request, and the request with that server's model keys.

Servers give each model a random key. What two servers have in common is the hash of the model's files.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from invokeai_py_client._text import listed
from invokeai_py_client.engine.subworkflow import CALL
from invokeai_py_client.errors import UsageError

_RANDOM = "random:"
"""The start of the hash of a model whose files were not read. It differs on each server."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, as a request or a server's record names it.

    Attributes:
        key: The key, which differs on each server.
        hash: The hash of its files, with the algorithm, such as ``blake3:...``. Empty if it is not known.
        name: The name.
        base: The architecture.
        type: The type.
    """

    key: str
    hash: str
    name: str
    base: str
    type: str

    @property
    def is_hashed(self) -> bool:
        """Whether the hash identifies the files."""
        return bool(self.hash) and not self.hash.startswith(_RANDOM)

    @property
    def identity(self) -> Hashable:
        """A value that is equal for the same model on all servers."""
        return self.hash if self.is_hashed else (self.name, self.base, self.type)

    def __str__(self) -> str:
        return f"{self.name!r} ({self.base}, {self.type})"


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
                f"The node {_text(detail.get('label')) or node_id!r} calls a saved workflow, which is in the library "
                "of one server. Replace it with the nodes of that workflow."
            )
    models = {model.identity: model for model in _models(_values(body))}
    return Needs(tuple(models.values()), nodes, labels, packs, tuple(fixed))


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
    for model in needs.models:
        reason = _model_misfit(model, info.models)
        if reason is not None:
            found.append(reason)
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
    graph = _translated(batch["graph"], info)
    data = _translated(batch.get("data"), info)
    if graph is batch["graph"] and data is batch.get("data"):
        return dict(body)
    changed = {**batch, "graph": graph}
    if "data" in batch:
        changed["data"] = data
    return {**body, "batch": changed}


def affinity_of(body: Mapping[str, Any]) -> Hashable:
    """Return a value that is equal for requests that load the same models."""
    return frozenset(model.identity for model in _models(_values(body)))


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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _model(value: dict[str, Any]) -> ModelInfo | None:
    """Return the model that a value names. None if it names none."""
    names = [value.get(name) for name in ("key", "name", "base", "type")]
    if not all(isinstance(name, str) for name in names):
        return None
    key, name, base, kind = cast("list[str]", names)
    return ModelInfo(key, _text(value.get("hash")), name, base, kind)


def _models(value: Any) -> Iterator[ModelInfo]:
    """Yield the models anywhere in a JSON value."""
    if isinstance(value, dict):
        model = _model(cast("dict[str, Any]", value))
        if model is not None:
            yield model
        else:
            for part in cast("dict[str, Any]", value).values():
                yield from _models(part)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _models(part)


def _find(model: ModelInfo, models: Sequence[ModelInfo]) -> ModelInfo | None:
    """Return a server's record of a model."""
    found = [
        one
        for one in models
        if (one.base, one.type) == (model.base, model.type)
        and (one.hash == model.hash if one.is_hashed and model.is_hashed else one.name == model.name)
    ]
    # Of several copies of the same file, the one with the same key or name.
    return max(found, key=lambda one: (one.key == model.key, one.name == model.name), default=None)


def _model_misfit(model: ModelInfo, models: Sequence[ModelInfo]) -> str | None:
    if _find(model, models) is not None:
        return None
    if model.is_hashed:
        for one in models:
            if one.hash == model.hash:
                return f"The model {model} is recorded on this server as {one}. Correct its record there."
    for one in models:
        if (one.name, one.base, one.type) != (model.name, model.base, model.type):
            continue
        if one.hash.split(":")[0] != model.hash.split(":")[0]:
            return (
                f"The model {model} cannot be compared with that of this server: its hash there is {one.hash}; "
                f"expected {model.hash}. Use the same setting hashing_algorithm on all servers."
            )
        return (
            f"The model {model} is another file on this server: its hash there is {one.hash}; expected "
            f"{model.hash}. Install the same file there."
        )
    return f"The model {model} is not installed on this server. Install it there."


def _translated(value: Any, info: ServerInfo) -> Any:
    """Return a JSON value with a server's model keys; the same object if nothing changes."""
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        model = _model(record)
        if model is not None:
            theirs = _find(model, info.models)
            if theirs is None:
                raise UsageError(_model_misfit(model, info.models) or f"The model {model} is missing.")
            if theirs.key == model.key and theirs.hash == model.hash:
                return record
            return {**record, "key": theirs.key, "hash": theirs.hash}
        changed = {name: _translated(part, info) for name, part in record.items()}
        return changed if any(changed[name] is not record[name] for name in record) else record
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        translated = [_translated(part, info) for part in parts]
        return (
            translated if any(new is not old for new, old in zip(translated, parts, strict=True)) else parts
        )
    return value


def _label_hint(needs: Needs, kind: str) -> str:
    labels = needs.labels.get(kind, ())
    if not labels:
        return ""
    return f" (node{'s' if len(labels) > 1 else ''} {listed(labels, 4)})"
