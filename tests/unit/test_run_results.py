"""Conversion of queue items into outputs, for servers from 5.15 to 6.14."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.results import (
    CalledResults,
    NodeOutput,
    Results,
    failing_node,
    media_names,
    results_of_item,
)


def image(name: str) -> dict[str, Any]:
    return {
        "type": "image_output",
        "image": {"image_name": name},
        "width": 64,
        "height": 64,
        "output_meta": None,
    }


def an_item(**session: Any) -> dict[str, Any]:
    """An item as 6.14 stores it: ``iterate`` ran twice, and the set of prepared ids has no order."""
    whole: dict[str, Any] = {
        "id": "s-1",
        "graph": {
            "id": "g",
            "nodes": {
                "items": {"id": "items", "type": "string_collection"},
                "each": {"id": "each", "type": "iterate"},
                "draw": {"id": "draw", "type": "l2i", "is_intermediate": True},
                "save": {"id": "save", "type": "save_image", "is_intermediate": False},
            },
            "edges": [],
        },
        "execution_graph": {
            "nodes": {
                "p0": {"id": "p0", "type": "string_collection", "is_intermediate": True},
                "pd1": {"id": "pd1", "type": "l2i", "is_intermediate": True},
                "pd2": {"id": "pd2", "type": "l2i", "is_intermediate": True},
                "ps1": {"id": "ps1", "type": "save_image", "is_intermediate": False},
                "ps2": {"id": "ps2", "type": "save_image", "is_intermediate": False},
            }
        },
        "results": {
            "p0": {"type": "string_collection_output", "collection": ["a", "b"]},
            "pd2": image("draw-2.png"),
            "ps2": image("save-2.png"),
            "pd1": image("draw-1.png"),
            "ps1": image("save-1.png"),
        },
        "errors": {},
        "prepared_source_mapping": {
            "p0": "items",
            "pd1": "draw",
            "pd2": "draw",
            "ps1": "save",
            "ps2": "save",
        },
        "prepared_iteration_paths": {"pd1": [0], "pd2": [1], "ps1": [0], "ps2": [1]},
    }
    return {"item_id": 1, "status": "completed", "session": whole | session}


def test_outputs_follow_the_order_of_nodes_and_iterations() -> None:
    results = results_of_item(an_item())
    assert [(output.node_id, output.prepared_id, output.iteration) for output in results] == [
        ("items", "p0", ()),
        ("draw", "pd1", (0,)),
        ("draw", "pd2", (1,)),
        ("save", "ps1", (0,)),
        ("save", "ps2", (1,)),
    ]
    assert len(results) == 5
    assert [output.node_type for output in results.of("draw")] == ["l2i", "l2i"]


def test_iterations_before_6_14_follow_the_order_of_execution() -> None:
    results = results_of_item(an_item(prepared_iteration_paths=None))
    assert [output.prepared_id for output in results.of("save")] == ["ps2", "ps1"]


def test_image_names_with_and_without_intermediates() -> None:
    results = results_of_item(an_item())
    assert results.image_names() == ("save-1.png", "save-2.png")
    assert results.image_names(intermediate=True) == ("draw-1.png", "draw-2.png", "save-1.png", "save-2.png")


def test_cached_image_is_listed_once() -> None:
    twice = {"ps1": image("same.png"), "ps2": image("same.png")}
    assert results_of_item(an_item(results=twice)).image_names() == ("same.png",)


def test_media_names_are_found_at_any_depth() -> None:
    data = {
        "type": "values_output",
        "values": {
            "pictures": [{"image_name": "1.png"}, {"nested": {"image_name": "2.png"}}],
            "clip": {"video_name": "3.mp4"},
            "last": {"image_name": "4.png"},
            "not one": {"image_name": None},
        },
        "again": {"image_name": "1.png"},
    }
    output = NodeOutput("n", "call_saved_workflow", "p", data=data)
    assert output.image_names == ("1.png", "2.png", "4.png")
    assert output.video_names == ("3.mp4",)
    assert list(media_names("text", "image_name")) == []


@pytest.mark.parametrize("item", [{}, {"session": None}, {"session": {}}, {"session": {"results": None}}])
def test_item_without_results_has_no_outputs(item: dict[str, Any]) -> None:
    results = results_of_item(item)
    assert list(results) == []
    assert results.image_names() == ()


def test_result_of_unknown_node_is_kept() -> None:
    bare = {"session": {"results": {"p-x": image("x.png")}}}
    (output,) = results_of_item(bare)
    assert (output.node_id, output.node_type, output.image_names) == ("p-x", "", ("x.png",))
    assert results_of_item(bare).of("p-x") == (output,)


def test_failing_node_has_its_id_in_the_workflow() -> None:
    assert failing_node(an_item(errors={"pd2": "ValueError: bad"})) == "draw"
    assert failing_node(an_item(errors={"unknown": "ValueError: bad"})) == "unknown"
    assert failing_node(an_item()) is None
    assert failing_node({}) is None


def test_results_can_be_pickled() -> None:
    results = results_of_item(an_item())
    assert pickle.loads(pickle.dumps(results)) == results
    assert Results() == Results(())


# --------------------------------------------------------------------------- by name


def named(**workflow: Any) -> dict[str, Any]:
    """Return the item with its workflow, in which two nodes have the same label."""

    def node(node_id: str, label: str, **fields: str) -> dict[str, Any]:
        inputs = {name: {"name": name, "label": text} for name, text in fields.items()}
        return {"id": node_id, "data": {"id": node_id, "label": label, "inputs": inputs}}

    def shown(element: str, node_id: str, field: str) -> dict[str, Any]:
        data = {"fieldIdentifier": {"nodeId": node_id, "fieldName": field}}
        return {"id": element, "type": "node-field", "parentId": "root", "data": data}

    fields = [shown("a", "save", "board"), shown("b", "draw", "tile_size"), shown("c", "items", "collection")]
    root = {"id": "root", "type": "container", "data": {"layout": "column", "children": ["c", "a", "b"]}}
    elements = {"root": root, **{one["id"]: one for one in fields}}
    document = {
        "nodes": [
            node("items", "", collection="Prompts"),
            node("each", "Every One"),
            node("draw", "Picture", tile_size=""),
            node("save", "Picture", board="Where to"),
        ],
        "form": {"rootElementId": "root", "elements": elements},
    }
    return {**an_item(), "workflow": document | workflow}


@pytest.mark.parametrize(
    ("address", "node_id"),
    [
        ("draw", "draw"),  # id
        ("Every One", "each"),  # label
        ("every_one", "each"),
        (0, "items"),  # index in the form
        (1, "save"),
        ("Prompts", "items"),  # label of a field
        ("where_to", "save"),
        ("tile_size", "draw"),  # name of a field
        ("save.board", "save"),
        ("l2i.tile_size", "draw"),
        (("save", "board"), "save"),
        ("save_image", "save"),  # type
    ],
)
def test_outputs_are_found_by_name(address: Any, node_id: str) -> None:
    results = results_of_item(named())
    expected = tuple(output for output in results if output.node_id == node_id)
    assert results.of(address) == expected
    assert len(expected) == {"items": 1, "each": 0, "draw": 2, "save": 2}[node_id]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("Picture", "matches 2 nodes. Use an id instead: draw, save"),
        ("Pictures", "'Picture'"),
        (3, "has 3 fields"),
        (-1, "index -1"),
        (True, "index True"),
        ("", "named ''"),
        (("gone", "board"), "named 'gone'"),
    ],
)
def test_unknown_and_ambiguous_names_raise(address: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        results_of_item(named()).of(address)


@pytest.mark.parametrize("workflow", [None, "text", {}, {"nodes": [1, {}]}, {"nodes": [], "form": {"a": 1}}])
def test_malformed_workflow_is_ignored(workflow: Any) -> None:
    results = results_of_item({**an_item(), "workflow": workflow})
    assert len(results.of("save")) == 2


def test_given_labels_override_the_workflow() -> None:
    results = results_of_item(named(), {"draw": "Latents to Image"})
    assert results.of("Latents to Image")[0].node_label == "Latents to Image"
    assert results.of("Picture")[0].node_id == "save"


def test_equal_names_are_shared() -> None:
    assert results_of_item(named()).names is results_of_item(named()).names


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"type": "integer_output", "value": 0}, 0),
        ({"type": "boolean_output", "value": False}, False),
        ({"type": "collect_output", "collection": []}, []),
        ({"type": "iterate_output", "item": "b", "index": 1, "total": 2}, "b"),
        ({"type": "color_output", "color": {"r": 1}, "output_meta": None}, {"r": 1}),
        ({"type": "image_output", "image": {"image_name": "a"}, "width": 1, "height": 1}, None),
        ({}, None),
    ],
)
def test_main_value_of_an_output(data: dict[str, Any], value: Any) -> None:
    output = NodeOutput("n", "t", "p", data=data)
    assert output.value == value
    assert "type" not in output.values


def test_output_has_its_board() -> None:
    item = an_item()
    item["session"]["execution_graph"]["nodes"]["ps1"]["board"] = {"board_id": "b-1"}
    item["session"]["execution_graph"]["nodes"]["ps2"]["board"] = "auto"
    assert [output.board_id for output in results_of_item(item).of("save")] == ["b-1", None]


def test_images_of_called_workflows_come_at_the_call() -> None:
    def called(prepared_id: str, *names: str, shown: bool = True) -> CalledResults:
        outputs = (NodeOutput("n", "l2i", "p", data=image(name), is_intermediate=not shown) for name in names)
        return CalledResults("draw", prepared_id, "w-1", 2, Results(tuple(outputs)))

    own = results_of_item(an_item())
    results = Results(
        own.outputs,
        (
            called("pd1", "c1.png"),
            called("gone", "c4.png"),
            called("pd2", "c2.png"),
            called("pd1", "c3.png", shown=False),
        ),
    )
    assert results.image_names() == ("c1.png", "c2.png", "save-1.png", "save-2.png", "c4.png")
    assert results.image_names(intermediate=True)[:3] == ("c1.png", "c3.png", "draw-1.png")
    assert len(results) == len(own)


# --------------------------------------------------------------------------- images that the run made


def an_item_of(*nodes: tuple[str, dict[str, Any], dict[str, Any]], **item: Any) -> dict[str, Any]:
    """Return an item whose nodes have a type, inputs and an output. All of them are for the gallery."""
    graph = {f"n{i}": {"id": f"n{i}", "type": kind, **inputs} for i, (kind, inputs, _) in enumerate(nodes)}
    session = {
        "graph": {"nodes": graph},
        "execution_graph": {"nodes": {f"p-{name}": node for name, node in graph.items()}},
        "results": {f"p-n{i}": output for i, (*_, output) in enumerate(nodes)},
        "prepared_source_mapping": {f"p-{name}": name for name in graph},
    }
    return {"item_id": 1, "status": "completed", "session": session} | item


USED = {"image_name": "used.png"}
MADE = {"image_name": "made.png"}


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("image", {"image": USED, "width": 8, "height": 8}),
        ("load_image", {"image": USED, "mask": USED}),
        ("if", {"value": USED}),
        ("collect", {"collection": [USED]}),
        ("controlnet", {"control": {"image": USED, "control_model": {"key": "m"}}}),
        ("controlnet", {"control": {"image": MADE}}),
        ("ip_adapter", {"ip_adapter": {"image": [MADE, USED]}}),
        ("t2i_adapter", {"t2i_adapter": {"image": MADE}}),
        ("flux_kontext", {"kontext_cond": {"image": MADE}}),
    ],
)
def test_images_that_pass_through_are_not_results(kind: str, output: dict[str, Any]) -> None:
    results = results_of_item(an_item_of((kind, {"image": USED}, {"type": "some_output", **output})))
    assert results.image_names(intermediate=True) == ()
    assert results.outputs[0].image_names  # the output itself still has them


def test_made_images_are_results_even_if_another_node_uses_them() -> None:
    results = results_of_item(
        an_item_of(
            ("image", {"image": USED}, {"image": USED}),
            ("canny_edge_detection", {}, {"image": MADE, "width": 8}),
            ("controlnet", {}, {"control": {"image": MADE}}),
            ("collect", {}, {"collection": [MADE, {"image_name": "other.png"}]}),
        )
    )
    assert results.image_names() == ("made.png", "other.png")


def test_images_of_a_batch_are_inputs() -> None:
    values = [{"node_path": "n0", "field_name": "collection", "value": [USED]}]
    item = an_item_of(("collect", {}, {"collection": [USED, MADE]}), field_values=values)
    assert results_of_item(item).image_names() == ("made.png",)


def test_values_of_called_workflows_can_be_nested() -> None:
    output = {"values": {"pictures": [MADE], "used": USED}}
    item = an_item_of(("call_saved_workflow", {"workflow_inputs": {"a": USED}}, output))
    assert results_of_item(item).image_names() == ("made.png",)


def test_videos_that_pass_through_are_not_results() -> None:
    item = an_item_of(
        ("video", {"video": {"video_name": "a.mp4"}}, {"video": {"video_name": "a.mp4"}}),
        ("save_video", {}, {"video": {"video_name": "b.mp4"}}),
    )
    assert results_of_item(item).video_names() == ("b.mp4",)


def test_results_of_earlier_pickles_have_no_inputs() -> None:
    results = results_of_item(an_item())
    old = Results.__new__(Results)
    old.__setstate__((results.outputs, results.called, results.names))
    assert (old.inputs, old.image_names()) == (frozenset(), results.image_names())
