"""Which server, and who: arguments before the environment before the configuration file.

The file (``~/.config/invokeai-py-client/config.toml``) has one table for each profile::

    [profiles.default]
    url = "https://example.org/invoke"
    token = "..."

``ivk login`` writes it, readable by its owner alone. A token goes to the server of its own table, and to no other.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.settings import (
    DEFAULT_URL,
    Credentials,
    ServerAddress,
    clean_prefix,
    credentials_of,
)

DEFAULT_PROFILE = "default"
_KEYS = ("url", "token", "email")


@dataclass(frozen=True, slots=True)
class Profile:
    """One table of the configuration file.

    Attributes:
        name: The profile's name.
        url: The server.
        token: The token for it, or None; never shown.
        email: Whose token it is, or None.
    """

    name: str
    url: str
    token: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)

    @property
    def address(self) -> ServerAddress:
        """The server."""
        return ServerAddress.parse(self.url)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a client starts with.

    Attributes:
        address: The server.
        token: The token for it, if one is known.
        credentials: What to sign in with, if that is known.
        profile: The profile that the token comes from.
    """

    address: ServerAddress
    token: str | None = field(repr=False)
    credentials: Credentials | None = field(repr=False)
    profile: Profile | None = None


def config_path() -> Path:
    """The configuration file; ``INVOKEAI_CONFIG`` names another one."""
    chosen = os.environ.get("INVOKEAI_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    if os.name == "nt":
        base = os.environ.get("APPDATA") or "~/AppData/Roaming"
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "invokeai-py-client" / "config.toml"


def choose(
    url: str | None = None,
    *,
    base_path: str = "",
    api_key: str | None = None,
    email: str | None = None,
    password: str | None = None,
    profile: str | None = None,
) -> Chosen:
    """Find out which server is meant, and what is known for signing in to it.

    Args:
        url: Its URL; else that of the profile that was asked for, ``INVOKEAI_URL``, the profile of
            ``INVOKEAI_PROFILE``, the profile ``default``, or InvokeAI's own default address.
        base_path: A path prefix in place of that of the URL.
        api_key: A token; else ``INVOKEAI_TOKEN``, or the token of a profile for the same server.
        email: With a password: who signs in, whatever token is known; else ``INVOKEAI_EMAIL``.
        password: The password; else ``INVOKEAI_PASSWORD``.
        profile: A profile of the configuration file.

    Raises:
        UsageError: The URL is none, there is no such profile, or the file cannot be used.
    """
    if url is not None and profile is not None:
        raise UsageError("Give a URL or a profile, not both: a profile has its own URL.")
    profiles = read_profiles()
    address = ServerAddress.parse(_url(profiles, profile) if url is None else url)
    if base_path:
        address = ServerAddress(address.origin, clean_prefix(base_path), address.userinfo)
    credentials = credentials_of(email, password)
    if credentials is not None:
        return Chosen(address, api_key or None, credentials)
    credentials = credentials_of(os.environ.get("INVOKEAI_EMAIL"), os.environ.get("INVOKEAI_PASSWORD"))
    token = api_key or (os.environ.get("INVOKEAI_TOKEN") if profile is None else None)
    if token:
        return Chosen(address, token, credentials)
    kept = _profile_for(address, profiles, profile)
    return Chosen(address, kept.token if kept else None, credentials, kept)


def _url(profiles: Mapping[str, Profile], profile: str | None) -> str:
    if profile is None and os.environ.get("INVOKEAI_URL"):
        return os.environ["INVOKEAI_URL"]
    name = profile or os.environ.get("INVOKEAI_PROFILE")
    if name and name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise UsageError(
            f"{config_path()} has no profile {name!r}; there are: {known}. `ivk login URL --profile {name}` makes it."
        )
    found = profiles.get(name or DEFAULT_PROFILE)
    return found.url if found else DEFAULT_URL


def _profile_for(
    address: ServerAddress, profiles: Mapping[str, Profile], wanted: str | None
) -> Profile | None:
    names = [wanted] if wanted else [os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE, *profiles]
    for name in names:
        found = profiles.get(name)
        if found is not None and found.token and found.address.url == address.url:
            warn = unsafe(config_path())
            if warn:
                raise UsageError(warn)
            return found
    return None


def unsafe(path: Path) -> str | None:
    """What is wrong with who may read a file, with the cure; None where nothing is."""
    if os.name == "nt":  # its permissions are another matter: the user's folder is the user's
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    return (
        f"{path} holds a token, and others can use the file (mode {mode:04o}). Run `chmod 600 {path}`; "
        "if others have had it, sign in anew and change the password."
    )


def read_profiles() -> dict[str, Profile]:
    """The profiles of the configuration file, by name; none where there is no file.

    Raises:
        UsageError: The file is not as it should be.
    """
    path = config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({_why(error)}).") from None
    import tomllib

    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not TOML: {error}. `ivk login URL` writes it anew.") from None
    tables: Any = data.get("profiles", {})
    if not isinstance(tables, dict):
        raise UsageError(f"{path}: profiles should be tables like [profiles.default].")
    return {name: _profile(path, name, table) for name, table in cast("dict[str, Any]", tables).items()}


def _profile(path: Path, name: str, table: Any) -> Profile:
    # Neither a value nor the line it stands on is told: it may be a token.
    values: dict[str, Any] = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    for key in _KEYS:
        if key in values and not isinstance(values[key], str):
            raise UsageError(f"{path}: {key} in [profiles.{name}] should be a text.")
    if not values.get("url"):
        raise UsageError(f'{path}: [profiles.{name}] needs a url, for example url = "{DEFAULT_URL}".')
    profile = Profile(name, values["url"], values.get("token") or None, values.get("email") or None)
    try:
        _ = profile.address
    except UsageError as error:
        raise UsageError(f"{path}: the url in [profiles.{name}]: {error}") from None
    return profile


def keep_profile(profile: Profile) -> Path:
    """Write a profile into the configuration file, in place of the one of that name.

    The file is its owner's alone, whatever it was before. Comments in it are not kept.

    Raises:
        UsageError: The file cannot be read or written.
    """
    return _write({**read_profiles(), profile.name: profile})


def forget_profile(name: str) -> bool:
    """Take the token out of a profile; its URL stays.

    Returns:
        Whether there was one.

    Raises:
        UsageError: The file cannot be read or written.
    """
    profiles = read_profiles()
    known = profiles.get(name)
    if known is None or known.token is None:
        return False
    _write({**profiles, name: Profile(name, known.url)})
    return True


def _write(profiles: Mapping[str, Profile]) -> Path:
    from invokeai_py_client._atomic import write_draft

    lines = ["# Written by `ivk login`. It holds tokens: keep it to yourself.\n"]
    for profile in profiles.values():
        lines.append(f"\n[profiles.{_quoted(profile.name)}]\n")
        values = {"url": profile.url, "token": profile.token, "email": profile.email}
        lines += [f"{key} = {_quoted(value)}\n" for key, value in values.items() if value]
    path = config_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_draft(path, "".join(lines).encode(), mode=0o600)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({_why(error)}).") from None
    return path


def _quoted(text: str) -> str:
    import json

    # TOML's basic strings are JSON's, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
