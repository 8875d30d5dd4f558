"""Folders of local servers."""

from __future__ import annotations

import os
from pathlib import Path

from invokeai_py_client._paths import cache_folder, data_folder
from invokeai_py_client.errors import UsageError


def cache_base() -> Path:
    """Return the folder for files that can be recreated: installed servers and tiny models.

    ``INVOKEAI_CLIENT_CACHE`` overrides it.

    Raises:
        UsageError: The user has no home directory.
    """
    folder = cache_folder()
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
    return _data_base() / "roots" / version


def default_pool_root(name: str = "local") -> Path:
    """Return the default folder with the roots of the servers of a local pool.

    Raises:
        UsageError: The user has no home directory.
    """
    return _data_base() / "pools" / name


def _data_base() -> Path:
    folder = data_folder()
    if folder is None:
        raise UsageError(
            "Cannot find the server's root folder: there is no home directory. Choose a folder with --root or root=."
        )
    return folder


def running_folder() -> Path | None:
    """Return the folder with one file for each running server, or None without a home directory."""
    folder = cache_folder()
    return None if folder is None else folder / "running"


def python_in(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def inside_folder() -> Path:
    """Return the folder with code that runs in the server's Python, not in ours."""
    return Path(__file__).resolve().parent / "inside"
