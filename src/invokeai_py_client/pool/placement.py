"""Where the chunks are: at work, held for a lost server, or given to others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.chunk import Chunk
from invokeai_py_client.pool.results import Results
from invokeai_py_client.pool.roster import Member, Roster


class Placement:
    """The chunks of all servers.

    Attributes:
        busy: The number of chunks at work.
        away: The lost servers for which chunks are held.
    """

    def __init__(self, roster: Roster, results: Results, grace: float) -> None:
        self._roster, self._results, self._grace = roster, results, grace
        self._owner: dict[str, Member] = {}
        self._late: dict[str, tuple[Member, Chunk]] = {}
        self._known: dict[str, frozenset[int]] = {}
        self._ready: dict[Member, None] = {}
        self._idle: dict[Member, None] = {}
        self._resting: dict[Member, None] = {}
        self.away: dict[Member, None] = {}
        self.busy = 0

    def candidates(self) -> list[Member]:
        """Return the servers that may get something, because something changed for them."""
        if self._roster.changed:
            found = list(self._roster.members.values())
        else:
            found = list(self._ready)
            if self._idle:
                # One of those that had nothing to do, in turn: the others may have become slower.
                member = next(iter(self._idle))
                self._idle[member] = self._idle.pop(member)
                found.append(member)
        self._roster.changed = False
        self._ready.clear()
        return found

    def next_time(self) -> float | None:
        """Return when a hold or a rest ends next."""
        times = [*(member.until for member in self.away), *(member.resting for member in self._resting)]
        return min((time for time in times if time is not None), default=None)

    def expire(self, now: float) -> None:
        """End the holds and rests whose time is over."""
        for member in list(self.away):
            if member.until is not None and member.until <= now:
                self.give_away(member)
        for member in list(self._resting):
            if member.resting is not None and member.resting <= now:
                self._wake(member)
                self._change(member)

    # --- servers

    def enter(self, member: Member) -> None:
        """Let a server take part."""
        if not member.present:
            self._roster.spare_loads += 1
        member.present, member.until = True, None
        self.away.pop(member, None)
        self._wake(member)
        member.rests = 0
        if not member.work:
            self._idle[member] = None
        self._change(member)

    def exit(self, member: Member, now: float) -> None:
        """Let a server take no part, and hold its chunks."""
        for batch_id in list(member.work):
            self.hold(member, self._end(member, batch_id), now)
        self._silence(member, now)
        if self._results.canceled:
            self.give_away(member)

    def _silence(self, member: Member, now: float) -> None:
        member.present = False
        self._idle.pop(member, None)
        self._set_time(member, now)
        self._change(member)

    def _wake(self, member: Member) -> None:
        member.resting = None
        self._resting.pop(member, None)

    def _change(self, member: Member) -> None:
        self._roster.update(member)
        self._roster.changed = True
        self._results.settle_alone()

    # --- chunks

    def start(self, member: Member, chunk: Chunk, now: float) -> None:
        """Note that a chunk is at work."""
        member.start(chunk, now)
        self._owner[chunk.batch_id] = member
        self._idle.pop(member, None)
        self.busy += 1

    def _end(self, member: Member, batch_id: str) -> Chunk:
        chunk = member.end(batch_id)
        self.busy -= 1
        if not member.work and member.present:
            self._idle[member] = None
        return chunk

    def returned(
        self, batch_id: str, states: Mapping[int, JobStatus], now: float, *, asked: bool
    ) -> tuple[Member, Chunk]:
        """Note that a chunk came back.

        Args:
            batch_id: The batch.
            states: How its runs ended, by row. Others were not done.
            now: The time.
            asked: Whether the server could be asked.

        Returns:
            The server, and the chunk with the rows that have not come back before.
        """
        member = self._owner.pop(batch_id, None)
        late, at_work = member is None, False
        if member is None:
            member, chunk = self._late[batch_id]
        elif batch_id in member.work:
            chunk = self._end(member, batch_id)
            at_work = True
        else:
            chunk = member.held.pop(batch_id)
            self._set_time(member, now)
        whole, known = chunk, self._known.pop(batch_id, frozenset[int]())
        if known:
            chunk = replace(chunk, rows=tuple(row for row in chunk.rows if row not in known))
        final = {row: states[row] for row in chunk.rows if row in states and states[row].is_final}
        missing = tuple(row for row in chunk.rows if row not in final)
        if at_work:
            member.measure(now, final)
            self._ready[member] = None
            if final:
                member.rests = 0
            elif asked:
                member.rest(now)
                self._resting[member] = None
        if not asked:
            if missing:
                member.disowned[batch_id] = whole
            self._silence(member, now)
        if late or not asked:
            self._late[batch_id] = member, whole
            self._known[batch_id] = known.union(final)
        return member, chunk

    def restore(self, member: Member, chunk: Chunk, rows: Collection[int], now: float) -> None:
        """Hold a chunk that was sent before a restart, of which only some rows have not come back."""
        self._known[chunk.batch_id] = frozenset(chunk.rows).difference(rows)
        self.hold(member, chunk, now)

    def hold(self, member: Member, chunk: Chunk, now: float) -> None:
        """Keep a chunk for its server: until ``grace`` is over, or to be ordered again if the server takes part."""
        member.held[chunk.batch_id] = chunk
        self._owner[chunk.batch_id] = member
        self._set_time(member, now)

    def _set_time(self, member: Member, now: float) -> None:
        if member.held and not member.present:
            member.until = now + self._grace
            self.away[member] = None
        else:
            member.until = None
            self.away.pop(member, None)

    def disown(self, member: Member, chunk: Chunk) -> None:
        """Note that a chunk that others do may still run at a server, which may report it late."""
        member.disowned[chunk.batch_id] = chunk
        self._late[chunk.batch_id] = member, chunk

    def unreported(self, batch_id: str) -> tuple[int, ...]:
        """Return the rows of a disowned chunk that its server has not reported."""
        known = self._known.get(batch_id, frozenset())
        return tuple(row for row in self._late[batch_id][1].rows if row not in known)

    def reclaim(self, member: Member, chunk: Chunk, rows: Collection[int], now: float) -> None:
        """Hold a disowned chunk again, because no other server has begun its rows that were not reported."""
        del member.disowned[chunk.batch_id], self._late[chunk.batch_id]
        self.restore(member, chunk, rows, now)

    def give_away(self, member: Member) -> None:
        """Give the chunks that are held for a server, and may still run there, to others."""
        for batch_id, chunk in member.held.items():
            del self._owner[batch_id]
            self.disown(member, chunk)
            for row in reversed(chunk.rows):
                self._results.give_back(member, chunk, row, counted=False)
        member.held.clear()
        member.until = None
        self.away.pop(member, None)
