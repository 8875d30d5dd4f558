"""``ivk queue``: the server's queue."""

from __future__ import annotations

import sys
from typing import Any

import click

from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_items, my_items, read_names
from invokeai_py_client.cli.options import connect, limit_option, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.tables import Column, screenful, show_table, time_of
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.status import state_word

_mine = click.option(
    "--mine",
    is_flag=True,
    help="Only items sent from your account or, on servers without user accounts, from this machine.",
)
_items = click.argument("items", metavar="[ITEMS]...", nargs=-1)
_COUNTS = ("pending", "in_progress", "waiting", "completed", "failed", "canceled", "total")

_LONGEST_NUMBER = 19


@click.group(cls=IvkGroup)
def queue() -> None:
    """Watch and manage the queue.

    ITEMS are item numbers. Use - to read them from standard input, as printed by `ivk queue ls`.
    """


def item_ids(items: tuple[str, ...]) -> list[int]:
    """Return item numbers from the command line or standard input.

    Raises:
        UsageError: One of them is not a number.
    """
    ids: list[int] = []
    for text in read_names(items):
        if not (text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER):
            raise UsageError(
                f"Invalid queue item {text!r}: expected a number. List the items with: ivk queue ls"
            )
        ids.append(int(text))
    return ids


def _done(sentence: str, as_json: bool, **facts: Any) -> None:
    if as_json:
        emit({"event": "result", "ok": True, **facts})
    else:
        say(sentence)


@queue.command("ls")
@click.option(
    "--state",
    "states",
    metavar="STATE",
    multiple=True,
    help="Only items in this state: pending, running, waiting, completed, failed or canceled.",
)
@click.option("--batch", metavar="BATCH", help="Only items of this batch: its id.")
@_mine
@limit_option
@url_option
@output_options
def list_(
    states: tuple[str, ...], batch: str | None, mine: bool, limit: int | None, url: str | None, as_json: bool
) -> None:
    """List queue items, newest first."""
    from invokeai_py_client.cli.watch import seconds_at, what_of, with_errors

    most = screenful(limit, as_json)
    with connect(url) as client:
        repo = client.queue_repo
        if states or batch or mine:
            found = repo.items(status=states or None, batch_id=batch)[::-1]
            found = my_items(client, found) if mine else found
            total = len(found)
        else:
            ids = repo.item_ids(order_dir="DESC")
            total = len(ids)
            found = repo.items(ids if most is None else ids[:most])[::-1]
        found = with_errors(client, found[:most], {})
    if as_json:
        for job in found:
            # Only failed items have outputs. Leave them out, so that all items have the same fields.
            facts = {key: value for key, value in job.to_dict().items() if key != "outputs"}
            emit({"event": "item", "name": job.id, **facts})
        emit({"event": "result", "ok": True, "items": len(found), "more": total > len(found)})
        return
    columns = [
        Column("item", right=True),
        Column("state"),
        Column("took", right=True),
        Column("values or error", cut=True),
        Column("sent", wide=True),
        Column("created", wide=True),
    ]
    if found or not is_watched(sys.stdout):
        rows = [
            [
                job.id,
                state_word(job.status),
                seconds_at(job),
                what_of(job),
                time_of(job.created_at),
                job.batch_id or "",
            ]
            for job in found
        ]
        show_table(columns, rows)
    if not found:
        hint("No matching items." if states or batch or mine else "The queue is empty.")
    else:
        more = (
            f"Showing the newest {len(found)} of {total:,}; use -n for more. " if total > len(found) else ""
        )
        hint(f"{more}Watch the queue: ivk queue watch")


@queue.command("status")
@url_option
@output_options
def status(url: str | None, as_json: bool) -> None:
    """Show the queue's status."""
    from invokeai_py_client.cli.watch import status_line

    with connect(url) as client:
        now = client.queue_repo.status()
    if as_json:
        counts = {name: getattr(now, name) for name in _COUNTS}
        facts = {"item_id": now.item_id, "batch_id": now.batch_id, "is_started": now.is_started}
        emit({"event": "result", "ok": True, **counts, **facts, "is_processing": now.is_processing})
        return
    echo(status_line(now))
    if not now.is_started:
        hint("Resume it: ivk queue resume")
    elif now.unfinished:
        hint("Watch it: ivk queue watch")
    elif now.failed:
        hint("List failed items: ivk queue ls --state failed")


@queue.command("watch")
@click.option("--until-idle", is_flag=True, help="Exit once all items have finished.")
@url_option
@output_options
def watch(until_idle: bool, url: str | None, as_json: bool) -> None:
    """Watch the queue live, including other clients' jobs, until Ctrl-C.

    When piped, prints one line per change.
    """
    from invokeai_py_client.cli.watch import watch_queue

    with connect(url) as client:
        watch_queue(client, until_idle=until_idle, as_json=as_json)


