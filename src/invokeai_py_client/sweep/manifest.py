"""The manifest of a sweep: a file with one JSON object per line, written as the sweep proceeds.

The manifest survives a crash of the client or the server. It records the planned runs, the requests, and the results:

- ``sweep``: the first line: the sweep and its server.
- ``request``: a request with all of its values.
- ``sending``: a batch and its id, written before the batch is sent.
- ``sent``: the queue items that the server created for a batch.
- ``run``: a run that has ended, with its axis values, state, images and seconds.

The manifest of a sweep over a pool of servers has another format: ``sending`` and ``run`` name the server, and there is
no ``sent``, because the batch is looked up on that server when the sweep is resumed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client._atomic import open_unlinked
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.base import jsonable
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.sweep.known import remember_manifest
from invokeai_py_client.sweep.manifest_lines import Line, is_complete, is_time, not_a_manifest, read_lines
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.transport.json_shape import ListOf, Shape
from invokeai_py_client.transport.settings import ServerAddress

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun

FORMAT = 1
POOL_FORMAT = 2
"""The format of the manifest of a sweep over a pool."""

_BLOCK = 65536


class ManifestWriter:
    """A writer that appends lines to a manifest.

    Args:
        path: The manifest.
        create: Whether to create the file. Otherwise lines are appended to the existing file.

    Raises:
        UsageError: The file cannot be written, or it already exists and ``create`` is set.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = path
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
                open_unlinked(path, "x").close()
            else:
                with open_unlinked(path, "r+") as file:
                    _end_last_line(file)
        except FileExistsError:
            raise UsageError(
                f"The manifest {path} already exists. Resume that sweep, or choose another name for the new manifest."
            ) from None
        except OSError as error:
            raise self._failure(error) from None
        remember_manifest(path)

    def begin(self, requests: Sequence[Request], *, format: int = FORMAT, **header: Any) -> None:
        """Write the first line and the requests.

        Args:
            requests: The requests of the sweep.
            format: The format of the manifest. Defaults to that of a sweep on one server.
            **header: The arguments that are needed to create the sweep again.
        """
        self.write("sweep", format=format, **jsonable(header), requests=len(requests))
        for request in requests:
            self.write("request", **request.to_dict())

    def write(self, kind: str, **values: Any) -> None:
        """Append one line and flush it. A line that cannot be written completely is removed.

        The file is closed after each line, so a sweep does not have to be closed.

        Raises:
            UsageError: The file cannot be written, for example because the disk is full.
        """
        text = json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n"
        # In JSON, the escape of a lone surrogate is the one that Python writes.
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            with open_unlinked(self.path, "a", create=False) as file:
                end = file.seek(0, os.SEEK_END)
                try:
                    while data:
                        data = data[file.write(data) :]
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> UsageError:
        return UsageError(f"Cannot write the manifest {self.path}: {error.strerror or error}.")


def _end_last_line(file: FileIO) -> None:
    """Remove an incomplete last line, which a crash while writing leaves behind. End a complete one."""
    end = file.seek(0, os.SEEK_END)
    start, tail = end, b""
    while start and b"\n" not in tail:
        first = max(0, start - _BLOCK)
        file.seek(first)
        tail = file.read(start - first) + tail
        start = first
    last = tail[tail.rindex(b"\n") + 1 :] if b"\n" in tail else tail
    if not last:
        return
    if is_complete(last):
        file.seek(end)
        file.write(b"\n")
    else:
        file.truncate(end - len(last))


@dataclass(slots=True)
class Sending:
    """A batch that was about to be sent.

    Attributes:
        batch_id: The batch id.
        request: The index of the request.
        rows: The rows of the request that the batch has.
        time: The time in seconds since 1970.
        items: The queue items that the server created, or None if that is unknown.
        server: The server of the pool that the batch is for. None if there is only one server.
    """

    batch_id: str
    request: int
    rows: list[int]
    time: float
    items: list[int] | None = None
    server: str | None = None


