"""Records of images without a server, and images of runs before they are loaded."""

from __future__ import annotations

import asyncio
import copy
import pickle
from operator import itemgetter, methodcaller
from typing import Any

import pytest

from invokeai_py_client import AsyncImage, AsyncIvkImage, IvkImage
from invokeai_py_client._face import unwrap, wrap
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import UsageError
from invokeai_py_client.image.image import connected
from invokeai_py_client.image.responses import name_list, name_of

RECORD = {"image_name": "a.png", "image_category": "general", "width": 8, "new_key": 1}


@pytest.fixture
def connection() -> Connection:
    return Connection.to("http://invokeai.example:9090")


@pytest.fixture
def record(connection: Connection) -> AsyncIvkImage:
    return connected(connection, [RECORD])[0]


@pytest.mark.parametrize("method", ["bytes", "thumbnail", "pil", "workflow", "graph"])
def test_records_of_no_server_raise_with_hint(method: str) -> None:
    with pytest.raises(UsageError, match=r"did not come from a server.*get_image\('a\.png'\)"):
        getattr(IvkImage(image_name="a.png"), method)()


def test_records_of_no_server_keep_their_metadata() -> None:
    assert IvkImage(image_name="a.png").metadata is None
    record = IvkImage(image_name="a.png", metadata={"seed": 1})
    assert record.metadata == {"seed": 1}
    assert IvkImage.from_api_response(record.to_dict()) == record != IvkImage(image_name="a.png")
    assert record._repr_png_() is None


def test_records_become_synchronous(record: AsyncIvkImage) -> None:
    found = wrap([record])
    assert type(found[0]) is IvkImage
    assert found == [record]
    assert (found[0].width, found[0].to_dict()) == (8, record.to_dict())
    assert found[0].model_extra == {"new_key": 1}
    assert hash(found[0]) == hash(record) == hash("a.png")
    found[0].starred = True
    assert found[0] != record
    assert unwrap(found[0]) is found[0]


def pickled(record: IvkImage) -> IvkImage:
    return pickle.loads(pickle.dumps(record))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_copies_and_pickles_of_records_keep_their_server(record: AsyncIvkImage, duplicate: Any) -> None:
    for one in (record, wrap(record)):
        again = duplicate(one)
        assert again == one
        assert again.url == one.url == "http://invokeai.example:9090/api/v1/images/i/a.png/full"


def test_pickles_of_earlier_records_have_no_server() -> None:
    state: dict[Any, Any] = IvkImage(image_name="a.png").__getstate__()
    old = IvkImage.__new__(IvkImage)
    old.__setstate__(state | {"__pydantic_private__": None})
    assert old == IvkImage(image_name="a.png")
    assert old.metadata is None
    with pytest.raises(UsageError, match="did not come from a server"):
        old.bytes()


@pytest.mark.parametrize("use", [len, bool, list, dict, itemgetter("seed"), methodcaller("get", "seed")])
def test_metadata_that_is_not_loaded_raises_with_hint(record: AsyncIvkImage, use: Any) -> None:
    with pytest.raises(UsageError, match=r"Call await image\.metadata\(\) first"):
        use(record.metadata)


def test_images_that_are_not_loaded_raise_with_hint(connection: Connection) -> None:
    image = AsyncImage(connection, "a.png", size=(8, 4))
    assert (image.image_name, image.width, image.height) == ("a.png", 8, 4)
    with pytest.raises(UsageError, match=r"Call await image\.record\(\) first"):
        image.starred  # noqa: B018


def test_images_records_and_names_are_equal(connection: Connection, record: AsyncIvkImage) -> None:
    image = AsyncImage(connection, "a.png")
    others = (image, record, wrap(record), "a.png")
    assert all(image == other and other == image for other in others)
    assert all(wrap(image) == other and other == wrap(image) for other in others[1:])
    assert image != AsyncImage(Connection.to("http://other.example"), "a.png")
    assert image not in (AsyncImage(connection, "b.png"), "b.png", 5, None)
    assert len({image, record, wrap(record)}) == len({wrap(image), record, "a.png"}) == 1


def test_names_of_images(connection: Connection, record: AsyncIvkImage) -> None:
    image = AsyncImage(connection, "b.png")
    assert name_list(record) == name_list("a.png") == ["a.png"]
    assert name_list(iter([record, wrap(image), image, "c.png", "a.png"])) == ["a.png", "b.png", "c.png"]
    for wrong in (5, None, b"a.png", {"image_name": "a.png"}):
        with pytest.raises(UsageError, match="Invalid image of type"):
            name_of(wrong)


async def test_records_of_held_images_are_loaded_together(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    async def json(method: str, path: str, *, json: dict[str, Any], **_: Any) -> list[dict[str, Any]]:
        asked.append(sorted(json["image_names"]))
        await asyncio.sleep(0)
        return [RECORD | {"image_name": name} for name in json["image_names"] if name != "gone.png"]

    monkeypatch.setattr(connection.http, "json", json)
    held = [AsyncImage(connection, name) for name in ("a.png", "b.png", "a.png", "gone.png")]
    AsyncImage(connection, "dropped.png")
    assert (await held[0].record()).width == 8
    assert [image.width for image in held[:3]] == [8, 8, 8]
    assert (await held[1].record()) is (await held[1].record())
    assert asked == [["a.png", "b.png", "gone.png"]]
    await held[0].refresh()
    assert asked[1:] == [["a.png", "gone.png"]]
