"""A sweep: many runs of one workflow, with methods to wait for, save, compare and resume them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._base import AsyncObject
from invokeai_py_client._given import refuse_empty
from invokeai_py_client._partial import is_hopeless
from invokeai_py_client._paths import user_path
from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.engine.inputs import seed_names
from invokeai_py_client.engine.seeds import SeedNames
from invokeai_py_client.errors import (
    APIRequestError,
    EnqueueUnknownError,
    InvokeAIClientError,
    NotFoundError,
    RunNotFinishedError,
    TransferError,
    UsageError,
)
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.run.end import RunEnd, removed_item
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.reported import ReportedItems
from invokeai_py_client.run.results import CalledResults
from invokeai_py_client.run.run import AsyncRun, move_run
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.sweep.delivery import Delivered, Delivery
from invokeai_py_client.sweep.follower import Follower
from invokeai_py_client.sweep.manifest import ManifestWriter
from invokeai_py_client.sweep.origin import warn_if_foreign
from invokeai_py_client.sweep.requests import RowInputs, prepare_requests
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.loop import call_back, if_abandoned
from invokeai_py_client.transport.payload import path_part
from invokeai_py_client.transport.retry import Outage, patiently

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.run.status import RunStatus
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.manifest import Manifest
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.report import ReportEntry
    from invokeai_py_client.sweep.requests import Request
    from invokeai_py_client.sweep.sheet import Cell
    from invokeai_py_client.video.video import AsyncVideo

# How many runs of a background sweep are in the server's queue at a time.
_FEW = 2
# How many runs are sent at a time while the server's queue is full.
_REFILL = 100
# The longer side of the server's thumbnails, in pixels.
_THUMBNAIL = 256
_AT_ONCE = 8
_CHUNK = 32
# What a contact sheet shows in place of an image that is not on the server.
_DELETED = "deleted"
_IN_A_NOTEBOOK = 50
# How many runs after the first running one are checked for further GPUs.
_NEAR = 16


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
        requests: Sequence[Request],
        *,
        batch_id: str,
        inputs: Mapping[str, Any],
        labels: Mapping[str, str],
        queue_id: str = "default",
        background: bool = False,
        manifest: ManifestWriter | None = None,
        kept: Manifest | None = None,
        seeds: SeedNames | None = None,
    ) -> None:
        self.connection = connection
        self._requests = tuple(requests)
        self._inputs = dict(inputs)
        self._labels = dict(labels)
        self._background = background
        self._manifest = manifest
        self._runs: dict[int, AsyncRun] = {}
        self._ends: dict[int, RunEnd] = {}
        self._index: dict[int, int] = {}
        self._open: set[int] = set(range(sum(request.count for request in requests)))
        self._count = len(self._open)
        self._order: list[int] = []
        self._tracker = BatchTracker(batch_id, keep_events=False, keep_results=True)
        self._reported = ReportedItems(requests[0].body["batch"])
        self._follower = Follower(connection, queue_id, self._tracker, self._finished, self._reported)
        self._delivery = Delivery(connection, queue_id, requests, self._tracker, manifest)
        self._feeder: asyncio.Task[None] | None = None
        self._kept = kept
        self._seeds = seeds
        self.name = name
        self.axes: tuple[str, ...] = tuple(axes)
        # Rows that were added when the sweep was resumed may have no names, and so may those before.
        names = [request.names or ("",) * request.count for request in requests]
        self.names: tuple[str, ...] = tuple(chain(*names)) if any(chain(*names)) else ()
        self.queue_id = queue_id

    # ------------------------------------------------------------------ runs

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> AsyncRun:
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"No run {index}: the sweep has {self._count} runs, numbered from 0.")
        run = self._runs.get(place)
        if run is None:
            raise RunNotFinishedError(
                f"Run {place} of the sweep has not been sent yet. Wait for it with wait() or as_completed()."
            )
        return run

    def __aiter__(self) -> AsyncIterator[AsyncRun]:
        return self.as_completed()

    @property
    def runs(self) -> list[AsyncRun]:
        """The runs that have been sent, in the order of the axes. The last axis varies fastest."""
        return [self._runs[index] for index in sorted(self._runs)]

    @property
    def failed(self) -> list[AsyncRun]:
        """The runs that failed or were canceled."""
        return [run for run in self.runs if run.done and not run.status.ok]

    @property
    def done(self) -> int:
        """The number of runs that have ended, successfully or not."""
        return self._count - len(self._open)

    def index(self, run: AsyncRun) -> int:
        """Return the index of a run in the sweep.

        Raises:
            ValueError: The run does not belong to the sweep.
        """
        place = self._index.get(run.item_id)
        if place is None or self._runs[place] != run:  # a new database has items with the same ids
            place = next((index for index, known in self._runs.items() if known == run), None)
        if place is None:
            raise ValueError(f"{run!r} does not belong to this sweep.")
        return place

    def values(self, index: int) -> dict[str, Any]:
        """Return the axis values of a run, as they were passed.

        Raises:
            IndexError: The sweep has no run with this index.
        """
        request, row = self._place(index)
        return request.values(row)

    def _place(self, index: int) -> tuple[Request, int]:
        for request in self._requests:
            if 0 <= index - request.first < request.count:
                return request, index - request.first
        raise IndexError(f"No run {index}: the sweep has {self._count} runs, numbered from 0.")

    # ------------------------------------------------------------------ waiting

    async def as_completed(self) -> AsyncIterator[AsyncRun]:
        """Yield each run as soon as it has ended, successfully or not.

        Raises:
            ServerUnreachableError: The server was unreachable for five minutes.
        """
        await self._ready()
        given = 0
        async with aclosing(self._steps()) as steps:
            async for _ in steps:
                while given < len(self._order):
                    given += 1
                    yield self._runs[self._order[given - 1]]

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
        with sweep_display(self._count, progress, self._current) as display:
            async for run in self.as_completed():
                failed += not run.status.ok
                display.show(self.done, failed)
                if on_run is not None:
                    await call_back(on_run, run)
        return self.runs

    def _current(self) -> str:
        """Return the number, the node and the progress of the run that is running, or "" if none is running.

        If several GPUs are at work, this is the run with the lowest number, with its GPU and the number of the others.
        """
        running: list[tuple[int, AsyncRun, RunStatus]] = []
        left = _NEAR
        for index in self._open.copy():
            run = self._runs.get(index)
            status = None if run is None else run.status
            if run is not None and status is not None and status.state is JobStatus.RUNNING:
                running.append((index, run, status))
            left -= bool(running)
            if not left:
                break
        if not running:
            return ""
        index, run, status = min(running, key=lambda entry: entry[0])
        node = f": {run.node_label(status.node_id)}" if status.node_id else ""
        share = "" if status.fraction is None else f" {status.fraction:.0%}"
        if status.loading:
            share = f", loading {status.loading}"
        if len(running) == 1:
            return f"run {index + 1}{node}{share}"
        device = f" on {status.device}" if status.device else ""
        return f"run {index + 1}{device}{node}{share}, {len(running) - 1} more"

    # ------------------------------------------------------------------ canceling and retrying

    async def cancel(self) -> None:
        """Cancel the runs that have not ended, and stop sending the others."""
        await self._ready()
        self._stop_feeding()
        self._open -= set(self._delivery.drop())
        if self._delivery.batches:
            await self._delivery.cancel(self._delivery.batches)
            await self._follower.read_states()
        self._tracker.wake()

    async def retry_failed(self) -> int:
        """Run the failed and canceled runs again, with the same values.

        Returns:
            The number of runs that are run again.
        """
        await self._ready()
        again = {index for index, run in self._runs.items() if run.done and not run.status.ok}
        for index in again:  # the end of an item may not have been processed yet, for example after cancel()
            self._follower.drop(self._runs[index].item_id)
            self._ends.pop(self._runs[index].item_id, None)
        self._order = [index for index in self._order if index not in again]
        self._open |= again
        self._delivery.add(again)
        await self._send()
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
            file
            for index, run in sorted(self._runs.items())
            if run.done
            for file in run_files(index, run, self.names)
        ]
        paths = paths_of_run_files(default_template(self.names) if template is None else template, made)
        missing = [
            WantedFile(one.file, path, one.kind)
            for one, path in zip(made, paths, strict=True)
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
        done = [(index, run) for index, run in sorted(self._runs.items()) if run.done]

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
            inputs={name: value for name, value in self._inputs.items() if name not in self.axes},
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
        from invokeai_py_client.sweep.manifest import run_record

        records: list[dict[str, Any]] = []
        for index, run in sorted(self._runs.items()):
            if run.done:
                record = run_record(index, run, self._recorded_values(index, run))
                values = record.pop("inputs")
                if self._seeds is not None and self._seeds.main:
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
    def resume(cls, path: str | os.PathLike[str], client: AsyncInvokeAIClient | None = None) -> AsyncSweep:
        """Resume a sweep from its manifest, for example after a crash.

        Runs that have ended are not run again, and runs that are on the server are followed. Runs that were canceled
        (also by a crash of the server), never sent, or removed from the server before their result was known are sent
        when you wait for the sweep. If the server's database was recreated, all runs without a result are sent again.

        Args:
            path: The manifest.
            client: The client to use. If its server is another one than that in the manifest, a warning is logged, and
                the runs without a result are sent to it. Defaults to a client for the server in the manifest, with
                the credentials that belong to this server: those in the environment if ``INVOKEAI_URL`` is its URL,
                or those of its profile.

        Raises:
            UsageError: The file is not a manifest, or no run of the sweep was sent.
        """
        from invokeai_py_client.connection import Connection
        from invokeai_py_client.sweep.manifest import read_manifest

        file = user_path(path)
        kept = read_manifest(file)
        head = kept.header
        return cls(
            Connection.to_recorded(head["url"]) if client is None else client.connection,
            head["name"],
            head["axes"],
            kept.requests,
            batch_id=head["batch"],
            inputs=head["inputs"],
            labels=head["labels"],
            queue_id=head["queue"],
            background=head["background"],
            manifest=ManifestWriter(file, create=False),
            kept=kept,
            seeds=SeedNames.from_dict(head["seeds"]) if "seeds" in head else None,
        )

    # ------------------------------------------------------------------ internals

    async def _ready(self) -> None:
        """If the sweep comes from a manifest, restore its state and send the first runs."""
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                with patiently():
                    await self._restore(kept)
            except BaseException:
                self._kept = kept
                raise
            await self._send()

    async def _begin(self) -> None:
        """Send the first runs. If a later request is rejected, the earlier ones are canceled."""
        self._delivery.add_all()
        try:
            await self._send()
        except BaseException:
            if self._runs:
                await cancel_quietly(self._delivery.cancel(self._delivery.batches))
            raise

    async def _restore(self, kept: Manifest) -> None:
        """Restore the state of the sweep from its manifest and the server.

        Canceled runs are run again, because a server that crashes cancels the run in progress.
        """
        await warn_if_foreign(self.connection, self.queue_id, kept)
        for index, (item_id, batch_id) in (await self._delivery.restore(kept.batches)).items():
            if index in self._runs:
                continue  # restored by an earlier attempt that failed later
            record = kept.runs.get(index)
            if record is None or (record["item"], record.get("batch", batch_id)) != (item_id, batch_id):
                self._add_run(index, item_id, batch_id)
            elif JobStatus(record["state"]) is not JobStatus.CANCELLED:
                self._add_run(index, item_id, batch_id)
                self._restore_end(index, item_id, record)
        await self._follower.read_states()
        for index in sorted(self._open):
            run = self._runs.get(index)
            if run is not None and run.status.state is JobStatus.CANCELLED:
                self._follower.drop(run.item_id)
                del self._runs[index], self._ends[run.item_id]
        self._delivery.add(index for index in self._open if index not in self._runs)

    def _restore_end(self, index: int, item_id: int, record: Mapping[str, Any]) -> None:
        """Restore a run that has ended from its record in the manifest."""
        from invokeai_py_client.sweep.manifest import recorded_item

        self._ends.pop(item_id).record = record
        self._tracker.item(item_id, recorded_item(record))
        self._follower.drop(item_id)
        self._open.discard(index)
        self._order.append(index)

    async def _send(self) -> None:
        cut = False
        while len(self._delivery) and not cut and not self._background:
            cut = await self._send_on(None)
        if len(self._delivery):
            self._start_feeding()

    def _start_feeding(self) -> None:
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._keep_sending())
            self._feeder.add_done_callback(lambda _: self._tracker.wake())
            self.connection.background(self._feeder)

    async def _keep_sending(self) -> None:
        """Send the remaining runs whenever the queue has room."""
        while len(self._delivery):
            if self._background:
                room = _FEW - len(self._follower)
                if room > 0:
                    await self._send_on(room)
                else:
                    await self._tracker.change(timing.QUEUE_FULL)
                continue
            before = self.done
            enough = min(_REFILL, max(1, len(self._follower)))
            while self.done - before < enough and await self._tracker.change(timing.QUEUE_FULL):
                pass
            await self._send_on(max(_REFILL, self.done - before))

    async def _send_on(self, most: int | None) -> bool:
        """Send some runs, and tolerate outages. A lost request is sent again only if the server did not receive it.

        Args:
            most: The maximum number of runs. None: all runs of the next request.

        Returns:
            Whether the server accepted only a part of the runs because its queue is full.
        """
        longest = self.connection.settings.outage_timeout
        outage: Outage | None = None
        while True:
            try:
                return self._take(await self._delivery.send(most))
            except APIRequestError as error:
                if outage is None:
                    # If the server is down before the first run was sent, report that at once, unless the server was
                    # there and may have the batch.
                    lost = isinstance(error, EnqueueUnknownError) and self._feeder is not None
                    outage = Outage(longest if self._runs or lost else 0)
                await outage.tolerate(error)

    def _take(self, delivered: Delivered) -> bool:
        for index, item_id in delivered.items.items():
            self._add_run(index, item_id, delivered.batch_id)
        self._tracker.wake()
        return delivered.cut

    def _add_run(self, index: int, item_id: int, batch_id: str) -> None:
        if item_id in self._index:
            self._part_with(self._index[item_id], item_id, batch_id)
        self._runs[index] = self._new_run(index, item_id, batch_id)
        self._index[item_id] = index
        self._follower.add(item_id, batch_id)

    def _part_with(self, index: int, item_id: int, batch_id: str) -> None:
        """Give a run a tracker of its own, because the server has given its item's id to an item of another batch.

        This happens if the server's database is recreated during a sweep.
        """
        run = self._runs.get(index)
        if run is not None and run.item_id == item_id:  # otherwise, the run was sent again since
            if run.batch_id == batch_id:
                return
            if item_id in self._ends:  # it had not ended, and is gone with the old database
                self._follower.drop(item_id)
                self._tracker.release(item_id)
                self._finished(item_id, None, ())
            move_run(run, BatchTracker(run.batch_id, keep_events=False))
        self._tracker.release(item_id)

    def _new_run(self, index: int, item_id: int, batch_id: str) -> AsyncRun:
        end = self._ends[item_id] = RunEnd()
        return AsyncRun(
            self.connection,
            item_id,
            self._tracker,
            batch_id=batch_id,
            queue_id=self.queue_id,
            inputs=RowInputs(*self._place(index), self._inputs),
            labels=self._labels,
            end=end,
            seeds=self._seeds,
        )

    def _finished(
        self, item_id: int, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...]
    ) -> None:
        index = self._index[item_id]
        run = self._runs[index]
        self._tracker.item(item_id, item)
        ended = item or removed_item(item_id, run.batch_id)
        facts = self._reported.facts(self._labels)
        self._ends.pop(item_id).take(ended, self._labels, called, whole=False, facts=facts)
        self._open.discard(index)
        self._order.append(index)
        if self._manifest is not None:
            from invokeai_py_client.sweep.manifest import run_record

            record = run_record(index, run, self._recorded_values(index, run))
            self._manifest.write("run", **record, batch=run.batch_id)

    def _recorded_values(self, index: int, run: AsyncRun) -> dict[str, Any]:
        """Return the axis values of a run, and the seeds that random nodes drew for it on the server."""
        names = () if self._seeds is None else self._seeds.drawn.values()
        inputs = run.inputs
        return {**self.values(index), **{name: inputs[name] for name in names if name in inputs}}

    async def _steps(self) -> AsyncGenerator[None]:
        """Follow the runs until all have ended. Yield whenever some may have ended, at least once."""
        if not self._open:
            yield
            return
        async with self._follower.changes() as changes:
            async for change in changes:
                self._check_feeder()
                self._follower.step(changes, change)
                yield
                if not self._open:
                    return

    def _check_feeder(self) -> None:
        feeder = self._feeder
        if feeder is not None and feeder.done():
            self._feeder = None
            if not feeder.cancelled():  # the client was closed, and is now used again
                feeder.result()  # raises the task's error
        if len(self._delivery):
            self._start_feeding()

    def _stop_feeding(self) -> None:
        feeder, self._feeder = self._feeder, None
        if feeder is not None:
            feeder.cancel()

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
            values = {**name, **self._recorded_values(index, run)}
            return ReportEntry(index, values, run.status.state.value, run.seconds, error, thumbnail, picture)

        return await gather_or_cancel(entry(index, run) for index, run in runs)

    async def _pages(
        self, rows: str | None, columns: str | None, cell: int, side: int | None
    ) -> AsyncIterator[PILImage]:
        from invokeai_py_client.sweep.sheet import common_shape, draw_page
        from invokeai_py_client.sweep.sheet_plan import choose_axes, plan_sheets

        points = [request.values(row) for request in self._requests for row in range(request.count)]
        chosen = choose_axes(points, self.axes, self._axis(rows), self._axis(columns))
        await self._ready()
        runs = self.runs
        shown = [shown_file(run) if run.done else None for run in runs]
        with patiently():
            sizes = await _sizes(self.connection, [file for file in shown if file is not None])
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

    def __getstate__(self) -> dict[str, Any]:
        # Only this process writes the manifest and runs the task that sends.
        return {**super().__getstate__(), "_manifest": None, "_feeder": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "names" not in state:  # pickled by a version without the column "name"
            self.names = ()
        if "_reported" not in state:  # pickled by a version in which only the follower had it
            self._reported = ReportedItems(self._requests[0].body["batch"])
        if "_seeds" not in state:  # pickled by a version that did not know the seeds of random nodes
            self._seeds = None
        if "_ends" not in state:  # pickled by a version that kept the ends in the runs
            self._ends = {}
            for index in self._open & self._runs.keys():
                run = self._runs[index]
                self._runs[index] = self._new_run(index, run.item_id, run.batch_id)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.axes)}" if self.axes else ""
        return f"<{type(self).__name__} of {self.name!r}{over}: {self.done} of {self._count} done>"

    def _repr_html_(self) -> str:
        from invokeai_py_client.display.inputs import html_table
        from invokeai_py_client.files.labels import label_of

        shown = sorted(self._runs.items())[:_IN_A_NOTEBOOK]
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


async def _sizes(
    connection: Connection, files: Sequence[AsyncImage | AsyncVideo]
) -> dict[str, tuple[int, int]]:
    """Return the width and height of images and videos by name. Those that are not on the server are omitted."""
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.video.repository import AsyncVideoRepository

    images = [one for one in files if isinstance(one, AsyncImage)]
    videos = [one for one in files if not isinstance(one, AsyncImage)]
    records = [
        *await connection.part(AsyncImageRepository).get_images(images),
        *await connection.part(AsyncVideoRepository).get_videos(videos),
    ]
    return {record.name: (record.width or 1, record.height or 1) for record in records}


async def _picture(file: AsyncImage | AsyncVideo, cell: int) -> Cell:
    """Load an image, or the thumbnail if that is large enough. Return a text if it is no longer on the server."""
    from invokeai_py_client.files.images import decode
    from invokeai_py_client.image.image import AsyncImage

    try:
        data = await (
            file.bytes() if cell > _THUMBNAIL and isinstance(file, AsyncImage) else file.thumbnail()
        )
    except NotFoundError:
        return _DELETED
    return decode(data, file.name)


async def _thumbnail(file: AsyncImage | AsyncVideo) -> bytes | None:
    """Load a thumbnail. Return None if it was deleted since its file was saved, so the file is shown instead."""
    try:
        return await file.thumbnail()
    except NotFoundError:
        return None


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

    Raises:
        NotReadyError: The workflow cannot run with these values. Nothing was sent.
        ModelNotFoundError: A model is not on the server. Nothing was sent.
        UsageError: The workflow contains batch nodes, or the manifest already exists. Nothing was sent.
    """
    path_part(queue_id, "a queue")  # before images are uploaded
    requests = await prepare_requests(
        connection, loaded, schema, plan, inputs, prepend=prepend, auto_board=auto_board
    )
    batch_id = new_batch_id()
    values, labels, seeds = inputs.snapshot(), inputs.node_labels(), seed_names(inputs)
    writer = None if manifest is None else ManifestWriter(user_path(manifest), create=True)
    if writer is not None:
        writer.begin(
            requests,
            name=loaded.name,
            url=connection.url,
            queue=queue_id,
            axes=plan.axes,
            batch=batch_id,
            inputs=values,
            labels=labels,
            background=background,
            seeds=seeds.to_dict(),
        )
    sweep = AsyncSweep(
        connection,
        loaded.name,
        plan.axes,
        requests,
        batch_id=batch_id,
        inputs=values,
        labels=labels,
        queue_id=queue_id,
        background=background,
        manifest=writer,
        seeds=seeds,
    )
    await sweep._begin()  # pyright: ignore[reportPrivateUsage] - same module
    if_abandoned(lambda: cancel_quietly(sweep.cancel()))
    return sweep
