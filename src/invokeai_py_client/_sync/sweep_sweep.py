"""A sweep, and what one looks at afterwards: sheets, files, tables."""

# Written by tools/generate_sync.py from src/invokeai_py_client/sweep/sweep.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import unwrap
from invokeai_py_client._sync.sweep_many_runs import ManyRuns
from invokeai_py_client.sweep.sweep import AsyncSweep

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from PIL.Image import Image as PILImage

    from invokeai_py_client._sync.client import InvokeAIClient


class Sweep(ManyRuns):
    """Many runs of one workflow.

    Example:
        ```python
        sweep = wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        for run in sweep:
            print(run.inputs, run.images)
        ```
    """

    _impl: AsyncSweep

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
