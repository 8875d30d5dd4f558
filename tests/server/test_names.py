"""Boards, models, workflows and images by object, id or name on the real server."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow

from invokeai_py_client import AsyncInvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import (
    ModelNotFoundError,
    NotFoundError,
    NotReadyError,
    UnknownNameError,
    UsageError,
    WorkflowNotFoundError,
)

pytestmark = pytest.mark.usefixtures("nothing_left")

GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def client(either: AsyncInvokeAIClient) -> AsyncInvokeAIClient:
    return either


@pytest.fixture
async def board(client: AsyncInvokeAIClient) -> AsyncIterator[Any]:
    """A board named "Fox dens"."""
    yield await client.board_repo.create_board("Fox dens")


def png(color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 16), color).save(buffer, "PNG")
    return buffer.getvalue()


async def test_images_of_a_board_by_object_id_and_name(
    client: AsyncInvokeAIClient, board: Any, tmp_path: Path
) -> None:
    images = client.image_repo
    references = [board, board.board, board.board_id, "Fox dens", "fox DENS"]
    names = [(await images.upload(png(), board_id=reference)).image_name for reference in references]
    for reference in references:
        found = await images.list_images(board_id=reference)
        assert {image.image_name for image in found} == set(names)
        assert [image.image_name async for image in images.iter_images(board_id=reference, limit=1)]
        assert await images.count_images(board_id=reference) == len(names)
        assert await images.move(names[0], "none") == [names[0]]
        assert await images.move(names[0], reference) == [names[0]]
    [record] = await images.upload_images([png()], board_id="Fox dens")
    [copy] = await images.copy(record, "Fox dens")
    assert (record.board_id, copy.board_id) == (board.board_id, board.board_id)
    assert (await images.bulk_download(tmp_path / "dens.zip", board_id="Fox dens")).stat().st_size > 0
    other = await client.board_repo.create_board("Other")
    assert await board.move_image_to(names[0], "Other") is True
    assert (await images.get_image(names[0])).board_id == other.board_id


@pytest.mark.parametrize("missing", ["Fox den", GONE])
async def test_missing_boards_are_reported(
    client: AsyncInvokeAIClient, board: Any, tmp_path: Path, missing: str
) -> None:
    images, boards = client.image_repo, client.board_repo
    record = await images.upload(png(), board_id=board)
    before = await images.count_images()
    calls: list[Any] = [
        lambda: images.list_images(board_id=missing),
        lambda: images.count_images(board_id=missing),
        lambda: images.upload(png(), board_id=missing),
        lambda: images.upload_images([png()], board_id=missing),
        lambda: images.move(record, missing),
        lambda: images.copy(record, missing),
        lambda: images.bulk_download(tmp_path / "x.zip", board_id=missing),
        lambda: board.move_image_to(record, missing),
        lambda: boards.get_board(missing),
        lambda: boards.get_board_handle(missing),
        lambda: boards.update_board(missing, "new name"),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(UnknownNameError) as caught:
            await call()
        assert isinstance(caught.value, NotFoundError), number
        assert caught.value.candidates == (("Fox dens",) if missing == "Fox den" else ()), number
    assert await boards.find_board(missing) is None
    assert await boards.get_board_by_id(GONE) is None
    assert await boards.delete_board(missing) is False
    assert await images.count_images() == before, "nothing was uploaded"


async def test_boards_are_changed_and_deleted_by_name(client: AsyncInvokeAIClient, board: Any) -> None:
    boards = client.board_repo
    assert (await boards.update_board("Fox dens", "Dens")).board_name == "Dens"
    assert (await boards.get_board("dens")) == board
    assert (await boards.find_board(board)) == board
    twin = await boards.create_board("Dens")
    for call in (boards.get_board, boards.find_board, boards.delete_board):
        with pytest.raises(UsageError, match=f"2 boards are named 'Dens'.*{twin.board_id}"):
            await call("Dens")
    assert await boards.delete_board(twin) is True
    assert await boards.delete_board("Dens") is True
    assert await boards.delete_board(board) is False
    with pytest.raises(NotFoundError):
        await board.refresh()


async def test_an_exact_name_takes_precedence_over_an_id(client: AsyncInvokeAIClient, board: Any) -> None:
    boards, images = client.board_repo, client.image_repo
    named = await boards.create_board(board.board_id)  # a board whose name is the id of another board
    assert await boards.get_board(board.board_id) == await boards.find_board(board.board_id) == named
    assert await boards.get_board(board) == board
    by_name = await images.upload(png(), board_id=board.board_id)
    by_object = await board.upload_image_data(png())
    assert (by_name.board_id, by_object.board_id) == (named.board_id, board.board_id)
    assert await images.list_images(board_id=board.board_id) == [by_name]
    assert await images.list_images(board_id=board) == await board.list_images() == [by_object]
    assert await images.count_images(board_id=board) == await board.get_image_count() == 1
    assert await board.add_image(by_name) is True
    assert await images.count_images(board_id=named) == 0
    assert await images.move(by_name, board.board_id) == [by_name.image_name]
    assert await images.count_images(board_id=named) == 1

    nodes = {"blank": ("blank_image", {"width": 64, "height": 64})}
    document = workflows.workflow("Blank", nodes, [], [("blank", "board")], final=["blank"])
    for reference, expected in ((board, board), (board.board, board), (board.board_id, named)):
        for values, options in (({}, {"auto_board": reference}), ({"blank.board": reference}, {})):
            wf = await client.workflow_repo.create_workflow(document)
            run = await wf.run(values, progress=False, **options)
            assert (await images.get_image(run.images[0].name)).board_id == expected.board_id

    assert await boards.delete_board(board.board_id, delete_images=True) is True
    assert await boards.get_board(board.board_id) == board, "the board with this name was deleted"


@pytest.mark.since("6.14")
async def test_an_exact_name_of_a_workflow_or_model_takes_precedence_over_an_id(
    client: AsyncInvokeAIClient,
) -> None:
    repo = client.workflow_repo
    first = await repo.upload_workflow(WorkflowDefinition.from_dict({**workflows.add(), "name": "First"}))
    second = await repo.upload_workflow(WorkflowDefinition.from_dict({**workflows.add(), "name": first}))
    records = {one["workflow_id"]: one for one in await repo.list_workflows(categories=["user"])}
    assert (await repo.get_workflow(first)).name == first
    assert (await repo.get_workflow(records[first])).name == "First"
    wf = await repo.create_workflow(workflows.workflow("Outer", {"call": ("call_saved_workflow", {})}, []))
    for reference, expected in ((first, second), (records[first], first), (second, second)):
        body = await wf.enqueue_request({"call.workflow_id": reference}, validate=False)
        assert body["batch"]["graph"]["nodes"]["call"]["workflow_id"] == expected
    assert await repo.delete_workflow(first) is True
    assert await repo.find_workflow(second) is None, "the workflow with this name was deleted"
    assert await repo.delete_workflow(records[first]) is True


async def test_what_a_lookup_costs(client: AsyncInvokeAIClient, board: Any) -> None:
    images = client.image_repo
    record = await images.upload(png(), board_id=board)

    async def requests(call: Any) -> int:
        before = client.connection.http.sent
        await call
        return client.connection.http.sent - before

    assert await requests(images.count_images(board_id=board)) == 1
    assert await requests(board.get_image_count()) == 1
    assert await requests(images.move(record, board)) == 1
    for text in ("Fox dens", board.board_id, "FOX DENS"):
        assert await requests(images.count_images(board_id=text)) == 2
        assert await requests(images.move(record, text)) == 2
    assert await requests(client.board_repo.find_board(GONE)) == 2


async def test_a_name_in_the_form_of_an_id(client: AsyncInvokeAIClient) -> None:
    board = await client.board_repo.create_board(GONE)
    record = await client.image_repo.upload(png(), board_id=GONE)
    assert record.board_id == board.board_id
    assert await client.image_repo.list_images(board_id=GONE) == [record]
    assert await client.image_repo.count_images(board_id=GONE) == 1
    assert await client.board_repo.delete_board(GONE, delete_images=True) is True


async def test_models_by_record_key_and_name(client: AsyncInvokeAIClient) -> None:
    models = client.dnn_model_repo
    record = await models.get_model("tiny-sd1")
    for reference in (record, record.key, "Tiny-SD1"):
        assert await models.get_model(reference) == record
        assert await models.find_model(reference) == record
    with pytest.raises(ModelNotFoundError, match=r"No model named 'tiny-sd11'.*'tiny-sd1'") as caught:
        await models.get_model("tiny-sd11")
    assert isinstance(caught.value, NotFoundError)
    with pytest.raises(ModelNotFoundError):
        await models.convert_model("tiny-sd11")
    assert await models.find_model("tiny-sd11") is None
    assert await models.delete_model("tiny-sd11") is False
    assert await models.delete_model(GONE) is False
    assert await models.get_model_by_key("tiny-sd1") is None, "a key is not a name"


async def test_a_model_is_deleted_by_name(
    client: AsyncInvokeAIClient, tiny_models: Any, tmp_path: Path
) -> None:
    path = shutil.copy(
        tiny_models.folder / "tiny-lora-sd1.safetensors", tmp_path / f"{tmp_path.name}.safetensors"
    )
    job = await client.dnn_model_repo.install_model(path)
    info = await job.wait_until(60)
    model = await client.dnn_model_repo.get_model(info.model_key or "")
    assert await client.dnn_model_repo.delete_model(model.name) is True
    assert await client.dnn_model_repo.find_model(model.name) is None
    await client.dnn_model_repo.prune_install_jobs()


async def test_library_workflows_by_record_id_and_name(client: AsyncInvokeAIClient) -> None:
    repo = client.workflow_repo
    default = (await repo.list_workflows(categories=["default"]))[0]
    for reference in (default, default["workflow_id"], default["name"], default["name"].upper()):
        definition = await repo.get_workflow(reference)
        assert definition.name == default["name"]
        assert (await repo.find_workflow(reference)) == definition
        assert (await repo.create_workflow(reference)).name == default["name"]
    saved = await repo.upload_workflow(definition)
    close = f"{default['name']}x"
    with pytest.raises(WorkflowNotFoundError) as caught:
        await repo.create_workflow(close)
    assert default["name"] in caught.value.candidates
    assert await repo.find_workflow(close) is None
    assert await repo.download_workflow(close) is None
    assert await repo.delete_workflow(close) is False
    with pytest.raises(WorkflowNotFoundError, match="2 workflows are named"):
        await repo.get_workflow(default["name"])
    with pytest.raises(UsageError, match="default workflow"):
        await repo.delete_workflow(default)
    assert await repo.delete_workflow(saved) is True


async def test_a_missing_image_is_one_error_with_close_names(client: AsyncInvokeAIClient) -> None:
    images = client.image_repo
    record = await images.upload(png())
    close = record.image_name.replace(".png", ".jpg")
    with pytest.raises(UnknownNameError) as caught:
        await images.get_image(close)
    assert caught.value.candidates[0] == record.image_name
    assert await images.find_image(close) is None
    assert await images.find_image(record.image_name) == record


async def test_the_board_of_a_run_by_object_and_name(client: AsyncInvokeAIClient, board: Any) -> None:
    nodes = {"blank": ("blank_image", {"width": 64, "height": 64})}
    document = workflows.workflow("Blank", nodes, [], [("blank", "board")], final=["blank"])
    wf = await client.workflow_repo.create_workflow(document)
    for reference in (board, board.board, "fox dens"):
        run = await wf.run(auto_board=reference, progress=False)
        assert (await client.image_repo.get_image(run.images[0].name)).board_id == board.board_id
    wf.set({"blank.board": board.board})
    run = await wf.run(progress=False)
    assert (await client.image_repo.get_image(run.images[0].name)).board_id == board.board_id


@pytest.mark.since("6.14")
async def test_a_called_workflow_by_name(client: AsyncInvokeAIClient) -> None:
    repo = client.workflow_repo
    inner = WorkflowDefinition.from_dict({**workflows.add(), "name": "Inner sum"})
    saved = await repo.upload_workflow(inner)
    outer = workflows.workflow("Outer", {"call": ("call_saved_workflow", {})}, [])
    wf = await repo.create_workflow(outer)
    for reference in ("Inner sum", "inner SUM", saved):
        body = await wf.enqueue_request({"call.workflow_id": reference}, validate=False)
        assert body["batch"]["graph"]["nodes"]["call"]["workflow_id"] == saved
    with pytest.raises(NotReadyError, match=r"No workflow named 'Inner sums'\. Did you mean 'Inner sum'"):
        await wf.run({"call.workflow_id": "Inner sums"}, progress=False)
    assert await repo.delete_workflow("Inner sum") is True
