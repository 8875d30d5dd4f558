"""The configuration file: finding, reading and changing it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client._paths import config_folder, exists, user_path
from invokeai_py_client._text import decode_text
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client._toml import Table

_NO_FILE = "the configuration file, which cannot exist without a home directory"
_FIRST_LINE = "# Written by ivk. This file contains tokens: keep it private.\n"


def config_path() -> Path | None:
    """Return the path of the configuration file. ``INVOKEAI_CONFIG`` overrides the default path.

    Returns:
        The path, or None if there is no home directory, as for users without an entry in ``/etc/passwd``.

    Raises:
        UsageError: A path in the environment is not valid.
    """
    chosen = os.environ.get("INVOKEAI_CONFIG")
    if chosen:
        return user_path(chosen)
    folder = config_folder()
    return None if folder is None else folder / "invokeai-py-client" / "config.toml"


def config_name() -> str:
    """Return the name of the configuration file in messages."""
    return str(config_path() or _NO_FILE)


def permission_problem(path: Path) -> str | None:
    """Return a message if other users can access a file that holds a token, or None if it is private."""
    if os.name == "nt":  # Windows has no such modes, and the user's own folder is private
        return None
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    return (
        f"{path} contains a token, but other users can access the file (mode {mode:04o}). Run `chmod 600 {path}`. "
        "If someone may have read the token, change your password and sign in again."
    )


def read_config() -> dict[str, Any]:
    """Return the data of the configuration file. Empty if the file does not exist.

    Raises:
        UsageError: The file cannot be read, or is not valid TOML.
    """
    path = config_path()
    return {} if path is None else _parse(path, _read(path))


def change_config(
    parent: str, change: Callable[[dict[str, Any]], Mapping[str, Table | None] | None]
) -> Path | None:
    """Change tables of the configuration file, while no other process does. The rest of the file stays as it is.

    Args:
        parent: The name of the table that contains them, such as "profiles".
        change: Gets the file's data, and returns the keys to set or to remove by the name of the table. None removes a
            table. Returns None to leave the file unchanged.

    Returns:
        The path of the file, or None if it was left unchanged.

    Raises:
        UsageError: The file cannot be read or written.
    """
    from invokeai_py_client._atomic import write_draft
    from invokeai_py_client._lock import locked
    from invokeai_py_client._toml import change_tables, key_of

    path = config_path()
    if path is None:
        raise UsageError(
            "Cannot write the configuration file: there is no home directory. Set INVOKEAI_CONFIG to a path."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(path.with_name(f"{path.name}.lock")):
            text = _read(path)
            changes = change(_parse(path, text))
            if changes is None:
                return None
            changed = change_tables(text or _FIRST_LINE, parent, changes)
            if changed is None:
                tables = " and ".join(f"[{parent}.{key_of(name)}]" for name in changes)
                raise UsageError(
                    f"Cannot change {path}: {parent} is written in another form than tables. Write {tables} with a "
                    "line for each value, and try again."
                )
            write_draft(path, _encoded(changed), mode=0o600)
            return path
    except OSError as error:
        raise UsageError(f"Cannot write the configuration file {path}: {_why(error)}.") from None


def _read(path: Path) -> str:
    try:
        return decode_text(path.read_bytes()).replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not os.environ.get("INVOKEAI_CONFIG") and not exists(path):
            return ""  # HOME is another user's directory, as in a container that runs as an arbitrary user
        raise UsageError(f"Cannot read the configuration file {path}: {_why(error)}.") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}. Fix the file, or delete it and run `ivk login URL`."
        ) from None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise UsageError(
            f"Cannot write the configuration file: a value has {wrong!r}, a lone surrogate. Remove it."
        ) from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
