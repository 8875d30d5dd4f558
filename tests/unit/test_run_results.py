"""Queue items into outputs, as servers of 5.15 to 6.14 store them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from invokeai_py_client.run.results import NodeOutput, Results, failing_node, media_names, results_of_item


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


def test_outputs_stand_in_the_order_of_the_workflow_and_of_iterations() -> None:
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
    assert results.of("nothing") == ()


def test_before_6_14_the_order_of_execution_decides() -> None:
    results = results_of_item(an_item(prepared_iteration_paths=None))
    assert [output.prepared_id for output in results.of("save")] == ["ps2", "ps1"]


def test_images_for_the_gallery_and_all_of_them() -> None:
    results = results_of_item(an_item())
    assert results.image_names() == ("save-1.png", "save-2.png")
    assert results.image_names(intermediate=True) == ("draw-1.png", "draw-2.png", "save-1.png", "save-2.png")


def test_an_image_that_the_cache_gave_twice_is_named_once() -> None:
    twice = {"ps1": image("same.png"), "ps2": image("same.png")}
    assert results_of_item(an_item(results=twice)).image_names() == ("same.png",)


def test_names_are_found_wherever_they_are() -> None:
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
def test_an_item_that_has_no_results_has_none(item: dict[str, Any]) -> None:
    results = results_of_item(item)
    assert list(results) == []
    assert results.image_names() == ()


def test_a_result_whose_node_is_nowhere_told_is_kept() -> None:
    bare = {"session": {"results": {"p-x": image("x.png")}}}
    (output,) = results_of_item(bare)
    assert (output.node_id, output.node_type, output.image_names) == ("p-x", "", ("x.png",))


def test_the_failing_node_is_named_as_in_the_workflow() -> None:
    assert failing_node(an_item(errors={"pd2": "ValueError: bad"})) == "draw"
    assert failing_node(an_item(errors={"unknown": "ValueError: bad"})) == "unknown"
    assert failing_node(an_item()) is None
    assert failing_node({}) is None


def test_results_can_be_pickled() -> None:
    results = results_of_item(an_item())
    assert pickle.loads(pickle.dumps(results)) == results
    assert Results() == Results(())
