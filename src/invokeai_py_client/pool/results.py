"""The results of runs, the runs to try at another server, and those that a server did not do."""

from __future__ import annotations

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.backlog import CLOSED, Backlog
from invokeai_py_client.pool.chunk import Chunk
from invokeai_py_client.pool.roster import Member, Roster

RETURNS = 5
"""How often a server may return a run without executing it before another server gets the run."""


class Results:
    """The results of runs, and the failures that wait for a second opinion.

    Attributes:
        released: The index and batch of each run that can be delivered.
        dropped: The indexes of runs that were closed without a result after they had been sent.
        twice: The number of results of runs that had been delivered already.
        canceled: Whether runs that a server did not do are closed.
    """

    def __init__(self, backlog: Backlog, roster: Roster) -> None:
        self._backlog, self._roster = backlog, roster
        self._failures: dict[int, tuple[Member, str]] = {}
        self._returns: dict[tuple[int, Member], int] = {}
        self.released: list[tuple[int, str]] = []
        self.dropped: list[int] = []
        self.twice = 0
        self.canceled = False

    def resolve(self, member: Member, chunk: Chunk, row: int, state: JobStatus) -> None:
        """Note how a run ended at a server."""
        index = self._backlog.index(chunk.request, row)
        if self._backlog.state(index) == CLOSED:
            self._backlog.disclaim(index, chunk.batch_id)
            self.twice += state is not JobStatus.CANCELLED
            return
        if state is not JobStatus.COMPLETED and self._backlog.owner(index) != chunk.batch_id:
            return  # it was given to others meanwhile: only a good result is welcome
        if (
            state is JobStatus.FAILED
            and index not in self._failures
            and not self.canceled
            and self._roster.others(chunk.request, member)
        ):
            self._failures[index] = member, chunk.batch_id
            member.unsettled += 1
            self._roster.update(member)
            self._backlog.give_back(chunk.request, row, avoid=member.name)
            self._roster.changed = True
            return
        self._deliver(index, chunk.batch_id)
        failure = self._failures.pop(index, None)
        if failure is not None:
            self._settle(failure[0], strike=state is JobStatus.COMPLETED and failure[0] is not member)

    def give_back(self, member: Member, chunk: Chunk, row: int, *, counted: bool) -> None:
        """Let a run that a server did not do wait again.

        Args:
            member: The server.
            chunk: The chunk.
            row: The row.
            counted: Whether the server gave it back by itself, so that it does not do so without end.
        """
        index = self._backlog.index(chunk.request, row)
        if self._backlog.owner(index) != chunk.batch_id:
            return
        if self._backlog.state(index) == CLOSED:
            self._backlog.disclaim(index, chunk.batch_id)
            return
        avoid: Member | None = None
        if index in self._failures:
            avoid = self._failures[index][0]
            if self.canceled or not self._roster.others(chunk.request, avoid):
                self._deliver_failure(index)
                return
        elif self.canceled:
            self._backlog.close(index)
            self.dropped.append(index)
            return
        elif counted:
            number = self._returns[index, member] = self._returns.get((index, member), 0) + 1
            if number >= RETURNS and self._roster.others(chunk.request, member):
                del self._returns[index, member]
                avoid = member
        self._backlog.give_back(chunk.request, row, avoid=avoid.name if avoid is not None else None)
        self._roster.changed = True

    def settle_alone(self) -> None:
        """Give up on other servers for the runs that no other server can do any more."""
        for name, request in list(self._backlog.aside):
            if self._roster.others(request, self._roster.members[name]):
                continue
            for index in self._backlog.clear_aside((name, request)):
                if index in self._failures:
                    self._deliver_failure(index)
                else:
                    self._backlog.add([index])

    def close_aside(self) -> list[int]:
        """Close the runs that should go to another server. Return those that have no result."""
        closed: list[int] = []
        for key in list(self._backlog.aside):
            for index in self._backlog.clear_aside(key):
                if index in self._failures:
                    self._deliver_failure(index)
                else:
                    closed.append(index)
        return closed

    def _deliver(self, index: int, batch_id: str) -> None:
        self._backlog.close(index, batch_id)
        self.released.append((index, batch_id))

    def _deliver_failure(self, index: int) -> None:
        member, batch_id = self._failures.pop(index)
        if self._backlog.state(index) != CLOSED:
            self._backlog.close(index)
        self.released.append((index, batch_id))
        self._settle(member, strike=False)

    def _settle(self, member: Member, *, strike: bool) -> None:
        member.unsettled -= 1
        if strike:
            member.strikes += 1
            member.good = 0
        self._roster.update(member)
        self._roster.changed = True
