"""The orders of a pool, and what its requests need."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import requests

from invokeai_py_client.errors import NotReadyError
from invokeai_py_client.pool.chunk import Chunk
from invokeai_py_client.pool.demands import Demands
from invokeai_py_client.pool.fit import ModelInfo, ServerInfo
from invokeai_py_client.pool.order import make_order, names_in, with_names
from invokeai_py_client.pool.servers import PoolServer, ServerState

BODY: dict[str, Any] = {
    "prepend": False,
    "batch": {
        "graph": {
            "id": "g",
            "nodes": {
                "a": {"image": {"image_name": "cat.png"}, "board": {"board_id": "b1"}, "other": {"k": [1]}},
                "b": {"images": [{"image_name": "cat.png"}, {"image_name": "dog.png"}], "board": "auto"},
                "c": {"video": {"video_name": "run.mp4"}, "image": {"image_name": ""}},
                "d": {"value": 1},
            },
        },
        "data": [[{"field_name": "image", "items": [{"image_name": "fox.png"}, {"image_name": "cat.png"}]}]],
        "workflow": {"nodes": [{"image_name": "in the workflow.png"}]},
    },
}


def test_the_names_of_images_videos_and_boards_are_found_each_once() -> None:
    assert names_in(BODY) == {
        "image_name": ["cat.png", "dog.png", "fox.png"],
        "board_id": ["b1"],
        "video_name": ["run.mp4"],
    }


def test_names_are_replaced_in_the_graph_and_the_data_and_nowhere_else() -> None:
    names = {"image_name": {"cat.png": "1.png", "fox.png": "fox.png"}, "board_id": {"b1": "b2"}}
    moved = with_names(BODY, names)
    assert names_in(moved) == {
        "image_name": ["1.png", "dog.png", "fox.png"],
        "board_id": ["b2"],
        "video_name": ["run.mp4"],
    }
    assert moved["batch"]["workflow"] is BODY["batch"]["workflow"]
    assert BODY["batch"]["graph"]["nodes"]["a"]["image"]["image_name"] == "cat.png"
    back = {"image_name": {"1.png": "cat.png"}, "board_id": {"b2": "b1"}}
    assert with_names(moved, back) == BODY


@pytest.mark.parametrize(
    "names", [{}, {"image_name": {}}, {"image_name": {"cat.png": "cat.png"}, "board_id": {"b1": "b1"}}]
)
def test_a_request_whose_names_stay_the_same_is_the_same_object(names: dict[str, dict[str, str]]) -> None:
    assert with_names(BODY, names) is BODY


def test_an_order_has_the_rows_of_its_chunk_and_the_boards_that_it_names() -> None:
    [request] = requests(5, image="cat.png")
    order = make_order(
        Chunk("batch", "one", 0, (1, 3), again=True),
        request,
        queue_id="default",
        labels={},
        boards={"b1": "Cats"},
        files=True,
        others=True,
    )
    assert order["body"]["batch"]["data"][0][0]["items"] == [1, 3]
    assert order["body"]["batch"]["batch_id"] == "batch"
    assert (order["count"], order["again"], order["others"]) == (2, True, True)
    assert order["inputs"] == {"image_name": ["cat.png"]}
    assert order["boards"] == {}


def server(name: str, *nodes: str, state: ServerState = ServerState.READY, why: str = "") -> PoolServer:
    info = ServerInfo("6.14.2", dict.fromkeys(nodes, "1.0.0"), ()) if nodes else None
    return PoolServer(name, state=state, why=why, info=info)


def test_a_server_does_the_requests_whose_nodes_it_has_and_that_it_has_not_refused() -> None:
    two = [*requests(2, 3), *requests(4, node="other")]
    demands = Demands(two, "")
    assert demands.met_by(server("one", "add", "other")) == {0, 1, 2}
    assert demands.met_by(server("two", "add")) == {0, 1}
    assert demands.met_by(server("three")) == set()
    demands.refuse(server("one"), 1, "No.")
    assert demands.met_by(server("one", "add", "other")) == {0, 2}
    assert demands.met_by(server("two", "add")) == {0, 1}
    demands.accept(server("one"))
    assert demands.met_by(server("one", "add", "other")) == {0, 1, 2}


def test_each_reason_is_named_once_for_each_server_before_anything_is_sent() -> None:
    demands = Demands([*requests(2, 3), *requests(4, node="other")], "")
    demands.check([server("one", "add", "other")])
    demands.check([server("one", "add"), server("two", "other")])  # together they can do it
    silent = server("two", state=ServerState.SILENT, why="It is off.")
    with pytest.raises(NotReadyError) as raised:
        demands.check([server("one", "other"), silent])
    assert str(raised.value).splitlines() == [
        "No server of the pool can do 2 of the 3 requests of this sweep:",
        "  one: The node type 'add' is missing on this server. Install the node pack that it is part of there.",
        "  two: It is off.",
    ]
    assert demands.problems(server("one", "none")) == [
        "The node type 'add' is missing on this server. Install the node pack that it is part of there.",
        "The node type 'other' is missing on this server. Install the node pack that it is part of there.",
    ]


def test_what_cannot_be_moved_is_done_by_the_server_it_was_made_for() -> None:
    calling = requests(2, node="call_saved_workflow")
    here, there = server("here", "call_saved_workflow"), server("there", "call_saved_workflow")
    here.url, there.url = "http://here", "http://there"
    demands = Demands(calling, "http://here")
    assert demands.met_by(here) == {0}
    assert demands.met_by(there) == set()
    assert "calls a saved workflow" in demands.problems(there)[0]


def test_a_reason_for_a_single_run_names_its_request() -> None:
    wanted = ModelInfo("k", "blake3:1", "Fox", "sd-1", "main")
    [first] = requests(2)
    assert wanted.is_hashed
    demands = Demands([first], "")
    demands.refuse(server("one", "add"), 0, "The queue is full of errors.")
    assert demands.reasons([server("one", "add")], 1) == "  one: The queue is full of errors."
