"""Our requests, compared with those of the official editor of InvokeAI 6.14.2."""

from __future__ import annotations

from typing import Any

import pytest
from golden import CASES, Golden, differences, golden, normalised

from invokeai_py_client.engine.batch import server_generators
from invokeai_py_client.errors import WorkflowFormatError
from invokeai_py_client.schema.reference import reference_schema

REFUSED = [name for name in CASES if golden(name).meta.get("loaded") is False]
POSTED = [name for name in CASES if golden(name).posted is not None]

# Intended differences, with every location that may differ; see docs/engine.md.
BETTER: dict[str, tuple[str, ...]] = {
    # A batch behind a connector: the editor sends the connector's id, and the server rejects it.
    "h12b_batch_to_connector": ("/batch/data/0/0/node_path", "/batch/data/0/0/field_name"),
    # A single LoRA outside a list: the editor turns it into a number generator.
    "h17_models": ("/batch/graph/nodes/lc2/loras/", "/batch/workflow/nodes/9/data/inputs/loras/value/"),
    # A form with a missing field: the editor attaches no workflow.
    "h18c_form_missing_field": ("/batch/workflow",),
    "sane_035": ("/batch/workflow",),
    # A bounding box: the editor turns it into a number generator.
    "h26c_bounding_box_literal": (
        *(f"/batch/graph/nodes/{node}/bounding_box/" for node in ("cr", "cr2")),
        *(f"/batch/workflow/nodes/{index}/data/inputs/bounding_box/value/" for index in range(5)),
    ),
}


def generated(case: Golden) -> dict[str, list[Any]]:
    """Return the values that the server generated when the case was recorded."""
    loaded = case.load()
    assert case.posted is not None
    feeds = {(edge.source, edge.target) for edge in loaded.edges}
    found: dict[str, list[Any]] = {}
    for asked in server_generators(loaded, {}):
        batch = next(target for source, target in feeds if source == asked.node_id)
        target = next(target for source, target in feeds if source == batch)
        found[asked.node_id] = next(
            datum["items"]
            for group in case.posted["batch"]["data"]
            for datum in group
            if datum["node_path"] == target
        )
    return found


@pytest.mark.parametrize("name", POSTED)
def test_request_equals_the_editors(name: str) -> None:
    case = golden(name)
    assert case.posted is not None
    loaded = case.load()
    # The board was selected by hand after loading, because loading loses it.
    lists = (
        {"g": case.posted["batch"]["data"][0][0]["items"], "g2": case.posted["batch"]["data"][0][1]["items"]}
        if name == "h10b_gen_image_board_ui_edit"
        else generated(case)
    )
    found = list(differences(normalised(case.posted), normalised(case.build(loaded, lists))))
    if name == "h10b_gen_image_board_ui_edit":
        found = [place for place in found if "/inputs/generator/value/" not in place]
    excused = BETTER.get(name, ())
    assert [place for place in found if not place.startswith(excused or ("-",))] == []
    assert bool(found) == bool(excused)


@pytest.mark.parametrize("name", REFUSED)
def test_documents_rejected_by_the_editor_are_rejected(name: str) -> None:
    with pytest.raises(WorkflowFormatError):
        golden(name).load()


@pytest.mark.parametrize("name", [name for name in CASES if golden(name).meta.get("form_order")])
def test_form_is_shown_in_the_editors_order(name: str) -> None:
    case = golden(name)
    loaded = case.load()
    shown: list[str] = []
    for field in loaded.form:
        node = loaded.nodes[field.node_id]
        template = node.template_of(field.field_name, reference_schema()[node.type])
        assert template is not None
        shown.append(node.inputs[field.field_name].label or template.title)
    assert shown == [entry["label"] for entry in case.meta["form_order"] if entry["kind"] == "node-field"]


def test_requests_share_no_data_with_the_workflow() -> None:
    case = golden("h51_all_nodes_gui_export")
    loaded = case.load()
    first = case.build(loaded)
    before = normalised(first)
    for node in first["batch"]["graph"]["nodes"].values():
        for value in node.values():
            if isinstance(value, dict | list):
                value.clear()
    first["batch"]["workflow"]["nodes"][0]["data"]["inputs"].clear()
    assert list(differences(before, normalised(case.build(loaded)))) == []
