"""Folders of local servers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from invokeai_py_client._paths import absolute_path
from invokeai_py_client.errors import UsageError

APP = "invokeai-py-client"


def cache_base() -> Path:
    """Return the folder for files that can be recreated: installed servers and tiny models.

    ``INVOKEAI_CLIENT_CACHE`` overrides it.

    Raises:
        UsageError: The user has no home directory.
    """
    folder = _cache_base()
    if folder is None:
        raise UsageError(
            "Cannot find the cache folder: there is no home directory. Set INVOKEAI_CLIENT_CACHE to a folder."
        )
    return folder


def server_folder(version: str) -> Path:
    """Return the virtual environment of an InvokeAI version."""
    return cache_base() / "servers" / version


def default_root(version: str) -> Path:
    """Return the default root (database, images, models) of a server.

    Raises:
        UsageError: The user has no home directory.
    """
    import platformdirs

    folder = _of_user(platformdirs.user_data_path)
    if folder is None:
        raise UsageError(
            "Cannot find the server's root folder: there is no home directory. Choose a folder with --root or root=."
        )
    return folder / "roots" / version


def running_folder() -> Path | None:
    """Return the folder with one file for each running server, or None without a home directory."""
    folder = _cache_base()
    return None if folder is None else folder / "running"


def _cache_base() -> Path | None:
    chosen = os.environ.get("INVOKEAI_CLIENT_CACHE")
    if chosen:
        return absolute_path(chosen)
    import platformdirs

    return _of_user(platformdirs.user_cache_path)


def _of_user(find: Callable[..., Path]) -> Path | None:
    try:
        folder = find(APP, appauthor=False)
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # without a home directory, "~" is not expanded


def python_in(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def inside_folder() -> Path:
    """Return the folder with code that runs in the server's Python, not in ours."""
    return Path(__file__).resolve().parent / "inside"
