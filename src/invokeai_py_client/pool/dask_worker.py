"""A Dask worker that runs the orders of pools on one InvokeAI server.

Dask loads this module when the worker starts::

    dask worker tls://head:8786 --nthreads 2 --preload invokeai_py_client.pool.dask_worker --url http://127.0.0.1:9090

The worker signs in to the server with the credentials in its own environment or configuration file.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import click

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client._paths import absolute_path
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import InvokeAIClientError, PoolError, StartError, UsageError
from invokeai_py_client.pool.agent import Agent
from invokeai_py_client.server import LocalServer
from invokeai_py_client.server.health import free_port
from invokeai_py_client.server.state import at_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import Worker

    from invokeai_py_client.pool.order import Order, Outcome

logger = logging.getLogger("invokeai_py_client.pool")

KEY = "invokeai"
"""The name of an agent among the metrics and extensions of its worker, and the topic of its events."""

OUTAGE_TIMEOUT = 20.0
"""How long an agent waits for a server that does not respond, in seconds."""

# How long a worker that closes waits until its clients have fetched the outcomes of their orders. A nanny kills it
# after 8 s.
_FAREWELL = 5.0
_CHECK = 1.0
# How long the server of a killed worker may need to end.
_OLD_SERVER = 30.0


class AgentInfo(TypedDict):
    """An agent, as its worker describes it to the scheduler.

    Attributes:
        name: Its name, which stays the same if the worker is restarted.
        url: The URL of its server, with the name of the host instead of a loopback address.
        state: Whether the server has been started.
    """

    name: str
    url: str
    state: Literal["starting", "ready"]


class Host:
    """The agent of a worker, with the server that it has started.

    Args:
        worker: The worker.
        url: The server's URL. Defaults to the one that the environment or the configuration file names.
        root: The root folder of a server to start. Defaults to none.
        name: The name of the agent. Defaults to the host, with the port or the root folder of the server.
    """

    def __init__(
        self, worker: Worker, *, url: str | None = None, root: Path | None = None, name: str | None = None
    ) -> None:
        self._worker = worker
        port = free_port()
        self._server = None if root is None else LocalServer(root=root, port=port)
        connection = Connection.to(
            url if root is None else f"http://127.0.0.1:{port}", outage_timeout=OUTAGE_TIMEOUT
        )
        where = _with_host(connection)
        own = where.partition("://")[2] if root is None else f"{socket.gethostname()}:{root}"
        self.info: AgentInfo = {"name": name or own, "url": where, "state": "starting" if root else "ready"}
        self.agent = Agent(connection, where)
        self._connection = connection
        self._left: dict[str, asyncio.Future[Outcome]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._taken = asyncio.Event()
        self._server_task = None if self._server is None else asyncio.create_task(self._serve(self._server))
        self._closing: asyncio.Task[str | None] | None = None
        if threading.current_thread() is threading.main_thread():
            # A worker with a nanny does not handle the signal, and one without a nanny does not finish its tasks. The
            # nanny gets the signal too, and then does not respond to the worker.
            with suppress(NotImplementedError):  # on Windows
                asyncio.get_running_loop().add_signal_handler(
                    signal.SIGTERM, lambda: self._end("SIGTERM", nanny=False)
                )

    async def run(self, order: Order) -> Outcome | None:
        """Run an order. If the worker closes, cancel its open runs, and keep its outcome for ``farewell()``.

        If the same order is at work already, it waits until that one has ended: the client was killed and its sweep is
        resumed, or the client believed that this worker was lost.

        Returns:
            The outcome, or None if the worker closes.
        """
        turn = self._turns.setdefault(order["batch_id"], asyncio.Lock())
        try:
            await turn.acquire()
        except asyncio.CancelledError:
            return None  # the order before has the outcome
        try:
            return await self._run(order)
        finally:
            turn.release()

    async def _run(self, order: Order) -> Outcome | None:
        batch_id = order["batch_id"]
        left = self._left[batch_id] = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(
            self.agent.run(
                order,
                lambda items: self._worker.log_event(KEY, {"sent": batch_id, "items": list(items.items())}),
            )
        )
        try:
            outcome = await asyncio.shield(work)
        except asyncio.CancelledError:
            stream: Any = self._worker.batched_stream
            if not stream.comm.closed():
                # Without the scheduler, the outcome cannot be fetched. The runs continue on the server, and the next
                # worker finds them there.
                left.set_result(await self.agent.stop(batch_id))
            work.cancel()
            return None
        except BaseException:
            del self._left[batch_id]
            raise
        del self._left[batch_id]
        return outcome

    async def farewell(self, batch_id: str, *, taken: bool) -> Outcome | None:
        """Return the outcome of an order that was canceled because the worker closes.

        Args:
            batch_id: The batch of the order.
            taken: Whether the client has the outcome, so that the worker can close.
        """
        if taken:
            self._left.pop(batch_id, None)
            self._taken.set()
            return None
        left = self._left.get(batch_id)
        return None if left is None else await asyncio.shield(left)

    async def close(self) -> None:
        """Close the agent after its outcomes were fetched, and stop its server. Dask calls this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                while any(left.done() for left in self._left.values()):
                    self._taken.clear()
                    await self._taken.wait()
        if self._server_task is not None:
            await cancel_and_wait([self._server_task])
        await self._connection.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def _serve(self, server: LocalServer) -> None:
        """Start the server, and again whenever it has ended."""
        try:
            while True:
                await asyncio.to_thread(_start, server)
                self.info["state"] = "ready"
                await self._worker.heartbeat()
                self._worker.log_event(KEY, {"ready": self._worker.address})
                while server.is_running:  # noqa: ASYNC110 - its process cannot be awaited
                    await asyncio.sleep(_CHECK)
                logger.warning("The server at %s has ended. Starting it again.", self._connection.url)
        except InvokeAIClientError as error:
            logger.error("%s", error)
            self._end("its server does not start")

    def _end(self, reason: str, *, nanny: bool = True) -> None:
        self._closing = asyncio.ensure_future(self._worker.close(reason=reason, nanny=nanny))


