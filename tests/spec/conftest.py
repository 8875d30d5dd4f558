"""The contract's tests use the session's server, as ``tests/server`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from on_server import async_client, client, either, held_queue, long_run, nothing_left, picture, uploaded

from invokeai_py_client import InvokeAIClient

__all__ = [
    "async_client",
    "client",
    "either",
    "held_queue",
    "long_run",
    "nothing_left",
    "picture",
    "uploaded",
]


@pytest.fixture
def tidy(client: InvokeAIClient) -> Iterator[None]:
    """Images that a test makes are gone after it."""

    def names() -> set[str]:
        return {image.image_name for image in client.image_repo.list_images(is_intermediate=None)}

    before = names()
    yield
    client.image_repo.delete(sorted(names() - before))


@pytest.fixture
def save(client: InvokeAIClient) -> Iterator[Callable[[dict[str, Any]], str]]:
    """Puts workflows into the server's library, and gives their ids; they are taken out again."""
    http, saved = client._impl._http, list[str]()

    def keep(document: dict[str, Any]) -> str:
        record = client._call(http.json("POST", "/api/v1/workflows/", json={"workflow": document}))
        saved.append(record["workflow_id"])
        return saved[-1]

    yield keep
    for workflow_id in reversed(saved):
        client._call(http.json("DELETE", f"/api/v1/workflows/i/{workflow_id}"))
