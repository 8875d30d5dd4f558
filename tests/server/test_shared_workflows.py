"""The workflow library: whose workflow a name means, sharing, filters, tags and pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, Done, ivk_command
from multi_user import ADMIN, ANN, BOB, Users
from PIL import Image as Pillow

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import (
    InputValueError,
    NotFoundError,
    PermissionDeniedError,
    UsageError,
    WorkflowNotFoundError,
)

__all__ = ["ivk_command"]


def add(name: str, **more: Any) -> WorkflowDefinition:
    return WorkflowDefinition.from_dict({**workflows.add(), "name": name, **more})


@pytest.fixture
def library(users: Users) -> Iterator[InvokeAIClient]:
    """The administrator. The library has no saved workflows afterwards."""
    yield users.admin
    repo = users.admin.workflows
    for one in repo.list_workflows(categories=["user"]):
        repo.delete_workflow(one, mine=False)


def test_a_shared_workflow_is_found_by_name(
    library: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient
) -> None:
    hers = ann.workflows.upload_workflow(add("Portrait", description="Ann's"))
    with pytest.raises(WorkflowNotFoundError):
        bob.workflows.get_workflow("Portrait")
    with pytest.raises(PermissionDeniedError):
        bob.workflows.get_workflow(hers)
    shared = ann.workflows.share("Portrait")
    assert (shared.workflow_id, shared.is_public, shared.name) == (hers, True, "Portrait")
    assert [one.workflow_id for one in bob.workflows.list_workflows(categories=["user"])] == [hers]
    assert bob.workflows.list_workflows(categories=["user"], mine=True) == []
    for name in ("Portrait", "PORTRAIT", hers):
        assert bob.workflow(name).definition.description == "Ann's"
    with pytest.raises(WorkflowNotFoundError) as caught:
        bob.workflows.get_workflow("Portrai")
    assert caught.value.candidates == ("Portrait",)
    # Your own comes first, in any case of the name.
    his = bob.workflows.upload_workflow(add("portrait", description="Bob's"))
    for name in ("Portrait", "portrait"):
        assert bob.workflows.get_workflow(name).description == "Bob's"
    assert bob.workflows.get_workflow(hers).description == "Ann's"
    assert [one["name"] for one in bob.workflows.list_workflows("portrait", categories=["user"])] == [
        "Portrait",
        "portrait",
    ]
    assert bob.workflows.delete_workflow("Portrait") is True
    assert bob.workflows.find_workflow(his) is None
    ann.workflows.unshare(hers)
    assert bob.workflows.find_workflow("Portrait") is None


def test_ambiguous_names_of_others_say_whose_they_are(
    users: Users, library: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient
) -> None:
    ids = [one.workflows.upload_workflow(add("Twin"), shared=True) for one in (ann, bob)]
    with InvokeAIClient.from_url(users.url, email=ADMIN[0], password=ADMIN[1]) as admin:
        with pytest.raises(WorkflowNotFoundError) as caught:
            admin.workflow("Twin")
        for workflow_id, (email, _) in zip(ids, (ANN, BOB), strict=True):
            assert f"{workflow_id} (of {email})" in str(caught.value)
        own = admin.workflows.upload_workflow(add("twin"))
        assert admin.workflows.get_record("Twin").workflow_id == own
    other = library.users.create_user("twin@example.org", "Twin-secret-1")
    with (
        InvokeAIClient.from_url(users.url, email=other.email, password="Twin-secret-1") as client,
        pytest.raises(WorkflowNotFoundError, match=rf"{ids[0]} \(of user {users.ids[ANN[0]]}\)"),
    ):
        client.workflow("Twin")
    library.users.delete_user(other)


def test_administrators_change_the_workflows_of_others_only_when_told(
    library: InvokeAIClient, ann: InvokeAIClient, bob: InvokeAIClient
) -> None:
    hers = ann.workflows.upload_workflow(add("Hers", description="before"), shared=True)
    repo = library.workflows
    changed = add("Hers", description="after", id=hers)
    for refused in (
        lambda: repo.upload_workflow(changed, overwrite=True),
        lambda: repo.unshare(hers),
        lambda: repo.delete_workflow("Hers"),
        lambda: repo.delete_workflow(hers),
    ):
        with pytest.raises(UsageError, match=r"belongs to another user\. Pass mine=False"):
            refused()
    assert ann.workflows.get_workflow(hers).description == "before"
    for call in (
        lambda: bob.workflows.upload_workflow(changed, overwrite=True),
        lambda: bob.workflows.delete_workflow("Hers"),
        lambda: bob.workflows.set_picture(hers, picture()),
    ):
        with pytest.raises(PermissionDeniedError, match="belongs to another user"):
            call()
    assert repo.upload_workflow(changed, overwrite=True, mine=False) == hers
    assert ann.workflows.get_workflow(hers).description == "after"
    assert repo.unshare(hers, mine=False).is_public is False
    assert repo.delete_workflow("Hers", mine=False) is True
    default = repo.list_workflows(categories=["default"])[0]
    for fixed in (
        lambda: repo.share(default),
        lambda: repo.delete_picture(default),
        lambda: repo.delete_workflow(default, mine=False),
    ):
        with pytest.raises(UsageError, match="it is a default workflow of the server"):
            fixed()


def test_listing_with_filters_and_orders(library: InvokeAIClient, ann: InvokeAIClient) -> None:
    repo = ann.workflows
    first = repo.upload_workflow(add("A", tags="sketch, night"))
    second = repo.upload_workflow(add("B", tags="sketch"), shared=True)
    nodes: dict[str, Any] = {
        "sum": ("add", {"a": 1, "b": 2}),
        "total": ("workflow_return_value", {"key": "total"}),
        "list": ("collect", {}),
        "return": ("workflow_return", {}),
    }
    edges = ["sum.value -> total.value", "total.value -> list.item", "list.collection -> return.values"]
    called = repo.upload_workflow(WorkflowDefinition.from_dict(workflows.workflow("C", nodes, edges)))
    own: dict[str, Any] = {"categories": ["user"]}

    def ids(**filters: Any) -> list[str]:
        return [one.workflow_id for one in repo.list_workflows(**own, **filters)]

    assert ids() == [first, second, called]
    assert ids(direction="DESC") == [called, second, first]
    assert ids(order_by="created_at", direction="DESC") == [called, second, first]
    assert (ids(tags=["night"]), ids(tags=["night", "sketch"])) == ([first], [first, second])
    assert (ids(shared=True), ids(shared=False)) == ([second], [first, called])
    assert (ids(callable=True), ids(callable=False)) == ([called], [first, second])
    assert (ids(opened=True), ids(opened=False)) == ([], [first, second, called])
    repo.mark_opened(first)
    assert ids(opened=True) == [first]
    [record] = repo.list_workflows(tags=["night"], **own)
    assert (record.tag_list, record.is_callable, record.is_public) == (["sketch", "night"], False, False)
    assert (record["name"], record["tags"], {**record}["category"]) == ("A", "sketch, night", "user")
    assert record.user_id == repo.get_record(first).user_id
    # The server adds a tag to shared workflows.
    assert repo.list_tags(categories=["user"]) == ["night", "shared", "sketch"]
    assert repo.list_tags(categories=["user"], shared=True) == ["shared", "sketch"]
    assert repo.count_by_tag(categories=["user"]) == {"night": 1, "shared": 1, "sketch": 2}
    assert repo.count_by_tag(["sketch", "no"], categories=["user"]) == {"sketch": 2, "no": 0}
    assert repo.count_by_category(["user"]) == {"user": 3}
    assert repo.count_by_category(["user"], shared=True) == {"user": 1}
    assert library.workflows.list_workflows(mine=True, **own) == []


def picture() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (600, 300), "navy").save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures(library: InvokeAIClient, ann: InvokeAIClient, tmp_path: Path) -> None:
    repo = ann.workflows
    saved = repo.upload_workflow(add("Pictured"))
    with pytest.raises(NotFoundError, match="'Pictured' has no picture"):
        repo.get_picture(saved)
    assert repo.delete_picture(saved) is False
    file = tmp_path / "cover.png"
    file.write_bytes(picture())
    for source in (file, file.read_bytes(), Pillow.new("RGB", (512, 256))):
        repo.set_picture("Pictured", source)
        with Pillow.open(io.BytesIO(repo.get_picture(saved))) as image:
            assert image.size == (256, 128)
    assert repo.get_record(saved).thumbnail_url is not None
    with pytest.raises(InputValueError):
        repo.set_picture(saved, b"no image")
    assert repo.delete_picture(saved) is True
    assert repo.get_record(saved).thumbnail_url is None


@pytest.fixture
def ivk(ivk_command: Command, users: Users, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run ``ivk workflows`` as a user."""
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(user: tuple[str, str], *words: str) -> Done:
        monkeypatch.setenv("INVOKEAI_EMAIL", user[0])
        monkeypatch.setenv("INVOKEAI_PASSWORD", user[1])
        return ivk_command("workflows", *words)

    return run


