"""Folders of local servers."""

from __future__ import annotations

import os
from pathlib import Path

APP = "invokeai-py-client"


def cache_base() -> Path:
    """Return the folder for files that can be recreated: installed servers and tiny models.

    ``INVOKEAI_CLIENT_CACHE`` overrides it.
    """
    chosen = os.environ.get("INVOKEAI_CLIENT_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path(APP, appauthor=False)


def server_folder(version: str) -> Path:
    """Return the virtual environment of an InvokeAI version."""
    return cache_base() / "servers" / version


def default_root(version: str) -> Path:
    """Return the default root (database, images, models) of a server."""
    import platformdirs

    return platformdirs.user_data_path(APP, appauthor=False) / "roots" / version


def running_folder() -> Path:
    """Return the folder with one file for each running server."""
    return cache_base() / "running"


def python_in(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def inside_folder() -> Path:
    """Return the folder with code that runs in the server's Python, not in ours."""
    return Path(__file__).resolve().parent / "inside"
