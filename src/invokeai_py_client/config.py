"""The server and the credentials to use, from arguments, environment variables or the configuration file.

Arguments take precedence over environment variables, and those over the configuration file. The file
(``~/.config/invokeai-py-client/config.toml``) has a table for each profile::

    [profiles.default]
    url = "https://example.org/invoke"
    token = "..."

``ivk login`` writes the file with mode 0600.

Credentials belong to a server, and are sent to no other:

- a profile's token belongs to the profile's URL
- the credentials in the environment belong to the server that the environment names (``INVOKEAI_URL``, or the profile
  in ``INVOKEAI_PROFILE``). If it names none, they go to the server that the caller names.
- a URL from a file, such as a manifest or a pickle, is not named by the caller: it gets the credentials in the
  environment only if it is the server that this process uses by default
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from invokeai_py_client._given import refuse_empty
from invokeai_py_client.config_file import (
    change_config,
    config_name,
    config_path,
    permission_problem,
    read_config,
)
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.settings import (
    DEFAULT_URL,
    Credentials,
    ServerAddress,
    clean_prefix,
    credentials_of,
)
from invokeai_py_client.transport.timing import LONGEST_OUTAGE

DEFAULT_PROFILE = "default"
_KEYS = ("url", "token", "email")


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile in the configuration file.

    Attributes:
        name: The profile's name.
        url: The server's URL.
        token: The token for the server, or None. Never shown.
        email: The email address of the token's user, or None.
    """

    name: str
    url: str = field(repr=False)  # it may contain a password
    token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Profile, (self.name, self.address.url)  # pickles contain no secrets

    @property
    def address(self) -> ServerAddress:
        """The server's address."""
        return ServerAddress.parse(self.url)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The server and the credentials that a client starts with.

    Attributes:
        address: The server's address.
        token: The token for the server, or None.
        credentials: The email and password to sign in with, or None.
        profile: The profile that the token comes from, or None.
        withheld: A sentence that says why credentials in the environment are not used, or "".
    """

    address: ServerAddress
    token: str | None = field(repr=False)
    credentials: Credentials | None = field(repr=False)
    profile: Profile | None = None
    withheld: str = ""


def outage_timeout_of(seconds: float | None = None) -> float:
    """Return how long the server may be unreachable during waits and what follows them, in seconds.

    Args:
        seconds: The argument of the client. Defaults to ``INVOKEAI_OUTAGE_TIMEOUT``, or to five minutes.

    Raises:
        UsageError: The number is not valid.
    """
    text = os.environ.get("INVOKEAI_OUTAGE_TIMEOUT")
    given, name = (seconds, "outage_timeout") if seconds is not None else (text, "INVOKEAI_OUTAGE_TIMEOUT")
    if given is None or given == "":
        return LONGEST_OUTAGE
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not number >= 0:
        raise UsageError(f"{name}: {given!r} is not valid; expected a number of seconds of at least 0.")
    return number


def choose(
    url: str | None = None,
    *,
    base_path: str = "",
    api_key: str | None = None,
    email: str | None = None,
    password: str | None = None,
    profile: str | None = None,
) -> Chosen:
    """Choose the server, and the token or credentials for it.

    Args:
        url: The server's URL. Defaults to the first of these that is set: the URL of ``profile``, ``INVOKEAI_URL``,
            the URL of the profile in ``INVOKEAI_PROFILE``, the URL of the profile ``default``,
            ``http://localhost:9090``.
        base_path: A path prefix that replaces the one in the URL.
        api_key: A token. Defaults to ``INVOKEAI_TOKEN`` if that belongs to this server, or to the token of a profile
            for the same server.
        email: The email address to sign in with. With ``password``, it takes precedence over any token. Defaults to
            ``INVOKEAI_EMAIL`` if that belongs to this server.
        password: The password to sign in with. Defaults to ``INVOKEAI_PASSWORD`` if that belongs to this server.
        profile: The name of a profile in the configuration file.

    Raises:
        UsageError: The URL is not valid, the profile does not exist, or the configuration file cannot be used.
    """
    refuse_empty(profile=profile)
    if url is not None and profile is not None:
        raise UsageError("Pass either a URL or a profile, not both: a profile has a URL.")
    profiles = read_profiles()
    address = ServerAddress.parse(_url(profiles, profile) if url is None else url)
    if base_path:
        address = ServerAddress(address.origin, clean_prefix(base_path), address.userinfo)
    credentials = credentials_of(email, password)
    if credentials is not None:
        return Chosen(address, api_key or None, credentials)
    named = _named_server(profiles)
    withheld = None
    if (url is not None or profile is not None) and named is not None and not address.is_same(named):
        withheld = f"not sent to {address.url}: the environment names the server {named.url}."
    return _chosen(address, profiles, profile, api_key, withheld)


def choose_recorded(url: str) -> Chosen:
    """Choose the credentials for a server whose URL comes from a file, such as a manifest or a pickle.

    Args:
        url: The server's URL.

    Raises:
        UsageError: The URL is not valid, or the configuration file cannot be used.
    """
    profiles = read_profiles()
    address = ServerAddress.parse(url)
    try:
        usual = ServerAddress.parse(_url(profiles, None))
    except UsageError:
        usual = None  # INVOKEAI_PROFILE or INVOKEAI_URL is not valid, which matters only if it is used
    if usual is not None and address.is_same(usual):
        return _chosen(usual, profiles, None, None, None)
    withheld = (
        f"not sent to {address.url}, because this URL comes from a file. If the server is yours, set "
        f"INVOKEAI_URL={address.url}, or run `ivk login {address.url}`."
    )
    return _chosen(address, profiles, None, None, withheld)


def environment_is_for(address: ServerAddress) -> bool:
    """Return whether credentials in the environment may be sent to a server that the caller names."""
    named = _named_server(read_profiles())
    return named is None or address.is_same(named)


def _chosen(
    address: ServerAddress,
    profiles: Mapping[str, Profile],
    profile: str | None,
    api_key: str | None,
    withheld: str | None,
) -> Chosen:
    """Return the choice for a server.

    Args:
        address: The server.
        profiles: All profiles.
        profile: The profile that the caller named, or None.
        api_key: The token that the caller passed, or None.
        withheld: Why credentials in the environment must not be used, or None if they may be used.
    """
    credentials, token = None, api_key
    if withheld is None:
        credentials = credentials_of(os.environ.get("INVOKEAI_EMAIL"), os.environ.get("INVOKEAI_PASSWORD"))
        token = api_key or (os.environ.get("INVOKEAI_TOKEN") if profile is None else None)
    if token:
        return Chosen(address, token, credentials)
    kept = _profile_for(address, profiles, profile)
    if kept is not None:
        userinfo = address.userinfo or kept.address.userinfo
        address = ServerAddress(address.origin, address.prefix, userinfo)
        return Chosen(address, kept.token, credentials, kept)
    unused = [name for name in ("INVOKEAI_TOKEN", "INVOKEAI_PASSWORD") if os.environ.get(name)]
    note = f"{' and '.join(unused)}: {withheld}" if unused and withheld else ""
    return Chosen(address, None, credentials, withheld=note)


def _named_server(profiles: Mapping[str, Profile]) -> ServerAddress | None:
    """Return the server that the environment names, or None."""
    if os.environ.get("INVOKEAI_URL"):
        return ServerAddress.parse(os.environ["INVOKEAI_URL"])
    known = profiles.get(os.environ.get("INVOKEAI_PROFILE") or "")
    return None if known is None else known.address


def _url(profiles: Mapping[str, Profile], profile: str | None) -> str:
    if profile is None and os.environ.get("INVOKEAI_URL"):
        return os.environ["INVOKEAI_URL"]
    name = profile or os.environ.get("INVOKEAI_PROFILE")
    if name and name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"No profile named {name!r} in {config_name()}. Existing profiles: {known}. "
            f"To create it, run `ivk login URL --profile {name}`."
        )
    found = profiles.get(name or DEFAULT_PROFILE)
    return found.url if found else DEFAULT_URL


def _profile_for(
    address: ServerAddress, profiles: Mapping[str, Profile], wanted: str | None
) -> Profile | None:
    names = [wanted] if wanted else [os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE, *profiles]
    for name in names:
        found = profiles.get(name)
        if found is not None and found.token and found.address.is_same(address):
            path = config_path()
            warn = None if path is None else permission_problem(path)
            if warn:
                raise UsageError(warn)
            return found
    return None


def read_profiles() -> dict[str, Profile]:
    """Return the profiles in the configuration file, keyed by name. Empty if the file does not exist.

    Raises:
        UsageError: The file cannot be read, or its content is not valid.
    """
    return _profiles(read_config())


def _profiles(data: Mapping[str, Any]) -> dict[str, Profile]:
    tables: Any = data.get("profiles", {})
    if not isinstance(tables, dict):
        raise UsageError(
            f"{config_name()}: `profiles` is not valid; expected tables such as [profiles.default]."
        )
    return {name: _profile(name, table) for name, table in cast("dict[str, Any]", tables).items()}


def _profile(name: str, table: Any) -> Profile:
    # Messages contain neither the value nor its line, because it may be a token.
    values: dict[str, Any] = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    for key in _KEYS:
        if key in values and not isinstance(values[key], str):
            raise UsageError(f"{config_name()}: {key} in [profiles.{name}] is not valid; expected a string.")
    if not values.get("url"):
        raise UsageError(
            f'{config_name()}: [profiles.{name}] has no url. Add one, such as url = "{DEFAULT_URL}".'
        )
    profile = Profile(name, values["url"], values.get("token") or None, values.get("email") or None)
    try:
        _ = profile.address
    except UsageError as error:
        raise UsageError(f"{config_name()}: url in [profiles.{name}] is not valid. {error}") from None
    return profile


def keep_profile(profile: Profile) -> Path:
    """Write a profile to the configuration file, replacing a profile of the same name.

    The file gets mode 0600. Processes that write at the same time wait for each other.

    Returns:
        The path of the file.

    Raises:
        UsageError: The file cannot be read or written.
    """
    path = _change(lambda _: profile)
    assert path is not None
    return path


def renew_profile(old: Profile, new: Profile) -> bool:
    """Replace a profile in the configuration file, unless another program has changed it in the meantime.

    Returns:
        Whether the profile was replaced.

    Raises:
        UsageError: The file cannot be read or written.
    """
    return _change(lambda known: new if known.get(old.name) == old else None) is not None


def forget_profile(name: str) -> bool:
    """Remove the token from a profile, but keep its URL.

    Returns:
        Whether the profile had a token.

    Raises:
        UsageError: The file cannot be read or written.
    """

    def change(profiles: Mapping[str, Profile]) -> Profile | None:
        known = profiles.get(name)
        return None if known is None or known.token is None else Profile(name, known.url)

    # Without a token, nothing is written, so that no folder is created.
    return change(read_profiles()) is not None and _change(change) is not None


def _change(change: Callable[[Mapping[str, Profile]], Profile | None]) -> Path | None:
    """Write a profile, while no other process changes the file.

    Args:
        change: Gets all profiles and returns the one to write, or None to leave the file unchanged.

    Returns:
        The path of the file, or None if it was left unchanged.
    """

    def tables(data: dict[str, Any]) -> dict[str, dict[str, str | None]] | None:
        new = change(_profiles(data))
        values = None if new is None else {key: getattr(new, key) or None for key in _KEYS}
        return None if new is None or values is None else {new.name: values}

    return change_config("profiles", tables)
