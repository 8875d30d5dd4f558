"""A multi-user server: users see their own items, and runs and sweeps survive expired tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import workflows
from click.testing import CliRunner, Result
from multi_user import ANN, BOB, Users

from invokeai_py_client import AsyncInvokeAIClient, BoardHandle, InvokeAIClient, Run
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.config import read_profiles
from invokeai_py_client.errors import (
    AuthenticationError,
    PermissionDeniedError,
    TransferError,
    UsageError,
)
from invokeai_py_client.transport.socket import queue_room


def _sum(run: Run) -> int:
    [value] = run.outputs.values("sum")
    return value["value"] if isinstance(value, dict) else value


# --------------------------------------------------------------------------- signing in and out


def test_signing_in_and_out(users: Users) -> None:
    with InvokeAIClient.from_url(users.url) as client:
        assert client.version()  # public routes still work
        with pytest.raises(AuthenticationError, match=r"client\.login\(email, password\)"):
            client.me()
        with pytest.raises(AuthenticationError, match="Incorrect email or password"):
            client.login(ANN[0], "wrong")
        assert client.settings.token is None
        user = client.login(*ANN, remember_me=True)
        assert (user.email, user.is_admin, user.user_id) == (ANN[0], False, users.ids[ANN[0]])
        me = client.me()
        assert me is not None
        assert me.user_id == user.user_id
        with pytest.raises(PermissionDeniedError):
            client.queue_repo.pause()
        assert client.login(*BOB).email == BOB[0]
        me = client.me()
        assert me is not None
        assert me.email == BOB[0]
        client.logout()
        assert (client.settings.token, client.settings.credentials) == (None, None)
        with pytest.raises(AuthenticationError):
            client.board_repo.list_boards()
        client.logout()  # does nothing
        with pytest.raises(UsageError, match="email and a password"):
            client.login("", "")


def test_server_without_users(client: InvokeAIClient) -> None:
    assert client.me() is None
    with pytest.raises(PermissionDeniedError, match="single-user"):
        client.login(*ANN)
    # A client with credentials works there as well.
    with InvokeAIClient.from_url(client.url, email=ANN[0], password=ANN[1]) as everywhere:
        run = everywhere.workflow_repo.create_workflow(workflows.add()).run(a=2)
        assert run.status.ok


def test_sign_in_with_environment_and_token(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("INVOKEAI_EMAIL", ANN[0])
    monkeypatch.setenv("INVOKEAI_PASSWORD", ANN[1])
    with InvokeAIClient() as client:
        me = client.me()
        assert me is not None
        token = client.settings.token
        assert token
        with InvokeAIClient.from_url(users.url, api_key=token) as other:
            assert other.me() == me


def test_changing_request_renews_token(users: Users) -> None:
    soon = users.token(ANN, 60)
    with InvokeAIClient.from_url(users.url, api_key=soon) as client:
        client.board_repo.list_boards()
        assert client.settings.token == soon
        board = client.board_repo.create_board("Ann's")
        assert client.settings.token != soon
        client.board_repo.delete_board(board.board_id)


# --------------------------------------------------------------------------- two users at a time


def test_two_users_in_parallel_see_their_own_items(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    def work(client: InvokeAIClient, a: int) -> tuple[list[str], int, int, set[str]]:
        board = client.board_repo.create_board(f"board {a}")
        wf = client.workflow_repo.create_workflow(workflows.add())
        heard: list[str] = []
        run = wf.start(a=a)
        run.wait(60, on_event=lambda event: heard.append(event.event_type))
        assert run.status.ok
        assert client._impl.connection.hub.connected  # the server knows which user the socket belongs to
        names = {one.board_name for one in client.board_repo.list_boards() if not one.is_uncategorized()}
        client.board_repo.delete_board(board.board_id)
        return heard, run.item_id, _sum(run), names

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(work, (ann, bob), (10, 20))
    for (heard, _, value, names), a in ((first, 10), (second, 20)):
        assert "invocation_complete" in heard  # the server sends these events to their user only
        assert (value, names) == (a + 2, {f"board {a}"})
    with pytest.raises(PermissionDeniedError):
        bob.run(first[1]).retry()


# --------------------------------------------------------------------------- another user's images


@dataclass(frozen=True)
class Contributions:
    """A board of Ann's that others can see, with an image of hers and one of Bob's, and a private image of hers."""

    board: BoardHandle
    hers: str
    his: str
    private: str

    def check(self, error: TransferError, word: str, done: list[str]) -> None:
        assert list(error.done) == done
        for reason in error.failed.values():
            assert isinstance(reason, PermissionDeniedError)
        assert f"{len(error.failed)} of {len(done) + len(error.failed)} images could not be {word}:" in str(
            error
        )
        assert "It belongs to another user, or is on a board of another user." in str(error)


@pytest.fixture
def contributions(ann: InvokeAIClient, bob: InvokeAIClient, picture: bytes) -> Iterator[Contributions]:
    board = ann.board_repo.create_board("Open to all")
    ann.board_repo.update_board(board, board_visibility="public")
    hers = ann.image_repo.upload(picture, board_id=board).image_name
    his = bob.image_repo.upload(picture, board_id=board).image_name
    ann.board_repo.update_board(board, board_visibility="shared")
    private = ann.image_repo.upload(picture).image_name
    yield Contributions(board, hers, his, private)
    for client in (ann, bob):
        client.image_repo.delete(client.image_repo.list_images())
    ann.board_repo.delete_board(board)


def test_images_of_another_user_are_not_changed_silently(
    bob: InvokeAIClient, contributions: Contributions
) -> None:
    one, images = contributions, bob.image_repo
    for word, change in (("starred", images.star), ("unstarred", images.unstar), ("deleted", images.delete)):
        with pytest.raises(TransferError) as caught:
            change([one.hers, one.his, one.private])
        one.check(caught.value, word, [one.his])
        assert list(caught.value.failed) == [one.hers, one.private]
    board = bob.board_repo.create_board("Bob's")
    with pytest.raises(
        TransferError, match=f"^The image '{one.hers}' could not be moved: It belongs to another"
    ):
        images.move(one.hers, board)
    with pytest.raises(TransferError, match="It is not on the server"):
        images.star("00000000-0000-4000-8000-000000000000.png")
    with pytest.raises(TransferError):
        board.star_image(one.hers)
    bob.board_repo.delete_board(board)


def test_a_deleted_board_keeps_the_images_of_others(
    ann: InvokeAIClient, bob: InvokeAIClient, contributions: Contributions
) -> None:
    one = contributions
    with pytest.raises(TransferError) as caught:
        ann.board_repo.delete_board(one.board, delete_images=True)
    one.check(caught.value, "deleted", [one.hers])
    assert list(caught.value.failed) == [one.his]
    assert str(caught.value).startswith("The board 'Open to all' was deleted, but not everything on it;")
    assert bob.image_repo.get_image(one.his).board_id is None


def test_ivk_names_the_images_of_another_user(
    users: Users, bob: InvokeAIClient, contributions: Contributions, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.me()
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("INVOKEAI_TOKEN", bob.settings.token or "")
    for words in (["star"], ["unstar"], ["mv", "--board", "none"], ["rm", "--yes"]):
        done = CliRunner().invoke(ivk, ["images", words[0], contributions.hers, *words[1:], "--json"])
        assert isinstance(done.exception, TransferError), words
        assert '"ok": true' not in done.stdout
    done = CliRunner().invoke(ivk, ["images", "rm", contributions.private, "--yes"])
    assert isinstance(done.exception, PermissionDeniedError)


def test_only_private_boards_are_hidden_from_others(ann: InvokeAIClient, bob: InvokeAIClient) -> None:
    boards = {
        private: ann.board_repo.create_board(f"private: {private}", is_private=private)
        for private in (True, False)
    }
    seen = {board.board_id for board in bob.board_repo.list_boards()}
    assert boards[False].board_id in seen
    assert boards[True].board_id not in seen
    ann.board_repo.update_board(boards[True], is_private=False)
    assert bob.board_repo.get_board(boards[True].board_name) == boards[True]
    for board in boards.values():
        ann.board_repo.delete_board(board)


# --------------------------------------------------------------------------- expired tokens


def test_token_expires_during_run(users: Users, ann: InvokeAIClient, held: None) -> None:
    run = ann.workflow_repo.create_workflow(workflows.add()).start(a=4)
    assert ann._impl.connection.hub.connected
    old = ann.settings.token
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(run.wait, 60)
        users.end_tokens(ANN)  # closes the event connection and makes the server reject the token
        users.admin.queue_repo.resume()
        assert waiting.result(60).ok
    assert ann.settings.token != old
    assert _sum(run) == 6
    # The event connection is back, as the same user.
    again = ann.workflow_repo.create_workflow(workflows.add()).run(a=5)
    assert again.status.ok


def test_token_expires_during_sweep(users: Users, ann: InvokeAIClient, held: None) -> None:
    wf = ann.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep({"a": [1, 2, 3]})
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(lambda: sorted(_sum(run) for run in sweep))
        users.end_tokens(ANN)
        users.admin.queue_repo.resume()
        assert ended.result(60) == [3, 4, 5]


def test_concurrent_rejected_requests_sign_in_once(users: Users) -> None:
    async def go(client: AsyncInvokeAIClient) -> int:
        before = client.connection.http.sent
        await asyncio.gather(*(client.board_repo.list_boards() for _ in range(8)))
        return client.connection.http.sent - before

    with (
        InvokeAIClient.from_url(users.url, api_key=users.token(ANN, -5)) as client,
        pytest.raises(AuthenticationError, match="Invalid or expired token"),
    ):
        client.board_repo.list_boards()
    with InvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as client:
        client.me()
        client.settings.token = users.token(ANN, -5)
        asked = client._call(go(client._impl))
        assert asked <= 8 + 8 + 1


def test_wait_without_password_explains_how_to_sign_in(users: Users, held: None) -> None:
    with InvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as first:
        first.me()
        token = first.settings.token
    with InvokeAIClient.from_url(users.url, api_key=token) as client:
        run = client.workflow_repo.create_workflow(workflows.add()).start(a=7)
        users.end_tokens(ANN)
        with pytest.raises(AuthenticationError, match="Sign in") as caught:
            run.wait(60)
        assert caught.value.request_id
        client.login(*ANN)  # the run itself continues, and the client waits for it again
        users.admin.queue_repo.resume()
        assert run.wait(60).ok


def test_changed_password_is_not_retried_forever(users: Users, bob: InvokeAIClient) -> None:
    bob.me()
    users.end_tokens(BOB, "Another-secret-1")
    try:
        with pytest.raises(AuthenticationError, match=r"Cannot sign in to .* again"):
            bob.board_repo.list_boards()
        assert bob.login(BOB[0], "Another-secret-1").email == BOB[0]
        assert bob.me() is not None
    finally:
        users.end_tokens(BOB)


async def test_event_connection_renews_rejected_token(users: Users) -> None:
    async with AsyncInvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as client:
        await client.me()
        client.settings.token = refused = users.token(ANN, -5)
        hub = client.connection.hub
        await hub.join(queue_room("default"))
        assert hub.connected
        assert client.settings.token != refused


async def test_user_socket_is_signed_in(users: Users) -> None:
    async with (
        AsyncInvokeAIClient.from_url(users.url, email=ANN[0], password=ANN[1]) as client,
        client.socketio_session() as socket,
    ):
        assert socket.connected


# --------------------------------------------------------------------------- command line


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    return path


def test_ivk_login_and_logout(users: Users, config: Path) -> None:
    def ivk_(*words: str, given: str = "") -> Result:
        return CliRunner().invoke(ivk, words, input=given)

    assert ivk_("doctor", "--url", users.url).exit_code == 1
    done = ivk_("login", users.url, "--email", ANN[0], "--password-stdin", given=f"{ANN[1]}\n")
    assert (done.exit_code, done.exception) == (0, None)
    assert done.stdout == f"Signed in to {users.url} as {ANN[0]}. Saved as profile 'default' in {config}.\n"
    assert ANN[1] not in config.read_text()
    with InvokeAIClient() as client:  # the server and the token from the file
        assert client.url == users.url
        me = client.me()
        assert me is not None
        assert me.email == ANN[0]
        board = client.board_repo.create_board("of ivk login")
        client.board_repo.delete_board(board.board_id)
        renewed = client.settings.token or "none"
    assert renewed in config.read_text()  # for the next program
    done = ivk_("doctor")
    assert done.exit_code == 0
    assert f"signed in as {ANN[0]} (user)" in done.stdout
    users.end_tokens(ANN)
    done = ivk_("doctor")
    assert done.exit_code == 1
    assert f"-> Run `ivk login {users.url}" in done.stdout
    # Prompts, a token instead of a password, and another profile.
    assert ivk_("login", given=f"{BOB[0]}\n{BOB[1]}\n").exit_code == 0
    token = read_profiles()["default"].token
    assert ivk_("login", "--token-stdin", "--profile", "other", users.url, given=f"{token}\n").exit_code == 0
    assert read_profiles()["other"].email == BOB[0]
    refused = ivk_("login", "--email", ANN[0], "--password-stdin", given="wrong\n").exception
    assert isinstance(refused, AuthenticationError)
    assert read_profiles()["default"].email == BOB[0]
    assert ivk_("logout").exit_code == 0
    assert (read_profiles()["default"].token, read_profiles()["default"].url) == (None, users.url)
    assert isinstance(ivk_("login", "--password-stdin", "--email", "x@example.org").exception, UsageError)
