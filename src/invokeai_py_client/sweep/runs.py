"""The runs of a sweep by their index, wherever they are executed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from invokeai_py_client.errors import RunNotFinishedError
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.sweep.manifest import ManifestWriter, run_record
from invokeai_py_client.sweep.requests import Request, RowInputs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.seeds import SeedNames
    from invokeai_py_client.run.status import RunStatus
    from invokeai_py_client.run.tracker import BatchTracker
    from invokeai_py_client.sweep.manifest import Manifest


class SweepRuns:
    """The runs of a sweep: which have been sent, which have ended, and their records in the manifest.

    Args:
        requests: The requests of the sweep.
        inputs: The inputs that all runs share.
        labels: The labels of the workflow's nodes, by node id.
        queue_id: The queue.
        seeds: The names of the seeds. Defaults to None: not known.
        manifest: The manifest, which receives a line for each run that has ended. Defaults to none.

    Attributes:
        requests: The requests of the sweep.
        count: The number of runs.
        open: The indexes of the runs that have not ended.
        ended: The indexes of the runs that have ended, in the order of their ends.
    """

    def __init__(
        self,
        requests: Sequence[Request],
        *,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str],
        queue_id: str,
        seeds: SeedNames | None = None,
        manifest: ManifestWriter | None = None,
    ) -> None:
        self.requests = tuple(requests)
        self.inputs = dict(inputs)
        self.labels = dict(labels)
        self.queue_id = queue_id
        self.seeds = seeds
        self.manifest = manifest
        self.count = sum(request.count for request in self.requests)
        self.open: set[int] = set(range(self.count))
        self.ended: list[int] = []
        self._runs: dict[int, AsyncRun] = {}
        self._firsts = [request.first for request in self.requests]

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each run. Empty if none has a name."""
        # Rows that were added when the sweep was resumed may have no names, and so may those before.
        names = [request.names or ("",) * request.count for request in self.requests]
        return tuple(chain(*names)) if any(chain(*names)) else ()

    @property
    def sent(self) -> list[AsyncRun]:
        """The runs that have been sent, in the order of the sweep."""
        return [self._runs[index] for index in sorted(self._runs)]

    def items(self) -> list[tuple[int, AsyncRun]]:
        """Return the runs that have been sent with their indexes, in the order of the sweep."""
        return sorted(self._runs.items())

    def __contains__(self, index: int) -> bool:
        return index in self._runs

    def get(self, index: int) -> AsyncRun | None:
        """Return a run, or None if it has not been sent."""
        return self._runs.get(index)

    def __getitem__(self, index: int) -> AsyncRun:
        """Return a run by its index. Negative indexes count from the end.

        Raises:
            IndexError: The sweep has no run with this index.
            RunNotFinishedError: The run has not been sent.
        """
        place = index + self.count if index < 0 else index
        if not 0 <= place < self.count:
            raise self._unknown(index)
        run = self._runs.get(place)
        if run is None:
            raise RunNotFinishedError(
                f"Run {place} of the sweep has not been sent yet. Wait for it with wait() or as_completed()."
            )
        return run

    def find(self, run: AsyncRun) -> int | None:
        """Return the index of an equal run, or None. This compares it with all runs."""
        return next((index for index, known in self._runs.items() if known == run), None)

    def place(self, index: int) -> tuple[Request, int]:
        """Return the request and the row of a run.

        Raises:
            IndexError: The sweep has no run with this index.
        """
        if not 0 <= index < self.count:
            raise self._unknown(index)
        request = self.requests[bisect_right(self._firsts, index) - 1]
        return request, index - request.first

    def values(self, index: int) -> dict[str, Any]:
        """Return the axis values of a run.

        Raises:
            IndexError: The sweep has no run with this index.
        """
        request, row = self.place(index)
        return request.values(row)

    def recorded_values(self, index: int, run: AsyncRun) -> dict[str, Any]:
        """Return the axis values of a run, and the seeds that random nodes drew for it on the server."""
        names = () if self.seeds is None else self.seeds.drawn.values()
        inputs = run.inputs
        return {**self.values(index), **{name: inputs[name] for name in names if name in inputs}}

    def record(self, index: int, run: AsyncRun) -> dict[str, Any]:
        """Return the record of a run that has ended."""
        return run_record(index, run, self.recorded_values(index, run))

    # ------------------------------------------------------------------ changes

    def add(
        self,
        index: int,
        connection: Connection,
        item_id: int,
        batch_id: str,
        tracker: BatchTracker,
        end: RunEnd,
        *,
        server: str | None = None,
    ) -> AsyncRun:
        """Add a run that has been sent.

        Args:
            index: The run's index.
            connection: The server that has the run.
            item_id: The queue item.
            batch_id: The batch.
            tracker: The tracker of the item.
            end: Receives the results.
            server: The name of the server in a pool. Defaults to None: there is only one server.
        """
        run = self._runs[index] = AsyncRun(
            connection,
            item_id,
            tracker,
            batch_id=batch_id,
            queue_id=self.queue_id,
            inputs=RowInputs(*self.place(index), self.inputs),
            labels=self.labels,
            end=end,
            seeds=self.seeds,
            server=server,
        )
        return run

    def remove(self, index: int) -> None:
        """Forget a run, because it is going to be sent again."""
        self._runs.pop(index, None)

    def end(self, index: int, *, record: bool = True) -> None:
        """Mark a run as ended.

        Args:
            index: The run's index.
            record: Whether to write it to the manifest. Defaults to True.
        """
        self.open.discard(index)
        self.ended.append(index)
        if self.manifest is not None and record:
            run = self._runs[index]
            where = {} if run.server is None else {"server": run.server}
            self.manifest.write("run", **self.record(index, run), batch=run.batch_id, **where)

    def reopen(self, indexes: Iterable[int]) -> None:
        """Mark runs as not ended, because they are run again."""
        again = set(indexes)
        self.ended = [index for index in self.ended if index not in again]
        self.open |= again

    def take_over(self, runs: Mapping[int, AsyncRun], open_runs: Iterable[int], ended: Iterable[int]) -> None:
        """Set the state of a sweep that an earlier version pickled."""
        self._runs = dict(runs)
        self.open = set(open_runs)
        self.ended = list(ended)

    def _unknown(self, index: int) -> IndexError:
        return IndexError(f"No run {index}: the sweep has {self.count} runs, numbered from 0.")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "manifest": None}  # only the process that writes the manifest keeps it


