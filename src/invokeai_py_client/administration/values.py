"""Checks of values before they are sent to the server's administration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from invokeai_py_client._text import close_names, did_you_mean, hide_secrets, shown
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models.enums import LogLevel

SETTINGS = ("generation_devices", "image_subfolder_strategy", "max_queue_history")
"""The settings that can be changed while a server runs."""
SUBFOLDER_STRATEGIES = ("flat", "date", "type", "hash")
ALL = "all"
AUTO = "auto"
DEFAULT = "default"
_DEVICE = re.compile(r"cpu|mps|(cuda|xpu)(:\d+)?")


def config_changes(
    image_subfolder_strategy: str | None,
    max_queue_history: int | str | None,
    generation_devices: str | Sequence[str] | None,
) -> dict[str, Any]:
    """Return the settings to send.

    Raises:
        UsageError: There is nothing to change, or a value is invalid.
    """
    changes: dict[str, Any] = {}
    if image_subfolder_strategy is not None:
        if image_subfolder_strategy not in SUBFOLDER_STRATEGIES:
            raise _not_one_of("image_subfolder_strategy", image_subfolder_strategy, SUBFOLDER_STRATEGIES)
        changes["image_subfolder_strategy"] = image_subfolder_strategy
    if max_queue_history is not None:
        changes["max_queue_history"] = None if max_queue_history == ALL else _history(max_queue_history)
    if generation_devices is not None:
        changes["generation_devices"] = _devices(generation_devices)
    if not changes:
        raise UsageError(
            "update_config() got nothing to change. Pass image_subfolder_strategy, max_queue_history or "
            "generation_devices. Other settings are in invokeai.yaml, which the server reads when it starts."
        )
    return changes


def _history(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(
            f"max_queue_history: {shown(value)} is not valid; expected a whole number of at least 0, or {ALL!r}."
        )
    return value


def _devices(value: str | Sequence[str]) -> str | list[str]:
    if value == AUTO:
        return AUTO
    devices = [value] if isinstance(value, str) else list(value)
    wrong = next((one for one in devices if not (isinstance(one, str) and _DEVICE.fullmatch(one))), None)  # pyright: ignore[reportUnnecessaryIsInstance]
    if wrong is not None or not devices:
        raise UsageError(
            f"generation_devices: {shown(value if wrong is None else wrong)} is not valid; expected 'auto', or a list "
            "of devices such as 'cuda:0', 'mps' or 'cpu'. `client.server.devices()` lists those of the server."
        )
    return devices


def log_level_of(level: object) -> LogLevel:
    """Return a log level.

    Args:
        level: A name, or a number as in Python's ``logging``.

    Raises:
        UsageError: It is not a log level.
    """
    if isinstance(level, int) and not isinstance(level, bool):
        found = next((one for one in LogLevel if one.number == level), None)
    else:
        found = LogLevel.parse(level) if isinstance(level, str) else None
    if not isinstance(found, LogLevel):
        raise _not_one_of("level", level, [str(one) for one in LogLevel])
    return found


def base_url_of(base_url: str) -> str:
    """Return the URL of a provider as it is sent. The server removes the URL if it gets an empty text.

    Raises:
        UsageError: It is neither an http URL nor ``"default"``.
    """
    if base_url == DEFAULT:
        return ""
    parts = urlsplit(base_url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"base_url: {shown(hide_secrets(base_url))} is not valid; expected a URL that starts with https:// or "
            f"http://, or {DEFAULT!r} for the provider's own."
        )
    return base_url.strip()


def _not_one_of(name: str, value: object, known: Sequence[str]) -> UsageError:
    hint = did_you_mean(close_names(value, known)) if isinstance(value, str) else ""
    return UsageError(f"{name}: {shown(value)} is not valid; expected one of {', '.join(known)}.{hint}")
