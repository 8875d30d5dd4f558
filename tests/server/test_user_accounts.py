"""The accounts of a multi-user server, managed by its administrator, in Python and by ``ivk users``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from command import Command, Done, ivk_command
from multi_user import ADMIN, ANN, Users

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    UnknownNameError,
    UsageError,
)
from invokeai_py_client.models import IvkUser

__all__ = ["ivk_command"]

PASSWORD = "Secret-word-1"


def new_email() -> str:
    return f"{uuid.uuid4().hex[:8]}@example.org"


@pytest.fixture
def carla(users: Users) -> Iterator[IvkUser]:
    user = users.admin.users.create_user(new_email(), PASSWORD, display_name="Carla")
    yield user
    users.admin.users.delete_user(user)


def test_an_account_is_created_found_changed_and_deleted(users: Users) -> None:
    accounts, email = users.admin.users, new_email()
    user = accounts.create_user(email, PASSWORD, display_name="Dora")
    assert (user.email, user.display_name, user.is_admin, user.is_active) == (email, "Dora", False, True)
    assert user.last_login_at is None
    listed = {one.email for one in accounts.list_users()}
    assert {email, ADMIN[0], ANN[0]} <= listed
    for ref in (user, email, email.upper(), user.user_id):
        assert accounts.get_user(ref) == user
    with pytest.raises(
        UnknownNameError, match=rf"No user named '{email}m'\. Did you mean '{email}'"
    ) as caught:
        accounts.get_user(f"{email}m")
    assert isinstance(caught.value, NotFoundError)
    assert accounts.find_user(str(uuid.uuid4())) is None
    with pytest.raises(APIRequestError, match="already exists"):
        accounts.create_user(email, PASSWORD)
    changed = accounts.update_user(email, display_name="Dora D.", is_admin=True)
    assert (changed.display_name, changed.is_admin, changed.is_active) == ("Dora D.", True, True)
    with InvokeAIClient.from_url(users.url, email=email, password=PASSWORD) as client:
        assert client.users.get_user(email).last_login_at is not None
        accounts.update_user(user, is_admin=False)
        with pytest.raises(PermissionDeniedError):
            client.users.list_users()
        accounts.update_user(user, is_active=False)
        with pytest.raises(PermissionDeniedError, match="User account is disabled"):
            client.me()
    with pytest.raises(UsageError, match="Nothing to change"):
        accounts.update_user(user)
    assert accounts.delete_user(user) is True
    assert accounts.delete_user(user) is False
    assert accounts.find_user(email) is None
    with pytest.raises(UnknownNameError):
        accounts.update_user(user, display_name="Nobody")


def test_a_new_password_ends_the_sessions_of_a_user(users: Users, carla: IvkUser) -> None:
    accounts = users.admin.users
    generated = accounts.generate_password()
    assert len(generated) == 16
    with InvokeAIClient.from_url(users.url) as client:
        client.login(carla.email, PASSWORD)
        before = client.settings.token
        changed = accounts.update_user(carla, password=generated)
        assert (changed.token_epoch or 0) > (carla.token_epoch or 0)
        with InvokeAIClient.from_url(users.url, api_key=before) as stale, pytest.raises(AuthenticationError):
            stale.me()
        client.login(carla.email, generated)
    with pytest.raises(UsageError, match="The password is empty"):
        accounts.update_user(carla, password="")


def test_an_administrator_goes_on_after_changing_the_own_password(users: Users, carla: IvkUser) -> None:
    users.admin.users.update_user(carla, is_admin=True)
    with InvokeAIClient.from_url(users.url, email=carla.email, password=PASSWORD) as client:
        client.users.update_user(carla.email, password="Other-word-1")
        assert client.settings.credentials is not None
        assert client.settings.credentials.password == "Other-word-1"
        assert client.users.get_user(carla).email == carla.email
        client.settings.token = "expired"  # the next request signs in again
        me = client.me()
        assert me is not None
        assert me.user_id == carla.user_id


def test_the_last_administrator_keeps_the_rights_and_the_account(users: Users) -> None:
    accounts = users.admin.users
    for change in (
        lambda: accounts.update_user(ADMIN[0], is_admin=False),
        lambda: accounts.update_user(ADMIN[0], is_active=False),
        lambda: accounts.delete_user(ADMIN[0]),
    ):
        with pytest.raises(APIRequestError, match="last administrator"):
            change()


def test_only_administrators_manage_accounts(ann: InvokeAIClient, carla: IvkUser) -> None:
    accounts = ann.users
    for call in (
        accounts.list_users,
        lambda: accounts.get_user(ANN[0]),
        lambda: accounts.create_user(new_email(), PASSWORD),
        lambda: accounts.update_user(carla, is_admin=True),
        lambda: accounts.delete_user(carla),
    ):
        with pytest.raises(PermissionDeniedError):
            call()
    assert len(accounts.generate_password()) == 16


def test_a_server_without_accounts_says_so(client: InvokeAIClient) -> None:
    for call in (
        client.users.list_users,
        client.users.generate_password,
        lambda: client.users.create_user(new_email(), PASSWORD),
    ):
        with pytest.raises(UsageError, match=r"has no user accounts\. Set `multiuser: true`"):
            call()


# --------------------------------------------------------------------------- command line


@pytest.fixture
def ivk(ivk_command: Command, users: Users, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run ``ivk users`` as a user."""
    monkeypatch.setenv("INVOKEAI_URL", users.url)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(user: tuple[str, str], *words: str, stdin: str = "") -> Done:
        monkeypatch.setenv("INVOKEAI_EMAIL", user[0])
        monkeypatch.setenv("INVOKEAI_PASSWORD", user[1])
        return ivk_command("users", *words, stdin=stdin)

    return run


