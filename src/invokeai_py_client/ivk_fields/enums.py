"""Choices: enumerations and schedulers."""

from __future__ import annotations

from difflib import get_close_matches
from enum import Enum
from typing import Any

from invokeai_py_client.ivk_fields.base import IvkField, Unfit, short_list
from invokeai_py_client.ivk_fields.schedulers import SchedulerName, scheduler_on_wire


class IvkEnumField(IvkField[Any]):
    """One of a few values; the labels that the editor shows for them are taken too."""

    type_name_default = "EnumField"

    @property
    def allowed(self) -> str:
        """The choices."""
        return short_list(self.choices) if self.choices else "one of the node's choices"

    @property
    def labels(self) -> dict[str, str]:
        """What the editor shows for a choice, where that differs."""
        return dict(self._template.option_labels) if self._template else {}

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        choices = self.choices
        if choices is None or value in choices:
            return value
        if isinstance(value, str):
            by_label = {label.casefold(): choice for choice, label in self.labels.items()}
            by_text = {str(choice).casefold(): choice for choice in choices}
            found = by_text.get(value.strip().casefold(), by_label.get(value.strip().casefold()))
            if found is not None:
                return found
            close = get_close_matches(value, [str(choice) for choice in choices], n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise Unfit(f"{hint}it should be one of {self.allowed}")
        raise Unfit(f"it should be one of {self.allowed}")

    def _from_text(self, text: str) -> Any:
        by_text = {str(choice): choice for choice in self.choices or ()}
        return by_text.get(text, text)


class IvkSchedulerField(IvkEnumField):
    """A scheduler; names that other programs use for it are taken too."""

    type_name_default = "SchedulerField"

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The schedulers of the server."""
        return super().choices or tuple(dict.fromkeys(name.wire for name in SchedulerName))

    def _convert(self, value: Any) -> Any:
        if isinstance(value, SchedulerName):
            return value.wire
        known = scheduler_on_wire(value, self.choices or ()) if isinstance(value, str) else None
        return super()._convert(value if known is None else known)
