"""The server's checks beyond its own schema: the validators of some node classes, and of the graph.

They follow the classes of InvokeAI 6.14.2. Without these checks, the server responds with status 422 and a
message that does not name the node, and in some cases with status 500.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from invokeai_py_client._text import node_place
from invokeai_py_client.engine.workflow import Edge, LoadedWorkflow
from invokeai_py_client.schema.connect import can_connect
from invokeai_py_client.schema.fits import describe_number, number_or_none
from invokeai_py_client.schema.strict import limit_words
from invokeai_py_client.schema.template import FieldType, Limits, NodeTemplate

Finding = tuple[str, str]
"""A field, and a phrase for the values that are valid there, to follow "expected"."""

Sent = Mapping[str, Any]
Rule = Callable[[Sent, Sent], Finding | None]
"""A check that receives the values sent, and the same values completed with the schema's defaults."""


def _numbers(value: Any) -> list[float]:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [number for number in map(number_or_none, items) if number is not None]


@dataclass(frozen=True, slots=True)
class _Within:
    """The rule that a number, or each number of a list, is within limits."""

    field: str
    least: float
    most: float | None = None

    def __call__(self, sent: Sent, full: Sent) -> Finding | None:
        limits = Limits(minimum=self.least, maximum=self.most)
        numbers = _numbers(sent[self.field]) if self.field in sent else []
        if any(number < self.least or (self.most is not None and number > self.most) for number in numbers):
            return self.field, describe_number("a number", limits)
        return None


@dataclass(frozen=True, slots=True)
class _Matching:
    """The rule that a text matches a pattern.

    Attributes:
        field: The field.
        words: The valid values, for messages.
        pattern: A pattern that Python and JavaScript read alike, as it becomes part of JSON Schemas.
        optional: Whether the text may be missing.
    """

    field: str
    words: str
    pattern: str
    optional: bool = True

    def __call__(self, sent: Sent, full: Sent) -> Finding | None:
        text = full.get(self.field)
        matches = self.optional if text is None else re.search(self.pattern, str(text))
        return None if matches else (self.field, self.words)


def _steps(sent: Sent, full: Sent) -> Finding | None:
    begin, end = _numbers(full.get("begin_step_percent")), _numbers(full.get("end_step_percent"))
    if begin and end and begin[0] > end[0]:
        return "begin_step_percent", f"a number not greater than end_step_percent ({end[0]:g})"
    return None


def _range(sent: Sent, full: Sent) -> Finding | None:
    start, stop = _numbers(full.get("start")), _numbers(sent.get("stop"))
    if start and stop and stop[0] <= start[0]:
        return "stop", f"a number greater than start ({start[0]:g})"
    return None


def _panel(index: str, count: str) -> Rule:
    def rule(sent: Sent, full: Sent) -> Finding | None:
        chosen, panels = _numbers(sent.get(index)), _numbers(full.get(count))
        if chosen and panels and not 0 <= chosen[0] < panels[0]:
            return index, f"a number from 0 to {panels[0] - 1:g}"
        return None

    return rule


def _arithmetic(sent: Sent, full: Sent) -> Finding | None:
    first, second = _numbers(full.get("a")), _numbers(sent.get("b"))
    if not first or not second:
        return None
    operation, a, b = full.get("operation"), first[0], second[0]
    if operation in ("DIV", "MOD") and b == 0:
        return "b", "a number other than 0, to divide by"
    if operation != "EXP":
        return None
    if (a == 0 or full.get("type") == "integer_math") and b < 0:
        return "b", "0 or a greater number for this operation"
    try:
        if isinstance(a**b, complex):
            return "b", "a whole number, because a is negative"
    except OverflowError:
        # An error of Python that the server does not handle: it responds with status 500.
        return "b", "a smaller number: the result is too large"
    return None


def _box(sent: Sent, full: Sent) -> Finding | None:
    box = sent.get("bounding_box")
    if not isinstance(box, dict):
        return None
    sides = cast("dict[str, Any]", box)
    for axis in "xy":
        low, high = _numbers(sides.get(f"{axis}_min")), _numbers(sides.get(f"{axis}_max"))
        if low and high and low[0] > high[0]:
            return "bounding_box", f"{axis}_min not greater than {axis}_max"
    return None


def _seed_text(sent: Sent, full: Sent) -> Finding | None:
    # The class computes with the seed before converting it: the server responds with status 500.
    seed = sent.get("seed", 0)
    return None if isinstance(seed, (int, float)) else ("seed", "a whole number, not text")


def _regions(sent: Sent, full: Sent) -> Finding | None:
    regions = sent.get("regions")
    for region in cast("list[Any]", regions) if isinstance(regions, list) else []:
        box: Any = cast("dict[str, Any]", region).get("bbox") if isinstance(region, dict) else None
        sides = _numbers(box) if isinstance(box, list) else []
        if len(sides) == 4 and (sides[0] > sides[2] or sides[1] > sides[3]):
            return "regions", "each bbox to have y_min ≤ y_max and x_min ≤ x_max"
    return None


def _points(sent: Sent, full: Sent) -> Finding | None:
    points, boxes = sent.get("point_lists"), sent.get("bounding_boxes")
    if not isinstance(points, list) or not isinstance(boxes, list):
        return None
    if len(cast("list[Any]", points)) == len(cast("list[Any]", boxes)):
        return None
    return "point_lists", "as many lists as there are bounding_boxes"


