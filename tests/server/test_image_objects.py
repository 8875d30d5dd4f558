"""Images of runs and records of listings can be used alike: everywhere, with both clients."""

from __future__ import annotations

import io
import pickle
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from workflows import workflow

from invokeai_py_client import (
    AsyncInvokeAIClient,
    AsyncIvkImage,
    BoardHandle,
    Image,
    InvokeAIClient,
    IvkImage,
    Run,
)
from invokeai_py_client.errors import InputValueError, NotFoundError, TransferError, UsageError

pytestmark = pytest.mark.usefixtures("nothing_left")

DRAW = workflow(
    "Draw",
    {
        f"draw{i}": (
            "blank_image",
            {"width": 64, "height": 8 * (i + 1), "color": {"r": i, "g": 7, "b": 7, "a": 255}},
        )
        for i in range(3)
    },
    [],
    final=["draw0", "draw1", "draw2"],
)


@pytest.fixture
async def async_client(server: Any) -> AsyncIterator[AsyncInvokeAIClient]:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def run(client: InvokeAIClient) -> Run:
    return client.workflow_repo.create_workflow(DRAW).run(progress=False, timeout=60)


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[BoardHandle]:
    board = client.board_repo.create_board("objects")
    yield board
    client.board_repo.delete_board(board.board_id)


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 8), (number, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_listed_records_do_what_images_do(client: InvokeAIClient, tmp_path: Path) -> None:
    client.image_repo.upload(png(1), metadata={"seed": 7})
    [record] = client.image_repo.list_images(limit=1)
    assert type(record) is IvkImage
    image = client.image_repo.image(record)
    assert (record.name, record.url) == (image.name, image.url)
    assert record.bytes() == image.bytes() == client.image_repo.download(record)
    assert record.thumbnail() == image.thumbnail()
    assert record.save(f"{tmp_path}/") == tmp_path / record.name
    assert (tmp_path / record.name).read_bytes() == record.bytes()
    assert record.pil().size == (16, 8)
    assert record.workflow() is record.graph() is None
    assert record.metadata == {"seed": 7} == image.metadata()
    assert record.metadata() == {"seed": 7}  # pyright: ignore  - the same call as for a run's image
    assert record._repr_png_() == record.bytes()
    again = pickle.loads(pickle.dumps(record))
    assert again == record == client.image_repo.get_image(record)
    assert again.bytes() == record.bytes()


async def test_listed_records_do_what_images_do_asynchronously(
    async_client: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    await async_client.image_repo.upload(png(1), metadata={"seed": 7})
    [record] = await async_client.image_repo.list_images(limit=1)
    assert type(record) is AsyncIvkImage
    image = async_client.image_repo.image(record)
    assert await record.bytes() == await image.bytes()
    assert await record.thumbnail() == await image.thumbnail()
    assert await record.save(tmp_path / "a.png") == tmp_path / "a.png"
    assert (await record.pil()).size == (16, 8)
    assert await record.workflow() is await record.graph() is None
    with pytest.raises(UsageError, match="not been loaded yet"):
        record.metadata["seed"]
    assert await record.metadata() == {"seed": 7}
    assert record.metadata == {"seed": 7}
    with pytest.raises(UsageError, match="not been loaded yet"):
        image.starred  # noqa: B018
    assert (await image.record()).starred is image.starred is False


def test_metadata_of_many_records_is_loaded_several_at_once(
    client: InvokeAIClient, board: BoardHandle
) -> None:
    for number in range(7):
        client.image_repo.upload(png(number), board_id=board.board_id, metadata={"seed": number})
    client.image_repo.upload(png(9), board_id=board.board_id)
    records = board.list_images(order_dir="ASC")
    http = client.connection.http
    seen: list[int] = []
    for record in records[:7]:
        before = http.sent
        assert record.metadata is not None
        seen.append(record.metadata["seed"])
        assert seen[-1] == record.metadata["seed"] == len(seen) - 1
        assert http.sent - before == {0: 1, 1: 2, 3: 5}.get(
            len(seen) - 1, 0
        )  # each time for more of the next
    before = http.sent
    assert records[7].metadata == {}
    assert records[7].metadata() is None  # pyright: ignore  - the same call as for a run's image
    assert http.sent == before


def test_images_of_a_run_know_their_record(client: InvokeAIClient, run: Run, board: BoardHandle) -> None:
    http = client.connection.http
    before = http.sent
    assert [(image.width, image.height) for image in run.images] == [(64, 8), (64, 16), (64, 24)]
    assert http.sent == before  # the nodes reported it
    images = run.images
    assert [image.starred for image in images] == [False] * 3
    assert [image.board_id for image in images] == [None] * 3
    assert {str(image.image_category) for image in images} == {"general"}
    assert all(image.created_at and not image.is_intermediate for image in images)
    assert http.sent == before + 1  # one request for all
    client.image_repo.star(images[0])
    client.image_repo.move(images[1:], board.board_id)
    assert [image.starred for image in images] == [True, False, False]
    assert [image.board_id for image in images] == [None, board.board_id, board.board_id]
    client.image_repo.update(images[0], starred=False)
    assert images[0].starred is False
    assert images[0].record() == client.image_repo.get_image(images[0])
    gone = client.image_repo.image("gone.png")
    with pytest.raises(NotFoundError, match="gone"):
        gone.width  # noqa: B018


def test_images_and_records_are_equal(client: InvokeAIClient, run: Run) -> None:
    images = run.images
    records = client.image_repo.get_images(images)
    assert images == records == [image.name for image in images]
    assert records == images
    assert {*images} == {*records}
    assert images[0] != records[1] != images[2]
    assert images[0] in records
    assert isinstance(images[0], Image)


@pytest.mark.parametrize("kind", ["image", "record", "name"])
def test_methods_take_images_records_and_names(
    client: InvokeAIClient, run: Run, board: BoardHandle, tmp_path: Path, kind: str
) -> None:
    images: list[Any] = {
        "image": run.images,
        "record": client.image_repo.get_images(run.images),
        "name": [image.name for image in run.images],
    }[kind]
    names = [image.name for image in run.images]
    repo, boards = client.image_repo, client.board_repo
    one = images[0]
    assert repo.image(one).name == repo.get_image(one).image_name == names[0]
    assert repo.get_metadata(one) == run.images[0].metadata()
    assert repo.get_workflow(one) == run.images[0].workflow()
    assert repo.get_graph(one) == run.images[0].graph()
    assert [record.image_name for record in repo.get_images(images)] == names
    assert repo.download_to(one, tmp_path) == tmp_path / names[0]
    assert len(repo.download_images(images, tmp_path / "all", template="{width}x{height}-{image}")) == 3
    assert repo.star(images) == repo.unstar(images) == repo.move(images, board.board_id) == names
    assert [copy.width for copy in repo.copy(images[:2], "none")] == [64, 64]
    assert repo.bulk_download(tmp_path / "all.zip", images).stat().st_size > 0
    assert board.download_image(one) == repo.download(one)
    assert board.save_image(one, tmp_path / "a.png").exists()
    assert board.star_image(images) is board.unstar_image(one) is True
    assert board.remove_image(images) is True
    assert board.remove_image(one) is False
    assert board.add_image(one) is board.add_image(images[1:]) is True
    assert board.move_image_to(images, "none") is True
    assert boards.get_image_current_board_id(one) == "none"
    assert boards.move_image_to_board_by_name(one, "objects") is True
    boards.update_board(board.board_id, cover_image_name=one)
    if kind != "name":  # a text is the name of a file or a workflow
        assert client.workflow_repo.create_workflow(one).node_count == 3
    assert board.delete_image([*images, "gone.png"]) is False
    assert repo.get_images(images) == []


@pytest.mark.parametrize("kind", ["image", "record"])
def test_images_and_records_are_inputs(client: InvokeAIClient, run: Run, kind: str) -> None:
    image = run.images[0] if kind == "image" else client.image_repo.get_image(run.images[0].name)
    document = workflow("Blur", {"blur": ("img_blur", {})}, [], [("blur", "image")], final=["blur"])
    done = client.workflow_repo.create_workflow(document).run(image=image, progress=False)
    assert done.images[0].width == 64


def test_quick_client_copies_a_record(client: InvokeAIClient, run: Run, board: BoardHandle) -> None:
    from invokeai_py_client import QuickClient

    quick = QuickClient(client)
    for image in (client.image_repo.get_image(run.images[0]), run.images[0]):
        copy = quick.copy_image_to_board(image, board.board_id)
        assert copy is not None
        assert copy.board_id == board.board_id
        assert copy.pil().tobytes() == run.images[0].pil().tobytes()
    with pytest.raises(ValueError, match="Invalid image of type list"):
        quick.copy_image_to_board(run.images, board.board_id)  # pyright: ignore[reportArgumentType]


def test_other_objects_are_not_images(client: InvokeAIClient) -> None:
    for wrong in (5, None, [5], [["a.png"]]):
        with pytest.raises(UsageError, match="Invalid image of type"):
            client.image_repo.star(wrong)  # pyright: ignore[reportArgumentType]


def test_records_in_errors_belong_to_the_same_client(client: InvokeAIClient) -> None:
    with pytest.raises((TransferError, InputValueError)) as caught:
        client.image_repo.upload_images([png(1), b"not an image"])
    for record in getattr(caught.value, "done", {}).values():
        assert record.bytes()[:4] == b"\x89PNG"
