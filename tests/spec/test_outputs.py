"""Row S23: the images of each node, regardless of how the node is connected to the form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import workflows
from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.workflow import OutputMapping

KEYS = {"node_id", "board_id", "tier", "image_names", "input_index"}


def blank(width: int = 64, **more: Any) -> tuple[str, dict[str, Any]]:
    return "blank_image", {"width": width, "height": 64, **more}


def document(board_id: str) -> dict[str, Any]:
    """Images from nodes in and outside the form, iterated, collected, passed on, and intermediate images."""
    return workflow(
        "Outputs",
        {
            "shown": blank(board={"board_id": board_id}),
            "apart": blank(72, board="none"),
            "widths": ("range", {"start": 80, "stop": 104, "step": 8}),
            "each": ("iterate", {}),
            "turn": blank(board="auto"),
            "all": ("collect", {}),
            "same": ("image", {}),
            "hidden": blank(120),
        },
        [
            "widths.collection -> each.collection",
            "each.item -> turn.width",
            "turn.image -> all.item",
            "shown.image -> same.image",
        ],
        [("shown", "width"), ("shown", "board"), ("turn", "board")],
        labels={("shown", "board"): "Where it goes"},
        final=["shown", "apart", "turn", "same"],
    )


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[str]:
    """The id of a board."""
    made = client.board_repo.create_board("outputs")
    yield made.board_id
    client.board_repo.delete_board(made.board_id, delete_images=True)


def test_S23_outputs_are_the_nodes_with_a_board(client: InvokeAIClient, board: str) -> None:
    wf = client.workflow_repo.create_workflow(document(board))
    outputs = {one.node_id: (one.input_index, one.tier, one.board_id) for one in wf.list_outputs()}
    assert outputs == {
        "shown": (1, "form", board),
        "apart": (-1, "workflow", "none"),
        "turn": (2, "form", "auto"),
    }
    assert {one.node_id: one.label for one in wf.list_outputs()}["shown"] == "Where it goes"


def test_S23_images_of_each_node(client: InvokeAIClient, board: str, tidy: None) -> None:
    wf = client.workflow_repo.create_workflow(document(board))
    wf.submit_sync()
    item = wf.wait_for_completion_sync(timeout=60)
    mappings = wf.map_outputs_to_images(item)
    rows = {row["node_id"]: row for row in mappings}
    assert len(rows) == len(mappings), "a node has one row"
    for row in mappings:
        assert isinstance(row, OutputMapping)
        assert set(row) >= KEYS
        assert row.get("image_names") == row.image_names
        assert row.get("no such key", 7) == 7
    sizes = {name: client.image_repo.get_image(name).width for row in mappings for name in row["image_names"]}
    assert {
        node: ([sizes[name] for name in row["image_names"]], row["tier"]) for node, row in rows.items()
    } == {
        "shown": ([64], "form"),
        "apart": ([72], "workflow"),
        "turn": ([80, 88, 96], "form"),  # in the order of the iteration; its collector has no row
        "hidden": ([120], "intermediate"),
    }, "an image belongs to the node that made it: not to one that collects or hands it on"
    assert (rows["shown"]["board_id"], rows["shown"]["input_index"]) == (board, 1)
    assert (rows["apart"]["board_id"], rows["apart"]["input_index"]) == ("none", -1)
    for name in rows["shown"]["image_names"]:
        assert client.image_repo.get_image(name).board_id == board
    assert json.loads(json.dumps(mappings)) == mappings


async def test_S23_asynchronously(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    await wf.submit()
    item = await wf.wait_for_completion(timeout=30)
    assert wf.map_outputs_to_images(item) == []
    assert wf.list_outputs() == []


def test_S23_a_node_without_images_has_a_row(client: InvokeAIClient, board: str, tidy: None) -> None:
    """If a run fails before a node is executed, the node has an empty row."""
    steps = workflow(
        "Fails early",
        {
            "zero": ("add", {"a": 0, "b": 0}),
            "share": ("div", {"a": 64}),
            "late": blank(board={"board_id": board}),
        },
        ["zero.value -> share.b", "share.value -> late.width"],
        final=["late"],
    )
    wf = client.workflow_repo.create_workflow(steps)
    wf.submit_sync()
    item = wf.wait_for_completion_sync(timeout=30)
    assert item["status"] == "failed"
    [row] = wf.map_outputs_to_images(item)
    assert (row["node_id"], row["image_names"], row["tier"]) == ("late", [], "workflow")
