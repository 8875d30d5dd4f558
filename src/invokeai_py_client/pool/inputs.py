"""The images, videos and boards of a sweep's requests, which each server must have."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.errors import APIRequestError, NotFoundError, UsageError
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.pool.order import BOARD, IMAGE, Order, Outcome, names_in
from invokeai_py_client.transport.retry import patiently
from invokeai_py_client.video.repository import AsyncVideoRepository

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.pool.agent import Sent
    from invokeai_py_client.pool.engine import Engine
    from invokeai_py_client.pool.servers import Servers

# Each server needs each image once, at about the same time, so recent ones are kept in memory.
_KEPT_BYTES = 256 * 2**20
_AT_ONCE = 4


class PoolInputs:
    """Brings the images and videos that orders name to the servers that run them, each once.

    Args:
        engine: Reaches the servers.
        servers: The servers.
        reference: The server that has all inputs, because the requests were made for it. None if it is not known any
            more, because the sweep was resumed. Then one of the servers must have them.
        home: The pool's connection, for background tasks.
    """

    def __init__(
        self, engine: Engine, servers: Servers, reference: Connection | None, home: Connection
    ) -> None:
        self.home = home
        self.boards: Mapping[str, str] = {}
        """The names of the boards that the requests may name, by id. Set by ``prepare()``."""
        self._engine = engine
        self._servers = servers
        self._reference = reference
        self._given: dict[str, set[str]] = {}
        self._giving: dict[str, asyncio.Lock] = {}
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: dict[str, asyncio.Lock] = {}

    def connection(self, server: str) -> Connection:
        """Return the connection to a server, or the pool's if the pool does not have that server any more."""
        try:
            return self._engine.connection(server)
        except KeyError:
            return self.home

    async def prepare(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Look up the names of the boards in requests, before anything is sent.

        Raises:
            APIRequestError: A server cannot be reached.
        """
        if not any(BOARD in names_in(body) for body in bodies):
            return
        found: dict[str, str] = {}
        for origin in self._origins():
            with patiently():
                boards = await origin.part(AsyncBoardRepository).list_boards(include_archived=True)
            found.update((board.board_id, board.board_name) for board in boards)
        self.boards = found

    async def give(self, server: str, inputs: Mapping[str, list[str]]) -> None:
        """Bring images and videos to a server, unless it has them.

        Args:
            server: The server.
            inputs: Their names, by the key that names them: ``image_name``, ``video_name``.

        Raises:
            AgentLostError: The agent has ended or does not respond.
            APIRequestError: The server rejected them, or cannot be reached.
            UsageError: An image or a video cannot be read from the server that has it.
        """
        given = self._given.setdefault(server, set())
        if not any(name not in given for names in inputs.values() for name in names):
            return
        async with self._giving.setdefault(server, asyncio.Lock()):
            new = {key: [name for name in names if name not in given] for key, names in inputs.items()}
            missing: dict[str, list[str]] = await self._engine.ask(server, "missing", new)
            limit = asyncio.Semaphore(_AT_ONCE)

            async def give(key: str, name: str) -> None:
                async with limit:
                    await self._engine.ask(server, "upload", key, name, await self._content(key, name))

            await gather_or_cancel(give(key, name) for key, names in missing.items() for name in names)
            given.update(name for names in new.values() for name in names)

    async def run(self, server: str, order: Order, sent: Sent) -> Outcome:
        """Run an order. If the server lacks images or videos of it after all, they are brought there first.

        Raises:
            AgentLostError: The agent has ended or does not respond.
            APIRequestError: The server rejected an image or a video, or cannot be reached.
            UsageError: An image or a video cannot be read from the server that has it.
        """
        outcome = await self._engine.run(server, order, sent)
        wanted = outcome.get("wanted")
        if wanted:  # the agent has been started again since
            self._given.pop(server, None)
            await self.give(server, wanted)
            outcome = await self._engine.run(server, order, sent)
        if outcome.get("wanted"):
            return {"refused": True, "why": f"{server} does not keep the images that it receives."}
        return outcome

    def _origins(self) -> list[Connection]:
        """Return the servers that may have the inputs."""
        if self._reference is not None:
            return [self._reference]
        return [self._engine.connection(server.name) for server in self._servers.ready]

    async def _content(self, key: str, name: str) -> bytes:
        async with self._fetching.setdefault(name, asyncio.Lock()):
            if name in self._contents:
                self._contents.move_to_end(name)
                return self._contents[name]
            data = await self._download(key, name)
            self._contents[name] = data
            while sum(map(len, self._contents.values())) > _KEPT_BYTES and len(self._contents) > 1:
                old, _ = self._contents.popitem(last=False)
                self._fetching.pop(old, None)
            return data

    async def _download(self, key: str, name: str) -> bytes:
        repository = AsyncImageRepository if key == IMAGE else AsyncVideoRepository
        for origin in self._origins():
            try:
                with patiently():
                    return await origin.part(repository).download(name)
            except NotFoundError:
                continue
            except APIRequestError as error:  # it is not the fault of the server that needs it
                raise UsageError(f"The input {name!r} cannot be read from {origin.url}: {error}") from error
        raise UsageError(
            f"The input {name!r} of the sweep is on no server of the pool. Resume the sweep with the servers that it "
            "ran on, or start a new sweep."
        )