@click.command()
@click.option("--url", help="URL of the server.")
@click.option("--root", type=click.Path(path_type=Path), help="Root folder of a server to start.")
@click.option("--agent", "name", help="Name of the server in pools.")
def dask_setup(worker: Worker, url: str | None, root: Path | None, name: str | None) -> None:
    """Set up a worker. Dask calls this with the options of ``dask worker`` that it does not know itself."""
    try:
        if url is not None and root is not None:
            raise UsageError("Pass either --url or --root, not both: a server that is started gets a URL.")
        host = Host(worker, url=url, root=None if root is None else absolute_path(root), name=name)
    except InvokeAIClientError as error:
        # Dask only logs errors of preloads, and such a worker would never get an order.
        raise SystemExit(str(error)) from None
    # Dask logs every question.
    logging.getLogger("distributed.worker").addFilter(lambda entry: "out-of-band" not in str(entry.msg))
    _extensions(worker)[KEY] = host
    worker.metrics[KEY] = lambda _: host.info


async def ask(question: str, args: tuple[Any, ...], dask_worker: Worker) -> Any:
    """Call a method of a worker's agent. ``alive`` does nothing.

    An error of ours is returned. Dask would log those that are raised, with the arguments.
    """
    try:
        return None if question == "alive" else await getattr(_host_of(dask_worker).agent, question)(*args)
    except InvokeAIClientError as error:
        # Dask pickles errors with their contexts, which may be requests with secrets.
        error.__cause__ = error.__context__ = None
        return error.with_traceback(None)


async def farewell(batch_id: str, taken: bool, dask_worker: Worker) -> Outcome | None:
    """Return the outcome of an order that was canceled because its worker closes, as ``Host.farewell()`` does."""
    return await _host_of(dask_worker).farewell(batch_id, taken=taken)


async def run(order: Order) -> Outcome | None:
    """Run an order at the agent of the worker that runs this task."""
    from distributed import get_worker

    return await _host_of(get_worker()).run(order)


def agents_in(workers: Mapping[str, Mapping[str, Any]]) -> dict[str, AgentInfo]:
    """Return the agents among the workers of a scheduler, by address.

    Args:
        workers: The workers as ``identity()`` of the scheduler lists them.
    """
    found = {address: worker.get("metrics", {}).get(KEY) for address, worker in workers.items()}
    return {address: info for address, info in found.items() if info is not None}


def _host_of(worker: Worker) -> Host:
    host = _extensions(worker).get(KEY)
    if host is None:
        raise PoolError(f"The worker {worker.address} has no InvokeAI server.")
    return host


def _extensions(worker: Worker) -> dict[str, Host]:
    return cast("Any", worker).extensions


def _start(server: LocalServer) -> None:
    deadline = time.monotonic() + _OLD_SERVER
    while True:
        try:
            server.start()
            return
        except StartError:
            # The server of a worker that was killed ends by itself.
            other = at_root(server.root)
            if other is None or other.detached or time.monotonic() > deadline:
                raise
            time.sleep(_CHECK)


def _with_host(connection: Connection) -> str:
    """Return the URL of a server, with the name of this host instead of a loopback address."""
    address = connection.settings.address
    if not address.is_loopback:
        return address.url
    parts = urlsplit(address.url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{socket.gethostname()}{port}{address.prefix}"