def test_commands_about_accounts(users: Users, ivk: Callable[..., Done]) -> None:
    email = new_email()
    added = ivk(ADMIN, "add", email, "--name", "Eve", "--generate")
    assert added.code == 0, added.said
    [password] = added.lines
    assert f"Added {email} (user)." in added.said
    assert ivk((email, password), "me", "--json").objects[0]["email"] == email
    [row] = [row for row in ivk(ADMIN, "ls").cells if row[0] == email]
    assert row[1:4] == ["Eve", "user", "yes"]
    assert ivk(ADMIN, "edit", email, "--admin").said == f"Changed {email} (administrator)."
    assert ivk(ADMIN, "edit", email, "--no-admin", "--json").objects[0]["is_admin"] is False
    assert ivk(ADMIN, "passwd", email, "--password-stdin", stdin="Third-word-1\n").code == 0
    assert ivk((email, "Third-word-1"), "me").cells[0] == ["email", email]
    assert ivk(ADMIN, "disable", email).said == "Disabled 1 user."
    assert users.admin.users.get_user(email).is_active is False
    assert ivk(ADMIN, "enable", email, "--json").objects[0]["emails"] == [email]
    asked = ivk(ADMIN, "rm", email)
    assert (asked.code, f"Delete the accounts {email}?" in asked.said) == (2, True)
    assert ivk(ADMIN, "rm", email, "--yes").said == "Deleted 1 user."
    assert users.admin.users.find_user(email) is None


def test_users_change_their_own_password(carla: IvkUser, ivk: Callable[..., Done]) -> None:
    wrong = ivk((carla.email, PASSWORD), "passwd", "--password-stdin", stdin="wrong\nSecret-word-2\n")
    assert wrong.code == 1
    assert "password" in wrong.err
    alone = ivk((carla.email, PASSWORD), "passwd", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (alone.code, alone.said) == (2, "Error: No password on standard input.")
    changed = ivk((carla.email, PASSWORD), "passwd", "--password-stdin", stdin=f"{PASSWORD}\nSecret-word-2\n")
    assert changed.said == f"Changed the password of {carla.email}."
    assert ivk((carla.email, "Secret-word-2"), "me").cells[0] == ["email", carla.email]


def test_a_server_has_one_first_administrator(users: Users, ivk: Callable[..., Done]) -> None:
    again = ivk(ANN, "setup", "eve@example.org", "--password-stdin", stdin="Secret-word-1\n")
    assert (again.code, again.said) == (
        2,
        f"Error: {users.url} needs no first administrator. `ivk login` signs in, if it has users.",
    )


def test_commands_about_accounts_refuse_what_is_not_possible(ivk: Callable[..., Done]) -> None:
    assert ivk(ANN, "ls").code == 1
    both = ivk(ADMIN, "add", "x@example.org", "--generate", "--password-stdin", stdin="a\n")
    assert (both.code, "exclude each other" in both.said) == (2, True)
    assert ivk(ADMIN, "edit", ANN[0]).code == 2
    unknown = ivk(ADMIN, "disable", "nobody@example.org", ANN[0])
    assert (unknown.code, "No user named 'nobody@example.org'" in unknown.said) == (2, True)
    last = ivk(ADMIN, "disable", ADMIN[0])
    assert (last.code, "Cannot remove the last administrator" in last.said) == (1, True)
