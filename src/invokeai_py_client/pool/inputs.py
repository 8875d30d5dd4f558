"""The images, videos and boards of a sweep's requests, which each server must have."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.errors import UsageError
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.pool.order import Order, Outcome, names_in
from invokeai_py_client.transport.retry import patiently
from invokeai_py_client.video.repository import AsyncVideoRepository

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Sent
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.sweep.requests import Request

# Each server needs each image once, at about the same time, so recent ones are kept in memory.
_KEPT_BYTES = 256 * 2**20
_AT_ONCE = 4


class PoolInputs:
    """Brings the images and videos that orders name to the servers that run them, each once.

    Args:
        engine: Reaches the servers.
        reference: The server that has all of them, because the requests were made for it. None if it is not known any
            more, because the sweep was resumed. Then the servers must have them.
        home: The pool's connection, for background tasks.
    """

    def __init__(self, engine: Engine, reference: Connection | None, home: Connection) -> None:
        self.home = home
        self._engine = engine
        self._reference = reference
        self._connections: dict[str, Connection] = {}
        self._boards: dict[str, str] | None = None
        self._have_boards: dict[int, bool] = {}
        self._listing = asyncio.Lock()
        self._given: dict[str, set[str]] = {}
        self._giving: dict[str, asyncio.Lock] = {}
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: dict[str, asyncio.Lock] = {}

    def connection(self, server: str) -> Connection:
        """Return the connection to a server, or the pool's if the pool does not have that server any more."""
        known = self._connections.get(server)
        if known is None:
            try:
                known = self._engine.connection(server)
            except KeyError:
                known = self.home
            self._connections[server] = known
        return known

    async def boards_in(self, request: Request) -> Mapping[str, str]:
        """Return the names of the boards of the reference server, by id. Empty if the request names none."""
        if self._reference is None or not self._names_boards(request):
            return {}
        async with self._listing:
            if self._boards is None:
                with patiently():
                    boards = await self._reference.part(AsyncBoardRepository).list_boards()
                self._boards = {board.board_id: board.board_name for board in boards}
        return self._boards

    def _names_boards(self, request: Request) -> bool:
        # A request can have 100,000 rows, and is asked about for each of its chunks.
        known = self._have_boards.get(request.first)
        if known is None:
            known = self._have_boards[request.first] = "board_id" in names_in(request.body)
        return known

    async def run(self, server: str, order: Order, sent: Sent) -> Outcome:
        """Run an order, after its images and videos were brought to the server.

        Raises:
            AgentLost: The agent has ended or does not respond.
            APIRequestError: An image cannot be read from the reference server.
        """
        await self._give(server, order["inputs"])
        outcome = await self._engine.run(server, order, sent)
        wanted = outcome.get("wanted")
        if wanted:  # the agent has been started again since
            self._given.pop(server, None)
            await self._give(server, wanted)
            outcome = await self._engine.run(server, order, sent)
        if outcome.get("wanted"):
            return {"refused": True, "why": f"{server} does not keep the images that it receives."}
        return outcome

    async def _give(self, server: str, inputs: Mapping[str, list[str]]) -> None:
        given = self._given.setdefault(server, set())
        new = {key: [name for name in names if name not in given] for key, names in inputs.items()}
        if not any(new.values()):
            return
        async with self._giving.setdefault(server, asyncio.Lock()):
            new = {key: [name for name in names if name not in given] for key, names in new.items()}
            missing: dict[str, list[str]] = await self._engine.ask(server, "missing", new)
            limit = asyncio.Semaphore(_AT_ONCE)

            async def give(key: str, name: str) -> None:
                async with limit:
                    await self._engine.ask(server, "upload", key, name, await self._content(key, name))

            await gather_or_cancel(give(key, name) for key, names in missing.items() for name in names)
            given.update(name for names in new.values() for name in names)

    async def _content(self, key: str, name: str) -> bytes:
        async with self._fetching.setdefault(name, asyncio.Lock()):
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name]
            if self._reference is None:
                raise UsageError(
                    f"The input {name!r} of the sweep is not on all servers, and its origin is not known. Resume the "
                    "sweep with the servers that it ran on."
                )
            repository = AsyncImageRepository if key == "image_name" else AsyncVideoRepository
            with patiently():
                data = await self._reference.part(repository).download(name)
            self._contents[name] = data
            while sum(map(len, self._contents.values())) > _KEPT_BYTES and len(self._contents) > 1:
                old, _ = self._contents.popitem(last=False)
                self._fetching.pop(old, None)
            return data
