"""The contract's tests use the session's server, as ``tests/server`` does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
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

__all__ = [
    "async_client",
    "client",
    "either",
    "held_queue",
    "long_run",
    "nothing_left",
    "picture",
    "save",
    "uploaded",
]


@pytest.fixture
def tidy(client: InvokeAIClient) -> Iterator[None]:
    """Delete the images that a test creates."""

    def names() -> set[str]:
        return {image.image_name for image in client.image_repo.list_images(is_intermediate=None)}

    before = names()
    yield
    client.image_repo.delete(sorted(names() - before))
