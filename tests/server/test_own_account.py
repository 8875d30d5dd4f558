"""The user's own account: the display name, the password, and what goes on after the password was changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import workflows
from multi_user import ANN, Users
from on_server import client
from proxy import Proxy
from trouble import LOSE, RESET, script

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.config import Profile, keep_profile, read_profiles
from invokeai_py_client.errors import AuthenticationError, BadRequestError, ConnectionLostError, UsageError

__all__ = ["client"]

EVE = ("eve@example.org", "Eve-secret-1")
NEW = "Eve-secret-2"


@pytest.fixture
def eve(users: Users) -> Iterator[tuple[str, str]]:
    """The email and the password of a user that exists only for one test."""
    body = {"email": EVE[0], "password": EVE[1], "display_name": "Eve"}
    record = users.ask("POST", "/api/v1/auth/users", body)
    yield EVE
    users.ask("DELETE", f"/api/v1/auth/users/{record['user_id']}")


def signed_in(users: Users, password: str) -> InvokeAIClient:
    return InvokeAIClient.from_url(users.url, email=EVE[0], password=password)


def test_display_name_is_changed(users: Users, eve: tuple[str, str]) -> None:
    with signed_in(users, EVE[1]) as client:
        assert client.update_me(display_name="Evelyn").display_name == "Evelyn"
        me = client.me()
        assert me is not None
        assert me.display_name == "Evelyn"
        with pytest.raises(UsageError, match="display_name"):
            client.update_me(display_name=" ")


def test_client_continues_with_its_new_password(users: Users, eve: tuple[str, str]) -> None:
    with signed_in(users, EVE[1]) as client, signed_in(users, EVE[1]) as other:
        client.me()
        other.me()
        client.change_password(EVE[1], NEW)
        credentials = client.settings.credentials
        assert credentials is not None
        assert credentials.password == NEW
        before = client.connection.http.sent
        client.boards.list_boards()
        assert client.connection.http.sent == before + 1, "the token was renewed already"
        client.settings.use_token("expired", credentials)
        client.boards.list_boards()  # signs in again
        with pytest.raises(
            AuthenticationError, match=r"rejected the email and password\. Call client\.login"
        ):
            other.boards.list_boards()
    with signed_in(users, NEW) as client:
        assert client.me() is not None


def test_wrong_password_changes_nothing(users: Users, eve: tuple[str, str]) -> None:
    with signed_in(users, EVE[1]) as client:
        with pytest.raises(BadRequestError, match="Current password is incorrect") as caught:
            client.change_password("wrong-secret", NEW)
        assert "secret" not in str(caught.value)
        with pytest.raises(UsageError, match="new_password"):
            client.change_password(EVE[1], "")
        credentials = client.settings.credentials
        assert credentials is not None
        assert credentials.password == EVE[1]
        assert client.me() is not None


def test_new_token_is_saved_in_the_profile(
    users: Users, eve: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_CONFIG", str(tmp_path / "config.toml"))
    with InvokeAIClient.from_url(users.url) as client:
        client.login(*EVE)
        token = client.settings.token
    keep_profile(Profile("eve", users.url, token, EVE[0]))
    with InvokeAIClient.from_url(profile="eve") as client:
        client.change_password(EVE[1], NEW)
        assert read_profiles()["eve"].token == client.settings.token != token
        assert client.settings.credentials is None, "a client with a token keeps no password"
        with InvokeAIClient.from_url(profile="eve") as later:
            me = later.me()
            assert me is not None
            assert me.email == EVE[0]


@pytest.mark.parametrize(("fault", "changed"), [(LOSE, True), (RESET, False)])
def test_lost_response_is_resolved(users: Users, eve: tuple[str, str], fault: object, changed: bool) -> None:
    with Proxy(users.url) as proxy:
        proxy.rule("PATCH", "/auth/me$", script(fault))  # pyright: ignore[reportArgumentType]
        with InvokeAIClient.from_url(proxy.url, email=EVE[0], password=EVE[1]) as client:
            if changed:
                client.change_password(EVE[1], NEW)
            else:
                with pytest.raises(ConnectionLostError):
                    client.change_password(EVE[1], NEW)
            client.boards.list_boards()
            credentials = client.settings.credentials
            assert credentials is not None
            assert credentials.password == (NEW if changed else EVE[1])
    with signed_in(users, NEW if changed else EVE[1]) as client:
        assert client.me() is not None


async def test_runs_and_requests_continue_while_the_password_is_changed(
    users: Users, eve: tuple[str, str], held: None
) -> None:
    """The response with the new token arrives late, while the server already rejects the old one."""
    with Proxy(users.url) as proxy:
        async with AsyncInvokeAIClient.from_url(proxy.url, email=EVE[0], password=EVE[1]) as client:
            wf = await client.workflow(workflows.add())
            run = await wf.start(a=2)
            waiting = asyncio.ensure_future(run.wait())
            with proxy.holding("PATCH", "/auth/me$"):
                changing = asyncio.ensure_future(client.change_password(EVE[1], NEW))
                await asyncio.to_thread(proxy.wait_for, "held")
                before = proxy.counts["passed"]
                # The server has changed the password, so this request is rejected until the new token is there.
                asking = asyncio.ensure_future(client.boards.list_boards())
                # It also fails to sign in with the old password.
                await asyncio.to_thread(lambda: proxy.wait_for("passed", times=before + 2))
            await changing
            await asking
            await asyncio.to_thread(users.admin.queue.resume)
            assert (await waiting).ok


def test_server_without_users_has_no_passwords(client: InvokeAIClient) -> None:
    with pytest.raises(UsageError, match="has no user accounts"):
        client.change_password("a-secret", "b-secret")
    with pytest.raises(UsageError, match="has no user accounts"):
        client.update_me(display_name="Ann")


def test_first_administrator_is_created_once(users: Users) -> None:
    with InvokeAIClient.from_url(users.url) as client:
        with pytest.raises(BadRequestError, match="Administrator account already configured"):
            client.set_up(*ANN)
        assert client.settings.token is None
        with pytest.raises(UsageError, match="without an email and a password"):
            client.set_up("", "")
