"""``client.request()``: requests that the client has no method for, with files, forms and headers, to both clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from on_server import client, either, picture

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.errors import NotFoundError, NotInvokeAIError, UsageError

__all__ = ["client", "either", "picture"]


@pytest.fixture
def preset(client: InvokeAIClient, picture: bytes, tmp_path: Path) -> Iterator[str]:
    """The id of a style preset with a picture, created from a form with a field and a file."""
    (tmp_path / "picture.png").write_bytes(picture)
    data = {"name": "Ink", "positive_prompt": "ink, {prompt}", "negative_prompt": "", "type": "user"}
    response = client.request(
        "POST",
        "/style_presets/",
        form={"data": json.dumps(data)},
        files={"image": tmp_path / "picture.png"},
    )
    assert response.status_code == 200
    made = response.json()["id"]
    yield made
    client.request("DELETE", f"/style_presets/i/{made}")


async def test_form_with_fields_and_files(
    either: AsyncInvokeAIClient, preset: str, picture: bytes, tmp_path: Path
) -> None:
    records = (await either.request("GET", "style_presets/")).json()
    record = next(one for one in records if one["id"] == preset)
    assert record["preset_data"]["positive_prompt"] == "ink, {prompt}"
    assert record["image"], "the picture was sent, too"
    got = await either.request("GET", f"style_presets/i/{preset}/image", save_to=tmp_path / "p" / "a.webp")
    assert got.path == tmp_path / "p" / "a.webp"
    assert (tmp_path / "p" / "a.webp").read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("as_path", [True, False])
async def test_image_is_uploaded_from_path_or_bytes(
    either: AsyncInvokeAIClient, picture: bytes, tmp_path: Path, as_path: bool
) -> None:
    path = tmp_path / "pic.bin"
    path.write_bytes(picture)
    source: Any = path if as_path else ("pic.png", picture, "image/png")
    response = await either.request(
        "POST",
        "/images/upload",
        params={"image_category": "user", "is_intermediate": True},
        form={"metadata": '{"a": 1}', "resize_to": None},
        files={"file": source},
    )
    assert response.status_code == 201
    name = response.json()["image_name"]
    assert (await either.images.get_metadata(name)) == {"a": 1}
    await either.request("DELETE", f"/images/i/{name}")


async def test_status_and_headers_are_those_of_the_server(either: AsyncInvokeAIClient, preset: str) -> None:
    got = await either.request("GET", f"style_presets/i/{preset}/image")
    head = await either.request("GET", "/app/version", headers={"Accept-Encoding": "identity"})
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(head.content))
    assert head.headers["Content-Type"] == "application/json"
    assert "CONTENT-TYPE" in head.headers
    assert got.content_type.startswith("image/")
    assert "Content-Type" in list(head.headers)
    assert str(head.headers).startswith("<Headers: ")


async def test_head_returns_the_size_of_an_image(either: AsyncInvokeAIClient, picture: bytes) -> None:
    image = await either.images.upload(picture)
    head = await either.request("HEAD", f"images/i/{image.image_name}/full")
    assert head.content == b""
    assert int(head.headers["Content-Length"]) == len(await either.images.download(image.image_name))
    await either.images.delete(image.image_name)


async def test_openapi_document_can_be_requested_and_saved(
    either: AsyncInvokeAIClient, tmp_path: Path
) -> None:
    sizes: list[int] = []

    def report(done: int, _: int | None) -> None:
        sizes.append(done)

    document = (await either.request("GET", "/openapi.json")).json()
    assert "/api/v1/app/version" in document["paths"]
    response = await either.request("GET", "/openapi.json", save_to=tmp_path / "api.json", on_progress=report)
    assert response.content_type == "application/json"
    assert response.content == b""
    assert response.status_code == 200
    assert json.loads((tmp_path / "api.json").read_bytes()) == document
    assert sizes[-1] == (tmp_path / "api.json").stat().st_size
    assert "api.json" in repr(response)


async def test_post_with_body_can_be_saved(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    body = {"prompt": "a {red|blue} fox", "combinatorial": True}
    await either.request("POST", "utilities/dynamicprompts", json=body, save_to=str(tmp_path / "p.json"))
    assert json.loads((tmp_path / "p.json").read_text())["prompts"] == ["a red fox", "a blue fox"]


@pytest.mark.since("6.14")  # videos
async def test_range_of_the_caller_is_saved_as_it_is(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    videos = "/api/v1/videos"
    data = (Path(__file__).parents[1] / "data" / "tiny.mp4").read_bytes()
    made = await either.request(
        "POST",
        f"{videos}/upload",
        params={"video_category": "user", "is_intermediate": False},
        files={"file": ("tiny.mp4", data)},
    )
    path = f"{videos}/i/{made.json()['video_name']}"
    part = await either.request(
        "GET", f"{path}/full", headers={"Range": "bytes=10-19"}, save_to=tmp_path / "part"
    )
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 10-19/{len(data)}")
    assert (tmp_path / "part").read_bytes() == data[10:20]
    await either.request("DELETE", path)


async def test_failed_request_writes_no_file(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(NotFoundError):
        await either.request("GET", "/images/i/none.png/full", save_to=tmp_path / "old")
    # Older servers respond with status 404, newer ones with a page (6.14).
    with pytest.raises((NotInvokeAIError, NotFoundError), match=r"web page|HTTP status 404"):
        await either.request("GET", "/no/such/path", save_to=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old").read_text() == "old"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"method": "GET /"}, r"Invalid method 'GET /'"),
    ({"endpoint": ""}, r"Invalid path ''"),
    ({"endpoint": "http://elsewhere/api/v1/x"}, r"Invalid path 'http://elsewhere/api/v1/x'"),
    ({"endpoint": "/api/v1/../../secret"}, r"Invalid path '/api/v1/\.\./\.\./secret'"),
    ({"endpoint": "images/%2e%2e/x"}, r"Invalid path"),
    ({"headers": {"A b": "c"}}, r"Invalid header 'A b'"),
    ({"headers": {"X-A": "secret\r\nX-B: c"}}, r"value of the header 'X-A' is not valid"),
    ({"json": {}, "form": {}}, r"Pass either json, or form and files"),
    ({"files": {"file": "none.png"}}, r"Cannot read the file 'none\.png' for the field 'file': No such file"),
    ({"files": {"file": "."}}, r"The file '\.' for the field 'file' is a folder"),
    ({"files": {"file": 7}}, r"Invalid file 7 for the field 'file': expected a path, bytes, or a tuple"),
    ({"files": {"file": ("a", b"", 3)}}, r"Invalid file \('a', b'', 3\)"),
    ({"save_to": "."}, r"Cannot write the file '\.': it is a folder"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
async def test_invalid_request_is_not_sent(
    either: AsyncInvokeAIClient, arguments: dict[str, Any], message: str
) -> None:
    before = either.connection.http.sent
    call: dict[str, Any] = {"method": "GET", "endpoint": "/app/version", **arguments}
    with pytest.raises(UsageError, match=message) as caught:
        await either.request(call.pop("method"), call.pop("endpoint"), **call)
    assert "secret\r" not in str(caught.value)
    assert either.connection.http.sent == before