def test_commands_share_list_and_pull(
    library: InvokeAIClient, ivk: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.json").write_text(json.dumps(add("Poster", tags="wall").to_dict()))
    [saved] = ivk(ANN, "push", "p.json").lines
    assert ivk(BOB, "ls", "--shared").out == ""
    assert ivk(ANN, "share", "Poster").said == "Shared 1 workflow."
    [row] = ivk(BOB, "ls", "--shared").cells
    assert (row[0], row[3], row[-1]) == ("Poster", "yes", saved)
    assert "Poster" in [row[0] for row in ivk(BOB, "ls").cells]
    assert ivk(BOB, "ls", "--mine").out == ""
    assert [row[2] for row in ivk(ADMIN, "ls", "--tag", "wall").cells] == [ANN[0]]
    assert [row[2] for row in ivk(ANN, "ls", "--tag", "wall", "--sort", "saved").cells] == ["you"]
    assert ivk(BOB, "pull", "poster", "-o", "-").code == 0
    assert ["wall", "1"] in ivk(BOB, "tags", "--shared").cells
    refused = ivk(BOB, "unshare", "Poster")
    assert (refused.code, "belongs to another user" in refused.said) == (1, True)
    assert ivk(ADMIN, "unshare", "Poster").code == 2
    assert ivk(ADMIN, "unshare", "Poster", "--all-users", "--json").objects[-1]["ids"] == [saved]
    assert ivk(BOB, "ls", "--shared").out == ""
