"""``ivk login`` and ``ivk logout``: tokens of servers with users, kept in the configuration file."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import click

from invokeai_py_client.cli.output import emit, say
from invokeai_py_client.errors import UsageError

_profile = click.option(
    "--profile", metavar="NAME", help="The profile to keep it in; else $INVOKEAI_PROFILE, else 'default'."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of sentences.")


@click.command()
@click.argument("url", metavar="[URL]", required=False)
@click.option("--email", metavar="EMAIL", help="Who signs in; else $INVOKEAI_EMAIL, else it is asked for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--token-stdin", is_flag=True, help="Read a token from standard input instead of signing in.")
@click.option("--remember", is_flag=True, help="Ask for a token that lasts longer (7 days instead of one).")
@_profile
@_json
def login(
    url: str | None,
    email: str | None,
    password_stdin: bool,
    token_stdin: bool,
    remember: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Sign in to a server, and remember it and its token.

    What is kept is the server's URL and a token, never the password, in a file that is yours alone. Commands and
    scripts without a URL of their own use that server from then on.

    \b
      ivk login https://example.org/invoke
      pass show invokeai |
        ivk login http://gpu:9090 --email me@example.org --password-stdin
    """
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.config import DEFAULT_PROFILE, Profile, choose, keep_profile, read_profiles

    if password_stdin and token_stdin:
        raise UsageError("Standard input holds a password or a token, not both.")
    name = profile or os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE
    known = read_profiles().get(name)
    address = choose(url or (known.url if known else None), api_key="none yet").address
    _warn_if_open(address.url)
    # Neither the environment's token nor the file's: those may be what is to be replaced.
    with InvokeAIClient.from_url(url or address.url, api_key="none yet") as client:
        client.settings.use_token(_line("token") if token_stdin else None)
        user = None
        if token_stdin:
            user = client.me()
        elif client.has_users():
            email = email or os.environ.get("INVOKEAI_EMAIL") or click.prompt("Email", err=True)
            user = client.login(str(email), _password(password_stdin), remember_me=remember)
        token = client.settings.token if user else None
    path = keep_profile(Profile(name, address.url, token, user.email if user else None))
    if as_json:
        emit({"event": "result", "ok": True, "url": address.url, "user": user.email if user else None})
        return
    who = f"Signed in to {address.url} as {user.email}" if user else f"{address.url} has no users"
    click.echo(f"{who}; kept as profile {name!r} in {path}.")
    for variable in ("INVOKEAI_URL", "INVOKEAI_TOKEN"):
        if os.environ.get(variable):
            say(f"Note: ${variable} is set, and goes before the file.")


@click.command()
@_profile
@_json
def logout(profile: str | None, as_json: bool) -> None:
    """Forget the token of a profile. Its URL is kept.

    InvokeAI itself keeps no list of tokens: a copy of it elsewhere lives until it ends, or until the password is
    changed.
    """
    from invokeai_py_client.config import DEFAULT_PROFILE, config_path, forget_profile

    name = profile or os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE
    forgotten = forget_profile(name)
    if as_json:
        emit({"event": "result", "ok": True, "forgotten": forgotten})
    elif forgotten:
        click.echo(f"The token of profile {name!r} is out of {config_path()}.")
    else:
        say(f"Profile {name!r} has no token.")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return _line("password")
    given = os.environ.get("INVOKEAI_PASSWORD")
    return given or str(click.prompt("Password", hide_input=True, err=True))


def _line(what: str) -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError(f"There is no {what} on standard input.")
    return line


def _warn_if_open(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        say(f"Note: {url} is not encrypted: whoever is on the way can read the password and the token.")
