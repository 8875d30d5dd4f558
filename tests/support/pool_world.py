"""Servers that do, fail, return, lose and repeat chunks as a test says, with a clock of their own.

``World`` checks after each step what must never happen. ``simulate()`` runs a whole sweep on servers of given speeds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool.chunk import Chunk, RequestInfo
from invokeai_py_client.pool.dispatch import Dispatcher

DONE, FAILED, CANCELED = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED
GRACE, LANES = 10.0, 2


def requests_of(sizes: Sequence[int], affinities: Sequence[Hashable] | None = None) -> list[RequestInfo]:
    """Return requests with these numbers of runs. By default, each has its own models."""
    firsts = [0, *itertools.accumulate(sizes)]
    return [
        RequestInfo(first, size, affinities[number] if affinities is not None else number)
        for number, (first, size) in enumerate(zip(firsts, sizes, strict=False))
    ]


@dataclass(eq=False)
class Batch:
    """A batch that was sent.

    Attributes:
        chunk: The chunk.
        alive: The rows that may still run at the server.
        results: The results that were reported.
        lost: Since when the server has been lost.
        excused: Whether its rows may be given to others.
    """

    chunk: Chunk
    alive: set[int]
    results: dict[int, JobStatus] = field(default_factory=dict[int, JobStatus])
    lost: float | None = None
    excused: bool = False

    def may_be_repeated(self, now: float) -> bool:
        return self.excused or (self.lost is not None and now >= self.lost + GRACE)


class World:
    """A dispatcher with its servers, of which each step is checked."""

    def __init__(self, sizes: Sequence[int], affinities: Sequence[Hashable] | None = None) -> None:
        self.requests = requests_of(sizes, affinities)
        self.now = 0.0
        self.ids = itertools.count()
        self.batches: dict[str, Batch] = {}
        self.at_work: dict[str, Batch] = {}
        self.present: dict[str, frozenset[int] | None] = {}
        self.open = set(range(sum(sizes)))
        self.failed_at: dict[int, set[str]] = {}
        self.canceled = False
        self.pool = self._new_pool()
        self.pool.add(self.open)

    def _new_pool(self) -> Dispatcher:
        return Dispatcher(
            self.requests, new_batch_id=lambda: f"batch-{next(self.ids)}", lanes=LANES, grace=GRACE
        )

    def able(self, request: int) -> set[str]:
        return {name for name, fits in self.present.items() if fits is None or request in fits}

    # --- steps

    def join(self, server: str, fits: Collection[int] | None = None, devices: int = 1) -> None:
        self.pool.reclaim(server, self.now)
        for batch_id in self.pool.disowned(server):
            self.batches[batch_id].alive.clear()
        self.pool.withdrawn(server, self.pool.disowned(server))
        assert self.pool.disowned(server) == []
        self.present[server] = frozenset(fits) if fits is not None else None
        self.pool.join(server, self.now, devices=devices, fits=fits)
        self.check()

    def leave(self, server: str) -> None:
        self.present.pop(server, None)
        for batch in self.batches.values():
            if batch.chunk.server != server:
                continue
            if self.at_work.pop(batch.chunk.batch_id, None) is not None:
                batch.lost = self.now
                batch.excused = self.canceled
        self.pool.leave(server, self.now)
        self.check()

    def end(self, batch_id: str, states: Mapping[int, JobStatus], *, asked: bool = True) -> None:
        """Let a chunk come back, or report something late."""
        batch = self.batches[batch_id]
        self.at_work.pop(batch_id, None)
        states = {row: state for row, state in states.items() if row in batch.alive}
        batch.results |= states
        batch.alive = set() if asked else batch.alive - states.keys()
        for row, state in states.items():
            if state is FAILED:
                self.failed_at.setdefault(self._index(batch.chunk, row), set()).add(batch.chunk.server)
        if not asked:
            batch.excused = True
            self.present.pop(batch.chunk.server, None)
        self.pool.ended(batch_id, states, self.now, asked=asked)
        self.check()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.check()

    def cancel(self) -> None:
        self.canceled = True
        self._close(self.pool.cancel())
        for batch in self.batches.values():
            if batch.chunk.batch_id not in self.at_work:
                batch.excused = True
        self.check()

    def add(self, indexes: Iterable[int]) -> None:
        self.canceled = False
        for index in {*indexes} - self.open:
            self.open.add(index)
            self.failed_at.pop(index, None)
        self.pool.add(sorted(self.open))
        self.check()

    def restart(self) -> None:
        """Let the client crash, and resume the sweep."""
        self.at_work.clear()
        self.present.clear()
        for batch in self.batches.values():
            batch.excused = batch.may_be_repeated(self.now) or self._is_repeated(batch)
            batch.lost = self.now
        self.failed_at.clear()
        self.canceled = False
        self.pool = self._new_pool()
        self.pool.add(self.open)
        self.pool.restore([batch.chunk for batch in self.batches.values()], self.now)
        self.check()

    # --- checks

    def _index(self, chunk: Chunk, row: int) -> int:
        return self.requests[chunk.request].first + row

    def _close(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            self.open.remove(index)

    def check(self) -> None:
        """Release what can be released, start what can be started, and check both."""
        for index, batch_id in self.pool.released():
            self._check_release(index, self.batches[batch_id])
        self._close(self.pool.dropped())
        for chunk in self.pool.orders(self.now):
            self._check_order(chunk)
        self._close(self.pool.dropped())
        for index, batch_id in self.pool.released():
            self._check_release(index, self.batches[batch_id])
        assert self.pool.left == len(self.open)
        assert self.pool.finished == (not self.open)
        for server in self.present:
            here = [batch_id for batch_id, batch in self.at_work.items() if batch.chunk.server == server]
            assert [chunk.batch_id for chunk in self.pool.at(server)] == here
            assert len(here) <= LANES
        for request in range(len(self.requests)):
            able = self.able(request)
            assert not able or able - self.pool.excluded or not self._waits(request), "no server is left"

    def _is_repeated(self, batch: Batch) -> bool:
        """Return whether a row of a batch was sent again later."""
        later = itertools.dropwhile(lambda one: one is not batch, self.batches.values())
        next(later)
        return any(
            other.chunk.request == batch.chunk.request and {*other.chunk.rows} & {*batch.chunk.rows}
            for other in later
        )

    def _waits(self, request: int) -> bool:
        rows = {self._index(batch.chunk, row) for batch in self.batches.values() for row in batch.alive}
        info = self.requests[request]
        return any(index not in rows for index in self.open if info.first <= index < info.first + info.count)

    def _check_release(self, index: int, batch: Batch) -> None:
        self.open.remove(index)  # each run once
        request = batch.chunk.request
        state = batch.results[index - self.requests[request].first]
        if state is FAILED:
            tried = self.failed_at[index]
            assert len(tried) > 1 or self.canceled or not self.able(request) - tried

    def _check_order(self, chunk: Chunk) -> None:
        assert not self.canceled
        assert chunk.server in self.present
        before = self.batches.get(chunk.batch_id)
        if chunk.again:
            assert before is not None
            assert (before.chunk.server, before.chunk.rows) == (chunk.server, chunk.rows)
            assert chunk.batch_id not in self.at_work
            assert not self._is_repeated(before), "a third server may do them"
            before.lost, before.excused = None, False
            self.at_work[chunk.batch_id] = before
            return
        assert before is None
        assert chunk.rows
        assert chunk.server in self.able(chunk.request)
        for row in chunk.rows:
            assert self._index(chunk, row) in self.open
            for other in self.batches.values():
                if other.chunk.request == chunk.request and row in other.alive:
                    assert other.may_be_repeated(self.now)
        batch = self.batches[chunk.batch_id] = Batch(chunk, set(chunk.rows))
        self.at_work[chunk.batch_id] = batch

    # --- the end

    def finish(self) -> None:
        """Let the servers that take part do all that is left, in a bounded number of steps."""
        for _ in range(100 + 10 * len(self.open)):
            if self.pool.finished:
                return
            if self.at_work:
                batch = next(iter(self.at_work.values()))
                self.now += 1
                self.end(batch.chunk.batch_id, dict.fromkeys(batch.chunk.rows, DONE))
                continue
            time = self.pool.next_time()
            assert time is not None, f"nothing happens, {self.pool.left} runs are left"
            self.wait(max(0.0, time - self.now))
        raise AssertionError(f"it does not end, {self.pool.left} runs are left")


@dataclass(frozen=True)
class Sweep:
    """A simulated sweep.

    Attributes:
        seconds: How long it took.
        best: How long it would take if all servers were busy all the time and never waited for models.
        loads: How often models were loaded.
        wasted: The share of the executions that failed.
        failed: The number of runs whose released result is a failure.
        runs: The number of runs of each server.
        excluded: The servers that were excluded.
    """

    seconds: float
    best: float
    loads: int
    wasted: float
    failed: int
    runs: Mapping[str, int]
    excluded: Collection[str]
    chunks: int


def simulate(
    sizes: Sequence[int],
    speeds: Sequence[float],
    *,
    broken: Collection[str] = (),
    seconds: float = 5.0,
    affinities: Sequence[Hashable] | None = None,
) -> Sweep:
    """Run a sweep on servers ``a``, ``b``, ... that do this number of runs per second.

    Broken servers fail a run in 0.01 s.
    """
    requests = requests_of(sizes, affinities)
    numbers = itertools.count()
    pool = Dispatcher(requests, new_batch_id=lambda: str(next(numbers)), seconds=seconds)
    pool.add(range(sum(sizes)))
    names = [f"s{number}" for number in range(len(speeds))]
    rates = dict(zip(names, speeds, strict=True))
    for name in names:
        pool.join(name, 0.0)
    free = dict.fromkeys(names, 0.0)
    loaded: dict[str, Hashable] = {}
    runs = dict.fromkeys(names, 0)
    events: list[tuple[float, int, Chunk]] = []
    now, loads, chunks, executed, wasted = 0.0, 0, 0, 0, 0
    states: dict[str, JobStatus] = {}
    released: dict[int, str] = {}
    while True:
        for chunk in pool.orders(now):
            chunks += 1
            name = chunk.server
            affinity = requests[chunk.request].affinity
            loads += name not in loaded or loaded[name] != affinity
            loaded[name] = affinity
            each = 0.01 if name in broken else 1 / rates[name]
            free[name] = max(now, free[name]) + len(chunk.rows) * each
            states[chunk.batch_id] = FAILED if name in broken else DONE
            heapq.heappush(events, (free[name], chunks, chunk))
        for index, batch_id in pool.released():
            assert index not in released
            released[index] = batch_id
        if not events:
            break
        now, _, chunk = heapq.heappop(events)
        state = states[chunk.batch_id]
        executed += len(chunk.rows)
        runs[chunk.server] += len(chunk.rows)
        wasted += len(chunk.rows) if state is FAILED else 0
        pool.ended(chunk.batch_id, dict.fromkeys(chunk.rows, state), now)
    assert pool.finished
    assert len(released) == sum(sizes)
    return Sweep(
        now,
        sum(sizes) / sum(rate for name, rate in rates.items() if name not in broken),
        loads,
        wasted / executed,
        sum(states[batch_id] is FAILED for batch_id in released.values()),
        runs,
        pool.excluded,
        chunks,
    )
