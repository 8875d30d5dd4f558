"""Fixtures of the server tests: clients, an image to upload, and a long run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from multi_user import ann, bob, held, users
from on_server import (
    async_client,
    client,
    either,
    held_queue,
    long_run,
    nothing_left,
    picture,
    save,
    uploaded,
)

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.transport.http import Form, FormFile

__all__ = [
    "ann",
    "async_client",
    "bob",
    "client",
    "either",
    "held",
    "held_queue",
    "long_run",
    "nothing_left",
    "picture",
    "save",
    "uploaded",
    "users",
]


@pytest.fixture
def video(client: InvokeAIClient) -> Iterator[str]:
    """The name of a video on the server: six frames of 64 x 64 pixels, eight frames per second."""
    videos = "/api/v1/videos"
    data = (Path(__file__).parents[1] / "data" / "tiny.mp4").read_bytes()
    form = Form(files={"file": FormFile(data, "tiny.mp4", "video/mp4")})
    http = client._impl.connection.http
    record = client._call(
        http.json(
            "POST",
            f"{videos}/upload",
            params={"video_category": "user", "is_intermediate": False},
            form=form,
        )
    )
    yield record["video_name"]
    client._call(http.json("DELETE", f"{videos}/i/{record['video_name']}"))
