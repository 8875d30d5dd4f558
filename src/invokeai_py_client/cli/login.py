"""``ivk login`` and ``ivk logout``: sign in to a server and save its token in the configuration file."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import output_options
from invokeai_py_client.cli.output import echo, emit, say
from invokeai_py_client.cli.streams import secret_line
from invokeai_py_client.errors import UsageError

_profile = click.option(
    "--profile", metavar="NAME", help="Profile to use. Defaults to $INVOKEAI_PROFILE, then 'default'."
)


@click.command(cls=IvkCommand)
@click.argument("url", metavar="[URL]", required=False)
@click.option("--email", metavar="EMAIL", help="Email address. Defaults to $INVOKEAI_EMAIL, then a prompt.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token-stdin", is_flag=True, help="Read a token from standard input instead of signing in.")
@click.option("--remember", is_flag=True, help="Request a token that is valid for 7 days instead of one.")
@_profile
@output_options
def login(
    url: str | None,
    email: str | None,
    password_stdin: bool,
    token_stdin: bool,
    remember: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Sign in to a server and save it as a profile.

    Saves the server's URL and a token in a private configuration file, never the password. Commands and scripts
    use this server from now on unless they specify another one.

    \b
      ivk login https://example.org/invoke
      pass show invokeai |
        ivk login http://gpu:9090 --email me@example.org --password-stdin
    """
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.config import (
        DEFAULT_PROFILE,
        Profile,
        choose,
        environment_is_for,
        keep_profile,
        read_profiles,
    )

    url = url or click.get_current_context().meta.get("ivk.url")  # as in `ivk --url URL login`
    if password_stdin and token_stdin:
        raise UsageError("--password-stdin and --token-stdin cannot be used together.")
    name = profile or os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE
    known = read_profiles().get(name)
    address = choose(url or (known.url if known else None), api_key="none yet").address
    _warn_if_unencrypted(address.url)
    # Ignore the tokens of the environment and the file. They may be the ones to replace.
    with InvokeAIClient.from_url(url or address.url, api_key="none yet") as client:
        client.settings.use_token(secret_line("token") if token_stdin else None)
        user = None
        if token_stdin:
            user = client.me()
        elif client.has_users():
            ours = environment_is_for(address)
            email = email or (ours and os.environ.get("INVOKEAI_EMAIL")) or click.prompt("Email", err=True)
            user = client.login(str(email), _password(password_stdin, ours), remember_me=remember)
        token = client.settings.token if user else None
    path = keep_profile(Profile(name, address.url, token, user.email if user else None))
    if as_json:
        emit({"event": "result", "ok": True, "url": address.url, "user": user.email if user else None})
        return
    who = f"Signed in to {address.url} as {user.email}." if user else f"{address.url} has no user accounts."
    echo(f"{who} Saved as profile {name!r} in {path}.")
    for variable in ("INVOKEAI_URL", "INVOKEAI_TOKEN"):
        if os.environ.get(variable):
            say(f"Note: ${variable} is set and overrides the file.")


@click.command(cls=IvkCommand)
@_profile
@output_options
def logout(profile: str | None, as_json: bool) -> None:
    """Sign out: remove a profile's token. Its URL is kept.

    InvokeAI cannot revoke tokens. Copies of the token stay valid until they expire or the password changes.
    """
    from invokeai_py_client.config import DEFAULT_PROFILE, forget_profile
    from invokeai_py_client.config_file import config_path

    name = profile or os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE
    forgotten = forget_profile(name)
    if as_json:
        emit({"event": "result", "ok": True, "forgotten": forgotten})
    elif forgotten:
        echo(f"Removed the token of profile {name!r} from {config_path()}.")
    else:
        say(f"Profile {name!r} has no token.")


def _password(from_stdin: bool, from_environment: bool) -> str:
    if from_stdin:
        return secret_line("password")
    given = os.environ.get("INVOKEAI_PASSWORD") if from_environment else None
    return given or str(click.prompt("Password", hide_input=True, err=True))


def _warn_if_unencrypted(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        say(f"Note: {url} is not encrypted; anyone on the network can read your password and token.")
