"""``ivk users``: the user accounts of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from invokeai_py_client.cli.complete import complete_users
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.options import connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.streams import secret_line
from invokeai_py_client.cli.tables import Column, show_facts, show_table, time_of
from invokeai_py_client.errors import TransferError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkUser

F = TypeVar("F", bound=Callable[..., Any])
_user = click.argument("user", metavar="USER", shell_complete=complete_users)
_users = click.argument("users_", metavar="USERS...", nargs=-1, required=True, shell_complete=complete_users)
_name = click.option("--name", metavar="NAME", help="The name that others see.")


@click.group(cls=IvkGroup)
def users() -> None:
    """Manage the user accounts of a server (InvokeAI 6.12 or later).

    USER is an email address or an id. All commands need an administrator, except `setup`, `me`, and `passwd` without
    USER. Passwords are never part of the command line: they are asked for, read from standard input, or generated.
    """


def _password_options(command: F) -> F:
    """Add the options that say where a new password comes from."""
    stdin = click.option(
        "--password-stdin", "from_stdin", is_flag=True, help="Read the new password from standard input."
    )
    return stdin(
        click.option(
            "--generate", is_flag=True, help="Let the server generate the new password, and print it."
        )(command)
    )


def _new_password(client: InvokeAIClient, email: str, from_stdin: bool, generate: bool) -> str:
    """Return the new password of a user.

    Raises:
        UsageError: Both options were passed, or standard input is empty.
    """
    if from_stdin and generate:
        raise UsageError("--password-stdin and --generate exclude each other. Pass only one of them.")
    if generate:
        return client.users.generate_password()
    if from_stdin:
        return secret_line("password")
    return str(click.prompt(f"New password of {email}", hide_input=True, confirmation_prompt=True, err=True))


def _role(user: IvkUser) -> str:
    return "administrator" if user.is_admin else "user"


def _report(user: IvkUser, sentence: str, as_json: bool, password: str | None = None) -> None:
    """Print the result of a command about one user, with the password if it was generated."""
    if as_json:
        generated = {} if password is None else {"password": password}
        emit({"event": "result", "ok": True, **user.to_dict(), **generated})
        return
    say(sentence)
    if password is not None:
        echo(password)


@users.command("ls")
@url_option
@output_options
def list_(url: str | None, as_json: bool) -> None:
    """List the users."""
    with connect(url) as client:
        found = client.users.list_users()
    if as_json:
        for one in found:
            emit({"event": "user", **one.to_dict()})
        emit({"event": "result", "ok": True, "users": len(found)})
        return
    columns = [
        Column("email"),
        Column("name", whole=False),
        Column("role"),
        Column("active"),
        Column("last sign-in"),
        Column("created", wide=True),
        Column("id", wide=True),
    ]
    rows = [
        [
            one.email,
            one.display_name or "",
            _role(one),
            "yes" if one.is_active else "no",
            time_of(one.last_login_at),
            time_of(one.created_at),
            one.user_id,
        ]
        for one in found
    ]
    show_table(columns, rows)
    hint("Add a user: ivk users add EMAIL")


@users.command("me")
@url_option
@output_options
def me(url: str | None, as_json: bool) -> None:
    """Show the user that you are signed in as."""
    with connect(url) as client:
        user = client.me()
        expires = client.token_expires_at
    if user is None:
        raise UsageError(f"{client.url} has no user accounts. Everyone who reaches it can do everything.")
    if as_json:
        until = {} if expires is None else {"token_expires_at": expires.isoformat()}
        emit({"event": "result", "ok": True, **user.to_dict(), **until})
        return
    show_facts(
        {
            "email": user.email,
            "name": user.display_name,
            "role": _role(user),
            "id": user.user_id,
            "last sign-in": user.last_login_at,
            "token expires": expires,
        }
    )


@users.command("add")
@click.argument("email", metavar="EMAIL")
@_name
@click.option("--admin", is_flag=True, help="Give the user administrator rights.")
@_password_options
@url_option
@output_options
def add(
    email: str,
    name: str | None,
    admin: bool,
    from_stdin: bool,
    generate: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Add a user. Asks for the user's password, unless an option says where it comes from.

    \b
      ivk users add ann@example.org --name Ann --generate
    """
    with connect(url) as client:
        password = _new_password(client, email, from_stdin, generate)
        user = client.users.create_user(email, password, display_name=name, is_admin=admin)
    _report(user, f"Added {user.email} ({_role(user)}).", as_json, password if generate else None)
    hint(f"They sign in with: ivk login {client.url} --email {user.email}", as_json)


