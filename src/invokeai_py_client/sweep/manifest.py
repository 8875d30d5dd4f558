"""The manifest of a sweep: a file with one JSON object per line, written as the sweep proceeds.

The manifest survives a crash of the client or the server. It records the planned runs, the requests, and the results:

- ``sweep``: the first line: the sweep and its server.
- ``request``: a request with all of its values.
- ``sending``: a batch and its id, written before the batch is sent.
- ``sent``: the queue items that the server created for a batch.
- ``run``: a run that has ended, with its axis values, state, images and seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.base import jsonable
from invokeai_py_client.sweep.requests import Request

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun

FORMAT = 1
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
            path.open("x" if create else "a", encoding="utf-8").close()
        except FileExistsError:
            raise UsageError(
                f"The manifest {path} already exists. Resume that sweep, or choose another name for the new manifest."
            ) from None
        except OSError as error:
            raise UsageError(f"Cannot write the manifest {path}: {error.strerror or error}.") from None
        if not create:
            self._drop_half_line()

    def begin(self, requests: Sequence[Request], **header: Any) -> None:
        """Write the first line and the requests.

        Args:
            requests: The requests of the sweep.
            **header: The arguments that are needed to create the sweep again.
        """
        self.write("sweep", format=FORMAT, **jsonable(header), requests=len(requests))
        for request in requests:
            self.write("request", **request.to_dict())

    def write(self, kind: str, **values: Any) -> None:
        """Append one line and flush it.

        The file is closed after each line, so a sweep does not have to be closed.
        """
        self._append(json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n")

    def _append(self, text: str) -> None:
        # In JSON, the escape of a lone surrogate is the one that Python writes.
        with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    def _drop_half_line(self) -> None:
        """Remove an incomplete last line, which a crash while writing leaves behind."""
        with self.path.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            tail = b""
            while end and b"\n" not in tail:
                start = max(0, end - _BLOCK)
                file.seek(start)
                tail, end = file.read(end - start), start
            if b"\n" in tail:
                file.truncate(end + tail.rindex(b"\n") + 1)


@dataclass(slots=True)
class Sending:
    """A batch that was about to be sent.

    Attributes:
        batch_id: The batch id.
        request: The index of the request.
        rows: The rows of the request that the batch has.
        time: The time in seconds since 1970.
        items: The queue items that the server created, or None if that is unknown.
    """

    batch_id: str
    request: int
    rows: list[int]
    time: float
    items: list[int] | None = None


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


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: The file cannot be read, is not a manifest, or ends before the sweep began.
    """
    lines = _lines(path)
    header = next(lines, None)
    if header is None or header.get("kind") != "sweep":
        raise UsageError(f"{path} is not the manifest of a sweep.")
    if header.get("format") != FORMAT:
        raise UsageError(
            f"The manifest {path} has format {header.get('format')}, but this client reads format {FORMAT}."
        )
    found = Manifest(header)
    by_id: dict[str, Sending] = {}
    for line in lines:
        kind = line.get("kind")
        if kind == "request":
            found.requests.append(Request.from_dict(line))
        elif kind == "sending":
            sending = Sending(line["batch"], line["request"], unpacked(line["rows"]), line["time"])
            by_id[sending.batch_id] = sending
            found.batches.append(sending)
        elif kind == "sent":
            by_id[line["batch"]].items = unpacked(line["items"])
        elif kind == "run":
            found.runs[line["run"]] = line
    if len(found.requests) < header["requests"]:
        raise UsageError(
            f"The manifest {path} is incomplete: no run was sent. Delete it and start the sweep again."
        )
    return found


def run_record(index: int, run: AsyncRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run that has ended.

    Args:
        index: The run's index in the sweep.
        run: The run.
        values: The run's axis values, and the seeds that random nodes drew on the server.

    Returns:
        ``run item state inputs images seconds``, ``seed`` if it is known, and ``error`` if the run failed.
    """
    found: dict[str, Any] = {
        "run": index,
        "item": run.item_id,
        "state": run.status.state.value,
        "inputs": jsonable(values),
        "images": [image.name for image in run.images],
        "seconds": run.seconds,
    }
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


def _lines_of(file: Iterable[str], path: Path) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a manifest of a sweep: it is not UTF-8 text.") from None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"Cannot read the manifest {path}: {error.strerror or error}.") from None
    with file:
        for text in _lines_of(file, path):
            try:
                line = json.loads(text)
            except ValueError:
                continue  # an incomplete line, left by a crash
            if isinstance(line, dict):
                yield cast("dict[str, Any]", line)
