"""A server with several users and two workers: whose items and workflows are listed, counted and changed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, Done, ivk_command
from multi_user import ADMIN, ANN, Users

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.errors import PermissionDeniedError, RunFailedError
from invokeai_py_client.models import IvkJob, JobStatus

__all__ = ["ivk_command"]

HOLD = {"id": "n", "type": "hold"}
FAIL = {"id": "n", "type": "div", "a": 1, "b": 0}
ADD = {"id": "n", "type": "add", "a": 1, "b": 2}


def enqueue(client: InvokeAIClient, node: dict[str, Any], runs: int = 1, **batch: Any) -> list[int]:
    """Enqueue a node with a raw request, and return the items' ids."""
    graph = {"id": str(uuid.uuid4()), "nodes": {"n": node}, "edges": []}
    body = {"batch": {"graph": graph, "runs": runs, **batch}}
    answer = client._call(
        client._impl.connection.http.json("POST", "/api/v1/queue/default/enqueue_batch", json=body)
    )
    return sorted(answer["item_ids"])


def fail(client: InvokeAIClient) -> int:
    """Run a node that fails, and return the item's id."""
    [item_id] = enqueue(client, FAIL)
    assert client.run(item_id).wait(60).state is JobStatus.FAILED
    return item_id


def started(client: InvokeAIClient, item_id: int) -> int:
    """Wait until an item is running."""
    for update in client.queue_repo.watch():
        del update
        if client.queue_repo.item(item_id).status is JobStatus.RUNNING:
            return item_id
    raise AssertionError


def ids_of(jobs: list[IvkJob]) -> list[int | None]:
    return [job.item_id for job in jobs]


def everything(items: dict[str, list[int]]) -> list[int]:
    return sorted(item_id for ids in items.values() for item_id in ids)


@pytest.fixture
def empty(users: Users) -> Iterator[InvokeAIClient]:
    """The administrator. The queue is empty before and after."""
    users.admin.queue_repo.clear(mine=False)
    yield users.admin
    users.admin.queue_repo.clear(mine=False)
    users.admin.queue_repo.resume()


@pytest.fixture
def two_each(empty: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient) -> dict[str, list[int]]:
    """A paused queue with two pending items of each user."""
    empty.queue_repo.pause()
    clients = {"ann": ann, "bob": bob, "admin": empty}
    return {name: enqueue(client, ADD, runs=2, destination="shared") for name, client in clients.items()}


# --------------------------------------------------------------------------- two workers


