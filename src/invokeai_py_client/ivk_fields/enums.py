"""Choices: enumerations and schedulers."""

from __future__ import annotations

from enum import Enum
from typing import Any

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.plain import Unfit, guess, is_truth, short_list, text_of
from invokeai_py_client.ivk_fields.schedulers import SchedulerName, scheduler_on_wire

SCHEDULER_NAMES = [name.value for name in SchedulerName]
"""The schedulers of InvokeAI 6.14."""
INTERPOLATION_MODES = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""How the nodes of InvokeAI 6.14 resize."""
COLOR_MODES = ["L", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"]
"""The colour modes of the nodes of InvokeAI 6.14."""


class IvkEnumField(IvkField[Any]):
    """One of a few values; what the editor shows for them is taken too, in any case."""

    type_name_default = "EnumField"

    @property
    def allowed(self) -> str:
        """The choices."""
        choices = self.choices
        return f"one of {short_list(choices, self.choice_labels)}" if choices else "one of the node's choices"

    def get_choices(self) -> list[Any]:
        """The choices as a list; empty where they are not known."""
        return list(self.choices or ())

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if is_truth(value):
            value = bool(value)
        if not isinstance(value, str | int | float | bool):
            raise Unfit(f"it should be {self.allowed}")
        choices = self.choices
        if choices is None:
            return text_of(value) if isinstance(value, str) else value
        for choice in choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        found = self._named(value, choices) if isinstance(value, str) else []
        if len(found) == 1:
            return found[0]
        names = [*map(str, choices), *self.choice_labels.values()]
        raise Unfit(f"{guess(str(value), names)}it should be {self.allowed}")

    def _named(self, value: str, choices: tuple[Any, ...]) -> list[Any]:
        """The choices that a text could mean: by their own spelling, else by their labels."""
        word = value.strip().casefold()
        labels = self.choice_labels
        return [choice for choice in choices if str(choice).casefold() == word] or [
            choice for choice in choices if labels.get(choice, "").casefold() == word
        ]

    def _from_text(self, text: str) -> Any:
        # A choice need not be a text: on the command line it can only be written as one.
        by_text = {str(choice): choice for choice in self.choices or ()}
        return by_text.get(text, text)


class IvkSchedulerField(IvkEnumField):
    """A scheduler; names that other programs use for it are taken too."""

    type_name_default = "SchedulerField"

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The schedulers of the server."""
        return super().choices or tuple(name.value for name in SchedulerName)

    @staticmethod
    def normalize_alias(name: str) -> str:
        """InvokeAI's name for a scheduler, whatever other programs call it; what nobody knows stays as it is."""
        return scheduler_on_wire(name, SCHEDULER_NAMES) or str(name)

    def _convert(self, value: Any) -> Any:
        known = scheduler_on_wire(value, self.choices or ()) if isinstance(value, str) else None
        return super()._convert(value if known is None else known)


class IvkInterpolationField(IvkEnumField):
    """A way to resize; without a node's own choices, one of those that most nodes have."""

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """What it may be."""
        return super().choices or tuple(INTERPOLATION_MODES)


class IvkColorModeField(IvkEnumField):
    """A colour mode; without a node's own choices, one of Pillow's that InvokeAI's nodes have."""

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """What it may be."""
        return super().choices or tuple(COLOR_MODES)


class IvkLiteralField(IvkEnumField):
    """One of a few words."""

    def get_literals(self) -> list[Any]:
        """The choices as a list; empty where they are not known."""
        return self.get_choices()
