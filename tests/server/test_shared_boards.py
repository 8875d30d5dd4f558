"""Boards, images and waits on a multi-user server: what others see, and what is listed, counted and downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command import Command, Done, ivk_command
from multi_user import ADMIN, ANN, BOB, Users
from photos import png

from invokeai_py_client import BoardHandle, InvokeAIClient
from invokeai_py_client.errors import PermissionDeniedError, RunTimeoutError, UsageError
from invokeai_py_client.image import zip as zips
from invokeai_py_client.models import BoardVisibility, JobStatus

__all__ = ["ivk_command"]


@pytest.fixture
def clean(users: Users) -> Iterator[None]:
    """No boards, images and queue items are left afterwards."""
    yield
    for board in users.admin.boards.list_boards():
        users.admin.boards.delete_board(board, delete_images=True)
    if left := users.admin.images.list_images(is_intermediate=None):
        users.admin.images.delete(left)


@pytest.mark.usefixtures("clean")
def test_boards_have_the_visibility_they_are_created_with(
    users: Users, ann: InvokeAIClient, bob: InvokeAIClient
) -> None:
    boards, http = ann.boards, ann._impl.connection.http

    def created(requests: int, **options: object) -> BoardHandle:
        before = http.sent
        board = boards.create_board("A board", **options)  # pyright: ignore[reportArgumentType]
        assert http.sent - before == requests
        return board

    ann.me()
    private = [
        created(1),
        created(1, is_private=True),
        created(1, board_visibility="private"),
    ]
    public = [created(2, is_private=False), created(2, board_visibility=BoardVisibility.PUBLIC)]
    shared = created(2, board_visibility="shared")
    assert {one.board.board_visibility for one in private} == {BoardVisibility.PRIVATE}
    assert {one.board.board_visibility for one in public} == {BoardVisibility.PUBLIC}
    assert shared.board.board_visibility is BoardVisibility.SHARED
    assert {one.board_id for one in bob.boards.list_boards()} == {one.board_id for one in (*public, shared)}
    ann.images.upload(png(1), board_id=shared)
    bob.images.upload(png(2), board_id=public[0])
    with pytest.raises(PermissionDeniedError):
        bob.images.upload(png(3), board_id=shared)
    for wrong in ({"board_visibility": "secret"}, {"board_visibility": "shared", "is_private": True}):
        with pytest.raises(UsageError, match="board_visibility"):
            created(0, **wrong)
    unchanged = boards.update_board(shared, "Another name")
    assert (unchanged.board_visibility, unchanged.user_id) == (BoardVisibility.SHARED, users.ids[ANN[0]])


@pytest.mark.usefixtures("clean")
def test_images_of_an_origin_and_without_a_board(
    users: Users, ann: InvokeAIClient, bob: InvokeAIClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {ann.images.upload(png(shade)).image_name for shade in (1, 2, 3)}
    bob.images.upload(png(4))
    names = {image.image_name for image in ann.images.list_images(board_id="none", image_origin="external")}
    assert names == own
    assert ann.images.list_images(image_origin="internal") == []
    assert (ann.images.count_images(image_origin="external"), ann.images.count_images()) == (3, 3)
    assert users.admin.images.count_images(board_id="none") == 4
    with pytest.raises(UsageError, match="Unknown image origin 'web': expected one of internal, external"):
        ann.images.list_images(image_origin="web")
    # The limit is lowered, because more than 1,000 images take long to upload.
    monkeypatch.setattr(zips, "MOST_NAMES", 2)
    for saved in (
        ann.images.bulk_download(tmp_path / "named.zip", sorted(own)),
        ann.images.bulk_download(f"{tmp_path}/folder/", board_id="none"),
    ):
        with zipfile.ZipFile(saved) as found:
            assert {Path(name).name for name in found.namelist()} == own
            assert found.testzip() is None
    assert len(list((tmp_path / "folder").iterdir())) == 1


def test_waiting_for_your_own_items_only(
    users: Users, ann: InvokeAIClient, bob: InvokeAIClient, held: None
) -> None:
    ann.queue.clear()
    graph = {"id": "g", "nodes": {"n": {"id": "n", "type": "add", "a": 1, "b": 2}}, "edges": []}
    answer = ann.request("POST", "queue/default/enqueue_batch", json={"batch": {"graph": graph, "runs": 2}})
    assert bob.queue.wait_until_idle(timeout=30).unfinished == 0
    for client, mine in ((ann, None), (bob, False)):
        with pytest.raises(RunTimeoutError, match="2 pending"):
            client.queue.wait_until_idle(timeout=0.2, mine=mine)
    [first, _] = ann.queue.items(answer.json()["item_ids"])
    assert first.updated_at is None or isinstance(first.updated_at, datetime)
    whole = ann.queue.item(int(first.id))
    assert (whole.user_id, whole.user_email, whole.user_display_name) == (users.ids[ANN[0]], ANN[0], ANN[0])
    assert isinstance(whole.updated_at, datetime)
    assert (whole.parent_item_id, whole.root_item_id, whole.retried_from_item_id) == (None, None, None)
    assert ann.queue.cancel_all() == 2
    [new] = ann.queue.retry(int(first.id)).values()
    again = ann.queue.item(new)
    assert (again.retried_from_item_id, again.status) == (whole.item_id, JobStatus.PENDING)
    assert (again.status_sequence or 0) >= 0
    assert ann.queue.clear() == 3


def test_sign_in_status_and_expiry(users: Users, client: InvokeAIClient) -> None:
    with InvokeAIClient.from_url(users.url) as anyone:
        status = anyone.auth_status()
        assert (status.multiuser_enabled, status.setup_required) == (True, False)
        assert (status.strict_password_checking, status.admin_email) == (False, None)
        assert anyone.token_expires_at is None
        for remember, days in ((False, 1), (True, 7)):
            anyone.login(*BOB, remember_me=remember)
            expires = anyone.token_expires_at
            assert expires is not None
            assert abs(expires - datetime.now(UTC) - timedelta(days=days)) < timedelta(hours=1)
        anyone.settings.token = "not.a.token"
        assert anyone.token_expires_at is None
    assert client.auth_status().multiuser_enabled is False


@pytest.fixture
def ivk(ivk_command: Command, users: Users, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run ``ivk boards`` as a user."""
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(user: tuple[str, str], *words: str) -> Done:
        monkeypatch.setenv("INVOKEAI_EMAIL", user[0])
        monkeypatch.setenv("INVOKEAI_PASSWORD", user[1])
        return ivk_command("boards", *words)

    return run


@pytest.mark.usefixtures("clean")
def test_commands_share_boards_and_show_their_owners(ivk: Callable[..., Done]) -> None:
    assert ivk(ANN, "create", "Ours", "--visibility", "public").code == 0
    assert ivk(ANN, "create", "Mine").code == 0

    def listed(user: tuple[str, str]) -> dict[str, list[str]]:
        return {row[0]: row[3:5] for row in ivk(user, "ls").cells if row[-1] != "none"}

    assert listed(ANN) == {"Ours": ["you", "public"], "Mine": ["you", "private"]}
    assert [visibility for _, visibility in listed(BOB).values()] == ["public"]
    assert ivk(ANN, "share", "Mine", "Ours").said == "Shared 2 boards."
    assert {visibility for _, visibility in listed(BOB).values()} == {"shared"}
    assert "you" not in {owner for owner, _ in listed(ADMIN).values()}
    refused = ivk(BOB, "unshare", "Mine")
    assert refused.code == 1
    done = ivk(ANN, "unshare", "Mine", "--json").objects[-1]
    assert (done["names"], done["board_visibility"]) == (["Mine"], "private")
    assert list(listed(BOB)) == ["Ours"]
