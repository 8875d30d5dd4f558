"""The resolver of objects, ids and names."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import FakeServer, model

from invokeai_py_client._names import ExactId, matching
from invokeai_py_client.errors import (
    ModelNotFoundError,
    NotFoundError,
    UnknownNameError,
    UsageError,
    WorkflowNotFoundError,
)
from invokeai_py_client.library import WORKFLOWS
from invokeai_py_client.lookup import BOARDS, MODELS, fetch_boards
from invokeai_py_client.models import IvkBoard, IvkImage

ID = "0f2a6d1e-8b7c-4d5e-9f10-3a4b5c6d7e8f"
OTHER = "7c1d2e3f-4a5b-4c6d-8e9f-0a1b2c3d4e5f"
BOARD_NAMES = {ID: "Portraits", OTHER: "portraits", "b3": "Foxes", "b4": "Twin", "b5": "Twin"}


class Server(FakeServer):
    """A server with boards, models and workflows.

    Attributes:
        unlisted: Boards that can be fetched but are not listed, by id.
    """

    def __init__(self) -> None:
        super().__init__(
            boards=dict(BOARD_NAMES), models=[model("k1", "tiny"), model("k2", "Tiny XL", "sdxl")]
        )

        self.unlisted: dict[str, str] = {}

    def _answer(self, path: str) -> Any:
        if path == "/api/v1/workflows/":
            return {"items": [{"workflow_id": "w1", "name": "Night"}, {"workflow_id": "w2", "name": "night"}]}
        if path.startswith("/api/v1/boards/") and path != "/api/v1/boards/":
            board_id, known = path.rpartition("/")[2], self.boards | self.unlisted
            if board_id not in known:
                raise NotFoundError(404, None, "no such board")
            return {"board_id": board_id, "board_name": known[board_id]}
        return super()._answer(path)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", ["f"]),
        ("b", ["a"]),
        ("c", ["c"]),
        ("Alpha", ["b"]),
        ("ALPHA", ["b", "c"]),
        ("alpha", ["c"]),
        ("twice", ["d", "e"]),
        ("?", []),
    ],
)
def test_matching_prefers_exact_names_then_ids(text: str, found: list[str]) -> None:
    items = {"a": "b", "b": "Alpha", "c": "alpha", "d": "twice", "e": "twice", "f": "a", "g": "C"}
    assert matching(text, list(items), lambda key: key, items.__getitem__) == found


async def test_board_by_object_id_and_name(server: Server) -> None:
    handle = SimpleNamespace(board_id="b3", board_name="Foxes")
    for ref in (IvkBoard(board_id="b3"), handle):
        assert await BOARDS.id_of(server.connection, ref) == "b3"
    assert await BOARDS.id_of(server.connection, "none") == "none"
    assert await BOARDS.call(server.connection, handle, _same) == "b3"
    assert server.asked == [], "objects are not looked up"
    for text, board_id in ((ID, ID), ("Portraits", ID), ("b3", "b3"), ("foxes", "b3")):
        server.asked.clear()
        assert await BOARDS.id_of(server.connection, text) == board_id
        assert (await BOARDS.get(server.connection, text)).board_id == board_id
        assert await BOARDS.call(server.connection, text, _same) == board_id
        assert await BOARDS.call_if_found(server.connection, text, _same) is True
        assert server.asked == ["/api/v1/boards/"] * 4, "a string costs one request"
    assert (await BOARDS.get(server.connection, handle)).board_name == "Foxes"


async def _same(board_id: str) -> str:
    return board_id


async def test_an_exact_name_takes_precedence_over_an_id(server: Server) -> None:
    impostor = "11111111-2222-4333-8444-555555555555"
    server.boards[impostor] = ID  # its name is the id of another board
    assert await BOARDS.id_of(server.connection, ID) == impostor
    assert await BOARDS.checked_id(server.connection, IvkBoard(board_id=ID)) == ID
    assert await BOARDS.id_of(server.connection, BOARDS.text(IvkBoard(board_id=ID))) == ID
    assert (await BOARDS.get(server.connection, ExactId(ID))).board_name == "Portraits"
    assert BOARDS.pick(ExactId(ID), await fetch_boards(server.connection)).board_name == "Portraits"
    assert pickle.loads(pickle.dumps(ExactId(ID))) == ID
    assert isinstance(copy.deepcopy(ExactId(ID)), ExactId)


async def test_an_id_takes_precedence_over_a_name_in_another_case(server: Server) -> None:
    hidden = "aaaaaaaa-2222-4333-8444-555555555555"
    server.boards["b3"] = hidden.upper()
    assert await BOARDS.id_of(server.connection, hidden) == "b3"
    server.unlisted[hidden] = "Shared"
    assert (await BOARDS.get(server.connection, hidden)).board_name == "Shared"


async def test_unknown_board_suggests_close_names(server: Server) -> None:
    with pytest.raises(UnknownNameError) as caught:
        await BOARDS.get(server.connection, "Portrets")
    error = caught.value
    assert str(error) == "No board named 'Portrets'. Did you mean 'Portraits'?"
    assert (error.name, error.candidates, error.status_code) == ("Portrets", ("Portraits",), 404)
    assert isinstance(error, NotFoundError)
    assert isinstance(error, UsageError)
    assert await BOARDS.find(server.connection, "Portrets") is None
    del server.boards[OTHER]
    assert await BOARDS.find(server.connection, OTHER) is None
    with pytest.raises(UnknownNameError, match=f"No board with id '{OTHER}'"):
        await BOARDS.checked_id(server.connection, IvkBoard(board_id=OTHER))


async def test_ambiguous_names_list_their_ids(server: Server) -> None:
    with pytest.raises(
        UsageError, match=r"2 boards are named 'Twin'\. Use an id instead: b4, b5\."
    ) as caught:
        await BOARDS.find(server.connection, "Twin")
    assert not isinstance(caught.value, NotFoundError)
    server.models.append(model("k3", "tiny", "flux", "lora"))
    with pytest.raises(ModelNotFoundError, match=r"k1 \(sd-1 main\), k3 \(flux lora\)"):
        await MODELS.get(server.connection, "tiny")
    with pytest.raises(WorkflowNotFoundError, match="2 workflows are named 'NIGHT'"):
        await WORKFLOWS.get(server.connection, "NIGHT")
    assert (await WORKFLOWS.get(server.connection, "night"))["workflow_id"] == "w2"


@pytest.mark.parametrize(
    "wrong", ["", "  ", 5, None, IvkImage(image_name="a.png", board_id=ID), {"board_id": ID}]
)
async def test_invalid_references_are_rejected(server: Server, wrong: Any) -> None:
    with pytest.raises(UsageError, match="expected"):
        await BOARDS.id_of(server.connection, wrong)
    assert server.asked == []


async def test_a_name_in_the_form_of_an_id(server: Server) -> None:
    name = "11111111-2222-4333-8444-555555555555"
    server.boards["b3"] = name
    tried: list[str] = []

    async def action(board_id: str) -> str:
        tried.append(board_id)
        if board_id not in server.boards:
            raise NotFoundError(404)
        return board_id.upper()

    assert await BOARDS.call(server.connection, name, action) == "B3"
    assert await BOARDS.call_if_found(server.connection, name, action) is True
    assert tried == ["b3"] * 2
    with pytest.raises(UnknownNameError, match="with id"):
        await BOARDS.call(server.connection, name.replace("1", "2"), action)
    with pytest.raises(UnknownNameError, match="with id"):
        await BOARDS.call(server.connection, IvkBoard(board_id="b9"), action)
    assert await BOARDS.call_if_found(server.connection, name.replace("1", "2"), action) is False
    assert await BOARDS.call_if_found(server.connection, IvkBoard(board_id="b9"), action) is False
    assert await BOARDS.call_if_found(server.connection, "nothing", action) is False


async def test_call_keeps_errors_about_other_things(server: Server) -> None:
    async def action(board_id: str) -> str:
        raise NotFoundError(404, None, f"an image of {board_id}")

    with pytest.raises(NotFoundError, match=f"an image of {ID}") as caught:
        await BOARDS.call(server.connection, ID, action)
    assert not isinstance(caught.value, UnknownNameError)


async def test_models_by_record_key_and_name(server: Server) -> None:
    record = await MODELS.get(server.connection, "TINY xl")
    assert (record.key, await MODELS.id_of(server.connection, record)) == ("k2", "k2")
    assert (await MODELS.get(server.connection, "k1")).name == "tiny"
    with pytest.raises(ModelNotFoundError, match=r"No model named 'Tinny XL'\. Did you mean 'Tiny XL'"):
        await MODELS.get(server.connection, "Tinny XL")
