"""A sweep: many runs of one workflow, with methods to wait for, save, compare and resume them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._aio import cancel_and_wait, gather_or_cancel
from invokeai_py_client._base import AsyncObject, with_connection
from invokeai_py_client._given import refuse_empty
from invokeai_py_client._partial import is_hopeless
from invokeai_py_client._paths import user_path
from invokeai_py_client._text import listed
from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.engine.inputs import seed_names
from invokeai_py_client.engine.seeds import SeedNames
from invokeai_py_client.errors import InvokeAIClientError, NotFoundError, TransferError, UsageError
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.sweep.manifest import FORMAT, POOL_FORMAT, ManifestWriter
from invokeai_py_client.sweep.one_server import ServerExecution
from invokeai_py_client.sweep.requests import prepare_requests
from invokeai_py_client.sweep.runs import SweepRuns
from invokeai_py_client.transport.loop import call_back, if_abandoned
from invokeai_py_client.transport.payload import path_part
from invokeai_py_client.transport.retry import patiently

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.pool.pool import AsyncInvokeAIPool
    from invokeai_py_client.run.results import CalledResults
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.manifest import Manifest
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.report import ReportEntry
    from invokeai_py_client.sweep.runs import Execution, ServerPool
    from invokeai_py_client.sweep.sheet import Cell
    from invokeai_py_client.video.video import AsyncVideo

# The longer side of the server's thumbnails, in pixels.
_THUMBNAIL = 256
_AT_ONCE = 8
_CHUNK = 32
# What a contact sheet shows in place of an image that is not on the server.
_DELETED = "deleted"
_IN_A_NOTEBOOK = 50


class AsyncSweep(AsyncObject):
    """Many runs of one workflow.

    Attributes:
        name: The workflow's name.
        axes: The names of the axes, outermost first.
        names: The name of each run from the column ``name`` of its table. Empty if the table lacks it.
        queue_id: The queue.

    Example:
        ```python
        sweep = await wf.sweep(cfg_scale=[4, 6, 8], seed=range(4))
        async for run in sweep:
            print(run.inputs, run.images)
        ```
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        axes: Sequence[str],
        runs: SweepRuns,
        execution: Execution,
        *,
        kept: Manifest | None = None,
    ) -> None:
        self.connection = connection
        self._runs = runs
        self._execution = execution
        self._kept = kept
        self.name = name
        self.axes: tuple[str, ...] = tuple(axes)
        self.names: tuple[str, ...] = runs.names
        self.queue_id: str = runs.queue_id

    # ------------------------------------------------------------------ runs

    def __len__(self) -> int:
        return self._runs.count

    def __getitem__(self, index: int) -> AsyncRun:
        return self._runs[index]

    def __aiter__(self) -> AsyncIterator[AsyncRun]:
        return self.as_completed()

    @property
    def runs(self) -> list[AsyncRun]:
        """The runs that have been sent, in the order of the axes. The last axis varies fastest."""
        return self._runs.sent

    @property
    def failed(self) -> list[AsyncRun]:
        """The runs that failed or were canceled."""
        return [run for run in self.runs if run.done and not run.status.ok]

    @property
    def done(self) -> int:
        """The number of runs that have ended, successfully or not."""
        return self._runs.count - len(self._runs.open)

    def index(self, run: AsyncRun) -> int:
        """Return the index of a run in the sweep.

        Raises:
            ValueError: The run does not belong to the sweep.
        """
        place = self._execution.index_of(run)
        if place is None:
            raise ValueError(f"{run!r} does not belong to this sweep.")
        return place

    def values(self, index: int) -> dict[str, Any]:
        """Return the axis values of a run, as they were passed.

        Raises:
            IndexError: The sweep has no run with this index.
        """
        return self._runs.values(index)

    # ------------------------------------------------------------------ waiting

    async def as_completed(self) -> AsyncIterator[AsyncRun]:
        """Yield each run as soon as it has ended, successfully or not.

        Raises:
            ServerUnreachableError: The server was unreachable for five minutes.
        """
        await self._ready()
        given = 0
        async with aclosing(self._execution.steps()) as steps:
            async for _ in steps:
                while given < len(self._runs.ended):
                    given += 1
                    yield self._runs[self._runs.ended[given - 1]]

    async def wait(
        self, *, on_run: Callable[[AsyncRun], object] | None = None, progress: bool | None = None
    ) -> list[AsyncRun]:
        """Wait until all runs have ended, successfully or not.

        Args:
            on_run: A callback for each run that has ended. Defaults to none.
            progress: Whether to show progress. Defaults to True in a terminal or a notebook, and to False elsewhere.

        Returns:
            The runs in the order of the axes.

        Raises:
            ServerUnreachableError: The server was unreachable for five minutes.
        """
        from invokeai_py_client.display.sweep import sweep_display

        failed = 0
        with sweep_display(len(self), progress, self._execution.current) as display:
            refreshing = asyncio.create_task(display.keep_fresh())
            try:
                async for run in self.as_completed():
                    failed += not run.status.ok
                    display.show(self.done, failed)
                    if on_run is not None:
                        await call_back(on_run, run)
            finally:
                await cancel_and_wait([refreshing])
        return self.runs

    # ------------------------------------------------------------------ canceling and retrying

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, and stop sending the others."""
        await self._ready()
        await self._execution.cancel()

    async def retry_failed(self) -> int:
        """Run the failed and canceled runs again, with the same values.

        Returns:
            The number of runs that are run again.
        """
        await self._ready()
        again = {index for index, run in self._runs.items() if run.done and not run.status.ok}
        await self._execution.retry(again)
        return len(again)

    # ------------------------------------------------------------------ images and tables

    async def grid(self, *, rows: str | None = None, columns: str | None = None, cell: int = 256) -> PILImage:
        """Draw the first image of each run on one labeled contact sheet.

        Each combination of the other axes has a separate block with a headline. Axes that are not combined with the
        others (zipped values, or a random seed for each run) are shown below each image. Requires the extra
        ``invokeai-py-client[image]``.

        Args:
            rows: The axis that goes down. Defaults to the first axis whose values are combined with those of
                ``columns``.
            columns: The axis that goes across. Defaults to the last axis that is combined with another one.
            cell: The longer side of each image on the sheet, in pixels. Defaults to 256.

        Returns:
            The contact sheet. A run without an image is shown as its state, and an image that is no longer on the
            server as "deleted".

        Raises:
            UsageError: The sweep has no axis with this name.
        """
        (sheet,) = [page async for page in self._pages(rows, columns, cell, None)]
        return sheet

    async def grids(
        self, *, rows: str | None = None, columns: str | None = None, cell: int = 256, side: int = 4096
    ) -> AsyncIterator[PILImage]:
        """Draw the same contact sheet on pages of limited size.

        Pages are drawn one at a time, so that only the images of one page are in memory. Requires the extra
        ``invokeai-py-client[image]``.

        Args:
            rows: The axis that goes down. Defaults to that of ``grid()``.
            columns: The axis that goes across. Defaults to that of ``grid()``.
            cell: The longer side of each image in pixels. Defaults to 256.
            side: The maximum width and height of a page in pixels. Defaults to 4096.

        Raises:
            UsageError: The sweep has no axis with this name.
        """
        async for page in self._pages(rows, columns, cell, side):
            yield page

    async def save(self, template: str | None = None) -> list[Path]:
        """Save the images and videos of all runs that have ended. Existing files are kept.

        The extension decides the format of the images, as for ``Image.save()``. Videos are saved as ``.mp4``.

        Args:
            template: The file names, for example ``out/{prompt}-{seed}.png``. Available are all inputs, ``{seed}``,
                ``{index}``, ``{item}``, ``{image}``, and ``{name}`` if the table has a column ``name``. Characters
                that file systems do not allow are replaced, and a number is added to names that occur more than once.
                Defaults to ``{name}.png`` if there are names, or else to ``{index:04}-{image}.png``.

        Returns:
            The paths, in the order of the runs. The videos of a run follow its images.

        Raises:
            UsageError: The template is invalid, or contains an unknown name.
            TransferError: Some images or videos could not be downloaded. The others were saved.
        """
        from invokeai_py_client.files.names import paths_of_run_files
        from invokeai_py_client.image.download import WantedFile, download_files
        from invokeai_py_client.sweep.naming import default_template, run_files

        refuse_empty(template=template)
        await self._ready()
        made = [
            (run.connection, file)
            for index, run in self._runs.items()
            if run.done
            for file in run_files(index, run, self.names)
        ]
        chosen = default_template(self.names) if template is None else template
        paths = paths_of_run_files(chosen, [file for _, file in made])
        missing = [
            WantedFile(one.file, path, one.kind, source=connection)
            for (connection, one), path in zip(made, paths, strict=True)
            if not path.exists()
        ]
        await download_files(self.connection, missing)
        return paths

    async def report(self, folder: str | os.PathLike[str], *, title: str | None = None) -> Path:
        """Write an HTML report: each run with its image and values, to filter, sort and browse.

        The images and videos are saved in ``folder/images``. The page contains thumbnails and needs no network. Runs
        that made a video and no image are shown with its thumbnail. No extra is required. An image or video that is no
        longer on the server is shown as an error of its run.

        Args:
            folder: The folder of the report. It is created if it does not exist.
            title: The title of the page. Defaults to the workflow's name.

        Returns:
            The path of the page, ``folder/index.html``.

        Raises:
            TransferError: Some images could not be downloaded. The page was written, with all others.
            UsageError: The title is empty.
        """
        refuse_empty(title=title)
        from invokeai_py_client.files.names import literal_folder
        from invokeai_py_client.sweep.report import write_report

        base = user_path(folder)
        missing: TransferError | None = None
        try:
            await self.save(f"{literal_folder(base / 'images')}{{index:04}}-{{image}}.png")
        except TransferError as error:
            if any(map(is_hopeless, error.failed.values())):
                raise
            missing = error
        lost = {} if missing is None else missing.failed
        loop = asyncio.get_running_loop()
        done = [(index, run) for index, run in self._runs.items() if run.done]

        def entries() -> Iterator[ReportEntry]:
            # Called in a thread: the page is written while the next thumbnails are loaded, and none stays in memory.
            for start in range(0, len(done), _CHUNK):
                chunk = self._entries(done[start : start + _CHUNK], lost)
                yield from asyncio.run_coroutine_threadsafe(chunk, loop).result()

        about = f"{len(done)} of {len(self)} runs finished."
        path = await asyncio.to_thread(
            write_report,
            base / "index.html",
            title or self.name,
            self.axes,
            entries(),
            inputs={name: value for name, value in self._runs.inputs.items() if name not in self.axes},
            about=about,
        )
        if missing is not None:
            raise missing
        return path

    def to_records(self) -> list[dict[str, Any]]:
        """Return a dict for each run that has ended.

        Its keys are ``run item state seconds images error``, ``name`` if the table has such a column, ``seed`` if the
        workflow has a seed, and the axes.
        """
        records: list[dict[str, Any]] = []
        for index, run in self._runs.items():
            if run.done:
                record = self._runs.record(index, run)
                values = record.pop("inputs")
                if self._runs.seeds is not None and self._runs.seeds.main:
                    values = {"seed": run.seed, **values}
                if self.names:
                    values = {"name": self.names[index], **values}
                records.append({**record, "error": record.get("error"), **values})
        return records

    def to_pandas(self) -> Any:
        """Return the records as a pandas data frame with one row per run. Requires pandas.

        Raises:
            UsageError: pandas is not installed.
        """
        from importlib import import_module

        try:
            pandas: Any = import_module("pandas")
        except ImportError:
            raise UsageError(
                "to_pandas() requires pandas, which is not installed. Install it, or use to_records()."
            ) from None
        return pandas.DataFrame(self.to_records()).set_index("run")

    # ------------------------------------------------------------------ resuming

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        client: AsyncInvokeAIClient | AsyncInvokeAIPool | None = None,
    ) -> AsyncSweep:
        """Resume a sweep from its manifest, for example after a crash.

        Runs that have ended are not run again, and runs that are on the server are followed. Runs that were canceled
        (also by a crash of the server), never sent, or removed from the server before their result was known are sent
        when you wait for the sweep. If the server's database was recreated, all runs without a result are sent again.

        Args:
            path: The manifest.
            client: The client to use. If its server is another one than that in the manifest, a warning is logged, and
                the runs without a result are sent to it. Defaults to a client for the server in the manifest, with
                the credentials that belong to this server: those in the environment if ``INVOKEAI_URL`` is its URL,
                or those of its profile. For a sweep over a pool of servers, the pool, which may have other servers now:
                what was sent to a server is looked up there, or sent to others if it does not respond.

        Raises:
            UsageError: The file is not a manifest, no run of the sweep was sent, or the sweep ran on a pool and
                ``client`` is not one, or vice versa.
        """
        from invokeai_py_client.connection import Connection
        from invokeai_py_client.sweep.manifest import read_manifest

        file = user_path(path)
        kept = read_manifest(file)
        head = kept.header
        pool = cast("ServerPool | None", client if hasattr(client, "execution") else None)
        if kept.is_of_pool and pool is None:
            raise UsageError(
                f"The manifest {file} belongs to a sweep over a pool of servers ({listed(head['servers'], 4)}). Pass a "
                "pool instead of a client: Sweep.resume(path, pool)."
            )
        if pool is not None and not kept.is_of_pool:
            raise UsageError(
                f"The manifest {file} belongs to a sweep on one server, {head['url']}. Pass a client for that server "
                "instead of a pool."
            )
        runs = SweepRuns(
            kept.requests,
            inputs=head["inputs"],
            labels=head["labels"],
            queue_id=head["queue"],
            seeds=SeedNames.from_dict(head["seeds"]) if "seeds" in head else None,
            manifest=ManifestWriter(file, create=False),
        )
        if pool is not None:
            execution = pool.execution(runs)
            return cls(pool.connection, head["name"], head["axes"], runs, execution, kept=kept)
        connection = Connection.to_recorded(head["url"]) if client is None else client.connection
        execution = ServerExecution(connection, runs, batch_id=head["batch"], background=head["background"])
        return cls(connection, head["name"], head["axes"], runs, execution, kept=kept)

    # ------------------------------------------------------------------ internals

    async def _ready(self) -> None:
        """If the sweep comes from a manifest, restore its state and send the first runs."""
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                with patiently():
                    await self._execution.restore(kept)
            except BaseException:
                self._kept = kept
                raise
            await self._execution.send()

    async def _entries(
        self, runs: Sequence[tuple[int, AsyncRun]], lost: Mapping[str, InvokeAIClientError]
    ) -> list[ReportEntry]:
        """Return the entries of some runs in the report.

        Args:
            runs: The runs by index.
            lost: The errors of images and videos that could not be saved, by name.
        """
        from invokeai_py_client.image.image import AsyncImage
        from invokeai_py_client.sweep.report import ReportEntry

        async def entry(index: int, run: AsyncRun) -> ReportEntry:
            shown = shown_file(run)
            name = {"name": self.names[index]} if self.names else {}
            error, thumbnail, picture = run.status.error_message, None, None
            if shown is not None and shown.name in lost:
                kind = "image" if isinstance(shown, AsyncImage) else "video"
                error = f"The {kind} {shown.name} is missing: {lost[shown.name]}"
            elif shown is not None:
                thumbnail = await _thumbnail(shown)
                if isinstance(shown, AsyncImage):  # the page cannot play videos
                    picture = f"images/{index:04}-{Path(shown.name).stem}.png"
            values = {**name, **self._runs.recorded_values(index, run)}
            return ReportEntry(index, values, run.status.state.value, run.seconds, error, thumbnail, picture)

        return await gather_or_cancel(entry(index, run) for index, run in runs)

    async def _pages(
        self, rows: str | None, columns: str | None, cell: int, side: int | None
    ) -> AsyncIterator[PILImage]:
        from invokeai_py_client.sweep.sheet import common_shape, draw_page
        from invokeai_py_client.sweep.sheet_plan import choose_axes, plan_sheets

        points = [request.values(row) for request in self._runs.requests for row in range(request.count)]
        chosen = choose_axes(points, self.axes, self._axis(rows), self._axis(columns))
        await self._ready()
        runs = self.runs
        shown = [shown_file(run) if run.done else None for run in runs]
        with patiently():
            sizes = await _sizes([file for file in shown if file is not None])
        limit = asyncio.Semaphore(_AT_ONCE)

        async def content(place: int) -> Cell:
            file = shown[place]
            if file is None:
                return runs[place].status.state.value
            if file.name not in sizes:
                return _DELETED
            async with limit:
                return await _picture(file, cell)

        pages = plan_sheets(
            [run.inputs for run in runs],
            chosen.rows,
            chosen.columns,
            cell,
            others=chosen.blocks,
            captions=chosen.captions,
            side=side,
            shape=common_shape(sizes.values()),
        )
        for page in pages:
            contents = await gather_or_cancel(map(content, page.places))
            yield await asyncio.to_thread(draw_page, page, dict(zip(page.places, contents, strict=True)))

    def _axis(self, name: str | None) -> str | None:
        if name is None or name in self.axes:
            return name
        found = next((axis for axis in self.axes if plain(axis) == plain(str(name))), None)
        if found is None:
            raise UsageError(f"No axis named {name!r} in this sweep: expected one of {', '.join(self.axes)}.")
        return found

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state if "_execution" in state else _from_older(state))

    def _finished(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        """Store the end of a queue item. The followers in pickles of earlier versions call this."""
        assert isinstance(self._execution, ServerExecution)
        self._execution.finished(item_id, item, called)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<{type(self).__name__} of {self.name!r}{over}: {self.done} of {len(self)} done>"

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import html_table
        from invokeai_py_client.files.labels import label_of

        shown = self._runs.items()[:_IN_A_NOTEBOOK]
        rows = [
            [str(index), *(label_of(self.values(index).get(name)) for name in self.axes), str(run.status)]
            for index, run in shown
        ]
        more = f" (showing the first {len(shown)})" if len(shown) < len(self) else ""
        caption = f"{self.name}: {self.done} of {len(self)} runs finished{more}"
        return html_table(caption, ["run", *self.axes, "status"], rows)


def shown_file(run: AsyncRun) -> AsyncImage | AsyncVideo | None:
    """Return the file that stands for a run: its first image, or else its first video."""
    return next(iter((*run.images, *run.videos)), None)


async def _sizes(files: Sequence[AsyncImage | AsyncVideo]) -> dict[str, tuple[int, int]]:
    """Return the width and height of images and videos by name. Those that are not on their server are omitted."""
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.kept import KeptFiles
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.video.repository import AsyncVideoRepository

    found: dict[str, tuple[int, int]] = {}
    others: dict[Connection, list[AsyncImage | AsyncVideo]] = {}
    for file in files:
        size = file.connection.part(KeptFiles).size(file.name)
        if size is None:
            others.setdefault(file.connection, []).append(file)
        else:
            found[file.name] = size
    for connection, unknown in others.items():
        images = [one for one in unknown if isinstance(one, AsyncImage)]
        videos = [one for one in unknown if not isinstance(one, AsyncImage)]
        records = [
            *await connection.part(AsyncImageRepository).get_images(images),
            *await connection.part(AsyncVideoRepository).get_videos(videos),
        ]
        found.update((record.name, (record.width or 1, record.height or 1)) for record in records)
    return found


async def _picture(file: AsyncImage | AsyncVideo, cell: int) -> Cell:
    """Load an image, or the thumbnail if that is large enough. Return a text if it is no longer on the server."""
    from invokeai_py_client.files.images import decode
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.kept import KeptFiles

    try:
        is_here = file.connection.part(KeptFiles).find(file.name) is not None
        whole = isinstance(file, AsyncImage) and (is_here or cell > _THUMBNAIL)
        data = await (file.bytes() if whole else file.thumbnail())
    except NotFoundError:
        return _DELETED
    return decode(data, file.name)


async def _thumbnail(file: AsyncImage | AsyncVideo) -> bytes | None:
    """Load a thumbnail. Return None if it was deleted since its file was saved, so the file is shown instead."""
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.kept import KeptFiles

    if isinstance(file, AsyncImage) and file.connection.part(KeptFiles).find(file.name) is not None:
        return None  # the server may be gone
    try:
        return await file.thumbnail()
    except NotFoundError:
        return None


def _from_older(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a sweep from that of a version in which sweeps contained their execution."""
    connection = with_connection(state, "connection")["connection"]
    runs = SweepRuns(
        state["_requests"],
        inputs=state["_inputs"],
        labels=state["_labels"],
        queue_id=state["queue_id"],
        seeds=state.get("_seeds"),
    )
    runs.take_over(state["_runs"], state["_open"], state["_order"])
    names = {name: state[name] for name in ("name", "axes", "queue_id")}
    execution = ServerExecution.from_older(connection, runs, state)
    own = {"connection": connection, "_runs": runs, "_execution": execution, "_kept": state.get("_kept")}
    return {**own, **names, "names": runs.names}