def step_of(run: AsyncRun, status: RunStatus) -> str:
    """Return the node and the progress of a run as text, such as ``: Denoise 40%``. Empty if they are not known."""
    node = f": {run.node_label(status.node_id)}" if status.node_id else ""
    if status.loading:
        return f"{node}, loading {status.loading}"
    return node if status.fraction is None else f"{node} {status.fraction:.0%}"


class Execution(Protocol):
    """The execution of a sweep's runs, on one server or on several."""

    async def begin(self) -> None:
        """Start the runs of a new sweep."""
        ...

    async def restore(self, kept: Manifest) -> None:
        """Restore the state of the sweep from its manifest."""
        ...

    async def send(self) -> None:
        """Start to send the runs that are still to be sent."""
        ...

    def steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yield whenever some may have ended, at least once."""
        ...

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, and stop sending the others."""
        ...

    async def retry(self, indexes: set[int]) -> None:
        """Run some runs that have ended again."""
        ...

    def index_of(self, run: AsyncRun) -> int | None:
        """Return the index of a run, or None if it is unknown."""
        ...

    def current(self) -> list[str]:
        """Return descriptions of what is running, one for each server. Empty if nothing is running."""
        ...


class ServerPool(Protocol):
    """A pool of servers, as a sweep uses it."""

    @property
    def connection(self) -> Connection:
        """The connection that keeps the pool's background tasks and event loop."""
        ...

    @property
    def names(self) -> list[str]:
        """The names of the servers."""
        ...

    async def check_requests(self, requests: Sequence[Request], reference: Connection) -> None:
        """Check that for each request there is a server that can do it.

        Raises:
            NotReadyError: No server can do some requests. The error says why, for each server.
            ServerUnreachableError: No server responds.
        """
        ...

    def execution(self, runs: SweepRuns, reference: Connection | None = None) -> Execution:
        """Return the execution of a sweep on this pool.

        Args:
            runs: The runs of the sweep.
            reference: The server that the requests were made for. Defaults to the first server.
        """
        ...