@queue.command("cancel")
@_items
@click.option("--all", "everything", is_flag=True, help="Cancel all unfinished items.")
@click.option(
    "--batch", "batches", metavar="BATCH", multiple=True, help="Cancel the items of this batch: its id."
)
@_mine
@yes_option
@url_option
@output_options
def cancel(
    items: tuple[str, ...],
    everything: bool,
    batches: tuple[str, ...],
    mine: bool,
    yes: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Cancel queue items. Finished items do not change."""
    if sum(map(bool, (items, everything, batches, mine))) != 1:
        raise UsageError("Specify what to cancel: ITEMS, --batch BATCH, --mine or --all.")
    with connect(url) as client:
        repo = client.queue_repo
        if items:
            ids = item_ids(items)
            ended = [job for job in find_items(client, ids) if job.is_complete()]
            for item_id in set(ids) - {job.item_id for job in ended}:
                repo.cancel(item_id)
            count = len(set(ids)) - len(ended)
            for job in [] if as_json else ended:
                say(f"Item {job.id} is already {state_word(job.status)}.")
        elif batches:
            count = repo.cancel_batches(batches)
        elif mine:
            sent = my_items(client, repo.items(status=("pending", "running", "waiting")))
            count = len(sent)
            if count:
                confirm(f"Cancel {counted(count, 'item')}?", yes)
                repo.cancel_batches({job.batch_id for job in sent if job.batch_id})
        else:
            count = repo.status().unfinished
            if count:
                confirm(f"Cancel {counted(count, 'item')}?", yes)
                repo.cancel_all_except_current()
                repo.cancel_current()
    _done(f"Canceled {counted(count, 'item')}.", as_json, canceled=count)
    if count:
        hint("Run canceled items again: ivk queue retry ITEMS...", as_json)


@queue.command("retry")
@_items
@click.option("--failed", is_flag=True, help="Retry all failed items.")
@_mine
@url_option
@output_options
def retry(items: tuple[str, ...], failed: bool, mine: bool, url: str | None, as_json: bool) -> None:
    """Run failed and canceled items again, as new items. Prints the new item numbers."""
    if bool(items) == (failed or mine):
        raise UsageError("Specify what to retry: ITEMS, --failed, or --mine for your failed items.")
    with connect(url) as client:
        repo = client.queue_repo
        if failed or mine:
            ended = repo.items(status="failed")
            ids = [int(job.id) for job in (my_items(client, ended) if mine else ended)]
        else:
            ids = item_ids(items)
            left = [job for job in find_items(client, ids) if str(job.status) not in ("failed", "cancelled")]
            if left:
                raise UsageError(
                    f"Item {left[0].id} is {state_word(left[0].status)}; only failed and canceled items can be "
                    "retried. Nothing was changed."
                )
        retried = repo.retry(ids)
    if as_json:
        emit({"event": "result", "ok": True, "retried": list(retried), "items": list(retried.values())})
        return
    for item_id in retried.values():
        echo(item_id)
    say(f"Added {counted(len(retried), 'item')} to the queue.")
    hint("Watch the queue: ivk queue watch")


@queue.command("clear")
@yes_option
@url_option
@output_options
def clear(yes: bool, url: str | None, as_json: bool) -> None:
    """Cancel the running item and remove all items. Images are kept."""
    with connect(url) as client:
        now = client.queue_repo.status()
        confirm(f"Remove {counted(now.total, 'item')}, including {now.unfinished} unfinished?", yes)
        count = client.queue_repo.clear()
    _done(f"Removed {counted(count, 'item')}.", as_json, removed=count)


@queue.command("prune")
@yes_option
@url_option
@output_options
def prune(yes: bool, url: str | None, as_json: bool) -> None:
    """Remove finished items. Images are kept."""
    with connect(url) as client:
        now = client.queue_repo.status()
        confirm(f"Remove {counted(now.total - now.unfinished, 'finished item')}?", yes)
        count = client.queue_repo.prune()
    _done(f"Removed {counted(count, 'item')}.", as_json, removed=count)


@queue.command("pause")
@url_option
@output_options
def pause(url: str | None, as_json: bool) -> None:
    """Pause the queue. The item that is running finishes."""
    with connect(url) as client:
        client.queue_repo.pause()
    _done("Paused the queue.", as_json, is_started=False)
    hint("Resume it: ivk queue resume", as_json)


@queue.command("resume")
@url_option
@output_options
def resume(url: str | None, as_json: bool) -> None:
    """Resume a paused queue."""
    with connect(url) as client:
        client.queue_repo.resume()
    _done("Resumed the queue.", as_json, is_started=True)
    hint("Watch it: ivk queue watch", as_json)
