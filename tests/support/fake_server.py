"""A server made of dictionaries, for code that queries a server before it builds a request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote

from invokeai_py_client.api.base import ApiResource
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.run.lookup import UploadCache


def model(key: str, name: str, base: str = "sd-1", kind: str = "main", **more: Any) -> dict[str, Any]:
    """A model record."""
    record = {"key": key, "hash": f"blake3:{key}", "name": name, "base": base, "type": kind}
    return {**record, "format": "diffusers", **more}


def identifier(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the identifier of a model that a workflow stores."""
    return {part: record[part] for part in ("key", "hash", "name", "base", "type")} | changes


class FakeServer:
    """The content of the server, and the requests it received.

    Attributes:
        asked: The requested paths in order.
        uploaded: The uploaded contents in order.
    """

    def __init__(
        self,
        models: list[dict[str, Any]] | None = None,
        boards: dict[str, str] | None = None,
        images: set[str] | None = None,
        videos: set[str] | None = None,
        workflows: set[str] | None = None,
        board_images: dict[str, list[str]] | None = None,
        prompts: list[str] | None = None,
    ) -> None:
        self.models = models or []
        self.boards = boards or {}
        self.images = images or set()
        self.videos = videos or set()
        self.workflows = workflows or set()
        self.board_images = board_images or {}
        self.prompts = prompts or []
        self.asked: list[str] = []
        self.bodies: list[Any] = []
        self.uploaded: list[bytes] = []
        self.http = self
        self.url = "http://fake"
        self.settings = SimpleNamespace(has_account=False)
        self._uploads = UploadCache(self.connection)

    @property
    def connection(self) -> Connection:
        """Return the server in the type that the code under test expects."""
        return cast(Connection, self)

    def part(self, kind: type[Any]) -> Any:
        """Imitate `Connection.part`: return the upload cache, the real API, or itself as the image repository."""
        if issubclass(kind, ApiResource):
            return kind(self.connection)
        return self._uploads if kind is UploadCache else self

    async def upload(self, data: bytes, *, filename: str) -> Any:
        """Imitate the image repository's upload."""
        await asyncio.sleep(0)  # Let other tasks run, as a real upload would.
        self.uploaded.append(data)
        name = f"new-{len(self.uploaded)}-{filename}"
        self.images.add(name)
        return SimpleNamespace(image_name=name)

    async def json(self, method: str, path: str, **request: Any) -> Any:
        """Imitate the transport's GET."""
        self.asked.append(path)
        self.bodies.append(request.get("json"))
        await asyncio.sleep(0)
        return self._answer(path)

    def _answer(self, path: str) -> Any:
        if path == "/api/v2/models/":
            return {"models": self.models}
        if path == "/api/v1/boards/":
            return [{"board_id": key, "board_name": name} for key, name in self.boards.items()]
        if path == "/api/v1/utilities/dynamicprompts":
            return {"prompts": self.prompts}
        _, _, kind, *_, name = path.removesuffix("/image_names").split("/")[1:]
        name = unquote(name)
        if kind == "boards":
            if name not in self.board_images:
                raise NotFoundError(404, None, "no such board")
            return self.board_images[name]
        if name not in getattr(self, kind):
            raise NotFoundError(404, None, f"none of {kind}")
        return {}
