"""The record of a sweep on disk: one JSON object a line, each written as it happens.

Whatever dies, the file tells what was to be run, what the server was asked for, and what came back:

- ``sweep``: the first line; what it is, and where.
- ``request``: the requests as they are sent, with all values.
- ``sending``: a batch with its id, before it is sent; ``sent``: the items that the server made of it.
- ``run``: a run that has ended, with its axis values, state, images and seconds.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
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
    """Appends to a manifest.

    Raises:
        UsageError: The file cannot be written, or is there already.
    """

    def __init__(self, path: Path, *, anew: bool) -> None:
        self.path = path
        try:
            if anew:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.open("x" if anew else "a", encoding="utf-8").close()
        except FileExistsError:
            raise UsageError(
                f"{path} is there already. Resume that sweep, or choose another name for the new one."
            ) from None
        except OSError as error:
            raise UsageError(f"The manifest {path} cannot be written: {error}.") from None
        if not anew:
            self._drop_half_line()

    def begin(self, requests: Sequence[Request], **header: Any) -> None:
        """Write the first line, and the requests.

        Args:
            requests: The requests of the sweep.
            **header: What the sweep is: the arguments to make it again.
        """
        self.write("sweep", format=FORMAT, **jsonable(header), requests=len(requests))
        for request in requests:
            self.write("request", **request.to_dict())

    def write(self, kind: str, **values: Any) -> None:
        """Append one line, and hand it to the system at once.

        The file is open no longer than that: nobody has to close a sweep.
        """
        self._append(json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n")

    def _append(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)

    def _drop_half_line(self) -> None:
        """A process that died while it wrote left half a line; what follows must not be glued to it."""
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
    """A batch that was to be sent.

    Attributes:
        batch_id: Its id.
        request: The number of its request.
        rows: The rows of it.
        time: When, in seconds since 1970.
        items: The items that the server made of it; None where that is not known.
    """

    batch_id: str
    request: int
    rows: list[int]
    time: float
    items: list[int] | None = None


@dataclass(slots=True)
class Manifest:
    """What a manifest tells.

    Attributes:
        header: Its first line.
        requests: The requests.
        batches: The batches, in the order in which they were sent.
        runs: The last word on each run that has ended, by its index.
    """

    header: dict[str, Any]
    requests: list[Request] = field(default_factory=list[Request])
    batches: list[Sending] = field(default_factory=list[Sending])
    runs: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        UsageError: The file cannot be read, is no manifest, or its head was not written to the end.
    """
    lines = _lines(path)
    header = next(lines, None)
    if header is None or header.get("kind") != "sweep":
        raise UsageError(f"{path} is no manifest of a sweep.")
    if header.get("format") != FORMAT:
        raise UsageError(f"{path} is of format {header.get('format')}; this version reads format {FORMAT}.")
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
        raise UsageError(f"{path} ends before its sweep began: nothing of it was sent. Start it anew.")
    return found


def run_record(index: int, run: AsyncRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run that has ended.

    Args:
        index: Its index in the sweep.
        run: The run.
        values: Its axis values.

    Returns:
        ``run item state inputs images seconds``, and ``error`` if it failed.
    """
    found: dict[str, Any] = {
        "run": index,
        "item": run.item_id,
        "state": run.status.state.value,
        "inputs": jsonable(values),
        "images": [image.name for image in run.images],
        "seconds": run.seconds,
    }
    if run.status.error_type:
        found["error"] = f"{run.status.error_type}: {run.status.error_message}"
    return found


def recorded_item(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record from ``run_record()`` says of the run's queue item: its status and error."""
    kind, _, message = str(record.get("error") or "").partition(": ")
    return {"status": record["state"], "error_type": kind or None, "error_message": message or None}


def packed(numbers: Sequence[int]) -> list[int | list[int]]:
    """Numbers with each stretch of consecutive ones as a pair, first and last."""
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
    """The numbers that ``packed()`` made these of."""
    found: list[int] = []
    for stretch in stretches:
        found.extend(range(stretch[0], stretch[1] + 1) if isinstance(stretch, list) else [stretch])
    return found


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The manifest {path} cannot be read: {error}.") from None
    with file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # what a process was writing when it died
            if isinstance(line, dict):
                yield cast("dict[str, Any]", line)
