"""Paths that users type. ``~`` is expanded, and a path that is not valid raises an error of this package."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invokeai_py_client._text import shown
from invokeai_py_client.errors import UsageError

_APP = "invokeai-py-client"


def user_path(path: str | os.PathLike[str], error: type[UsageError] = UsageError) -> Path:
    """Return a path that a user typed, with ``~`` expanded. The file need not exist.

    Args:
        path: The path.
        error: The class of the error to raise. Defaults to ``UsageError``.

    Raises:
        UsageError: The path contains characters that no file system accepts, or the home directory is unknown.
    """
    try:
        text: Any = os.fspath(path)
    except TypeError:
        raise error(f"Invalid path {shown(path)}: expected a string or a pathlib.Path.") from None
    if not isinstance(text, str):
        raise error(f"Invalid path {shown(text)}: expected a string, not bytes.")
    if "\0" in text:
        raise error(f"Invalid path {shown(text)}: it contains a NUL character. Remove it.")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise error(f"Invalid path {shown(text)}: it contains a lone surrogate. Remove it.") from None
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = text[1:].replace("\\", "/").partition("/")[0]
        whose = f"of the user {user!r}" if user else "of this user"
        raise error(
            f"Cannot expand the path {shown(text)}: the home directory {whose} is unknown. Write the full path."
        ) from None


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return a path that a user typed, with ``~`` expanded, as an absolute path.

    Raises:
        UsageError: The path is not valid, or the current folder was deleted.
    """
    expanded = user_path(path)
    try:
        return expanded.absolute()
    except OSError as error:
        raise UsageError(
            f"Cannot find the current folder ({error.strerror or error}). "
            f"Write a full path instead of {shown(str(path))}."
        ) from None


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a text is the path of an existing file. Never raises: any other text returns False."""
    try:
        return user_path(path).is_file()
    except (UsageError, OSError, ValueError):  # pathlib raises if a name is too long, for example
        return False


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether a text is the path of an existing folder. Never raises: any other text returns False."""
    try:
        return user_path(path).is_dir()
    except (UsageError, OSError, ValueError):
        return False


def exists(path: str | os.PathLike[str]) -> bool:
    """Return whether a text is the path of something that exists. Never raises: any other text returns False."""
    try:
        return user_path(path).exists()
    except (UsageError, OSError, ValueError):
        return False


def home_folder() -> Path | None:
    """Return the user's home directory, or None if it is unknown, as for a user without an entry in /etc/passwd."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_absolute() else None


def config_folder() -> Path | None:
    """Return the folder for configuration files of all programs, or None without a home directory."""
    variable, default = ("APPDATA", "AppData/Roaming") if os.name == "nt" else ("XDG_CONFIG_HOME", ".config")
    chosen = _absolute(os.environ.get(variable, ""))
    home = home_folder()
    return chosen or (None if home is None else home / default)


def cache_folder() -> Path | None:
    """Return this package's folder for files that can be recreated, or None without a home directory.

    ``INVOKEAI_CLIENT_CACHE`` overrides it.

    Raises:
        UsageError: The path in the environment is not valid.
    """
    chosen = os.environ.get("INVOKEAI_CLIENT_CACHE")
    if chosen:
        return absolute_path(chosen)
    import platformdirs

    return _of_user(platformdirs.user_cache_path)


def data_folder() -> Path | None:
    """Return this package's folder for files that the user keeps, or None without a home directory."""
    import platformdirs

    return _of_user(platformdirs.user_data_path)


def _of_user(find: Callable[..., Path]) -> Path | None:
    try:
        return _absolute(find(_APP, appauthor=False))
    except RuntimeError:
        return None


def _absolute(path: str | Path) -> Path | None:
    """Return a path with ``~`` expanded, or None if it is not absolute: the XDG specification ignores such paths.

    platformdirs returns ``~/...`` if there is no home directory.
    """
    try:
        expanded = user_path(path)
    except UsageError:
        return None
    return expanded if expanded.is_absolute() else None