@users.command("edit")
@_user
@_name
@click.option("--admin/--no-admin", default=None, help="Give or take administrator rights.")
@url_option
@output_options
def edit(user: str, name: str | None, admin: bool | None, url: str | None, as_json: bool) -> None:
    """Change the name or the rights of a user."""
    if name is None and admin is None:
        raise UsageError("Nothing to change: pass --name, --admin or --no-admin.")
    with connect(url) as client:
        changed = client.users.update_user(user, display_name=name, is_admin=admin)
    _report(changed, f"Changed {changed.email} ({_role(changed)}).", as_json)


@users.command("setup")
@click.argument("email", metavar="EMAIL")
@_name
@click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from standard input.")
@url_option
@output_options
def setup(email: str, name: str | None, from_stdin: bool, url: str | None, as_json: bool) -> None:
    """Create the first administrator of a server.

    Works once, without signing in. Asks for the password.

    \b
      ivk users setup ann@example.org --name Ann
    """
    with connect(url) as client:
        if not client.auth_status().setup_required:
            raise UsageError(
                f"{client.url} needs no first administrator. `ivk login` signs in, if it has users."
            )
        password = _new_password(client, email, from_stdin, generate=False)
        user = client.set_up(email, password, display_name=name)
    _report(user, f"Created {user.email} (administrator).", as_json)
    hint(f"Sign in with: ivk login {client.url} --email {user.email}", as_json)


@users.command("passwd")
@click.argument("user", metavar="[USER]", required=False, shell_complete=complete_users)
@_password_options
@url_option
@output_options
def passwd(user: str | None, from_stdin: bool, generate: bool, url: str | None, as_json: bool) -> None:
    """Set the password of a user, and end all of the user's sessions. Without USER, change your own.

    Your own password also needs the current one. With --password-stdin, it is the line before the new one.
    """
    with connect(url) as client:
        if user is None:
            _change_own_password(client, from_stdin, generate, as_json)
            return
        known = client.users.get_user(user)
        password = _new_password(client, known.email, from_stdin, generate)
        changed = client.users.update_user(known, password=password)
    _report(changed, f"Changed the password of {changed.email}.", as_json, password if generate else None)


def _change_own_password(client: InvokeAIClient, from_stdin: bool, generate: bool, as_json: bool) -> None:
    me = client.me()
    if me is None:
        raise UsageError(f"{client.url} has no user accounts, so there is no password to change.")
    if from_stdin:
        old = secret_line("current password")
    else:
        old = str(click.prompt(f"Current password of {me.email}", hide_input=True, err=True))
    new = _new_password(client, me.email, from_stdin, generate)
    client.change_password(old, new)
    _report(me, f"Changed the password of {me.email}.", as_json, new if generate else None)


@users.command("disable")
@_users
@url_option
@output_options
def disable(users_: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Keep users from signing in. Their images and boards stay, and their queue items do not run."""
    _set_active(users_, False, url, as_json)


@users.command("enable")
@_users
@url_option
@output_options
def enable(users_: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Let users sign in again."""
    _set_active(users_, True, url, as_json)


def _set_active(names: tuple[str, ...], active: bool, url: str | None, as_json: bool) -> None:
    what = "enabled" if active else "disabled"
    with connect(url) as client:
        found = _find(client, names)
        changed, error = try_each(
            found,
            lambda one: client.users.update_user(one, is_active=active),
            what=what,
            kind="user",
            label=lambda one: one.email,
        )
    _report_each(changed, what, as_json, error)


@users.command("rm")
@_users
@yes_option
@url_option
@output_options
def rm(users_: tuple[str, ...], yes: bool, url: str | None, as_json: bool) -> None:
    """Delete the accounts of users. Their images, boards and workflows stay on the server."""
    with connect(url) as client:
        found = _find(client, users_)
        confirm(f"Delete the accounts {', '.join(one.email for one in found.values())}?", yes)
        gone, error = try_each(
            found, client.users.delete_user, what="deleted", kind="user", label=lambda one: one.email
        )
    _report_each(gone, "deleted", as_json, error)


def _find(client: InvokeAIClient, names: tuple[str, ...]) -> dict[str, IvkUser]:
    """Return users by their ids. All of them exist."""
    return {one.user_id: one for one in map(client.users.get_user, names)}


def _report_each(done: dict[str, IvkUser], what: str, as_json: bool, error: TransferError | None) -> None:
    emails = [one.email for one in done.values()]
    if as_json:
        emit({"event": "result", "ok": error is None, "users": len(done), "emails": emails})
    else:
        say(f"{what.capitalize()} {counted(len(done), 'user')}.")
    if error is not None:
        raise error
