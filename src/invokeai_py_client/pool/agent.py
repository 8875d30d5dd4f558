"""An agent beside one server of a pool: it describes the server, runs orders there, and brings the results back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, cast

from invokeai_py_client.administration.server import AsyncServerRepository
from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
from invokeai_py_client.errors import APIRequestError, InvokeAIClientError, ServerTooOldError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.fetch import fetch_files
from invokeai_py_client.pool.fit import ModelInfo, ServerInfo, with_models
from invokeai_py_client.pool.look import Look, Pictures, look_at
from invokeai_py_client.pool.order import PROTOCOL, Order, Outcome, not_done
from invokeai_py_client.pool.supplies import Supplies
from invokeai_py_client.pool.vigil import Vigil, find_trouble
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.enqueue import cancel_batches
from invokeai_py_client.sweep.one_server import ServerExecution
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.transport.responses import Headers
from invokeai_py_client.transport.retry import patiently

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.transport.responses import Response

logger = logging.getLogger("invokeai_py_client.pool")

# How many withdrawn batches are remembered. Their orders may arrive after they were withdrawn.
_REMEMBERED = 10_000
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
        url: The URL by which others know the server. Defaults to that of the connection.
    """

    def __init__(self, connection: Connection, url: str | None = None) -> None:
        self._connection = connection
        self._url = url or connection.url
        self._info: ServerInfo | None = None
        self._breaks = 0
        self._work: dict[str, _Work] = {}
        self._supplies = Supplies(connection)
        self._vigil = Vigil(connection)
        # A batch may be withdrawn before its order arrives.
        self._withdrawn: dict[str, None] = {}

    # ------------------------------------------------------------------ questions

    async def describe(self) -> Description:
        """Describe the server.

        Raises:
            APIRequestError: The server cannot be reached or does not accept the credentials.
        """
        self._info = await self._read_info()
        return {"protocol": PROTOCOL, "url": self._url, "info": self._info}

    async def healthy(self) -> bool:
        """Return whether the server responds."""
        error = await find_trouble(self._connection)
        if error is not None:
            logger.debug("%s does not respond: %s", self._connection.url, error)
        return error is None

    async def withdraw(self, batch_ids: list[str], queue_id: str) -> None:
        """Cancel the runs of some batches that have not ended. Batches that come later are not begun.

        Raises:
            APIRequestError: The server cannot be reached.
        """
        if batch_ids:
            self._withdrawn.update(dict.fromkeys(batch_ids))
            while len(self._withdrawn) > _REMEMBERED:
                del self._withdrawn[next(iter(self._withdrawn))]
            await cancel_batches(self._connection, queue_id, batch_ids)

    async def look(self, known: Pictures | None) -> list[Look]:
        """Return what the server is doing for the pool: the runs that are in progress.

        Args:
            known: The previews that the client has. None: it wants no previews.
        """
        return [look for batch, work in self._work.items() for look in look_at(batch, work.runs, known)]

    async def missing(self, inputs: Mapping[str, list[str]]) -> dict[str, list[str]]:
        """Return the images and videos of an order that this server does not have. See ``Supplies.missing()``."""
        return await self._supplies.missing(inputs)

    async def upload(self, key: str, name: str, data: bytes) -> None:
        """Store an image or a video for orders that name it. See ``Supplies.upload()``."""
        await self._supplies.upload(key, name, data)

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
        batch_id = order["batch_id"]
        doing: asyncio.Task[Any] = asyncio.create_task(self._run(order, sent))
        watching = asyncio.create_task(self._vigil.until_lost(others=order["others"]))
        try:
            await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            outcome = not_done(watching.result(), begun=True)
            work = self._work.get(batch_id)
            return outcome if work is None else await self._outcome(work, outcome)
        finally:
            watching.cancel()
            if not doing.done():
                # Its cleanup may send requests, for which a hung server takes long.
                doing.cancel()
                self._connection.background(doing)
            self._work.pop(batch_id, None)

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
            return await self._outcome(work, not_done(error, begun=True))
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

    async def _run(self, order: Order, sent: Sent) -> Outcome:
        try:
            with patiently():
                wanted = await self.missing(order["inputs"])
                if wanted:
                    return {"wanted": wanted}
                body = with_models(order["body"], await self._known_info())
                body = await self._supplies.translated(body, order["boards"])
        except InvokeAIClientError as error:
            return not_done(error, begun=order["again"])
        batch_id = order["batch_id"]
        if batch_id in self._withdrawn:
            return {"asked": True}
        work = self._work[batch_id] = self._begin(order, body)
        outcome: Outcome = {"asked": True}
        try:
            with patiently():
                await work.execution.begin()
            # A full queue may have taken only some of the runs. The others are done elsewhere.
            work.execution.withhold()
            if batch_id in self._withdrawn:  # before the server had received it
                await cancel_batches(self._connection, order["queue_id"], [batch_id])
            sent({place: run.item_id for place, run in work.runs.items()})
            async with aclosing(work.execution.steps()) as steps:
                async for _ in steps:
                    pass
        except InvokeAIClientError as error:
            outcome = not_done(error, begun=order["again"] or bool(work.runs.sent))
        return await self._outcome(work, outcome)

    async def _outcome(self, work: _Work, outcome: Outcome) -> Outcome:
        # A server that crashes cancels its runs, and so does an agent that stops. They are done again.
        repeats = self._connection.hub.outages != work.breaks or work.stopped or work.order["again"]
        ended: dict[int, AsyncRun] = {}
        for place in work.runs.ended:
            run = work.runs[place]
            if run.status.state is not JobStatus.CANCELLED or not repeats:
                ended[place] = run
        if work.order["files"]:
            files, lost = await fetch_files(self._connection, ended, wait=outcome.get("asked", True))
            if lost is not None:  # without its images, a run is worth nothing
                outcome = not_done(lost.error, begun=True)
                ended = {place: run for place, run in ended.items() if place not in lost.places}
            outcome["files"] = files
        outcome["runs"] = {place: (run.item_id, run.status, work.ends[place]) for place, run in ended.items()}
        return outcome


def _word(value: Any) -> Any:
    return getattr(value, "value", cast("object", value))