def _custom_label(sent: Sent, full: Sent) -> Finding | None:
    if full.get("label") == "* CUSTOM LABEL *" and not str(full.get("custom_label") or "").strip():
        return "custom_label", "a label, because label is '* CUSTOM LABEL *'"
    return None


_FACE_IDS = _Matching("face_ids", "whole numbers separated by commas", r"^[0-9]*(,[0-9]+)*(?![\s\S])")
# The only class whose validation reads the server's disk.
_PROMPT_FILE = _Matching("file_path", "the path of a text file on the server", r"[\s\S]", optional=False)
_CFG = (_Within("cfg_scale", 1),)
_WEIGHT = (_Within("weight", -1, 2), _steps)
_CONTROL = (_Within("control_weight", -1, 2), _steps)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "denoise_latents": _CFG,
    "denoise_latents_meta": _CFG,
    "tiled_multi_diffusion_denoise_latents": _CFG,
    "ip_adapter": _WEIGHT,
    "flux_ip_adapter": _WEIGHT,
    "t2i_adapter": _WEIGHT,
    "controlnet": _CONTROL,
    "flux_controlnet": _CONTROL,
    "range": (_range,),
    "image_panel_layout": (_panel("panel_col_idx", "num_cols"), _panel("panel_row_idx", "num_rows")),
    "integer_math": (_arithmetic,),
    "float_math": (_arithmetic,),
    "crop_image_to_bounding_box": (_box,),
    "paste_image_into_bounding_box": (_box,),
    "face_mask_detection": (_FACE_IDS,),
    "noise": (_seed_text,),
    "prompt_from_file": (_PROMPT_FILE,),
    "ideogram4_caption_builder": (_regions,),
    "segment_anything": (_points,),
}


def node_findings(template: NodeTemplate, sent: Sent) -> Iterator[Finding]:
    """Yield the values that a node's class rejects although the schema allows them.

    Args:
        template: The template of the node's type.
        sent: The literals to send.
    """
    rules = RULES.get(template.type, (_custom_label,) if "custom_label" in template.inputs else ())
    if not rules:
        return
    full: dict[str, Any] = {name: field.json_schema.get("default") for name, field in template.inputs.items()}
    full.update(sent)
    full["type"] = template.type
    for rule in rules:
        finding = rule(sent, full)
        if finding is not None:
            yield finding


def rule_schema(node_type: str, field: str) -> dict[str, Any]:
    """Return what a node's class requires of a field on its own, beyond the schema, as JSON Schema.

    Requirements that depend on other fields of the node are not included.
    """
    for rule in RULES.get(node_type, ()):
        if isinstance(rule, _Within) and rule.field == field:
            return limit_words(Limits(minimum=rule.least, maximum=rule.most))
        if isinstance(rule, _Matching) and rule.field == field:
            return {"pattern": rule.pattern}
    return {}


def wiring_findings(
    loaded: LoadedWorkflow, schema: Mapping[str, NodeTemplate], edges: list[Edge]
) -> Iterator[tuple[str, str | None, str]]:
    """Yield the errors that the server would raise about iterate and collect nodes: node id, field, and error.

    The editor allows connections from their outputs to any input. The server checks the types of the items.
    """
    special = [node for node in loaded.nodes.values() if node.type in ("iterate", "collect")]
    if not special:
        return
    into: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        into.setdefault((edge.target, edge.target_field), []).append(edge)
    for node in special:
        item = _item_type(node.id, loaded, schema, into)
        if node.type == "collect" and not (into.get((node.id, "item")) or into.get((node.id, "collection"))):
            yield node.id, "item", "no connection provides items to collect"
        if node.type == "iterate" and not into.get((node.id, "collection")):
            yield node.id, "collection", "no connection provides a list to iterate over"
        output = "item" if node.type == "iterate" else "collection"
        if item is None:
            continue
        given = FieldType(item.name, "SINGLE" if node.type == "iterate" else "COLLECTION", item.batch)
        for edge in edges:
            if edge.source != node.id or edge.source_field != output:
                continue
            target = loaded.nodes[edge.target]
            template = target.template_of(edge.target_field, schema.get(target.type))
            if (
                template is not None
                and not can_connect(given, template.type)
                and not can_connect(item, template.type)
            ):
                label = node_place(
                    target.id, {node.id: node.label or node.type for node in loaded.nodes.values()}
                )
                yield (
                    node.id,
                    output,
                    f"it produces {given}, but {edge.target_field!r} of {label!r} accepts {template.type}",
                )


def _item_type(
    node_id: str,
    loaded: LoadedWorkflow,
    schema: Mapping[str, NodeTemplate],
    into: Mapping[tuple[str, str], list[Edge]],
) -> FieldType | None:
    """Return the type of the items of an iterate or collect node, or None if it is unknown."""
    visited: set[str] = set()
    while node_id not in visited:
        visited.add(node_id)
        incoming = into.get((node_id, "item")) or into.get((node_id, "collection")) or []
        if not incoming:
            return None
        source = loaded.nodes[incoming[0].source]
        if source.type in ("iterate", "collect"):
            node_id = source.id
            continue
        template = schema.get(source.type)
        output = template.outputs.get(incoming[0].source_field) if template is not None else None
        if output is None or output.type.name in ("CollectionField", "CollectionItemField", "AnyField"):
            return None
        return FieldType(output.type.name, "SINGLE", output.type.batch)
    return None
