"""The connection of a pool to a Dask scheduler: the workers with agents, the questions and orders for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client._aio import cancel_and_wait
from invokeai_py_client.errors import AgentLostError, InvokeAIClientError, PoolError
from invokeai_py_client.pool import dask_worker
from invokeai_py_client.pool_settings import PoolSettings

if TYPE_CHECKING:
    from invokeai_py_client.pool.agent import Sent
    from invokeai_py_client.pool.dask_worker import AgentInfo
    from invokeai_py_client.pool.order import Order, Outcome

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.pool")

# After how many seconds without a result an agent is checked, and how long it has to respond. The workers are read from
# the scheduler as often.
_SILENCE = 15.0
# How long a worker that closes may need to cancel its runs.
_FAREWELL = 15.0
_CONNECT = 10.0
_POLL = 0.5


@dataclass(eq=False, slots=True)
class Member:
    """A worker with an agent.

    Attributes:
        address: The address of the worker.
        info: The agent.
        gone: Set when the worker is lost: whether it was removed as planned.
        absent: Whether it does not respond, or is about to end.
    """

    address: str
    info: AgentInfo
    gone: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    absent: bool = False

    @property
    def is_closing(self) -> bool:
        """Whether it was removed as planned, so that it cancels its runs and returns what is done."""
        return self.gone.done() and self.gone.result()


class Link:
    """The connection to a scheduler in one event loop.

    Args:
        address: The address of the scheduler.
        security: A ``distributed.Security``, or None.

    Attributes:
        opened: Ends when the connection has been made, or with a ``PoolError``.
        changed: Set when ``agents`` changes.
        agents: The workers that can be asked, by the name of their agent.
    """

    def __init__(self, address: str, security: Any) -> None:
        self._address, self._security = address, security
        self._client: Any = None
        self._stream: Any = None
        self._members: dict[str, Member] = {}
        self._sent: dict[str, Sent] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = self._stale = False
        self._read_at = time.monotonic()
        self.changed = asyncio.Event()
        self.agents: dict[str, Member] = {}
        self.opened = asyncio.ensure_future(self._connect())
        self._watch = asyncio.create_task(self._stay_connected())

    def member(self, agent: str) -> Member:
        """Return an agent's worker.

        Raises:
            AgentLostError: No worker has the agent.
        """
        member = self.agents.get(agent)
        if member is None:
            raise AgentLostError(f"No worker of {self._address} that responds has the server {agent}.")
        return member

    async def ask(self, member: Member, question: str, args: tuple[Any, ...]) -> Any:
        """Call a method of the agent of a worker, beside its orders.

        Raises:
            AgentLostError: The worker has ended or does not respond.
            InvokeAIClientError: The method raised it.
        """
        found = await self._while_there(member, self._call(member, dask_worker.ask, question, args))
        if isinstance(found, InvokeAIClientError):
            raise found
        return found

    async def run(self, member: Member, order: Order, sent: Sent) -> Outcome:
        """Run an order on a worker.

        Raises:
            AgentLostError: The worker has ended or does not respond.
        """
        batch_id = order["batch_id"]
        self._sent[batch_id] = sent
        future = self._client.submit(
            dask_worker.run,
            order,
            workers=[member.address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        try:
            outcome = await self._while_there(member, _result_of(future))
        except AgentLostError:
            if not member.is_closing:
                raise
            outcome = None
        finally:
            if self._sent.get(batch_id) is sent:  # otherwise, the order was made again meanwhile
                del self._sent[batch_id]
            future.release()
        if outcome is not None:
            return outcome
        member.absent = True
        self._renew()
        return await self._farewell(member, batch_id)

    async def close(self) -> None:
        """Close the connection."""
        await cancel_and_wait([self._watch, self.opened, *self._tasks])
        if self._client is not None:
            await self._client.close(timeout=0)

    # ------------------------------------------------------------------ inside

    async def _call(self, member: Member, function: Callable[..., Any], *args: Any) -> Any:
        return (await self._client.run(function, *args, workers=[member.address]))[member.address]

    async def _while_there(self, member: Member, work: Coroutine[Any, Any, T]) -> T:
        """Await work of a worker, and check the worker if the work takes long."""
        from concurrent.futures import CancelledError as Withdrawn  # by Dask, without the scheduler

        task = asyncio.ensure_future(work)
        try:
            while True:
                await asyncio.wait({task, member.gone}, timeout=_SILENCE, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                if member.gone.done():
                    raise self._lost(member)
                if not await self._responds(member):
                    self._silence(member)
                    raise self._lost(member)
        except InvokeAIClientError:
            raise
        except (OSError, Withdrawn) as error:
            logger.info("%s: %s", member.info["name"], error)
            if self._is_lost:
                self._forget()
            raise self._lost(member) from None
        finally:
            await cancel_and_wait([task])

    async def _farewell(self, member: Member, batch_id: str) -> Outcome:
        """Return the outcome of an order that its worker has canceled because it closes."""
        try:
            async with asyncio.timeout(_FAREWELL):
                outcome = await self._call(member, dask_worker.farewell, batch_id, False)
                if outcome is not None:
                    await self._call(member, dask_worker.farewell, batch_id, True)
                    return outcome
        except OSError as error:  # also a timeout
            logger.info("%s: %s", member.info["name"], error)
        raise AgentLostError(f"The agent of {member.info['name']} has ended.")

    def _lost(self, member: Member) -> AgentLostError:
        state = "does not respond" if member.absent else "has ended"
        return AgentLostError(f"The agent of {member.info['name']} {state}.")

    async def _responds(self, member: Member) -> bool:
        try:
            async with asyncio.timeout(_SILENCE):
                await self._call(member, dask_worker.ask, "alive", ())
        except OSError as error:  # also a timeout
            logger.info("%s: %s", member.info["name"], error)
            return False
        return True

    def _silence(self, member: Member) -> None:
        """Exclude a worker that does not respond, until it does."""

        async def check() -> None:
            while not member.gone.done() and not await self._responds(member):
                await asyncio.wait({member.gone}, timeout=_POLL)
            member.absent = False
            self._renew()

        if not member.absent:
            logger.warning("The agent of %s does not respond.", member.info["name"])
            member.absent = True
            self._renew()
            self._begin(check())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _renew(self) -> None:
        # If several workers have the same server, one of them is used.
        self.agents = {
            member.info["name"]: member
            for member in reversed(self._members.values())
            if member.info["state"] == "ready" and not member.absent
        }
        self.changed.set()

    async def _connect(self) -> None:
        from distributed import Client

        client: Any = Client(
            self._address,
            security=self._security,
            timeout=_CONNECT,
            asynchronous=True,
            set_as_default=False,
            direct_to_workers=False,
        )
        try:
            self._client = await client
            await self._subscribe()
        except (OSError, ValueError, TypeError) as error:
            await client.close(timeout=0)
            raise PoolError(
                f"Cannot connect to the Dask scheduler at {self._address}: {str(error) or type(error).__name__}. "
                "Check its address, and for tls:// the certificates."
            ) from None

    async def _subscribe(self) -> None:
        self._stream = self._client.scheduler_comm
        self._client.subscribe_topic("all", self._on_change)
        self._client.subscribe_topic(dask_worker.KEY, self._on_agent)
        await self._read()

    @property
    def _is_lost(self) -> bool:
        """Whether the connection to the scheduler was lost, perhaps for a moment. Its tasks are lost with it."""
        return self._client.status != "running" or self._client.scheduler_comm is not self._stream

    async def _stay_connected(self) -> None:
        """Use the connection again when it is back. The client itself connects again for a while."""
        await asyncio.wait([self.opened])
        while not self.opened.cancelled() and self.opened.exception() is None:
            await asyncio.sleep(_POLL)
            if not self._is_lost:
                # Events may be lost, such as those between the first reading and the subscription.
                if time.monotonic() - self._read_at >= _SILENCE:
                    self._begin(self._read())
                continue
            self._forget()
            try:
                if self._client.status == "running":
                    await self._subscribe()
                elif self._client.status == "closed":
                    await self._connect()
            except (OSError, PoolError) as error:
                logger.info("%s", error)

    def _forget(self) -> None:
        for address in list(self._members):
            self._remove(address, planned=False)
        self._renew()

    def _remove(self, address: str, *, planned: bool) -> None:
        member = self._members.pop(address, None)
        if member is not None:
            member.gone.set_result(planned)

    async def _read(self) -> None:
        """Read the workers from the scheduler."""
        self._stale = True
        if self._reading:
            return
        self._reading = True
        try:
            while self._stale:
                self._stale = False
                self._read_at = time.monotonic()
                workers = (await self._client.scheduler.identity())["workers"]
                for address in self._members.keys() - workers.keys():
                    self._remove(address, planned=False)
                for address, info in dask_worker.agents_in(workers).items():
                    self._members.setdefault(address, Member(address, info)).info = info
                self._renew()
        except OSError as error:
            logger.info("%s", error)  # the connection is lost, and is made again
        finally:
            self._reading = False

    def _on_change(self, event: tuple[float, Any]) -> None:
        """Process an event of the scheduler about one of its workers."""
        message = event[1]
        if message.get("action") == "remove-worker":
            self._remove(message["worker"], planned=message["expected"])
            self._renew()
        if message.get("action") in ("add-worker", "remove-worker"):
            self._begin(self._read())

    def _on_agent(self, event: tuple[float, Any]) -> None:
        """Process an event of an agent."""
        message = event[1]
        if "sent" not in message:
            self._begin(self._read())
        elif (sent := self._sent.get(message["sent"])) is not None:
            sent(dict(message["items"]))


def security_of(security: PoolSettings | Any) -> Any:
    """Return the ``distributed.Security`` for the certificates of a pool in the configuration file."""
    from distributed import Security

    if not isinstance(security, PoolSettings):
        return security
    files = {
        "tls_ca_file": security.tls_ca,
        "tls_client_cert": security.tls_cert,
        "tls_client_key": security.tls_key,
    }
    given = {name: str(path) for name, path in files.items() if path is not None}
    return Security(require_encryption=True, **given) if given else None


async def _result_of(future: Any) -> Any:
    """Return the result of a task.

    The client fetches the results of several tasks with one request. Whatever cancels the call for one of them cancels
    this request, and so the calls for the others (distributed 2026.8). So a call goes on until its future is released.
    """
    call: asyncio.Future[Any] = asyncio.ensure_future(future.result())
    call.add_done_callback(lambda call: call.cancelled() or call.exception())
    return await asyncio.shield(call)
