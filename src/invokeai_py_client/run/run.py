"""A run of a workflow: it follows a queue item from the queue to its images."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from invokeai_py_client._base import AsyncObject
from invokeai_py_client._given import require
from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.engine.seeds import SEED
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    RunError,
    RunNotFinishedError,
    RunTimeoutError,
)
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.end import RunEnd, raise_if_failed, removed_item
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.events import RunEvent
from invokeai_py_client.run.live import LiveRuns
from invokeai_py_client.run.queue_items import is_missing, of_batches, read_item, read_states
from invokeai_py_client.run.reported import ReportedItems
from invokeai_py_client.run.results import (
    CalledResults,
    Results,
    item_from_events,
    media_sizes,
    reading,
)
from invokeai_py_client.run.status import RunStatus, has_ended, never_started, status_of_item
from invokeai_py_client.run.subworkflow import called_results
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change, Changes, ignore_response, last_look
from invokeai_py_client.transport.json_shape import QUEUE_ITEM
from invokeai_py_client.transport.loop import call_back, if_abandoned
from invokeai_py_client.transport.retry import patient, patiently

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.seeds import SeedNames
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.video.video import AsyncVideo

T = TypeVar("T")

_Notify = Callable[[RunEvent], Awaitable[None]]


class AsyncRun(AsyncObject):
    """One run of a workflow.

    Attributes:
        item_id: The queue item's id.
        batch_id: The batch's id, chosen by this client.
        queue_id: The id of its queue.
        server: The name of the server, if the run belongs to a sweep over a pool of servers. Otherwise None.

    Example:
        ```python
        run = await wf.start(positive_prompt="a lighthouse")
        async for event in run.events():
            print(event)
        await run.result()
        await run.images[0].save("lighthouse.png")
        ```
    """

    def __init__(
        self,
        connection: Connection,
        item_id: int,
        tracker: BatchTracker,
        *,
        batch_id: str | None = None,
        queue_id: str = "default",
        inputs: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        end: RunEnd | None = None,
        seeds: SeedNames | None = None,
        reported: ReportedItems | None = None,
        server: str | None = None,
    ) -> None:
        self.connection = connection
        self.server = server
        self._tracker = tracker
        self._labels: Mapping[str, str] = labels or {}
        self._end = end or RunEnd()
        self._gaps: int | None = None
        self._awaits_place = False
        # Weak, because images keep their bytes, and sweeps have thousands of runs.
        self._images: tuple[ref[AsyncImage], ...] = ()
        self._videos: tuple[ref[AsyncVideo], ...] = ()
        self.item_id = item_id
        self.batch_id: str = batch_id or tracker.batch_id
        self.queue_id = queue_id
        self._inputs: Mapping[str, Any] = {} if inputs is None else inputs
        self._seeds = seeds
        self._reported = reported

    # ------------------------------------------------------------------ state

    @property
    def inputs(self) -> dict[str, Any]:
        """A copy of the run's values, keyed by the names of the workflow's inputs. They can be set again.

        After the run has ended, they include the seeds that the workflow's random nodes drew on the server.
        """
        drawn = {} if self._seeds is None else self._end.drawn(self._seeds)
        return {**self._inputs, **drawn}

    @property
    def seed(self) -> int | None:
        """The seed of the run. None if there is no seed or several different ones, or if it is not drawn yet.

        If a random node of the workflow draws the seed on the server, it is known when the run has ended.
        """
        if self._seeds is not None:
            return self._seeds.seed(self.inputs)
        found = self._end.seeds
        # A random node that feeds no field draws a number, too.
        seeds = {value for (_, name), value in found.items() if name == SEED} or set(found.values())
        return seeds.pop() if len(seeds) == 1 else None

    @property
    def status(self) -> RunStatus:
        """The latest known status of the run."""
        return self._tracker.read_status(self.item_id)

    @property
    def done(self) -> bool:
        """Whether the run has ended, successfully or not."""
        return self.status.done

    @property
    def item(self) -> Mapping[str, Any]:
        """The queue item, as the server returned it after the run ended.

        Raises:
            RunNotFinishedError: The run has not ended, or neither ``wait()`` nor ``result()`` was called.
        """
        return self._known(self._end.item)

    @property
    def outputs(self) -> Results:
        """The outputs of all nodes.

        Raises:
            RunNotFinishedError: The run has not ended, or neither ``wait()`` nor ``result()`` was called.
        """
        return self._known(self._end.results)

    @property
    def images(self) -> list[AsyncImage]:
        """The images that the run made for the gallery, or those of intermediate nodes if there are no others.

        Images that only pass through the run, such as its inputs, are not included. The same image is the same object
        each time.

        Raises:
            RunNotFinishedError: The run has not ended, or neither ``wait()`` nor ``result()`` was called.
        """
        from invokeai_py_client.image.image import AsyncImage

        names = self._end.recorded_images
        sizes: Mapping[str, tuple[int, int]] = {}
        if names is None:
            outputs = self.outputs
            names = outputs.image_names() or outputs.image_names(intermediate=True)
            sizes = media_sizes(outputs, "image")
        made = {image.name: image for known in self._images if (image := known()) is not None}
        images = [made.get(name) or AsyncImage(self.connection, name, size=sizes.get(name)) for name in names]
        self._images = tuple(map(ref, images))
        return images

    @property
    def videos(self) -> list[AsyncVideo]:
        """The videos that the run made for the gallery, or those of intermediate nodes if there are no others.

        Videos that only pass through the run, such as its inputs, are not included. The same video is the same object
        each time. Empty before InvokeAI 6.14.

        Raises:
            RunNotFinishedError: The run has not ended, or neither ``wait()`` nor ``result()`` was called.
        """
        names = self._end.recorded_videos
        sizes: Mapping[str, tuple[int, int]] = {}
        if names is None:
            outputs = self.outputs
            names = outputs.video_names() or outputs.video_names(intermediate=True)
            sizes = media_sizes(outputs, "video")
        if not names:
            return []
        from invokeai_py_client.video.video import AsyncVideo

        made = {video.name: video for known in self._videos if (video := known()) is not None}
        videos = [made.get(name) or AsyncVideo(self.connection, name, size=sizes.get(name)) for name in names]
        self._videos = tuple(map(ref, videos))
        return videos

    @property
    def seconds(self) -> float | None:
        """How many seconds the server worked on the run, or None if it has not ended or never started."""
        return self._end.seconds

    def node_label(self, node_id: str) -> str:
        """Return a node's label, or else its type, or else its id."""
        return self._labels.get(node_id) or node_id

    # ------------------------------------------------------------------ waiting

    async def events(self) -> AsyncIterator[RunEvent]:
        """Yield the events of the run, from its start until it has ended.

        Events come in the order in which the server sends them, each once. If the run has ended, yields its past
        events. A client keeps the past events of its latest ended runs, about 4 MB of them. For an earlier run, this
        yields only its final status.

        Raises:
            ServerUnreachableError: The server could not be reached for five minutes.
            UsageError: The server is reached through a Dask worker, which does not pass events on.
        """
        self.connection.check_events()
        async with aclosing(self._events()) as events:
            async for event in events:
                yield event

    async def wait(
        self, timeout: float | None = None, *, on_event: Callable[[RunEvent], object] | None = None
    ) -> RunStatus:
        """Wait until the run has ended, successfully or not.

        Args:
            timeout: The longest time to wait, in seconds. Defaults to None: wait forever.
            on_event: Called with each event, in the caller's thread or event loop. If the server is reached through a
                Dask worker, only with changes of the state.

        Returns:
            The final status. Does not raise if the run failed; use ``result()`` for that.

        Raises:
            RunTimeoutError: The run did not end in time. It continues on the server.
            ServerUnreachableError: The server could not be reached for five minutes.
        """
        return await self._wait(timeout, None if on_event is None else partial(call_back, on_event))

    async def result(self, timeout: float | None = None) -> Results:
        """Wait until the run has ended, and return its outputs.

        Args:
            timeout: The longest time to wait, in seconds. Defaults to None: wait forever.

        Raises:
            RunFailedError: A node failed. The error names the node.
            RunCanceledError: The run was canceled, or its queue item was removed.
            RunTimeoutError: The run did not end in time. It continues on the server.
            ServerUnreachableError: The server could not be reached for five minutes.
        """
        await self.wait(timeout)
        self.raise_if_failed()
        return self.outputs

    def raise_if_failed(self) -> None:
        """Raise if the run has ended without success.

        Raises:
            RunFailedError: A node failed.
            RunCanceledError: The run was canceled, or its item removed.
        """
        raise_if_failed(self, self._end.failing, self._labels)

    # ------------------------------------------------------------------ files

    async def save(self, template: str | os.PathLike[str] = "{image}.png") -> list[Path]:
        """Save the run's images and videos, replacing existing files. Each one gets a file of its own.

        Files are written completely or not at all. Missing folders are created.

        Args:
            template: A folder (an existing one, or a path that ends in ``/``), in which the files keep their names.
                Or a template for the file names: ``out/{prompt}-{seed}.png``. It can contain all inputs, ``{seed}``,
                ``{index}`` (the number of the image or video in the run, from 0), ``{item}`` and ``{image}`` (the name
                of the image or video). Characters that file systems do not allow are replaced. If several files would
                have the same name, they are numbered: ``fox.png``, ``fox-2.png``. The extension decides the format of
                the images, as for ``Image.save()``. Videos are always saved as ``.mp4``, and with a template that ends
                in ``.mp4``, images beside them as ``.png``. Defaults to the names on the server, in the current folder.

        Returns:
            The paths, in the order of ``images``, followed by ``videos``.

        Raises:
            RunNotFinishedError: The run has not ended, or neither ``wait()`` nor ``result()`` was called.
            UsageError: The template contains an unknown name, or the format is not supported. Nothing was downloaded.
            TransferError: Some images or videos could not be downloaded. Its ``failed`` has the errors. All others
                were saved.
        """
        from invokeai_py_client.files.names import RunFile, files_of, naming_values, paths_of_run_files
        from invokeai_py_client.image.download import WantedFile, download_files

        require("a folder, or names for the files, such as '{image}.png'", template=template)
        values = naming_values(self.inputs, self.seed)
        made = [
            RunFile(name, values, number, self.item_id, kind=kind)
            for kind, names in files_of(self)
            for number, name in enumerate(names)
        ]
        if not made:  # check the template nevertheless
            paths_of_run_files(template, [RunFile("image", values, 0, self.item_id)])
        paths = paths_of_run_files(template, made)
        wanted = [WantedFile(one.file, path, one.kind) for one, path in zip(made, paths, strict=True)]
        await download_files(self.connection, wanted)
        return paths

    # ------------------------------------------------------------------ actions

    async def cancel(self) -> RunStatus:
        """Cancel the run. Does nothing if it has ended.

        Returns:
            The status afterwards.
        """
        if self.status.done:  # InvokeAI 5.15 would change its status to canceled
            return self.status
        item = None
        known = await read_states(self.connection, self.queue_id, [self.item_id])
        if of_batches(known, {self.item_id: self.batch_id}):  # never cancel the run of someone else
            api = self.connection.part(AsyncQueueApi)
            try:
                item = await api.cancel_queue_item(self.queue_id, self.item_id, expect=QUEUE_ITEM)
            except APIRequestError as error:
                if not await is_missing(self.connection, self.queue_id, self.item_id, error):
                    raise
        self._tracker.item(self.item_id, item)
        return self.status

    async def retry(self) -> AsyncRun:
        """Run it again with the same values. Only possible if it failed or was canceled.

        The server creates a new queue item in the same batch, exactly once: if the response is lost, the outcome is
        read from the server.

        Returns:
            The new run.

        Raises:
            RunError: The server did not retry the item.
        """
        from invokeai_py_client.run.retries import retry_items

        with patiently():
            new = await retry_items(
                self.connection, self.queue_id, [self.item_id], {self.item_id: self.batch_id}
            )
        if not new:
            raise RunError(
                f"The server did not retry queue item {self.item_id} ({self.status}). Only items that failed or were "
                "canceled can be retried.",
                item_id=self.item_id,
                batch_id=self.batch_id,
            )
        tracker = BatchTracker(self.batch_id)
        run = AsyncRun(
            self.connection,
            new[self.item_id],
            tracker,
            queue_id=self.queue_id,
            inputs=self._inputs,
            labels=self._labels,
            seeds=self._seeds,
        )
        await self.connection.part(LiveRuns).follow(tracker, self.queue_id)
        await run.refresh()
        if_abandoned(lambda: cancel_quietly(run.cancel()))
        return run

    @patient
    async def refresh(self) -> RunStatus:
        """Read the queue item from the server now.

        Returns:
            The updated status.
        """
        gaps = self._tracker.gaps
        self._tracker.item(self.item_id, await self._read())
        self._gaps = gaps
        return self.status

    # ------------------------------------------------------------------ internals

    def _move_to(self, tracker: BatchTracker) -> None:
        status, item = self.status, self._end.item
        # Events of the new item may have changed the status in the old tracker.
        tracker.keep(
            self.item_id, status if status.gone or item is None else status_of_item(item, RunStatus())
        )
        self._tracker = tracker

    async def _events(self) -> AsyncGenerator[RunEvent]:
        """Yield the events of the run, from its start until it has ended."""
        with self._tracker.reading_events(self.item_id):
            seen = 0
            async with aclosing(self._steps()) as steps:
                async for _ in steps:
                    fresh, seen = self._tracker.events_from(self.item_id, seen)
                    for event in fresh:
                        yield event
            # 6.14 reports the failed node only after the failed status.
            for event in self._tracker.events_from(self.item_id, seen)[0]:
                yield event

    async def _wait(self, timeout: float | None, notify: _Notify | None) -> RunStatus:
        """Wait until the run has ended and its results have been read.

        Args:
            timeout: The longest time to wait, in seconds.
            notify: Awaited with each event.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            async with asyncio.timeout(timeout):
                if notify is not None:
                    async with aclosing(self._events()) as events:
                        async for event in events:
                            await notify(event)
                async with aclosing(self._steps(ends_only=True)) as steps:
                    async for _ in steps:
                        pass
        except TimeoutError as error:
            if isinstance(error, RunError) or deadline is None or time.monotonic() < deadline:
                raise
            await last_look(deadline, self._look)
            if self._end.taken:
                return self.status
            raise RunTimeoutError(
                f"Queue item {self.item_id} had not ended after {timeout:g} s ({self.status}). It continues on the "
                f'server; wait for it again with client.run({self.item_id}, batch_id="{self.batch_id}").',
                item_id=self.item_id,
                batch_id=self.batch_id,
            ) from None
        return self.status

    async def _look(self) -> None:
        """Read the item, and its results if it has ended."""
        self._take_item(await self._fetch_item())
        if self.status.done and not self._end.taken:
            self._take_results(await self._fetch_results())

    async def _read(self) -> Mapping[str, Any] | None:
        try:
            return await read_item(self.connection, self.queue_id, self.item_id, self.batch_id)
        except NotFoundError:
            return None

    @property
    def _is_stale(self) -> bool:
        seen = self._tracker.settled if self._gaps is None else self._gaps
        return self._tracker.gaps != seen  # events may have been lost since the item was read

    async def _steps(self, *, ends_only: bool = False) -> AsyncGenerator[None]:
        """Follow the run until its results have been read. Yields whenever something (or its end) may have changed."""
        if self._end.taken:
            return
        live = self.connection.part(LiveRuns)
        async with live.changes(
            self._tracker,
            self.queue_id,
            lambda: (self.batch_id,),
            self._patience,
            item_id=self.item_id,
            ends_only=ends_only,
        ) as changes:
            async for change in changes:
                self._react(changes, change)
                yield
                if self._end.taken:
                    return

    @property
    def _has_no_place(self) -> bool:
        return self._tracker.unplaced and self.status.state is JobStatus.PENDING

    def _patience(self) -> float:
        self._awaits_place = self._has_no_place
        if self._awaits_place:
            return timing.MOMENT
        return self.connection.part(LiveRuns).patience(self._tracker)

    def _react(self, changes: Changes, change: Change) -> None:
        """Start the reads that a change calls for."""
        silence = change is Change.SILENCE
        if self.status.done:
            if not self._end.taken and not self._take_reported():
                changes.read(self._fetch_results, self._take_results, key=None if silence else "results")
        elif self._is_stale:
            changes.read(self._fetch_item, self._take_item, key=None if silence else self._tracker.gaps)
        elif silence and self._awaits_place:
            if self._has_no_place:  # one read serves the whole batch
                self._tracker.unplaced = False
                changes.read(self._fetch_place, self._tracker.place)
        elif silence and not self.connection.part(LiveRuns).hears(self._tracker):
            changes.read(self._fetch_item, self._take_item)
            if self.connection.part(LiveRuns).connected and not self.status.done:
                changes.read(self._warn_if_blocked, ignore_response, latest=False)

    async def _warn_if_blocked(self) -> None:
        await self.connection.part(LiveRuns).states.warn_if_blocked(self.queue_id)

    async def _fetch_place(self) -> int:
        """Count the pending items up to the last one of this batch."""
        states = self.connection.part(LiveRuns).states
        pending = await states.pending(self.queue_id)
        if pending <= len(self._tracker.pending):  # the queue has no others
            return pending
        # Items after a pending item are pending, too, unless they were put in front of it.
        last = self._tracker.last_item
        return pending - sum(item_id > last for item_id in await states.item_ids(self.queue_id))

    async def _fetch_item(self) -> tuple[int, Mapping[str, Any] | None, tuple[CalledResults, ...] | None]:
        """Read the item, and if it has ended, the items it called. The first value counts the gaps that this fills."""
        gaps = self._tracker.gaps
        states = self.connection.part(LiveRuns).states
        item = await states.read(self.queue_id, self.item_id, self.batch_id)
        if item is not None and never_started(item):
            return gaps, item, ()
        if item is None or "session" not in item or not has_ended(item):
            return gaps, item, None
        with reading(self.item_id):
            return gaps, item, await called_results(self.connection, self.queue_id, item)

    def _take_item(
        self, read: tuple[int, Mapping[str, Any] | None, tuple[CalledResults, ...] | None]
    ) -> None:
        self._gaps, item, called = read
        self._tracker.item(self.item_id, item)
        if called is not None and not self._end.taken:
            with reading(self.item_id):
                self._take(item, called)

    def _take_reported(self) -> bool:
        """Take the results if events reported all of them. Return whether they did."""
        item = None if self._reported is None else self._reported.item(self._tracker, self.item_id)
        if item is not None and self._reported is not None:
            with reading(self.item_id):
                self._end.take(item, self._labels, facts=self._reported.facts(self._labels))
        return item is not None

    async def _fetch_results(self) -> tuple[Mapping[str, Any] | None, tuple[CalledResults, ...]]:
        """Read the results, which the server stores before it announces the end of a run."""
        item = await self.connection.part(LiveRuns).states.read_whole(
            self.queue_id, self.item_id, self.batch_id
        )
        with reading(self.item_id):
            return item, await called_results(self.connection, self.queue_id, item or {})

    def _take_results(self, read: tuple[Mapping[str, Any] | None, tuple[CalledResults, ...]]) -> None:
        item, called = read
        if self._end.taken:
            return
        if item is None and self.status.ok:
            item = item_from_events(self._tracker.events_from(self.item_id, 0)[0])
        elif item is not None:
            self._tracker.item(self.item_id, item)  # with its error, which summaries lack
        with reading(self.item_id):
            self._take(item, called)

    def _take(self, item: Mapping[str, Any] | None, called: tuple[CalledResults, ...] = ()) -> None:
        """Store the ended queue item, or None if the server no longer has it."""
        self._end.take(item or removed_item(self.item_id, self.batch_id), self._labels, called)

    def _known(self, value: T | None) -> T:
        if value is None:
            raise RunNotFinishedError(
                f"The results of queue item {self.item_id} ({self.status}) have not been read yet. Call result() or "
                "wait() first.",
                item_id=self.item_id,
                batch_id=self.batch_id,
            )
        return value

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_images"], state["_videos"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._images = ()
        self._videos = ()
        if "_end" not in state:  # pickled by a version in which runs had these attributes
            names = ("item", "results", "failing", "record")
            self._end = RunEnd()
            self._end.__setstate__({name: self.__dict__.pop(f"_{name}", None) for name in names})
        self._awaits_place = False
        if "server" not in state:  # pickled by a version without pools
            self.server = None
        if "_reported" not in state:  # pickled by a version that read every item
            self._reported = None
        if "_inputs" not in state:  # pickled by a version that did not know the seeds of random nodes
            self._inputs = self.__dict__.pop("inputs", {})
            self._seeds = None

    def _repr_html_(self) -> str | None:
        """Return the run's images and videos for a notebook, or None if it has none or they cannot be downloaded."""
        from invokeai_py_client.run.html import run_html

        if not self._end.taken and self._end.recorded_images is None:
            return None
        try:
            return self.connection.call(partial(run_html, self), timing.DISPLAY)
        except (InvokeAIClientError, TimeoutError):
            return None

    def __repr__(self) -> str:
        return f"<AsyncRun of queue item {self.item_id}: {self.status}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AsyncRun)
            and (self.item_id, self.batch_id, self.queue_id)
            == (other.item_id, other.batch_id, other.queue_id)
            and self.connection.url == other.connection.url
        )

    def __hash__(self) -> int:
        return hash((self.item_id, self.queue_id))


