"""Many runs of one workflow: sent, followed, canceled, repeated."""

# Written by tools/generate_sync.py from src/invokeai_py_client/sweep/many_runs.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.sweep.many_runs import AsyncManyRuns

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Iterator,
    )

    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client.connection import Connection


class ManyRuns(Face[AsyncManyRuns]):
    """Many runs of one workflow.

    Attributes:
        name: The workflow's name.
        axes: The names of the axes, outermost first.
        queue_id: The queue.
    """

    @property
    def connection(self) -> Connection:
        return self._impl.connection

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._impl.name

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes, outermost first."""
        return self._impl.axes

    @property
    def queue_id(self) -> str:
        """The queue."""
        return self._impl.queue_id

    def __len__(self) -> int:
        return self._impl.__len__()

    def __getitem__(self, index: int) -> Run:
        return wrap(self._impl.__getitem__(index))

    def __iter__(self) -> Iterator[Run]:
        return self._iterate(self._impl.__aiter__())

    @property
    def runs(self) -> list[Run]:
        """The runs that have been sent, in the order of the axes: the last one varies fastest."""
        return wrap(self._impl.runs)

    @property
    def failed(self) -> list[Run]:
        """The runs that have ended without success."""
        return wrap(self._impl.failed)

    @property
    def done(self) -> int:
        """How many runs have ended, well or not."""
        return self._impl.done

    def index(self, run: Run) -> int:
        """Where a run stands in the sweep.

        Raises:
            ValueError: It is none of the sweep's.
        """
        return self._impl.index(unwrap(run))

    def values(self, index: int) -> dict[str, Any]:
        """The axis values of a run, as they were given.

        Raises:
            IndexError: There is no such run.
        """
        return self._impl.values(index)

    def as_completed(self) -> Iterator[Run]:
        """The runs, each as soon as it has ended, well or not.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        return self._iterate(self._impl.as_completed())

    def wait(
        self, *, on_run: Callable[[Run], object] | None = None, progress: bool | None = None
    ) -> list[Run]:
        """Wait until all runs have ended, well or not.

        Args:
            on_run: Called with each run that has ended.
            progress: Whether to show it; by default where a person watches (a terminal or a notebook).

        Returns:
            The runs in the order of the axes.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        return wrap(self._call(self._impl.wait(on_run=unwrap(on_run), progress=progress)))

    def cancel(self) -> None:
        """Cancel what has not ended yet, and send nothing more."""
        self._call(self._impl.cancel())

    def retry_failed(self) -> int:
        """Run once more what has failed or was canceled, with the same values.

        Returns:
            How many runs that are.
        """
        return self._call(self._impl.retry_failed())
