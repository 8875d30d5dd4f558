"""``ivk watch``: the server's events, one line for each."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._text import clip, close_names, did_you_mean, hide_secrets
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import connect, output_options, url_option
from invokeai_py_client.cli.output import echo, emit, say
from invokeai_py_client.cli.streams import output_is_lost
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from invokeai_py_client.run.events import ServerEvent

# The names of groups on the command line, and their classes.
_GROUPS = {
    "runs": "RunEvent",
    "queue": "QueueEvent",
    "library": "LibraryChanged",
    "models": "ModelLoadEvent",
    "installs": "ModelInstallEvent",
    "downloads": "DownloadEvent",
    "zips": "BulkDownloadEvent",
    "llm": "LLMTaskEvent",
}
_NOT_SHOWN = frozenset(
    {"timestamp", "raw", "preview", "error_traceback", "output", "config", "prepared_id", "parts", "name"}
)
_LONGEST = 60


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(name) for name in _known() if name.startswith(incomplete)]


@click.command(cls=IvkCommand)
@click.argument("kinds", nargs=-1, metavar="[KIND]...", shell_complete=_complete)
@click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="Exit after N events.")
@url_option
@output_options
def watch(kinds: tuple[str, ...], count: int | None, url: str | None, as_json: bool) -> None:
    """Print the server's events, one line each, until Ctrl-C.

    KIND is a group of events: runs, queue, library, models, installs, downloads, zips or llm. It can also be the
    name of an event, such as batch_enqueued. Without KIND, all events are printed.

    \b
      ivk watch
      ivk watch library installs --json
      ivk watch workflow_created -n 1
    """
    classes = [_class_of(kind) for kind in kinds]
    try:
        with connect(url) as client:
            _print_events(client.watch(*classes), client.url, count, as_json)
    except KeyboardInterrupt:
        if count is not None:  # fewer events came
            raise


def _print_events(events: Any, url: str, count: int | None, as_json: bool) -> None:
    from invokeai_py_client.events.kinds import EventsConnected

    left = count
    for event in events:
        if isinstance(event, EventsConnected):
            if as_json:
                emit({"event": "connected", "timestamp": event.timestamp, "missed": event.missed})
            else:
                say("Connected again. Events may have been missed." if event.missed else f"Watching {url}")
            continue
        if as_json:
            emit(event_json(event))
        else:
            echo(event_line(event))
        if left is not None:
            left -= 1
        if left == 0 or output_is_lost():
            break
    if as_json:
        emit({"event": "result", "ok": True})


def event_json(event: ServerEvent) -> dict[str, Any]:
    """Convert an event to a JSON object, without images, outputs, records of models and the raw payload."""
    line: dict[str, Any] = {"event": event_name(event), "timestamp": event.timestamp, **_values(event)}
    return line | ({"redacted": True} if event.redacted else {})


def event_line(event: ServerEvent) -> str:
    """Return an event as a line: the time, the event's name, and its values."""
    when = datetime.fromtimestamp(event.timestamp).strftime("%H:%M:%S")
    values = [
        f"{name}={clip(' '.join(str(value).split()), _LONGEST)}"
        for name, value in _values(event).items()
        if value not in (None, "", {}, ())
    ]
    hidden = ["(another user's)"] if event.redacted else []
    return " ".join([when, event_name(event), *values, *hidden])


def event_name(event: ServerEvent) -> str:
    """Return the server's name of an event."""
    from invokeai_py_client.events.kinds import OtherEvent

    return event.name if isinstance(event, OtherEvent) else event.event_type


def _values(event: ServerEvent) -> dict[str, Any]:
    from invokeai_py_client.events.kinds import ModelLoadEvent, OtherEvent
    from invokeai_py_client.run.events import RunEvent

    if isinstance(event, OtherEvent):
        return {name: _safe(value) for name, value in event.raw.items() if name != "timestamp"}
    values = {
        field.name: _safe(getattr(event, field.name))
        for field in fields(event)  # pyright: ignore[reportArgumentType]
        if field.name not in _NOT_SHOWN
    }
    if isinstance(event, RunEvent):
        values["batch_id"] = event.batch_id
    elif isinstance(event, ModelLoadEvent):
        values = {"model": event.model_name, "key": event.model_key, **values}
    return values


def _safe(value: Any) -> Any:
    return hide_secrets(value) if isinstance(value, str) else value  # the URL of a file may contain a token


def _known() -> list[str]:
    from invokeai_py_client.events.parse import EVENTS

    return [*_GROUPS, *sorted(EVENTS)]


def _class_of(kind: str) -> type[ServerEvent]:
    import invokeai_py_client
    from invokeai_py_client.events.parse import EVENTS

    name = kind.replace("-", "_")
    if name in _GROUPS:
        return getattr(invokeai_py_client, _GROUPS[name])
    if name in EVENTS:
        return EVENTS[name]
    hint = did_you_mean(close_names(name, _known()))
    raise UsageError(
        f"No kind of event named {kind!r}.{hint} Groups: {', '.join(_GROUPS)}. Events have the server's names, such as "
        "batch_enqueued."
    )
