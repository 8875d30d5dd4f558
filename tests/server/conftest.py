"""Fixtures of the server tests: clients, an image to upload, and a long run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import cluster
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
from pool_servers import two_servers

from invokeai_py_client import InvokeAIClient

__all__ = [
    "ann",
    "async_client",
    "bob",
    "client",
    "cluster",
    "either",
    "held",
    "held_queue",
    "long_run",
    "nothing_left",
    "picture",
    "save",
    "two_servers",
    "uploaded",
    "users",
]


@pytest.fixture
def video(client: InvokeAIClient) -> Iterator[str]:
    """The name of a video on the server: six frames of 64 x 64 pixels, eight frames per second."""
    record = client.videos.upload(Path(__file__).parents[1] / "data" / "tiny.mp4")
    yield record.video_name
    client.videos.delete(record)
