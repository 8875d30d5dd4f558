"""A sweep: many runs of one workflow, sent, followed, looked at, resumed."""

# Written by tools/generate_sync.py from src/invokeai_py_client/sweep/sweep.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.sweep.sweep import (
    AsyncSweep,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PIL.Image import Image as PILImage

    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client.connection import Connection


class Sweep(Face[AsyncSweep]):
    """Many runs of one workflow.

    Attributes:
        name: The workflow's name.
        axes: The names of the axes, outermost first.
        queue_id: The queue.

    Example:
        ```python
        sweep = wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        for run in sweep:
            print(run.inputs, run.images)
        ```
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

    def grid(self, *, rows: str | None = None, columns: str | None = None, cell: int = 256) -> PILImage:
        """The first image of each run on one labelled sheet. Needs the extra ``invokeai-py-client[image]``.

        Args:
            rows: The axis that goes down; by default the first one, where there are two.
            columns: The axis that goes across; by default the last one.
            cell: The longer side of each picture on the sheet, in pixels.

        Returns:
            The sheet. A run without an image has its state written in its place.

        Raises:
            UsageError: There is no such axis.
        """
        return self._call(self._impl.grid(rows=rows, columns=columns, cell=cell))

    def grids(
        self, *, rows: str | None = None, columns: str | None = None, cell: int = 256, side: int = 4096
    ) -> Iterator[PILImage]:
        """The same on pages of a size that programs can open, with a block for each combination of the other axes.

        One page after the other, so that no more than the pictures of one are in memory.

        Args:
            rows: The axis that goes down.
            columns: The axis that goes across.
            cell: The longer side of each picture, in pixels.
            side: What no side of a page is longer than, in pixels.

        Raises:
            UsageError: There is no such axis.
        """
        return self._iterate(self._impl.grids(rows=rows, columns=columns, cell=cell, side=side))

    def save(self, template: str = "{index:04}-{image}.png") -> list[Path]:
        """Write the images of all runs that have ended to files. A file that is there already stays as it is.

        Args:
            template: Their names, with what each was made with: ``out/{prompt}-{seed}.png``. There are all inputs,
                ``{index}``, ``{item}`` and ``{image}``; what no file system takes is replaced, and no file has the
                name of another.

        Returns:
            The paths, in the order of the runs.

        Raises:
            UsageError: The template names something that there is not.
            TransferError: Some images could not be fetched; the others are there.
        """
        return self._call(self._impl.save(template))

    def report(self, folder: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write a page for a browser: every run with its picture and values, to filter, sort and look at.

        The images go into ``folder/images``; the page itself holds thumbnails, and loads nothing from any network.
        Needs no extra.

        Args:
            folder: Where it goes; made where missing.
            title: What stands above it; the workflow's name by default.

        Returns:
            The page's path, ``folder/index.html``.
        """
        return self._call(self._impl.report(folder, title=title))

    def to_records(self) -> list[dict[str, Any]]:
        """A dict for each run that has ended: ``run item state seconds images error``, and its axis values."""
        return self._impl.to_records()

    def to_pandas(self) -> Any:
        """The records as a pandas table, one row a run. Needs pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        return self._impl.to_pandas()

    @classmethod
    def resume(cls, path: str | os.PathLike[str], client: InvokeAIClient | None = None) -> Sweep:
        """A sweep whose process died, from its manifest.

        What has ended is not run again; what the server still has is followed; what was canceled (by a server that
        died, too) and what was never sent is sent when the sweep is waited for.

        Args:
            path: The manifest.
            client: The server; by default the one that the manifest names.

        Raises:
            UsageError: The file is no manifest, or nothing of the sweep had been sent.
        """
        return cls._of(AsyncSweep.resume(path, unwrap(client)))

    def _repr_html_(self) -> str:
        return self._impl._repr_html_()
