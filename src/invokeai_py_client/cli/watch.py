"""The output of ``ivk queue watch``: a live table in a terminal, otherwise a line per change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import clip
from invokeai_py_client.cli.output import echo, emit, hint, is_watched
from invokeai_py_client.cli.streams import output_is_lost
from invokeai_py_client.cli.tables import SCREEN, moment_of, seconds_of
from invokeai_py_client.display import line_of
from invokeai_py_client.display.console import console_for
from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.models import IvkJob, JobStatus, QueueStatus
from invokeai_py_client.run.events import (
    ModelLoaded,
    ModelLoading,
    NodeEvent,
    NodeProgress,
    NodeStarted,
    RunEvent,
    StatusChanged,
)
from invokeai_py_client.run.status import state_word
from invokeai_py_client.transport.retry import is_passing

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from invokeai_py_client import InvokeAIClient

_NOT_SHOWN = ("raw", "preview", "error_traceback", "output")
_COUNTS = ("pending", "in_progress", "waiting", "completed", "failed", "canceled", "total")
_BAR = 20
_LONGEST = 200


def status_line(status: QueueStatus) -> str:
    """Return a one-line summary of a queue."""
    state = "Paused" if not status.is_started else "Active" if status.unfinished else "Idle"
    words = {
        "running": status.in_progress,
        "pending": status.pending,
        "waiting": status.waiting,
        "completed": status.completed,
        "failed": status.failed,
        "canceled": status.canceled,
    }
    counts = ", ".join(f"{count:,} {word}" for word, count in words.items() if count)
    return f"{state}: {counts}" if counts else f"{state}: no items"


def seconds_at(job: IvkJob, now: datetime | None = None) -> str:
    """Return how long an item ran, or has been running; empty if that is unknown."""
    start, end = moment_of(job.started_at), moment_of(job.completed_at)
    if end is None and job.status is JobStatus.RUNNING:
        end = now or datetime.now(UTC)
    return "" if start is None or end is None else seconds_of(max((end - start).total_seconds(), 0.0))


def what_of(job: IvkJob) -> str:
    """Return the error of an item, or the batch values specific to it."""
    if job.error_type:
        return _cut(f"{job.error_type}: {job.error or ''}".rstrip(": "))
    values = (f"{one.get('field_name')}={_word(one.get('value'))}" for one in job.field_values)
    return _cut(", ".join(values))


def _word(value: Any) -> str:
    if isinstance(value, dict):  # a model, an image or a board: use its name
        record = cast("dict[str, Any]", value)
        return str(record.get("name") or record.get("image_name") or record.get("board_id") or "…")
    return str(value)


def _cut(text: str) -> str:
    return clip(" ".join(text.split()), _LONGEST)


def window(item_ids: Sequence[int], current: int | None, size: int) -> list[int]:
    """Select the items to show: those around the running item, or the last ones if none is running."""
    if current not in item_ids:
        return list(item_ids[-size:])
    place = item_ids.index(current)
    start = max(0, min(place - size // 3, len(item_ids) - size))
    return list(item_ids[start : start + size])


def with_errors(client: InvokeAIClient, jobs: list[IvkJob], known: dict[str, IvkJob]) -> list[IvkJob]:
    """Add the errors to failed items. The summaries of InvokeAI 6.14 do not contain them.

    Args:
        client: Client for the server.
        jobs: The items.
        known: Failed items that were fetched before. New ones are added.
    """
    failed = [
        int(job.id)
        for job in jobs
        if job.status is JobStatus.FAILED and not job.error_type and job.id not in known
    ]
    if failed:
        known.update((job.id, job) for job in client.queue_repo.items(failed, outputs=True))
    return [known.get(job.id, job) if job.status is JobStatus.FAILED else job for job in jobs]


class QueueView:
    """The live view of a queue, updated by statuses and events."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._status: QueueStatus | None = None
        self._jobs: list[IvkJob] = []
        self._node: dict[int, tuple[str, float | None]] = {}
        self._device: dict[int, str] = {}
        self.ended = False

    def show_status(self, status: QueueStatus, jobs: list[IvkJob]) -> None:
        """Update the status of the queue and the items to show."""
        self._status, self._jobs = status, jobs
        running = {job.item_id for job in jobs if job.status is JobStatus.RUNNING}
        self._node = {item_id: node for item_id, node in self._node.items() if item_id in running}
        self._device = {item_id: device for item_id, device in self._device.items() if item_id in running}

    def show_event(self, event: RunEvent) -> None:
        """Update the progress of a running item."""
        if isinstance(event, NodeProgress):
            self._node[event.item_id] = (f"{event.node_type}: {event.message}", event.fraction)
            if event.device:
                self._device[event.item_id] = event.device
        elif isinstance(event, ModelLoading):
            self._node[event.item_id] = (f"{event.node_type}: loading {event.what}", None)
        elif isinstance(event, NodeStarted | ModelLoaded):
            self._node[event.item_id] = (event.node_type, None)

    def __rich_console__(self, console: Console, options: Any) -> Any:
        yield self._rendered(console)

    def _rendered(self, console: Console) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from invokeai_py_client.cli.tables import STYLES

        if self._status is None:
            return Text(f"Connecting to {self._url}")
        head = Text.assemble((status_line(self._status), "bold"), (f"   {self._url}", "dim"))
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        room = max(console.height - 4, 3)
        for job in self._jobs[:room]:
            state = state_word(job.status)
            table.add_row(
                Text(job.id), Text(state, style=STYLES.get(state, "")), seconds_at(job), self._what(job)
            )
        foot = Text("" if self.ended else "Press Ctrl-C to stop watching. Runs continue.", style="dim")
        return Group(head, Text(), table, foot)

    def _what(self, job: IvkJob) -> RenderableType:
        from rich.text import Text

        text, fraction = self._node.get(job.item_id or -1, ("", None))
        if job.status is not JobStatus.RUNNING or not text:
            return Text(what_of(job))
        if len(set(self._device.values())) > 1:  # several GPUs are at work
            text = f"{self._device.get(job.item_id or -1, '')} {text}".lstrip()
        if fraction is None:
            return Text(text)
        full = round(fraction * _BAR)
        return Text.assemble(("━" * full, "cyan"), ("━" * (_BAR - full), "dim"), f" {fraction:4.0%} {text}")


