"""An agent beside one server of a pool: it describes the server, runs orders there, and brings the results back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.administration.server import AsyncServerRepository
from invokeai_py_client.api.app import AsyncAppApi
from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
from invokeai_py_client.errors import APIRequestError, InvokeAIClientError, ServerTooOldError
from invokeai_py_client.files.names import files_of
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.fit import ModelInfo, ServerInfo, with_models
from invokeai_py_client.pool.order import PROTOCOL, Order, Outcome, with_names
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.enqueue import cancel_batches
from invokeai_py_client.run.status import RunStatus
from invokeai_py_client.sweep.one_server import ServerExecution
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.transport.responses import Headers
from invokeai_py_client.transport.retry import is_passing, patiently
from invokeai_py_client.video.repository import AsyncVideoRepository

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.transport.responses import Response

logger = logging.getLogger("invokeai_py_client.pool")

_AT_ONCE = 8
_HEALTH_PATIENCE = 5.0
_IMAGE, _VIDEO, _BOARD = "image_name", "video_name", "board_id"
_SECRET = ("x-refreshed-token", "set-cookie")

Sent = Callable[[Mapping[int, int]], object]
"""Called with the queue item of each run of an order, by its place, when the server has accepted them."""


class Description(TypedDict):
    """A server, as its agent describes it.

    Attributes:
        protocol: The format of orders that the agent reads.
        url: The server's URL, without secrets.
        info: The models, node types and devices.
    """

    protocol: int
    url: str
    info: ServerInfo


@dataclass(slots=True)
class Look:
    """What a server is doing for the pool.

    Attributes:
        batch_id: The batch of the run.
        place: The place of the run in its order.
        status: The status of the run.
        node: The label of its current node, or "".
    """

    batch_id: str
    place: int
    status: RunStatus
    node: str = ""


@dataclass(slots=True)
class _Work:
    """An order at work."""

    order: Order
    runs: SweepRuns
    execution: ServerExecution
    ends: dict[int, RunEnd]
    breaks: int
    stopped: bool = False


class Agent:
    """Runs the orders of a pool on one server.

    It has no state that matters: everything is on the server or in the manifest of the sweep. It signs in with the
    credentials that its own process has for the server.

    Args:
        connection: The server. Its ``outage_timeout`` says how long to wait for a server that does not respond.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._info: ServerInfo | None = None
        self._breaks = 0
        self._work: dict[str, _Work] = {}
        self._uploads: dict[str, dict[str, str]] = {_IMAGE: {}, _VIDEO: {}}
        self._boards: dict[str, str] = {}
        self._making_boards = asyncio.Lock()

    # ------------------------------------------------------------------ questions

    async def describe(self) -> Description:
        """Describe the server.

        Raises:
            APIRequestError: The server cannot be reached or does not accept the credentials.
        """
        self._info = await self._read_info()
        return {"protocol": PROTOCOL, "url": self._connection.url, "info": self._info}

    async def healthy(self) -> bool:
        """Return whether the server responds."""
        try:
            await self._connection.part(AsyncAppApi).app_version(timeout=_HEALTH_PATIENCE)
        except APIRequestError as error:
            logger.debug("%s does not respond: %s", self._connection.url, error)
            return False
        return True

    async def withdraw(self, batch_ids: list[str], queue_id: str) -> None:
        """Cancel the runs of some batches that have not ended. Unknown batches are ignored.

        Raises:
            APIRequestError: The server cannot be reached.
        """
        if batch_ids:
            await cancel_batches(self._connection, queue_id, batch_ids)

    async def look(self) -> list[Look]:
        """Return what the server is doing for the pool: the runs that are running."""
        found: list[Look] = []
        for batch_id, work in self._work.items():
            for place in work.runs.open:
                run = work.runs.get(place)
                if run is not None and (status := run.status).state is JobStatus.RUNNING:
                    node = run.node_label(status.node_id) if status.node_id else ""
                    found.append(Look(batch_id, place, status, node))
        return found

    async def missing(self, inputs: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Return the images and videos of the reference server that this server does not have.

        Args:
            inputs: Their names on the reference server, by the key that names them: ``image_name``, ``video_name``.

        Raises:
            APIRequestError: The server cannot be reached.
        """
        wanted: dict[str, list[str]] = {}
        for key, names in inputs.items():
            known = self._uploads[key]
            unknown = [name for name in names if name not in known]
            if not unknown:
                continue
            if key == _IMAGE:
                images = await self._connection.part(AsyncImageRepository).get_images(unknown)
                there = {image.name for image in images}
            else:
                videos = await self._connection.part(AsyncVideoRepository).get_videos(unknown)
                there = {video.name for video in videos}
            known.update((name, name) for name in unknown if name in there)
            if missing := [name for name in unknown if name not in there]:
                wanted[key] = missing
        return wanted

    async def upload(self, key: str, name: str, data: bytes) -> None:
        """Store an image or a video of the reference server on this server, for orders that name it.

        Args:
            key: The key that names it: ``image_name`` or ``video_name``.
            name: Its name on the reference server.
            data: The content of the file.

        Raises:
            APIRequestError: The server rejected it, or cannot be reached.
        """
        if key == _IMAGE:
            image = await self._connection.part(AsyncImageRepository).upload(data, filename=name)
            self._uploads[key][name] = image.image_name
        else:
            video = await self._connection.part(AsyncVideoRepository).upload(data, filename=name)
            self._uploads[key][name] = video.video_name

    async def request(self, method: str, path: str, options: Mapping[str, Any]) -> Response:
        """Send a request, for a client that cannot reach the server.

        Args:
            method: The HTTP method.
            path: The path.
            options: The other arguments of ``HttpTransport.raw()``.

        Returns:
            The response, without the headers that contain secrets.

        Raises:
            APIRequestError: The server rejected the request, or cannot be reached.
        """
        response = await self._connection.http.raw(method, path, retry=False, **options)
        open_headers = [one for one in response.headers.items() if one[0].lower() not in _SECRET]
        response.headers = Headers(open_headers)
        return response

    # ------------------------------------------------------------------ orders

    async def run(self, order: Order, sent: Sent = lambda _: None) -> Outcome:
        """Run an order, and return when its runs have ended or the server no longer responds.

        Args:
            order: The order.
            sent: Called when the server has accepted the runs.
        """
        try:
            with patiently():
                wanted = await self.missing(order["inputs"])
                if wanted:
                    return {"wanted": wanted}
                body = await self._translated(order)
        except InvokeAIClientError as error:
            return _not_done(error)
        work = self._work[order["batch_id"]] = self._begin(order, body)
        try:
            return await self._follow(work, sent)
        finally:
            del self._work[order["batch_id"]]

    async def stop(self, batch_id: str) -> Outcome:
        """Cancel the runs of an order that have not ended, and return the ends of the others.

        For an agent that has to end: what it returns is not lost.
        """
        work = self._work.get(batch_id)
        if work is None:
            return {"asked": True}
        work.stopped = True
        try:
            await self.withdraw([batch_id], work.order["queue_id"])
        except APIRequestError as error:
            return await self._outcome(work, _not_done(error))
        return await self._outcome(work, {"asked": True})

    # ------------------------------------------------------------------ internals

    async def _read_info(self) -> ServerInfo:
        connection = self._connection
        schema = await connection.schema()
        models = await connection.part(AsyncDnnModelRepository).list_models()
        try:
            devices = await connection.part(AsyncServerRepository).devices()
        except ServerTooOldError:  # before 6.14, a server uses one device
            devices = []
        self._breaks = connection.hub.outages
        return ServerInfo(
            schema.version,
            {kind: template.version for kind, template in schema.items()},
            tuple(
                ModelInfo(one.key, one.hash or "", one.name, str(_word(one.base)), str(_word(one.type)))
                for one in models
            ),
            max(1, sum(one.in_use is not False for one in devices)),
        )

    async def _known_info(self) -> ServerInfo:
        """Return the description of the server. It is read again if the server may have been restarted."""
        if self._info is None or self._breaks != self._connection.hub.outages:
            self._info = await self._read_info()
        return self._info

    async def _translated(self, order: Order) -> Mapping[str, Any]:
        """Return the request with this server's models, images and boards."""
        body = with_models(order["body"], await self._known_info())
        boards = {board: await self._board(board, name) for board, name in order["boards"].items()}
        return with_names(body, {**self._uploads, _BOARD: boards})

    async def _board(self, board_id: str, name: str) -> str:
        """Return the id of a board on this server: the same board, or one of its name. It is created if missing."""
        async with self._making_boards:
            known = self._boards.get(board_id)
            if known is None:
                repository = self._connection.part(AsyncBoardRepository)
                if await repository.get_board_by_id(board_id) is not None:
                    known = board_id
                else:
                    found = await repository.get_boards_by_name(name)
                    known = found[0].board_id if found else (await repository.create_board(name)).board_id
                self._boards[board_id] = known
            return known

    def _begin(self, order: Order, body: Mapping[str, Any]) -> _Work:
        count = order["count"]
        request = Request(0, count, {}, ({"": range(count)},), body)
        runs = SweepRuns([request], inputs={}, labels=order["labels"], queue_id=order["queue_id"])
        ends: dict[int, RunEnd] = {}
        execution = ServerExecution(
            self._connection,
            runs,
            batch_id=order["batch_id"],
            expected=order["again"],
            on_end=ends.__setitem__,
        )
        return _Work(order, runs, execution, ends, self._connection.hub.outages)

    async def _follow(self, work: _Work, sent: Sent) -> Outcome:
        outcome: Outcome = {"asked": True}
        try:
            with patiently():
                await work.execution.begin()
            # A full queue may have taken only some of the runs. The others are done elsewhere.
            work.execution.withhold()
            sent({place: run.item_id for place, run in work.runs.items()})
            async with aclosing(work.execution.steps()) as steps:
                async for _ in steps:
                    pass
        except APIRequestError as error:
            outcome = _not_done(error, begun=bool(work.runs.sent))
        return await self._outcome(work, outcome)

    async def _outcome(self, work: _Work, outcome: Outcome) -> Outcome:
        broken = self._connection.hub.outages != work.breaks
        ended: dict[int, AsyncRun] = {}
        for place in work.runs.ended:
            run = work.runs[place]
            # A server that crashes cancels its runs, and so does an agent that stops. They are done again.
            if run.status.state is not JobStatus.CANCELLED or not (broken or work.stopped):
                ended[place] = run
        outcome["runs"] = {place: (run.item_id, run.status, work.ends[place]) for place, run in ended.items()}
        if work.order["files"]:
            outcome["files"] = await self._files(ended)
        return outcome

    async def _files(self, runs: Mapping[int, AsyncRun]) -> dict[str, bytes]:
        """Download the images and videos that runs made. Those that cannot be downloaded are omitted."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def fetch(kind: str, name: str) -> tuple[str, bytes | None]:
            repository = AsyncImageRepository if kind == "image" else AsyncVideoRepository
            async with limit:
                try:
                    with patiently():
                        return name, await self._connection.part(repository).download(name)
                except APIRequestError as error:
                    logger.warning("%s %s stays on %s: %s", kind, name, self._connection.url, error)
                    return name, None

        wanted = [(kind, name) for run in runs.values() for kind, names in files_of(run) for name in names]
        found = await gather_or_cancel(fetch(kind, name) for kind, name in wanted)
        return {name: data for name, data in found if data is not None}


def _not_done(error: InvokeAIClientError, *, begun: bool = False) -> Outcome:
    """Return the outcome after an error.

    Args:
        error: The error.
        begun: Whether the server has accepted runs. Then it is not asked any more, whatever the error.
    """
    lost = begun or (isinstance(error, APIRequestError) and is_passing(error))
    return {"asked": not lost, "refused": not lost, "why": str(error), "runs": {}}


def _word(value: Any) -> Any:
    return getattr(value, "value", cast("object", value))