def move_run(run: AsyncRun, tracker: BatchTracker) -> None:
    """Move a run that has ended to another tracker. Sweeps do this if another run gets its item's id."""
    run._move_to(tracker)  # pyright: ignore[reportPrivateUsage] - same module


async def run_of_item(
    connection: Connection, item_id: int, *, queue_id: str = "default", batch_id: str | None = None
) -> AsyncRun:
    """Return a run by the id of its queue item, no matter which client started it.

    Args:
        connection: The server.
        item_id: The id of the queue item.
        queue_id: The queue. Defaults to "default".
        batch_id: The item's batch. Defaults to None: not known.

    Raises:
        RunError: The queue has no such item, or the item belongs to another batch.
    """
    try:
        item = await read_item(connection, queue_id, item_id, batch_id)
    except NotFoundError as error:
        why = f"The server has no queue item {item_id}." if batch_id is None else str(error)
        raise RunError(why, item_id=item_id, batch_id=batch_id) from None
    tracker = BatchTracker(item["batch_id"])
    await connection.part(LiveRuns).follow(tracker, queue_id)
    inputs = {f"{f['node_path']}.{f['field_name']}": f["value"] for f in item.get("field_values") or ()}
    run = AsyncRun(connection, item_id, tracker, queue_id=queue_id, inputs=inputs)
    await run.refresh()
    return run
