"""A sweep: the runs of one batch, in the plural."""

# Written by tools/generate_sync.py from src/invokeai_py_client/sweep/sweep.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.sweep.sweep import AsyncSweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from PIL.Image import Image as PILImage

    from invokeai_py_client._sync.run_run import Run


class Sweep(Face[AsyncSweep]):
    """Many runs of one workflow, sent in one request.

    Attributes:
        runs: The runs in the order of the axes: the last one varies fastest.
        axes: The names of the axes, in their order.

    Example:
        sweep = wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        for run in sweep:
            print(run.inputs, run.images)
    """

    @property
    def runs(self) -> list[Run]:
        """The runs in the order of the axes: the last one varies fastest."""
        return wrap(self._impl.runs)

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the axes, in their order."""
        return self._impl.axes

    def __len__(self) -> int:
        return self._impl.__len__()

    def __getitem__(self, index: int) -> Run:
        return wrap(self._impl.__getitem__(index))

    def __iter__(self) -> Iterator[Run]:
        return self._iterate(self._impl.__aiter__())

    @property
    def failed(self) -> list[Run]:
        """The runs that have ended without success."""
        return wrap(self._impl.failed)

    def as_completed(self) -> Iterator[Run]:
        """The runs, each as soon as it has ended, well or not."""
        return self._iterate(self._impl.as_completed())

    def wait(self, *, on_run: Callable[[Run], object] | None = None) -> list[Run]:
        """Wait until all runs have ended, well or not.

        Args:
            on_run: Called with each run that has ended.

        Returns:
            The runs in the order of the axes.
        """
        return wrap(self._call(self._impl.wait(on_run=unwrap(on_run))))

    def cancel(self) -> None:
        """Cancel what has not ended yet."""
        self._call(self._impl.cancel())

    def grid(self, *, rows: str | None = None, columns: str | None = None, cell: int = 256) -> PILImage:
        """The first image of each run on one labelled sheet. Needs the extra ``invokeai-py-client[image]``.

        Args:
            rows: The axis that goes down; by default the first one, where there are two.
            columns: The axis that goes across; by default the last one.
            cell: The longer side of each picture on the sheet, in pixels.

        Raises:
            UsageError: There is no such axis.
        """
        return self._call(self._impl.grid(rows=rows, columns=columns, cell=cell))
