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

    from invokeai_py_client.models.install import InstallFile, ModelInstJobInfo

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
    """Print one line per change of state and, if a model has several files, one per downloaded file."""
    said: dict[str | None, str] = {}
    files = set[tuple[str | None, str]]()

    def show(info: ModelInstJobInfo) -> None:
        for file in info.files if len(info.files) > 1 else ():
            if file.fraction == 1 and (info.source, file.url) not in files:
                files.add((info.source, file.url))
                say(f"{hide_secrets(info.source)}: {file.name} downloaded")
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
    tasks: dict[tuple[str | None, str | None], TaskID] = {}

    def task_of(source: str | None, file: InstallFile | None = None) -> TaskID:
        key = source, None if file is None else file.url
        if key not in tasks:
            label = short_name(source) if file is None else f"  {clip(file.name, 30, keep_end=True)}"
            tasks[key] = bars.add_task(label, total=None, state="", size="")
        return tasks[key]

    def size_of(done: int, total: int | None) -> str:
        return f"{decimal(done)} of {decimal(total)}" if total else ""

    def show(info: ModelInstJobInfo) -> None:
        total = info.total_bytes or None
        size = size_of(info.bytes, total)
        if info.is_complete():  # show a full bar even if there was nothing to download
            total = total or 1
        done = total if info.is_successful() else info.bytes
        task = task_of(info.source)
        bars.update(task, total=total, completed=done or 0, state=str(info.status), size=size)
        under_way = [file for file in info.files if len(info.files) > 1 and _is_under_way(info, file)]
        for file in under_way:
            of_file = file.total_bytes or None
            bars.update(
                task_of(info.source, file),
                total=of_file,
                completed=file.bytes,
                size=size_of(file.bytes, of_file),
            )
        shown = {file.url for file in under_way}
        for source, url in list(tasks):
            if source == info.source and url is not None and url not in shown:
                bars.remove_task(tasks.pop((source, url)))

    with bars:
        yield show


def _is_under_way(info: ModelInstJobInfo, file: InstallFile) -> bool:
    return not info.is_complete() and file.bytes > 0 and file.fraction != 1
