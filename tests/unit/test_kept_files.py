"""Images and videos that a pool has brought to this machine."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image as Pillow

from invokeai_py_client.connection import Connection
from invokeai_py_client.image.image import AsyncImage
from invokeai_py_client.image.kept import KeptFiles
from invokeai_py_client.pool.outputs import KeptFolder
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress


@pytest.fixture
def connection() -> Connection:
    """A connection to a server that does not exist."""
    return Connection(ConnectionSettings(ServerAddress.parse("http://gone.invalid")))


def png(width: int = 6, height: int = 4) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), "red").save(buffer, format="PNG")
    return buffer.getvalue()


async def kept_there(path: Path) -> bool:
    return await asyncio.to_thread(path.is_file)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_files_of_a_server_that_is_gone_are_read_here(connection: Connection, tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path / "kept")
    folder.use(connection)
    await folder.write({"cat.png": png(), "run.mp4": b"video"})
    kept = connection.part(KeptFiles)
    assert await kept.read("cat.png") == png()
    assert kept.size("cat.png") == (6, 4)
    assert kept.size("run.mp4") is None
    assert await kept.read("dog.png") is None
    assert kept.size("dog.png") is None
    image = AsyncImage(connection, "cat.png")
    assert await image.bytes() == png()
    await connection.close()


async def test_a_copy_has_the_format_of_its_extension(connection: Connection, tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path / "kept")
    folder.use(connection)
    await folder.write({"cat.png": png()})
    kept = connection.part(KeptFiles)
    for name, kind in {"cat.png": "PNG", "cat.jpg": "JPEG"}.items():
        target = tmp_path / "out" / name
        target.parent.mkdir(exist_ok=True)
        assert await kept.copy("cat.png", target)
        with Pillow.open(target) as image:
            assert (image.format, image.size) == (kind, (6, 4))
    assert await kept.copy("dog.png", tmp_path / "dog.png") is None
    assert not (tmp_path / "dog.png").exists()


@pytest.mark.parametrize("name", ["../cat.png", "/tmp/cat.png", "a/cat.png", ".."])
async def test_a_name_that_leads_elsewhere_is_not_written(tmp_path: Path, name: str) -> None:
    await KeptFolder(tmp_path / "kept").write({name: b"x"})
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["../cat.png", "a/cat.png", "/absolute"])
async def test_a_name_that_leads_elsewhere_is_not_read(
    connection: Connection, tmp_path: Path, name: str
) -> None:
    (tmp_path / "kept" / "a").mkdir(parents=True)
    for path in (tmp_path / "cat.png", tmp_path / "kept" / "a" / "cat.png"):
        path.write_bytes(b"private")
    KeptFolder(tmp_path / "kept").use(connection)
    kept = connection.part(KeptFiles)
    wanted = str(tmp_path / "cat.png") if name == "/absolute" else name
    assert await kept.read(wanted) is None
    assert await kept.copy(wanted, tmp_path / "copy.png") is None


async def test_a_temporary_folder_is_deleted_with_its_sweep(connection: Connection) -> None:
    folder = KeptFolder()
    folder.use(connection)
    await folder.write({"cat.png": png()})
    path = connection.part(KeptFiles).find("cat.png")
    assert path is not None
    assert await kept_there(path)
    del folder
    assert not await kept_there(path)


def test_deleted_folders_are_forgotten(connection: Connection, tmp_path: Path) -> None:
    """A client that runs for months looks for each image in all folders that it knows."""
    kept = connection.part(KeptFiles)
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        kept.add(folder)
        folder.rmdir()
    assert len(kept._folders) == 1


def test_a_damaged_image_has_no_size(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png()[:20])
    kept = connection.part(KeptFiles)
    kept.add(tmp_path)
    assert kept.size("cat.png") is None
