"""``ivk queue``: the server's queue."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.manifests import sweeps_to_resume
from invokeai_py_client.cli.names import find_items, read_names
from invokeai_py_client.cli.options import connect, limit_option, output_options, url_option, yes_option
from invokeai_py_client.cli.output import FAILED, confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.tables import Column, screenful, show_table, time_of
from invokeai_py_client.errors import TransferError, UsageError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.status import state_word

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkJob

F = TypeVar("F", bound=Callable[..., Any])
_items = click.argument("items", metavar="[ITEMS]...", nargs=-1)
_COUNTS = ("pending", "in_progress", "waiting", "completed", "failed", "canceled", "total")

_LONGEST_NUMBER = 19


@click.group(cls=IvkGroup)
def queue() -> None:
    """Watch and manage the queue.

    On a server with several users, the commands list, count and change your own items, unless you pass --all-users.
    ITEMS are item numbers. Use - to read them from standard input, as printed by `ivk queue ls`.
    """


def _scope_options(command: F) -> F:
    """Add the options ``--mine`` and ``--all-users``, and pass their choice as ``mine``: True, False or None."""

    @wraps(command)
    def with_scope(*args: Any, mine: bool, all_users: bool, **options: Any) -> Any:
        if mine and all_users:
            raise UsageError("--mine and --all-users exclude each other. Pass only one of them.")
        return command(*args, mine=True if mine else False if all_users else None, **options)

    return click.option(
        "--mine",
        is_flag=True,
        help="Only items sent from your account (the default) or, on servers without user accounts, from this machine.",
    )(
        click.option(
            "--all-users",
            is_flag=True,
            help="Items of all users. Only administrators can change those of others.",
        )(cast("F", with_scope))
    )


def _batches(batches: Sequence[str]) -> str:
    return "1 batch" if len(batches) == 1 else f"{len(batches)} batches"


def _of_whom(mine: bool | None) -> str:
    return " of all users" if mine is False else ""


def _raise_if_of_others(jobs: Iterable[IvkJob], action: str) -> None:
    """Raise if items belong to other users and cannot be changed.

    Raises:
        UsageError: Some of them do.
    """
    others = [job.id for job in jobs if job.is_redacted]
    if others:
        raise UsageError(
            f"Cannot {action} {'item' if len(others) == 1 else 'items'} {', '.join(others)}: expected your own items, "
            "but these belong to other users. Nothing was changed."
        )


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
@_scope_options
@limit_option
@url_option
@output_options
def list_(
    states: tuple[str, ...],
    batch: str | None,
    mine: bool | None,
    limit: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """List queue items, newest first."""
    from invokeai_py_client.cli.watch import seconds_at, what_of, with_errors

    most = screenful(limit, as_json)
    with connect(url) as client:
        repo = client.queue_repo
        own = mine is not False and client.settings.has_account
        if states or batch or mine or own:
            found = repo.items(status=states or None, batch_id=batch, mine=mine)[::-1]
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
        hint("No matching items." if states or batch or mine or own else "The queue is empty.")
    else:
        more = (
            f"Showing the newest {len(found)} of {total:,}; use -n for more. " if total > len(found) else ""
        )
        hint(f"{more}Watch the queue: ivk queue watch")
    if own and not batch:
        hint("These are your items. Those of all users: ivk queue ls --all-users")


@queue.command("status")
@_scope_options
@url_option
@output_options
def status(mine: bool | None, url: str | None, as_json: bool) -> None:
    """Show the queue's status."""
    from invokeai_py_client.cli.watch import status_line

    with connect(url) as client:
        now = client.queue_repo.status(mine=mine)
        own = mine is not False and client.settings.has_account
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
    if own:
        hint("These are your items. Those of all users: ivk queue status --all-users")


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
@_scope_options
@yes_option
@url_option
@output_options
def cancel(
    items: tuple[str, ...],
    everything: bool,
    batches: tuple[str, ...],
    mine: bool | None,
    yes: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Cancel queue items. Finished items do not change."""
    if sum(map(bool, (items, batches, everything or mine))) != 1 or (mine is False and not everything):
        raise UsageError("Specify what to cancel: ITEMS, --batch BATCH, --mine or --all.")
    error: TransferError | None = None
    with connect(url) as client:
        repo = client.queue_repo
        if items:
            ids = item_ids(items)
            jobs = find_items(client, ids)
            ended = [job for job in jobs if job.is_complete()]
            _raise_if_of_others((job for job in jobs if not job.is_complete()), "cancel")
            unfinished = {str(one): one for one in sorted(set(ids) - {int(job.id) for job in ended})}
            canceled, error = try_each(unfinished, repo.cancel, what="canceled", kind="queue item", label=str)
            count = len(canceled)
            for job in [] if as_json else ended:
                say(f"Item {job.id} is already {state_word(job.status)}.")
        elif batches:
            count = repo.cancel_batches(batches)
            unknown = [batch for batch in batches if not repo.batch_status(batch).total]
            if unknown:
                raise UsageError(f"No batch {unknown[0]!r} in the queue. Canceled {counted(count, 'item')}.")
        else:
            count = repo.status(mine=mine).unfinished
            if count:
                confirm(f"Cancel {counted(count, 'item')}{_of_whom(mine)}?", yes)
                count = repo.cancel_all(mine=mine)
    _done(f"Canceled {counted(count, 'item')}.", as_json, ok=error is None, canceled=count)
    if error is not None:
        raise error
    if count:
        hint("Run canceled items again: ivk queue retry ITEMS...", as_json)


@queue.command("retry")
@_items
@click.option("--failed", is_flag=True, help="Retry all failed items.")
@_scope_options
@url_option
@output_options
def retry(items: tuple[str, ...], failed: bool, mine: bool | None, url: str | None, as_json: bool) -> None:
    """Run failed and canceled items again, as new items. Prints the new item numbers."""
    if bool(items) == bool(failed or mine) or (items and mine is not None) or (mine is False and not failed):
        raise UsageError("Specify what to retry: ITEMS, --failed, or --mine for your failed items.")
    others = 0
    with connect(url) as client:
        repo = client.queue_repo
        if items:
            ids = item_ids(items)
            jobs = find_items(client, ids)
            _raise_if_of_others(jobs, "retry")
            left = [job for job in jobs if str(job.status) not in ("failed", "cancelled")]
            if left:
                raise UsageError(
                    f"Item {left[0].id} is {state_word(left[0].status)}; only failed and canceled items can be "
                    "retried. Nothing was changed."
                )
        else:
            ids = [int(job.id) for job in repo.items(mine=mine) if job.status is JobStatus.FAILED]
            if mine is not False and client.settings.has_account:
                others = repo.status(mine=False).failed - len(ids)
        retried = repo.retry(ids)
    new = list(
        dict.fromkeys(retried.values())
    )  # the server retries the run that called several workflows once
    missing = [item_id for item_id in ids if item_id not in retried]
    if as_json:
        emit(
            {"event": "result", "ok": not missing, "retried": list(retried), "items": new, "missing": missing}
        )
    else:
        for item_id in new:
            echo(item_id)
        say(f"Added {counted(len(new), 'item')} to the queue.")
        if others > 0:
            say(f"Skipped {counted(others, 'failed item')} of other users.")
        if new:
            hint("Watch the queue: ivk queue watch")
    if missing:
        say(
            f"The server did not retry {counted(len(missing), 'item')}: {', '.join(map(str, missing[:10]))}. Its queue "
            "is full, or a workflow that called one of them did not fail."
        )
        raise click.exceptions.Exit(FAILED)


@queue.command("clear")
@_scope_options
@yes_option
@url_option
@output_options
def clear(mine: bool | None, yes: bool, url: str | None, as_json: bool) -> None:
    """Cancel the running items and remove all items. Images are kept."""
    with connect(url) as client:
        now = client.queue_repo.status(mine=mine)
        items = f"{counted(now.total, 'item')}{_of_whom(mine)}"
        confirm(f"Remove {items}, including {now.unfinished} unfinished?", yes)
        count = client.queue_repo.clear(mine=mine)
    _done(f"Removed {counted(count, 'item')}.", as_json, removed=count)


@queue.command("prune")
@_scope_options
@yes_option
@url_option
@output_options
def prune(mine: bool | None, yes: bool, url: str | None, as_json: bool) -> None:
    """Remove finished items. Images are kept.

    If sweeps that were started on this machine have not recorded the results of some items yet, the command names their
    manifests. Resume these sweeps first.
    """
    with connect(url) as client:
        now = client.queue_repo.status(mine=mine)
        for path, needed in sweeps_to_resume(client).items():
            items = counted(needed, "finished item")
            say(f"Warning: {path} does not have the results of {items} yet. Resume this sweep first.")
        confirm(f"Remove {counted(now.total - now.unfinished, 'finished item')}{_of_whom(mine)}?", yes)
        count = client.queue_repo.prune(mine=mine)
    _done(f"Removed {counted(count, 'item')}.", as_json, removed=count)


@queue.command("unblock")
@yes_option
@url_option
@output_options
def unblock(yes: bool, url: str | None, as_json: bool) -> None:
    """Cancel the batches that block the queue.

    A value of the wrong type in a batch creates an item that the server cannot read. The server then runs nothing else,
    in any queue. This command cancels the batches of such items, including those of other users if you are an
    administrator. If the server has stopped working on its queue for another reason, the command says what to do.
    """
    with connect(url) as client:
        repo = client.queue_repo
        batches = repo.unreadable_batches()
        count = sum(repo.batch_status(batch).unfinished for batch in batches)
        if batches:
            confirm(
                f"The server cannot read an item of {_batches(batches)} "
                f"({', '.join(batches)}). Cancel {counted(count, 'item')}?",
                yes,
            )
        done = repo.unblock()
        paused = not repo.status(mine=False).is_started
    sentence = (
        f"Canceled {counted(count, 'item')} of {_batches(done)}." if done else "Nothing blocks the queue."
    )
    _done(sentence, as_json, batches=done, canceled=count if done else 0, is_started=not paused)
    if paused:
        hint("The queue is paused. Resume it: ivk queue resume", as_json)
    elif done:
        hint("Remove the canceled items: ivk queue prune", as_json)


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
