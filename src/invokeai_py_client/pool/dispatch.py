"""The decisions of a pool: which server does which runs, and what happens to them when a server fails or is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.backlog import ASIDE, CLOSED, WAITING, Backlog
from invokeai_py_client.pool.choice import choose
from invokeai_py_client.pool.chunk import Chunk, RequestInfo, chunk_size
from invokeai_py_client.pool.placement import Placement
from invokeai_py_client.pool.results import Results
from invokeai_py_client.pool.roster import Member, Roster
from invokeai_py_client.run.batch_ids import new_batch_id


class Dispatcher:
    """Decides which server does which runs of a sweep.

    It does no I/O and has no clock. The caller starts the chunks of ``orders()``, and reports what happens.
    """

    def __init__(
        self,
        requests: Sequence[RequestInfo],
        *,
        new_batch_id: Callable[[], str] = new_batch_id,
        seconds: float = 5.0,
        lanes: int = 2,
        grace: float = 10.0,
    ) -> None:
        """Start with no run to do and no server.

        Args:
            requests: The requests of the sweep, in the order of their runs.
            new_batch_id: Makes the id of a batch.
            seconds: The duration of a chunk.
            lanes: The number of chunks at a server at a time: at work, or behind the one at work.
            grace: The number of seconds for which the chunks of a lost server are kept for it.
        """
        self._new_batch_id = new_batch_id
        self._lanes = lanes
        self._backlog = Backlog(requests)
        self._roster = Roster(self._backlog, seconds)
        self._results = Results(self._backlog, self._roster)
        self._placement = Placement(self._roster, self._results, grace)

    # --- what is to be done

    def add(self, indexes: Iterable[int]) -> None:
        """Open runs, so that servers do them. Runs that are open already stay as they are.

        Args:
            indexes: The indexes of the runs in the sweep.

        Raises:
            UsageError: If the sweep has no run with an index.
        """
        self._results.canceled = False
        self._backlog.add(indexes)
        self._roster.changed = True

    def restore(self, chunks: Sequence[Chunk], now: float) -> None:
        """Keep chunks that were sent before a restart for their servers, until ``grace`` is over.

        Call ``add()`` before. Runs that are not open are left out. A chunk of which a run was sent again later had been
        given up: it is disowned, and its other open runs wait.

        Args:
            chunks: All chunks that were sent, in their order.
            now: The time.
        """
        last = {
            self._backlog.index(chunk.request, row): chunk.batch_id for chunk in chunks for row in chunk.rows
        }
        for chunk in chunks:
            indexes = {self._backlog.index(chunk.request, row): row for row in chunk.rows}
            rows = [row for index, row in indexes.items() if self._backlog.state(index) != CLOSED]
            if not rows:
                continue
            member = self._roster.member(chunk.server)
            if any(last[index] != chunk.batch_id for index in indexes):
                self._placement.disown(member, chunk)
                continue
            for row in rows:
                self._backlog.assign(chunk.request, row, chunk.batch_id)
            self._placement.restore(member, chunk, rows, now)
        self._roster.changed = True

    # --- servers

    def join(self, server: str, now: float, *, devices: int = 1, fits: Collection[int] | None = None) -> None:
        """Let a server take part, or take part again. Chunks that are held for it are ordered again there.

        Args:
            server: The name of the server.
            now: The time.
            devices: The number of its GPUs.
            fits: The indexes of the requests that it can do. Defaults to all.
        """
        member = self._roster.member(server)
        member.ability = self._backlog.ability(fits)
        member.devices = devices
        self._placement.enter(member)

    def leave(self, server: str, now: float) -> None:
        """Note that a server takes no part any more.

        Args:
            server: The name of the server.
            now: The time.
        """
        self._placement.exit(self._roster.member(server), now)

    def disowned(self, server: str) -> list[str]:
        """Return the batches that were given to others while a server could not be asked.

        Whoever sees the server again withdraws them there before anything else, and then calls ``withdrawn()``.
        """
        member = self._roster.members.get(server)
        return list(member.disowned) if member is not None else []

    def reclaim(self, server: str, now: float) -> None:
        """Hold the disowned chunks of a server for it again, if no other server has begun their runs.

        Call this when the server is seen again, before ``disowned()``.
        """
        member = self._roster.member(server)
        for batch_id, chunk in list(member.disowned.items()):
            sent = {self._backlog.last(self._backlog.index(chunk.request, row)) for row in chunk.rows}
            rows = self._placement.unreported(batch_id)
            states = {self._backlog.state(self._backlog.index(chunk.request, row)) for row in rows}
            if rows and sent == {batch_id} and states <= {WAITING, ASIDE}:
                for row in rows:
                    self._backlog.assign(chunk.request, row, batch_id)
                self._placement.reclaim(member, chunk, rows, now)

    def withdrawn(self, server: str, batch_ids: Iterable[str]) -> None:
        """Note that batches of ``disowned()`` are no longer at a server."""
        for batch_id in batch_ids:
            self._roster.member(server).disowned.pop(batch_id, None)

    # --- work

    def orders(self, now: float) -> list[Chunk]:
        """Return the chunks to start now, each once."""
        self._placement.expire(now)
        found = self._order(self._placement.candidates(), now)
        if not found and not self._placement.busy and self._backlog.open:
            found = self._order(list(self._roster.members.values()), now)
        return found

    def _order(self, members: Sequence[Member], now: float) -> list[Chunk]:
        found: list[Chunk] = []
        for depth in range(self._lanes):
            for member in members:
                if member.present and member.resting is None and len(member.work) == depth:
                    chunk = self._next(member, now)
                    if chunk is not None:
                        self._placement.start(member, chunk, now)
                        found.append(chunk)
        return found

    def _next(self, member: Member, now: float) -> Chunk | None:
        """Return the next chunk of a server: held for it, failed elsewhere, or waiting."""
        if member.held:
            return replace(member.held.pop(next(iter(member.held))), again=True)
        for key in self._backlog.aside:
            server, request = key
            avoided = self._roster.members[server]
            if avoided is member or request not in member.ability:
                continue
            if member.tier and self._roster.has_better(request, member.tier, without=avoided):
                continue
            batch_id = self._new_batch_id()
            rows = self._backlog.take_aside(key, self._size(member), batch_id)
            if not rows:
                return self._next(member, now)
            return Chunk(batch_id, member.name, request, rows)
        trial = member.trial
        if trial is not None and trial <= 0:
            return None
        found = choose(member, self._roster, self._backlog, now)
        if found is None:
            return None
        request, limit = found
        batch_id = self._new_batch_id()
        size = min(limit, self._size(member))
        rows = self._backlog.take(request, size if trial is None else min(size, trial), batch_id)
        if member.share is not None:
            member.share = max(0, member.share - len(rows))
        return Chunk(batch_id, member.name, request, rows)

    def _size(self, member: Member) -> int:
        return chunk_size(
            left=member.ability.total,
            lanes=self._roster.present * self._lanes,
            rate=member.rate,
            seconds=self._roster.seconds,
            devices=member.devices,
        )

    def ended(
        self, batch_id: str, states: Mapping[int, JobStatus], now: float, *, asked: bool = True
    ) -> None:
        """Note how the runs of a chunk ended. Rows that are missing were not done and wait again.

        Args:
            batch_id: The batch.
            states: How each row of the request ended.
            now: The time.
            asked: Whether the server could be asked. If not, the missing rows may still run there: they are given to
                others, the batch is disowned, and the server takes no part until ``join()``.

        Raises:
            KeyError: If no chunk with this batch was ordered.
        """
        member, chunk = self._placement.returned(batch_id, states, now, asked=asked)
        missing: list[int] = []
        for row in chunk.rows:
            state = states.get(row)
            if state is not None and state.is_final:
                self._results.resolve(member, chunk, row, state)
            else:
                missing.append(row)
        for row in reversed(missing):
            self._results.give_back(member, chunk, row, counted=asked)
        self._roster.update(member)
        if self._roster.changed:
            self._results.settle_alone()

    def released(self) -> list[tuple[int, str]]:
        """Return the runs to deliver now, each once: its index, and the batch whose result for it counts."""
        found, self._results.released = self._results.released, []
        return found

    def cancel(self) -> list[int]:
        """Send nothing any more. Chunks that are at work still come back through ``ended()``.

        Returns:
            The indexes of the runs that are at no server. They are closed.
        """
        self._results.canceled = True
        waiting = self._backlog.waiting_requests()
        closed = [index for request in waiting for index in self._backlog.waiting_runs(request)]
        for index in closed:
            self._backlog.close(index)
        closed += self._results.close_aside()
        for member in self._roster.members.values():
            self._placement.give_away(member)
        return sorted(closed)

    def dropped(self) -> list[int]:
        """Return the runs that ``cancel()`` closed after they had been sent, each once.

        Their servers did not do them, or were lost.
        """
        found, self._results.dropped = self._results.dropped, []
        return found

    # --- state for the caller

    @property
    def finished(self) -> bool:
        """Whether all runs are closed, and all results were returned by ``released()``."""
        return not self._backlog.open and not self._results.released

    @property
    def left(self) -> int:
        """The number of runs that have no result yet."""
        return self._backlog.open

    @property
    def twice(self) -> int:
        """The number of results that were dropped because their run had been delivered already."""
        return self._results.twice

    @property
    def excluded(self) -> set[str]:
        """The servers that get nothing more because their runs failed and went well elsewhere."""
        return {member.name for member in self._roster.members.values() if self._roster.is_excluded(member)}

    def rate(self, server: str) -> float | None:
        """Return the measured runs per second of a server. None if it has completed nothing."""
        member = self._roster.members.get(server)
        return member.rate if member is not None else None

    def has_others(self, server: str, request: int) -> bool:
        """Return whether another server that takes part can do a request."""
        return self._roster.others(request, self._roster.member(server)) > 0

    def is_excluded(self, server: str) -> bool:
        """Return whether a server gets only what no other one can do, because its runs went well elsewhere."""
        return self._roster.is_excluded(self._roster.member(server))

    def at(self, server: str) -> list[Chunk]:
        """Return the chunks that are at work at a server, the oldest first."""
        member = self._roster.members.get(server)
        return list(member.work.values()) if member is not None else []

    def next_time(self) -> float | None:
        """Return when ``orders()`` or ``released()`` may change without another call. None if they can not."""
        return self._placement.next_time()

    def stranded(self, now: float) -> list[int]:
        """Return the runs that no server that takes part can do. Empty while chunks are held or at work."""
        self._placement.expire(now)
        if self._placement.busy or self._placement.away:
            return []
        alone = [one for one in self._backlog.waiting_requests() if not self._backlog.able(one)]
        return sorted(index for request in alone for index in self._backlog.waiting_runs(request))
