"""Progress of model installations: bars in a terminal, otherwise lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from invokeai_py_client._text import clip, hide_secrets
from invokeai_py_client.cli.output import is_quiet, is_watched, say
from invokeai_py_client.display.console import console_for

if TYPE_CHECKING:
    from rich.progress import TaskID

    from invokeai_py_client.models.install import ModelInstJobInfo

Show = Callable[["ModelInstJobInfo"], None]


@contextmanager
def install_display(as_json: bool) -> Generator[Show]:
    """Show the progress of installations, and yield a function to call with each update."""
    if as_json or is_quiet():
        yield lambda info: None
    elif is_watched():
        with _bars() as show:
            yield show
    else:
        yield _lines()


def short_name(source: str | None) -> str:
    """Return a short name for a source."""
    text = hide_secrets(source or "a model").rstrip("/")
    name = text if text.count("/") == 1 else PurePath(text).name
    return clip(name, 32, keep_end=True)


def _lines() -> Show:
    """Print one line per change of state, not per byte."""
    said: dict[str | None, str] = {}

    def show(info: ModelInstJobInfo) -> None:
        word = str(info.status)
        if said.get(info.source) != word:
            said[info.source] = word
            say(f"{hide_secrets(info.source)}: {word}")

    return show


@contextmanager
def _bars() -> Generator[Show]:
    from rich.filesize import decimal
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[size]}", markup=False),
        TextColumn("{task.fields[state]}", markup=False),
        console=console_for(sys.stderr),
        transient=True,
    )
    tasks: dict[str | None, TaskID] = {}

    def show(info: ModelInstJobInfo) -> None:
        if info.source not in tasks:
            tasks[info.source] = bars.add_task(short_name(info.source), total=None, state="", size="")
        total = info.total_bytes or None
        size = f"{decimal(info.bytes)} of {decimal(total)}" if total else ""
        if info.is_complete():  # show a full bar even if there was nothing to download
            total = total or 1
        done = total if info.is_successful() else info.bytes
        bars.update(tasks[info.source], total=total, completed=done or 0, state=str(info.status), size=size)

    with bars:
        yield show
