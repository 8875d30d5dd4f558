"""The runs of a sweep that have no result yet, and the counts by which they are given to servers."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool.chunk import RequestInfo

CLOSED, WAITING, ASIDE, OUT = range(4)
"""The states of a run: not wanted (any more); to be sent; to be sent, but not to a certain server; sent."""


@dataclass(slots=True, eq=False)
class Ability:
    """The requests that a server can do. Servers that can do the same requests share one.

    Attributes:
        requests: The requests. None for all.
        waiting: The number of waiting runs of each affinity. An affinity without waiting runs is absent.
        total: The number of all waiting runs.
        servers: The number of servers that take part: trusted, on probation, and excluded.
    """

    requests: frozenset[int] | None
    waiting: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    total: int = 0
    servers: list[int] = field(default_factory=lambda: [0, 0, 0])

    def __contains__(self, request: int) -> bool:
        return self.requests is None or request in self.requests

    def count(self, affinity: Hashable, change: int) -> None:
        """Change the number of waiting runs of an affinity."""
        self.total += change
        left = self.waiting.get(affinity, 0) + change
        if left:
            self.waiting[affinity] = left
        else:
            del self.waiting[affinity]


class Backlog:
    """The runs without a result: in which state each is, and how many wait for a server.

    No method looks at all runs or all servers, except ``waiting_runs()``.
    """

    def __init__(self, requests: Sequence[RequestInfo]) -> None:
        self.requests = tuple(requests)
        self._firsts = [request.first for request in self.requests]
        self._state = bytearray(max((one.first + one.count for one in self.requests), default=0))
        self._ranges: list[deque[list[int]]] = [deque() for _ in self.requests]
        self._left = [0] * len(self.requests)
        self._of_affinity: dict[Hashable, OrderedDict[int, None]] = {}
        self._everything = Ability(None)
        self._abilities: dict[frozenset[int], Ability] = {}
        self._limited: list[list[Ability]] = [[] for _ in self.requests]
        self._owners: dict[int, str] = {}
        self._last: list[str | None] = [None] * len(self._state)
        self.aside: OrderedDict[tuple[str, int], deque[int]] = OrderedDict()
        """Rows that should go to any server but one, by that server and the request."""
        self.open = 0
        """The number of runs that have no result yet."""

    def locate(self, index: int) -> tuple[int, int]:
        """Return the request and the row of a run.

        Raises:
            UsageError: If no request has a run with this index.
        """
        request = bisect_right(self._firsts, index) - 1
        if request < 0 or index - self._firsts[request] >= self.requests[request].count:
            raise UsageError(
                f"The sweep has no run with the index {index}. It has {len(self._state)} runs, counted from 0."
            )
        return request, index - self._firsts[request]

    def index(self, request: int, row: int) -> int:
        """Return the index of a run in the sweep."""
        return self._firsts[request] + row

    def state(self, index: int) -> int:
        """Return the state of a run."""
        return self._state[index]

    def owner(self, index: int) -> str | None:
        """Return the batch that a run was sent with and that has not come back."""
        return self._owners.get(index)

    def last(self, index: int) -> str | None:
        """Return the batch that a run was last sent with."""
        return self._last[index]

    def ability(self, requests: Collection[int] | None) -> Ability:
        """Return the shared counts for servers that can do these requests."""
        if requests is None:
            return self._everything
        key = frozenset(requests)
        found = self._abilities.get(key)
        if found is None:
            if key and not (min(key) >= 0 and max(key) < len(self.requests)):
                raise UsageError(
                    f"Requests that a server can do: {sorted(key)} contains a number that no request has; "
                    f"expected numbers from 0 to {len(self.requests) - 1}."
                )
            if len(key) == len(self.requests):
                return self._everything
            found = self._abilities[key] = Ability(key)
            for request in key:
                self._limited[request].append(found)
                if self._left[request]:
                    found.count(self.requests[request].affinity, self._left[request])
        return found

    def abilities(self, request: int) -> Iterator[Ability]:
        """Yield the counts of all servers that can do a request."""
        yield self._everything
        yield from self._limited[request]

    def able(self, request: int) -> int:
        """Return how many servers that take part can do a request."""
        return sum(sum(one.servers) for one in self.abilities(request))

    def first(self, ability: Ability, affinity: Hashable) -> int:
        """Return the first request of an affinity that has waiting runs and that a server can do."""
        return next(request for request in self._of_affinity[affinity] if request in ability)

    # --- changes of one run

    def add(self, indexes: Iterable[int]) -> None:
        """Let runs wait that are closed. Runs that are open stay as they are."""
        for index in indexes:
            request, row = self.locate(index)
            if self._state[index] != CLOSED:
                continue
            self.open += 1
            if index in self._owners:
                self._state[index] = OUT  # a copy is still at work
                continue
            self._wait(request, 1)
            self._state[index] = WAITING
            ranges = self._ranges[request]
            if ranges and ranges[-1][1] == row:
                ranges[-1][1] = row + 1
            else:
                ranges.append([row, row + 1])

    def take(self, request: int, size: int, batch_id: str) -> tuple[int, ...]:
        """Take waiting rows of a request for a batch."""
        taken: list[int] = []
        ranges = self._ranges[request]
        while len(taken) < size and ranges:
            start, stop = ranges[0]
            end = min(stop, start + size - len(taken))
            # A row may be listed although it got its result from a server that was believed to be lost.
            taken += [row for row in range(start, end) if self._claim(request, row, batch_id)]
            if end == stop:
                ranges.popleft()
            else:
                ranges[0][0] = end
        self._wait(request, -len(taken))
        return tuple(taken)

    def _claim(self, request: int, row: int, batch_id: str) -> bool:
        index = self._firsts[request] + row
        if self._state[index] != WAITING:
            return False
        self._send(index, batch_id)
        return True

    def _send(self, index: int, batch_id: str) -> None:
        self._state[index] = OUT
        self._owners[index] = self._last[index] = batch_id

    def take_aside(self, key: tuple[str, int], size: int, batch_id: str) -> tuple[int, ...]:
        """Take rows that should go to another server."""
        rows = self.aside[key]
        taken: list[int] = []
        while len(taken) < size and rows:
            index = self.index(key[1], rows[0])
            if self._state[index] == ASIDE:
                self._send(index, batch_id)
                taken.append(rows[0])
            rows.popleft()
        if not rows:
            del self.aside[key]
        return tuple(taken)

    def clear_aside(self, key: tuple[str, int]) -> list[int]:
        """Close the runs that should go to any server but one, and return their indexes."""
        found = [self.index(key[1], row) for row in self.aside.pop(key)]
        found = [index for index in dict.fromkeys(found) if self._state[index] == ASIDE]
        for index in found:
            self.close(index)
        return found

    def assign(self, request: int, row: int, batch_id: str) -> None:
        """Note that an open run was sent before."""
        index = self.index(request, row)
        if self._state[index] == WAITING:
            self._wait(request, -1)
        if self._state[index] != CLOSED:
            self._send(index, batch_id)

    def give_back(self, request: int, row: int, *, avoid: str | None = None) -> None:
        """Let a run that is out wait again, before all others.

        Args:
            request: The request.
            row: The row.
            avoid: The server that should not do it.
        """
        index = self.index(request, row)
        del self._owners[index]
        if avoid is not None:
            self._state[index] = ASIDE
            self.aside.setdefault((avoid, request), deque()).append(row)
            return
        self._state[index] = WAITING
        self._wait(request, 1)
        ranges = self._ranges[request]
        if ranges and ranges[0][0] == row + 1:
            ranges[0][0] = row
        else:
            ranges.appendleft([row, row + 1])

    def close(self, index: int, batch_id: str | None = None) -> None:
        """Close an open run, in whatever state it is.

        Args:
            index: The run.
            batch_id: The batch that its result is from. If it was sent with another one, that stays its owner.
        """
        if self._state[index] == WAITING:
            self._wait(self.locate(index)[0], -1)
        self._state[index] = CLOSED
        self.open -= 1
        if batch_id is None or self._owners.get(index) == batch_id:
            self._owners.pop(index, None)

    def disclaim(self, index: int, batch_id: str) -> None:
        """Note that a batch has come back, if it owns a run."""
        if self._owners.get(index) == batch_id:
            del self._owners[index]

    def _wait(self, request: int, change: int) -> None:
        if not change:
            return
        affinity = self.requests[request].affinity
        before = self._left[request]
        self._left[request] += change
        for ability in self.abilities(request):
            ability.count(affinity, change)
        if not before:
            self._of_affinity.setdefault(affinity, OrderedDict())[request] = None
        elif not self._left[request]:
            del self._of_affinity[affinity][request]

    def waiting_requests(self) -> list[int]:
        """Return the requests that have waiting runs."""
        return [request for requests in self._of_affinity.values() for request in requests]

    def waiting_runs(self, request: int) -> list[int]:
        """Return the indexes of the waiting runs of a request. This looks at all of them."""
        first = self._firsts[request]
        rows = {row for start, stop in self._ranges[request] for row in range(start, stop)}
        return [first + row for row in sorted(rows) if self._state[first + row] == WAITING]