@dataclass(slots=True)
class Manifest:
    """The content of a manifest.

    Attributes:
        header: The first line.
        requests: The requests.
        batches: The batches, in the order in which they were sent.
        runs: The latest record of each run that has ended, by the run's index.
    """

    header: dict[str, Any]
    requests: list[Request] = field(default_factory=list[Request])
    batches: list[Sending] = field(default_factory=list[Sending])
    runs: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    @property
    def is_of_pool(self) -> bool:
        """Whether the sweep ran on a pool of servers."""
        return self.header["format"] == POOL_FORMAT

    def unrecorded(self) -> dict[str, int]:
        """Return the batches that have runs whose end is not recorded, each with the number of these runs."""
        starts = [0, *accumulate(request.count for request in self.requests)]
        found: dict[str, int] = {}
        for batch in self.batches:
            missing = sum(starts[batch.request] + row not in self.runs for row in batch.rows)
            if missing:
                found[batch.batch_id] = missing
        return found


_COMMON: dict[str, Any] = {
    "name": str,
    "queue": str,
    "requests": int,
    "axes": ListOf(str),
    "inputs": dict,
    "labels": dict,
}
_HEADERS: dict[int, Shape] = {
    FORMAT: {**_COMMON, "url": str, "batch": str, "background": bool},
    POOL_FORMAT: {**_COMMON, "servers": ListOf(str)},
}
_RUN: Shape = {
    "item": int,
    "inputs": dict,
    "images": ListOf(str),
    "seed": int | None,
    "error": str | None,
    "batch": str | None,
}
_ENDED = (JobStatus.COMPLETED.value, JobStatus.FAILED.value, JobStatus.CANCELLED.value)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: The file cannot be read, is not a manifest, is damaged, or ends before the sweep began.
    """
    lines = read_lines(path)
    first = next(lines, None)
    if first is None or first.kind != "sweep":
        raise not_a_manifest(path)
    if first.data.get("format") not in (FORMAT, POOL_FORMAT):
        raise UsageError(
            f"The manifest {path} has format {first.data.get('format')!r} in line 1, but this client reads formats "
            f"{FORMAT} and {POOL_FORMAT}. Use the version of this package that wrote the file."
        )
    reader = _Reader(first)
    for line in lines:
        reader.take(line)
    return reader.finish()


class _Reader:
    """Collects the lines of a manifest, and checks them. A line that were skipped could mean that runs are repeated."""

    def __init__(self, header: Line) -> None:
        self._of_pool = header.data["format"] == POOL_FORMAT
        header.check(_HEADERS[header.data["format"]])
        if not self._of_pool:
            try:
                ServerAddress.parse(header.data["url"])
            except UsageError as error:
                header.fail(f"'url' is not valid ({str(error).rstrip('.')})")
        if not all(isinstance(label, str) for label in header.data["labels"].values()):
            header.fail("'labels' has values that are not text")
        if "seeds" in header.data:
            header.check({"seeds": {"main": ListOf(str), "drawn": ListOf(ListOf(str))}})
            if any(len(drawn) != 3 for drawn in header.data["seeds"]["drawn"]):
                header.fail("'seeds.drawn' is not a list of three texts each")
        self._header = header
        self._found = Manifest(dict(header.data))
        self._by_id: dict[str, Sending] = {}
        self._items: set[int] = set()
        self._count = 0

    def take(self, line: Line) -> None:
        """Add a line."""
        takers = {"request": self._request, "sending": self._sending, "sent": self._sent, "run": self._run}
        if self._of_pool:
            del takers["sent"]
        taker = takers.get(line.kind) if isinstance(line.kind, str) else None
        if taker is None:
            line.fail(f"its kind is {line.kind!r}; expected {', '.join(map(repr, takers))}")
        taker(line)

    def finish(self) -> Manifest:
        """Return the content of the manifest."""
        found, planned = self._found, self._header.data["requests"]
        if len(found.requests) >= max(planned, 1):
            return found
        if found.batches or found.runs:
            self._header.fail(f"it announces {planned} requests, but the file has {len(found.requests)}")
        raise UsageError(
            f"The manifest {self._header.path} is incomplete: no run was sent. Delete it and start the sweep again."
        )

    def _request(self, line: Line) -> None:
        wrong = Request.problem(line.data, self._count)
        if wrong is not None:
            line.fail(wrong)
        request = Request.from_dict(line.data)
        self._found.requests.append(request)
        self._count += request.count

    def _sending(self, line: Line) -> None:
        line.check({"batch": str})
        number = line.number_of("request", len(self._found.requests))
        rows = line.numbers_of("rows", self._found.requests[number].count)
        if max(rows, default=0) >= self._found.requests[number].count:
            line.fail(
                f"'rows' has {max(rows)}, but the request has {self._found.requests[number].count} runs"
            )
        if not is_time(line.data.get("time")):
            line.fail(f"'time' is {line.data.get('time')!r}; expected seconds since 1970")
        sending = Sending(line.data["batch"], number, rows, line.data["time"])
        if self._of_pool:
            line.check({"server": str})
            sending.server = line.data["server"]
        if sending.batch_id in self._by_id:
            line.fail("an earlier line has the same batch")
        self._by_id[sending.batch_id] = sending
        self._found.batches.append(sending)

    def _sent(self, line: Line) -> None:
        line.check({"batch": str})
        sending = self._by_id.get(line.data["batch"])
        if sending is None:
            line.fail(f"no earlier line has the batch {line.data['batch']!r}")
        # Another batch can have the same items, if the server's database was recreated in between.
        items = line.numbers_of("items", len(sending.rows))
        self._items.update(items)
        sending.items = items

    def _run(self, line: Line) -> None:
        line.check(_RUN)
        if "videos" in line.data:  # only of runs that made some
            line.check({"videos": ListOf(str)})
        if line.data.get("state") not in _ENDED:
            line.fail(f"'state' is {line.data.get('state')!r}; expected {', '.join(_ENDED)}")
        if not (line.data.get("seconds") is None or is_time(line.data["seconds"])):
            line.fail(f"'seconds' is {line.data['seconds']!r}; expected a number or null")
        if self._of_pool:
            self._run_of_pool(line)
            return
        batch = line.data.get("batch")  # older versions did not record it
        sending = None if batch is None else self._by_id.get(batch)
        known = self._items if batch is None else (sending and sending.items) or ()
        if line.data["item"] not in known:  # otherwise the run would be sent again
            of = "" if batch is None else f" of batch {batch!r}"
            line.fail(f"no earlier line has the queue item {line.data['item']!r}{of}")
        self._found.runs[line.number_of("run", self._count)] = dict(line.data)

    def _run_of_pool(self, line: Line) -> None:
        line.check({"batch": str, "server": str})
        index = line.number_of("run", self._count)
        sending = self._by_id.get(line.data["batch"])
        first = 0 if sending is None else sum(one.count for one in self._found.requests[: sending.request])
        if sending is None or index - first not in sending.rows:  # otherwise the run would be sent again
            line.fail(f"no earlier line has the run {index} in batch {line.data['batch']!r}")
        self._found.runs[index] = dict(line.data)


def run_record(index: int, run: AsyncRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run that has ended.

    Args:
        index: The run's index in the sweep.
        run: The run.
        values: The run's axis values, and the seeds that random nodes drew on the server.

    Returns:
        ``run item state inputs images seconds``, ``videos`` if the run made some, ``seed`` if it is known, and
        ``error`` if the run failed.
    """
    found: dict[str, Any] = {
        "run": index,
        "item": run.item_id,
        "state": run.status.state.value,
        "inputs": jsonable(values),
        "images": [image.name for image in run.images],
        "seconds": run.seconds,
    }
    if videos := run.videos:
        found["videos"] = [video.name for video in videos]
    if run.seed is not None:
        found["seed"] = run.seed
    if run.status.error_type:
        found["error"] = f"{run.status.error_type}: {run.status.error_message}"
    return found


def recorded_item(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status and error of the queue item from a record of ``run_record()``."""
    kind, _, message = str(record.get("error") or "").partition(": ")
    return {"status": record["state"], "error_type": kind or None, "error_message": message or None}


def packed(numbers: Sequence[int]) -> list[int | list[int]]:
    """Replace each sequence of consecutive numbers by a pair of the first and the last."""
    found: list[int | list[int]] = []
    start = previous = None
    for number in [*numbers, None]:
        if start is not None and previous is not None and number != previous + 1:
            found.append(start if start == previous else [start, previous])
            start = None
        if start is None:
            start = number
        previous = number
    return found


def unpacked(stretches: Sequence[int | list[int]]) -> list[int]:
    """Return the numbers that were passed to ``packed()``."""
    found: list[int] = []
    for stretch in stretches:
        found.extend(range(stretch[0], stretch[1] + 1) if isinstance(stretch, list) else [stretch])
    return found


def now() -> float:
    """Return the current time in seconds since 1970."""
    return time.time()
