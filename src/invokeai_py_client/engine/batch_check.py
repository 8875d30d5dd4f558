"""Checks of batch data. The server checks only the shape of the lists, not the values in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client._text import clip, node_place, shown
from invokeai_py_client.editor.generators import FAMILIES, asks_server, settings_of
from invokeai_py_client.engine.batch import (
    BATCH_NODES,
    UNGROUPED,
    BatchTarget,
    batch_groups,
    batch_nodes,
    generator_of,
    value_of,
)
from invokeai_py_client.engine.server_rules import RULES, node_findings
from invokeai_py_client.engine.subworkflow import PREFIX
from invokeai_py_client.engine.wiring import EdgeIndex
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow, Node
from invokeai_py_client.schema.fits import explain_mismatch
from invokeai_py_client.schema.template import UNSET, InputTemplate, NodeTemplate

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class BatchFinding:
    """A problem with batch data; see ``invokeai_py_client.engine.readiness.Problem``."""

    node_id: str
    field: str | None
    what: str
    cure: str


def batch_findings(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]] | None,
) -> Iterator[BatchFinding]:
    """Yield every problem with the values that batch nodes feed into runs."""
    batches = batch_nodes(loaded)
    if not batches:
        return
    edges = EdgeIndex(loaded.edges)
    unjudged: set[str] = set()
    for batch in batches:
        findings, known = _source_findings(loaded, edges, batch, values, generated)
        yield from findings
        if findings or not known:
            unjudged.add(batch.id)
    fed: set[str] = set()
    for name, targets in batch_groups(loaded, values, generated or {}):
        fed.update(target.batch_id for target in targets)
        judged = [target for target in targets if target.batch_id not in unjudged]
        if name != UNGROUPED:
            yield from _length_findings(name, judged)
        for target in judged:
            yield from _target_findings(loaded, schema, values, target)
    for batch in batches:
        if batch.id not in fed:
            output = BATCH_NODES[batch.type][1]
            yield BatchFinding(
                batch.id,
                None,
                "it feeds nothing",
                f"Connect its output {output!r} to an input, or remove it.",
            )


def _source_findings(
    loaded: LoadedWorkflow,
    edges: EdgeIndex,
    batch: Node,
    values: Mapping[Key, Any],
    generated: Mapping[str, Sequence[Any]] | None,
) -> tuple[list[BatchFinding], bool]:
    """Return the problems with the source of a batch node's values, and whether its values are known."""
    field = BATCH_NODES[batch.type][0]
    generator = generator_of(loaded, edges, batch)
    if generator is not None:
        settings = settings_of(generator.type, value_of(generator, "generator", values))
        if settings is None:
            family = FAMILIES[generator.type].replace("_", " ").strip()
            return [
                BatchFinding(
                    generator.id,
                    "generator",
                    f"its settings are not valid for a {family}",
                    f"Set the settings of a {family}.",
                )
            ], True
        if asks_server(settings) == "board_images" and "board_id" not in settings:
            return [BatchFinding(generator.id, "generator", "no board is selected", "Select a board.")], True
        if asks_server(settings) is not None and (generated is None or generator.id not in generated):
            return [], False
        return [], True
    if edges.into(batch.id, field):
        return [
            BatchFinding(
                batch.id, field, "its connection does not lead to a generator", "Connect a generator to it."
            )
        ], True
    own = value_of(batch, field, values)
    if own is not UNSET and not isinstance(own, (list, tuple)):
        return [
            BatchFinding(batch.id, field, f"{clip(str(own), 60)!r} is not a list", "Set a list of values.")
        ], True
    return [], True


def _length_findings(name: str, targets: Sequence[BatchTarget]) -> Iterator[BatchFinding]:
    lengths = {target.batch_id: len(target.items) for target in targets}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths.values()))
        for batch_id, length in lengths.items():
            if length != first:
                yield BatchFinding(
                    batch_id,
                    None,
                    f"it has {length} values, but another batch node of its group ({name}) has {first}",
                    "Use the same number of values for all nodes of a group, or put them into different groups.",
                )


def _target_findings(
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    values: Mapping[Key, Any],
    target: BatchTarget,
) -> Iterator[BatchFinding]:
    batch = loaded.nodes[target.batch_id]
    field = BATCH_NODES[batch.type][0]
    if not target.items:
        yield BatchFinding(batch.id, field, "its list is empty", "Add at least one value.")
        return
    node = loaded.nodes.get(target.node_id)
    node_template = schema.get(node.type) if node is not None else None
    template = node_template.inputs.get(target.field) if node_template is not None else None
    if template is None:
        if target.field.startswith(PREFIX):
            yield BatchFinding(
                batch.id,
                field,
                "it feeds an input of a called workflow, which the server rejects",
                "Set a value for that input instead.",
            )
        return
    wrong = _wrong_items(template, target.items)
    if not wrong and node is not None and node_template is not None and node.type in RULES:
        sent = {name: value_of(node, name, values) for name in node.inputs}
        for index, item in enumerate(target.items):
            sent[target.field] = item
            found = {name: value for name, value in sent.items() if value is not UNSET}
            wrong.extend((index, item, what) for _, what in node_findings(node_template, found))
    if wrong:
        index, value, reason = wrong[0]
        label = node_place(target.node_id, {other.id: other.label for other in loaded.nodes.values()})
        more = f" (and {len(wrong) - 1} more invalid)" if len(wrong) > 1 else ""
        yield BatchFinding(
            batch.id,
            field,
            f"value {index + 1}{more}, {shown(value)}, is not valid for {target.field!r} of {label!r}; "
            f"expected {reason}",
            "Correct it: the server does not check it, and its queue would stop there.",
        )


def _wrong_items(template: InputTemplate, items: Sequence[Any]) -> list[tuple[int, Any, str]]:
    wrong: list[tuple[int, Any, str]] = []
    for index, item in enumerate(items):
        reason = explain_mismatch(template.json_schema, item)
        if reason is None and isinstance(item, bool):
            reason = "a value other than true and false, which cannot be sent in a batch"
        if reason is not None:
            wrong.append((index, item, reason))
    return wrong