def test_two_items_run_at_once(empty: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    [first], [second] = enqueue(ann, HOLD), enqueue(bob, HOLD)
    for item_id in (first, second):
        started(empty, item_id)
    [third] = enqueue(ann, HOLD)
    assert ids_of(empty.queue_repo.running(mine=False)) == [first, second]
    assert empty.queue_repo.running() == []
    for client, item_id in ((ann, first), (bob, second)):
        assert ids_of(client.queue_repo.running()) == [item_id]
        current = client.queue_repo.current()
        assert current is not None
        assert current.item_id == item_id
        assert client.queue_repo.status().item_id == item_id
    assert len(ann.queue_repo.running(mine=False)) == 2
    assert empty.queue_repo.cancel_all(mine=False) == 3
    assert {job.status for job in empty.queue_repo.items([first, second, third])} == {JobStatus.CANCELLED}
    assert empty.queue_repo.status(mine=False).unfinished == 0


def test_cancel_current_cancels_all_running_items(empty: InvokeAIClient) -> None:
    first, second, third = enqueue(empty, HOLD, runs=3)
    for item_id in (first, second):
        started(empty, item_id)
    canceled = empty.queue_repo.cancel_current()
    assert canceled is not None
    assert (canceled.item_id, canceled.status) == (first, JobStatus.CANCELLED)
    assert empty.queue_repo.item(second).status is JobStatus.CANCELLED
    started(empty, third)  # a later item runs
    assert empty.queue_repo.cancel_all() == 1
    assert empty.queue_repo.cancel_current() is None
    assert empty.queue_repo.cancel_all() == 0


# --------------------------------------------------------------------------- whose items


def test_others_items_are_neither_listed_nor_counted(
    two_each: dict[str, list[int]], users: Users, ann: InvokeAIClient
) -> None:
    queue = ann.queue_repo
    assert ids_of(queue.items()) == ids_of(queue.items(mine=True)) == two_each["ann"]
    assert ids_of(queue.items(mine=False)) == everything(two_each)
    assert ids_of(queue.items(status="pending", destination="shared")) == two_each["ann"]
    assert ids_of(users.admin.queue_repo.items()) == two_each["admin"]
    assert ids_of(users.admin.queue_repo.items(mine=False)) == ids_of(queue.items(mine=False))
    for client in (ann, users.admin):
        status, everyone = client.queue_repo.status(), client.queue_repo.status(mine=False)
        assert (status.pending, status.total, status.is_started) == (2, 2, False)
        assert (everyone.pending, everyone.total) == (6, 6)


def test_what_others_items_hide_is_unknown(
    two_each: dict[str, list[int]], users: Users, ann: InvokeAIClient, bob: InvokeAIClient
) -> None:
    [theirs] = bob.queue_repo.items(two_each["bob"][:1])
    for job in (ann.queue_repo.item(theirs.item_id or 0), *ann.queue_repo.items([theirs.item_id or 0])):
        assert job.is_redacted
        assert (job.batch_id, job.user_id, job.session_id, job.priority) == (None, None, None, None)
        assert "redacted" not in str(job.to_dict()).replace("'redacted': True", "")
        assert job.status is JobStatus.PENDING
    assert not theirs.is_redacted
    assert theirs.user_id == users.ids[theirs.metadata["user_email"]]
    whole = bob.queue_repo.item(theirs.item_id or 0)
    assert (whole.priority, whole.batch_id) == (0, theirs.batch_id)
    assert whole.session_id


ACTIONS: dict[str, Callable[[InvokeAIClient, Any], int]] = {
    "cancel_all": lambda client, mine: client.queue_repo.cancel_all(mine=mine),
    "cancel_all_except_current": lambda client, mine: client.queue_repo.cancel_all_except_current(mine=mine),
    "cancel_destination": lambda client, mine: client.queue_repo.cancel_destination("shared", mine=mine),
    "delete_destination": lambda client, mine: client.queue_repo.delete_destination("shared", mine=mine),
    "delete_all_except_current": lambda client, mine: client.queue_repo.delete_all_except_current(mine=mine),
    "clear": lambda client, mine: client.queue_repo.clear(mine=mine),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("name", "mine"), [("ann", None), ("admin", None), ("admin", True)])
def test_actions_change_own_items_only(
    two_each: dict[str, list[int]],
    users: Users,
    ann: InvokeAIClient,
    name: str,
    action: str,
    mine: bool | None,
) -> None:
    client = ann if name == "ann" else users.admin
    assert ACTIONS[action](client, mine) == 2
    pending = ids_of(users.admin.queue_repo.items(status="pending", mine=False))
    assert pending == sorted(set(everything(two_each)) - set(two_each[name]))
    left = len(users.admin.queue_repo.item_ids())
    assert left == (6 if action.startswith("cancel") else 4)


@pytest.mark.parametrize("action", ACTIONS)
def test_only_administrators_change_the_items_of_others(
    two_each: dict[str, list[int]], users: Users, ann: InvokeAIClient, action: str
) -> None:
    with pytest.raises(
        PermissionDeniedError, match=f"^{ANN[0]} cannot (cancel|delete) the queue items of other users"
    ):
        ACTIONS[action](ann, False)
    assert len(users.admin.queue_repo.items(status="pending", mine=False)) == 6
    assert ACTIONS[action](users.admin, False) == 6
    assert users.admin.queue_repo.items(status="pending", mine=False) == []


def test_pruning_own_items(empty: InvokeAIClient, ann: InvokeAIClient) -> None:
    failed = [fail(ann), fail(empty)]
    [pending] = enqueue(empty, HOLD)
    assert empty.queue_repo.prune() == 1
    assert empty.queue_repo.item_ids() == [failed[0], pending]
    assert empty.queue_repo.prune(mine=False) == 1


def test_retrying_skips_the_items_of_others(
    empty: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient, caplog: pytest.LogCaptureFixture
) -> None:
    own, theirs = fail(ann), fail(bob)
    again = ann.queue_repo.retry([theirs, own])
    assert list(again) == [own]
    assert ann.queue_repo.item(again[own]).metadata["retried_from_item_id"] == own
    assert f"did not retry queue items [{theirs}]: they belong to other users" in caplog.text
    with pytest.raises(PermissionDeniedError):
        ann.queue_repo.retry(theirs)
    assert list(empty.queue_repo.retry([theirs])) == [theirs]


# --------------------------------------------------------------------------- records of failed items


def test_failed_items_have_their_errors(empty: InvokeAIClient) -> None:
    item_id = fail(empty)
    run = empty.workflow_repo.create_workflow(workflows.add()).run()
    [failed] = empty.queue_repo.items(status="failed")
    whole = empty.queue_repo.item(item_id)
    assert failed.item_id == item_id
    assert (
        (failed.error_type, failed.error)
        == (whole.error_type, whole.error)
        == ("ZeroDivisionError", failed.error)
    )
    assert failed.error
    assert (failed.priority, failed.session_id, failed.queue_id) == (0, whole.session_id, "default")
    assert failed.outputs == {}
    both = empty.queue_repo.items(status=["failed", "completed"])
    assert [job.error_type for job in both] == ["ZeroDivisionError", None]
    listed = empty.queue_repo.items()
    assert ids_of(listed) == [item_id, run.item_id]
    assert [(job.priority, job.session_id, job.error) for job in listed] == [(None, None, None)] * 2
    assert [job.error_type for job in empty.queue_repo.items(outputs=True)] == ["ZeroDivisionError", None]


# --------------------------------------------------------------------------- command line


@pytest.fixture
def ivk(ivk_command: Command, users: Users, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run ``ivk queue``, or ``ivk workflows``, as a user."""
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(user: tuple[str, str], *words: str, **options: Any) -> Done:
        monkeypatch.setenv("INVOKEAI_EMAIL", user[0])
        monkeypatch.setenv("INVOKEAI_PASSWORD", user[1])
        return ivk_command(*(words if words[0] == "workflows" else ("queue", *words)), **options)

    return run


def test_commands_list_and_count_own_items(two_each: dict[str, list[int]], ivk: Callable[..., Done]) -> None:
    for user, name in ((ANN, "ann"), (ADMIN, "admin")):
        for words in ([], ["--mine"], ["--state", "pending"]):
            assert sorted(int(row[0]) for row in ivk(user, "ls", *words).cells) == two_each[name]
        assert len(ivk(user, "ls", "--all-users").cells) == 6
        assert ivk(user, "status").out == "Paused: 2 pending\n"
        assert ivk(user, "status", "--all-users").out == "Paused: 6 pending\n"
        assert ivk(user, "status", "--json").objects[0]["total"] == 2
        assert "--all-users" in ivk(user, "ls", terminal=True).out + ivk(user, "ls", terminal=True).err
    [line] = [
        line
        for line in ivk(ANN, "ls", "--all-users", "--json").objects
        if line.get("name") == str(two_each["bob"][0])
    ]
    assert (line["metadata"]["redacted"], line.get("session_id")) == (True, None)
    both = ivk(ANN, "ls", "--mine", "--all-users")
    assert (both.code, "exclude each other" in both.said) == (2, True)


@pytest.mark.parametrize("words", [["cancel", "--all"], ["cancel", "--mine"], ["clear"]])
def test_commands_change_own_items_and_ask_with_their_number(
    two_each: dict[str, list[int]], users: Users, ivk: Callable[..., Done], words: list[str]
) -> None:
    for user in (ANN, ADMIN):
        asked = ivk(user, *words)
        assert (asked.code, " 2 items" in asked.said) == (2, True)
        done = ivk(user, *words, "--yes")
        assert (done.code, " 2 items." in done.said) == (0, True)
    assert ids_of(users.admin.queue_repo.items(status="pending", mine=False)) == two_each["bob"]


def test_commands_for_the_items_of_all_users(
    two_each: dict[str, list[int]], users: Users, ivk: Callable[..., Done]
) -> None:
    for words in (["cancel", "--all"], ["clear"]):
        refused = ivk(ANN, *words, "--all-users", "--yes")
        assert (refused.code, "expected an administrator" in refused.said) == (1, True)
    assert users.admin.queue_repo.status(mine=False).pending == 6
    assert "Cancel 6 items of all users?" in ivk(ADMIN, "cancel", "--all", "--all-users").said
    assert ivk(ADMIN, "cancel", "--all", "--all-users", "--yes").said.startswith("Canceled 6 items.")
    assert "Remove 6 finished items of all users?" in ivk(ADMIN, "prune", "--all-users").said
    assert ivk(ADMIN, "prune", "--yes").said == "Removed 2 items."
    assert ivk(ADMIN, "prune", "--yes", "--all-users").said == "Removed 4 items."


def test_cancel_all_leaves_the_running_items_of_others_alone(
    empty: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient, ivk: Callable[..., Done]
) -> None:
    [theirs], own = enqueue(bob, HOLD), enqueue(ann, HOLD, runs=2)
    for item_id in (theirs, own[0]):
        started(empty, item_id)
    done = ivk(ANN, "cancel", "--all", "--yes", "--json")
    assert (done.code, done.objects[-1]["canceled"]) == (0, 2)
    assert {job.status for job in ann.queue_repo.items(own)} == {JobStatus.CANCELLED}
    assert bob.queue_repo.item(theirs).status is JobStatus.RUNNING


def test_retry_failed_skips_the_items_of_others(
    empty: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient, ivk: Callable[..., Done]
) -> None:
    own, theirs, admins = fail(ann), fail(bob), fail(empty)
    empty.queue_repo.pause()
    refused = ivk(ANN, "retry", str(own), str(theirs))
    assert (refused.code, f"Cannot retry item {theirs}" in refused.said) == (2, True)
    assert ivk(ANN, "cancel", str(theirs)).said.startswith(f"Item {theirs} is already failed.")
    for user, item_id in ((ANN, own), (ADMIN, admins)):
        done = ivk(user, "retry", "--failed")
        assert done.code == 0
        assert "Added 1 item to the queue. Skipped 2 failed items of other users." in done.said
        assert empty.queue_repo.item(int(done.out)).metadata["retried_from_item_id"] == item_id
    assert len(ivk(ADMIN, "retry", "--failed", "--all-users").lines) == 3
    pending = bob.queue_repo.items(status="pending")
    assert [job.is_redacted for job in pending] == [False]
    refused = ivk(ANN, "cancel", str(pending[0].id))
    assert (refused.code, "belong to other users" in refused.said) == (2, True)


# --------------------------------------------------------------------------- workflows


def test_workflows_of_others_are_neither_replaced_nor_deleted(
    users: Users, ann: InvokeAIClient, ivk: Callable[..., Done], tmp_path: Path
) -> None:
    library = ann.workflow_repo
    theirs = library.upload_workflow(WorkflowDefinition.from_dict(workflows.add()))
    name = str(workflows.add()["name"])
    file = tmp_path / "add.json"
    document = {**workflows.add(), "description": "of the administrator"}
    file.write_text(json.dumps(document))

    def descriptions() -> dict[str, str]:
        records = users.admin.workflow_repo.list_workflows(categories=["user"])
        return {one["workflow_id"]: one["description"] for one in records}

    before = descriptions()
    done = ivk(ADMIN, "workflows", "push", str(file), "--replace", "--json").objects[-1]
    own = done["workflow_id"]
    assert (own == theirs, done["replaced"]) == (False, False)
    assert ivk(ADMIN, "workflows", "push", str(file), "--replace").out == f"{own}\n"
    assert descriptions() == {**before, own: "of the administrator"}
    # A file that was downloaded from the library contains the id of the workflow.
    file.write_text(json.dumps({**document, "id": theirs}))
    assert ivk(ADMIN, "workflows", "push", str(file), "--replace").out == f"{own}\n"
    assert descriptions()[theirs] == before[theirs]
    # The name is that of the administrator's own workflow, the id that of another user's.
    assert ivk(ADMIN, "workflows", "rm", name, "--yes").code == 0
    assert descriptions() == before
    for one in (name, theirs):
        refused = ivk(ADMIN, "workflows", "rm", one, "--yes")
        assert (refused.code, "belongs to another user. Pass mine=False (--all-users)" in refused.said) == (
            2,
            True,
        )
    assert ivk(ADMIN, "workflows", "push", str(file), "--replace", "--all-users").out == f"{theirs}\n"
    assert descriptions()[theirs] == "of the administrator"
    assert ivk(ADMIN, "workflows", "rm", name, "--yes", "--all-users").code == 0
    assert library.list_workflows(categories=["user"]) == []


# --------------------------------------------------------------------------- the node cache


def test_node_cache_that_returns_the_image_of_another_user(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    def shrink(client: InvokeAIClient, width: int, **more: Any) -> Run:
        nodes = {
            "draw": ("blank_image", {"width": 64, "height": 72, "mode": "RGB", **more}),
            "shrink": ("img_resize", {"width": width, "height": 32}),
        }
        document = workflows.workflow("Shrink", nodes, ["draw.image -> shrink.image"])
        run = client.workflow_repo.create_workflow(document).start()
        run.wait(60)
        return run

    assert shrink(ann, 32).status.ok
    failed = shrink(bob, 40)
    assert failed.status.state is JobStatus.FAILED
    with pytest.raises(
        RunFailedError, match=r"not authorized to access this image\. .*users share the cache .*useCache"
    ):
        failed.result()
    assert shrink(bob, 40, height=80).status.ok  # as the error suggests
