"""Changes of a model's record: checked against the record, then sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from invokeai_py_client._given import is_blank
from invokeai_py_client._text import close_names, did_you_mean, shown
from invokeai_py_client.dnn_model.settings import merged_settings
from invokeai_py_client.errors import UsageError
from invokeai_py_client.models import BaseModelEnum
from invokeai_py_client.models.base import as_mapping

CLEARABLE = ("cpu_only", "default_settings", "description", "source_url", "trigger_phrases")
"""The values that can be removed from a record."""

_CLASS = ("base", "type", "format")
_TEXTS = ("name", "description", "source_url", "path", "type", "format", "variant", "prediction_type")


def changes_of(
    record: Mapping[str, Any], given: Mapping[str, Any], clear: str | Iterable[str]
) -> dict[str, Any]:
    """Return the body of a request that changes a record.

    Args:
        record: The record as the server sent it. It has all values that a model of its class can have.
        given: The new values. None means that a value stays as it is.
        clear: The names of the values to remove.

    Raises:
        UsageError: There is nothing to change, a value is not valid, or the model cannot have it.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    names = [clear] if isinstance(clear, str) else list(clear)
    for name in names:
        if name not in CLEARABLE:
            hint = did_you_mean(close_names(name, CLEARABLE))
            raise UsageError(f"Cannot clear {shown(name)}: expected one of {', '.join(CLEARABLE)}.{hint}")
        if name in changes:
            raise UsageError(f"{name} is to be set and cleared. Do one of them.")
    if not changes and not names:
        raise UsageError(
            f"Nothing to change about the model {shown(record['name'])}: pass at least one new value, or clear=."
        )
    for name in _TEXTS:
        if is_blank(changes.get(name)):
            raise UsageError(f"{name}: {changes[name]!r} is empty; expected a text.{_how_to_clear(name)}")
    url = changes.get("source_url")
    if url is not None and not str(url).startswith(("https://", "http://")):
        raise UsageError(
            f"source_url: {shown(url)} is not valid; expected a URL that starts with https:// or http://."
        )
    if "base" in changes:
        changes["base"] = str(BaseModelEnum.parse(changes["base"]))
    if "trigger_phrases" in changes:
        changes["trigger_phrases"] = _phrases(changes["trigger_phrases"])
    if record.get("type") == "main":
        _move_cpu_only(changes, names)
    if not any(name in changes for name in _CLASS):  # another class of models has other values
        _check_known(record, [*changes, *names])
    settings = changes.get("default_settings")
    if settings is not None:
        if not isinstance(settings, Mapping):
            raise UsageError(f"default_settings: {shown(settings)} is not valid; expected a mapping.")
        kind = str(changes.get("type", record.get("type")))
        current = as_mapping(None if "type" in changes else record.get("default_settings"))
        model = f"the model {shown(record['name'])}"
        changes["default_settings"] = merged_settings(
            kind, current, cast("Mapping[str, Any]", settings), model
        )
    return changes | dict.fromkeys(names)


def _phrases(value: Any) -> list[str]:
    phrases = [value] if isinstance(value, str) else list(value)
    if not phrases or not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases):
        raise UsageError(
            f"trigger_phrases: {shown(value)} is not valid; expected texts that are not empty."
            f"{_how_to_clear('trigger_phrases')}"
        )
    return list(dict.fromkeys(phrases))


def _move_cpu_only(changes: dict[str, Any], names: list[str]) -> None:
    """Change the default setting of a main model: its record has no ``cpu_only``, and servers ignore one (6.14.2)."""
    if "cpu_only" in changes:
        changes["default_settings"] = {
            **as_mapping(changes.get("default_settings")),
            "cpu_only": changes.pop("cpu_only"),
        }
    elif "cpu_only" in names:
        names.remove("cpu_only")
        if "default_settings" not in names:
            changes["default_settings"] = {**as_mapping(changes.get("default_settings")), "cpu_only": None}


def _check_known(record: Mapping[str, Any], names: Iterable[str]) -> None:
    missing = [name for name in names if name not in record]
    if missing:
        kind = " ".join(str(record.get(part, "?")) for part in _CLASS)
        raise UsageError(
            f"The model {shown(record['name'])} has no {' or '.join(missing)}: models of this kind ({kind}) do not "
            "have it on this server."
        )


def _how_to_clear(name: str) -> str:
    return f' To remove it, pass clear="{name}".' if name in CLEARABLE else ""