def watch_queue(client: InvokeAIClient, *, until_idle: bool, as_json: bool) -> None:
    """Follow a queue until Ctrl-C, or until it is idle."""
    try:
        if is_watched(sys.stdout) and not as_json:
            _screen(client, until_idle)
        else:
            _lines(client, until_idle, as_json)
    except KeyboardInterrupt:
        if until_idle:  # report that the queue is not idle yet
            raise


def _screen(client: InvokeAIClient, until_idle: bool) -> None:
    from rich.live import Live

    view, failed = QueueView(client.url), dict[str, IvkJob]()
    with Live(view, console=console_for(sys.stdout), refresh_per_second=8, vertical_overflow="crop"):
        try:
            for update in client.queue_repo.watch(interval=2.0):
                if isinstance(update, RunEvent):
                    view.show_event(update)
                    continue
                try:
                    ids = window(client.queue_repo.item_ids(), update.item_id, SCREEN // 2)
                    view.show_status(update, with_errors(client, client.queue_repo.items(ids), failed))
                except APIRequestError as error:
                    if not is_passing(error):
                        raise
                    continue  # watch() tolerates the outage or raises
                if until_idle and not update.unfinished:
                    break
        finally:
            view.ended = True
    hint("List the images: ivk images ls")


def _lines(client: InvokeAIClient, until_idle: bool, as_json: bool) -> None:
    last = ""
    for update in client.queue_repo.watch():
        if isinstance(update, RunEvent):
            if as_json:
                emit(plain_event(update))
            elif isinstance(update, StatusChanged | ModelLoading):
                echo(line_of(update, str))
            continue
        line = status_line(update)
        if line != last:
            last = line
            if as_json:
                emit({"event": "queue_status", **{name: getattr(update, name) for name in _COUNTS}})
            else:
                echo(line)
        if (until_idle and not update.unfinished) or output_is_lost():
            break
    if as_json:
        emit({"event": "result", "ok": True})


def plain_event(event: RunEvent) -> dict[str, Any]:
    """Convert an event to a JSON object, without images, outputs and the raw payload."""
    line: dict[str, Any] = {"event": event.event_type}
    for field in fields(event):
        if field.name not in _NOT_SHOWN:
            line[field.name] = getattr(event, field.name)
    if isinstance(event, NodeEvent):
        line.pop("prepared_id", None)
    return line
