"""A sweep, and what one looks at afterwards: sheets, files, tables."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.many_runs import AsyncManyRuns

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.sweep.report import ReportEntry
    from invokeai_py_client.sweep.sheet import Cell

# The server makes a thumbnail of at most so many pixels a side.
_THUMBNAIL = 256
_AT_ONCE = 8
_CHUNK = 32
_IN_A_NOTEBOOK = 50


class AsyncSweep(AsyncManyRuns):
    """Many runs of one workflow.

    Example:
        ```python
        sweep = await wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        async for run in sweep:
            print(run.inputs, run.images)
        ```
    """

    # ------------------------------------------------------------------ looking at it

    async def grid(self, *, rows: str | None = None, columns: str | None = None, cell: int = 256) -> PILImage:
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
        down, across = self._down_and_across(rows, columns)
        (sheet,) = [page async for page in self._pages(down, across, cell, (), None)]
        return sheet

    async def grids(
        self, *, rows: str | None = None, columns: str | None = None, cell: int = 256, side: int = 4096
    ) -> AsyncIterator[PILImage]:
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
        down, across = self._down_and_across(rows, columns)
        others = [name for name in self.axes if name not in (down, across)]
        async for page in self._pages(down, across, cell, others, side):
            yield page

    async def save(self, template: str = "{index:04}-{image}.png") -> list[Path]:
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
        from invokeai_py_client.files.names import file_name, unique
        from invokeai_py_client.image.download import download_files

        await self._ready()
        names = _template(template)
        wanted = [
            (image, file_name(names, run.inputs, index, image.name, item=run.item_id))
            for index, run in sorted(self._runs.items())
            if run.done
            for image in run.images
        ]
        paths = list(unique(path for _, path in wanted))
        missing = [
            (image.name, path) for (image, _), path in zip(wanted, paths, strict=True) if not path.exists()
        ]
        await download_files(self.connection, missing)
        return paths

    async def report(self, folder: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write a page for a browser: every run with its picture and values, to filter, sort and look at.

        The images go into ``folder/images``; the page itself holds thumbnails, and loads nothing from any network.
        Needs no extra.

        Args:
            folder: Where it goes; made where missing.
            title: What stands above it; the workflow's name by default.

        Returns:
            The page's path, ``folder/index.html``.
        """
        from invokeai_py_client.sweep.report import write_report

        base = Path(folder)
        images = str(base / "images").replace("{", "{{").replace("}", "}}")
        await self.save(f"{images}/{{index:04}}-{{image}}.png")
        loop = asyncio.get_running_loop()
        done = [(index, run) for index, run in sorted(self._runs.items()) if run.done]

        def entries() -> Iterator[ReportEntry]:
            # In a thread: the page is written while the next thumbnails come, and none is kept.
            for start in range(0, len(done), _CHUNK):
                chunk = self._entries(done[start : start + _CHUNK])
                yield from asyncio.run_coroutine_threadsafe(chunk, loop).result()

        about = f"{len(done)} of {len(self)} runs have ended."
        return await asyncio.to_thread(
            write_report,
            base / "index.html",
            title or self.name,
            self.axes,
            entries(),
            inputs={name: value for name, value in self._inputs.items() if name not in self.axes},
            about=about,
        )

    def to_records(self) -> list[dict[str, Any]]:
        """A dict for each run that has ended: ``run item state seconds images error``, and its axis values."""
        from invokeai_py_client.sweep.record import run_record

        records: list[dict[str, Any]] = []
        for index, run in sorted(self._runs.items()):
            if run.done:
                record = run_record(index, run, self.values(index))
                values = record.pop("inputs")
                records.append({**record, "error": record.get("error"), **values})
        return records

    def to_pandas(self) -> Any:
        """The records as a pandas table, one row a run. Needs pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        from importlib import import_module

        try:
            pandas: Any = import_module("pandas")
        except ImportError:
            raise UsageError(
                "to_pandas() needs pandas, which is not installed; to_records() does not."
            ) from None
        return pandas.DataFrame(self.to_records()).set_index("run")

    # ------------------------------------------------------------------ resuming it

    @classmethod
    def resume(cls, path: str | os.PathLike[str], client: AsyncInvokeAIClient | None = None) -> AsyncSweep:
        """A sweep whose process died, from its manifest.

        What has ended is not run again; what the server still has is followed; what was canceled (by a server that
        died, too) and what was never sent is sent when the sweep is waited for.

        Args:
            path: The manifest.
            client: The server; by default the one that the manifest names.

        Raises:
            UsageError: The file is no manifest, or nothing of the sweep had been sent.
        """
        from invokeai_py_client.connection import Connection
        from invokeai_py_client.sweep.manifest import ManifestWriter, read_manifest

        kept = read_manifest(Path(path))
        head = kept.header
        sweep = cls(
            Connection.to(head["url"]) if client is None else client.connection,
            head["name"],
            head["axes"],
            kept.requests,
            batch_id=head["batch"],
            inputs=head["inputs"],
            labels=head["labels"],
            queue_id=head["queue"],
            background=head["background"],
            manifest=ManifestWriter(Path(path), anew=False),
        )
        sweep._kept = kept
        return sweep

    # ------------------------------------------------------------------ inside

    def _down_and_across(self, rows: str | None, columns: str | None) -> tuple[str | None, str | None]:
        rows, columns = self._axis(rows), self._axis(columns)
        columns = columns or next((name for name in reversed(self.axes) if name != rows), None)
        rows = rows or next((name for name in self.axes if name != columns), None)
        return rows, columns

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import html_table
        from invokeai_py_client.files.labels import label_of

        shown = sorted(self._runs.items())[:_IN_A_NOTEBOOK]
        rows = [
            [str(index), *(label_of(self.values(index).get(name)) for name in self.axes), str(run.status)]
            for index, run in shown
        ]
        more = f", the first {len(shown)} of them" if len(shown) < len(self) else ""
        caption = f"{self.name}: {self.done} of {len(self)} runs have ended{more}"
        return html_table(caption, ["run", *self.axes, "status"], rows)

    async def _entries(self, runs: Sequence[tuple[int, AsyncRun]]) -> list[ReportEntry]:
        from invokeai_py_client.sweep.report import ReportEntry

        async def entry(index: int, run: AsyncRun) -> ReportEntry:
            image = run.images[0] if run.images else None
            return ReportEntry(
                index,
                self.values(index),
                run.status.state.value,
                run.seconds,
                run.status.error_message,
                None if image is None else await image.thumbnail(),
                None if image is None else f"images/{index:04}-{Path(image.name).stem}.png",
            )

        return await gather_or_cancel(entry(index, run) for index, run in runs)

    async def _pages(
        self, rows: str | None, columns: str | None, cell: int, others: Sequence[str], side: int | None
    ) -> AsyncIterator[PILImage]:
        from invokeai_py_client.sweep.sheet import common_shape, draw_page
        from invokeai_py_client.sweep.sheet_plan import plan_sheets

        await self._ready()
        runs = self.runs
        shown = [run.images[0] if run.done and run.images else None for run in runs]
        from invokeai_py_client.image.repository import AsyncImageRepository

        records = await self.connection.part(AsyncImageRepository).get_images(
            image.name for image in shown if image
        )
        sizes = {record.image_name: (record.width or 1, record.height or 1) for record in records}
        limit = asyncio.Semaphore(_AT_ONCE)

        async def content(place: int) -> Cell:
            image = shown[place]
            if image is None:
                return runs[place].status.state.value
            if image.name not in sizes:
                return "deleted"
            async with limit:
                return await _picture(image, cell)

        pages = plan_sheets(
            [run.inputs for run in runs],
            rows,
            columns,
            cell,
            others=others,
            side=side,
            shape=common_shape(sizes.values()),
        )
        for page in pages:
            contents = await gather_or_cancel(map(content, page.places))
            yield await asyncio.to_thread(draw_page, page, dict(zip(page.places, contents, strict=True)))

    def _axis(self, name: str | None) -> str | None:
        if name is None or name in self.axes:
            return name
        found = next((axis for axis in self.axes if plain(axis) == plain(name)), None)
        if found is None:
            raise UsageError(f"{name!r} is no axis of this sweep; those are {', '.join(self.axes)}.")
        return found


def _template(text: str) -> str:
    """A template; a folder that is there is meant as one, as in ``Image.save()``."""
    return f"{text}/" if "{" not in text and Path(text).is_dir() else text


async def _picture(image: AsyncImage, cell: int) -> PILImage:
    """An image, as small as will do."""
    from invokeai_py_client.files.decode import decode

    return decode(await (image.thumbnail() if cell <= _THUMBNAIL else image.bytes()), image.name)