async def start_sweep(
    connection: Connection,
    loaded: LoadedWorkflow,
    schema: Schema,
    plan: SweepPlan,
    inputs: InputSet,
    *,
    manifest: str | os.PathLike[str] | None = None,
    background: bool = False,
    prepend: bool = False,
    auto_board: str | None = None,
    queue_id: str = "default",
    pool: ServerPool | None = None,
) -> AsyncSweep:
    """Start the runs of a plan.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        plan: The plan.
        inputs: The inputs with the values that all runs share.
        manifest: A new file for the sweep's manifest. Defaults to none.
        background: Whether to keep only two runs at a time in the server's queue. Defaults to False.
        prepend: Whether to put the runs at the front of the queue. Defaults to False.
        auto_board: The board (id or name) for board fields set to "auto". Defaults to the board of the plan.
        queue_id: The queue. Defaults to the queue that the web UI shows.
        pool: The servers that the runs are sent to. Defaults to none: all are sent to ``connection``.

    Raises:
        NotReadyError: The workflow cannot run with these values, or no server of the pool can do it. Nothing was sent.
        ModelNotFoundError: A model is not on the server. Nothing was sent.
        UsageError: The workflow contains batch nodes, or the manifest already exists. Nothing was sent.
    """
    path_part(queue_id, "a queue")  # before images are uploaded
    requests = await prepare_requests(
        connection, loaded, schema, plan, inputs, prepend=prepend, auto_board=auto_board
    )
    values, labels, seeds = inputs.snapshot(), inputs.node_labels(), seed_names(inputs)
    header: dict[str, Any] = {"name": loaded.name, "queue": queue_id, "axes": plan.axes}
    shared: dict[str, Any] = {"inputs": values, "labels": labels, "seeds": seeds.to_dict()}
    batch_id = new_batch_id()
    if pool is None:
        header |= {"url": connection.url, "batch": batch_id, "background": background}
    else:
        await pool.check_requests(requests, connection)
        header |= {"servers": pool.names}
    writer = None if manifest is None else ManifestWriter(user_path(manifest), create=True)
    if writer is not None:
        writer.begin(requests, format=FORMAT if pool is None else POOL_FORMAT, **header, **shared)
    runs = SweepRuns(requests, inputs=values, labels=labels, queue_id=queue_id, seeds=seeds, manifest=writer)
    if pool is None:
        execution = ServerExecution(connection, runs, batch_id=batch_id, background=background)
    else:
        execution = pool.execution(runs, connection)
    home = connection if pool is None else pool.connection
    sweep = AsyncSweep(home, loaded.name, plan.axes, runs, execution)
    await execution.begin()
    if_abandoned(lambda: cancel_quietly(sweep.cancel()))
    return sweep
