"""Numbers, texts and truths."""

from __future__ import annotations

import math
import operator
from typing import Any, ClassVar, SupportsIndex, TypeVar, cast

from invokeai_py_client.ivk_fields.base import IvkField, Unfit, short_list
from invokeai_py_client.schema.template import Limits

N = TypeVar("N", int, float)

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class _NumberField(IvkField[N]):
    """What integers and floats share: limits."""

    _word: ClassVar[str] = "a number"

    @property
    def allowed(self) -> str:
        """The limits in a few words."""
        return " ".join(part for part in (self._word, range_text(self._effective)) if part)

    @property
    def _effective(self) -> Limits:
        """The schema's limits, narrowed by those that the form sets."""
        limits = self.limits
        low, high = self._settings.get("min"), self._settings.get("max")
        if low is None and high is None:
            return limits
        minimum = (
            low if limits.minimum is None or (low is not None and low > limits.minimum) else limits.minimum
        )
        maximum = (
            high if limits.maximum is None or (high is not None and high < limits.maximum) else limits.maximum
        )
        return Limits(
            minimum,
            maximum,
            limits.exclusive_minimum,
            limits.exclusive_maximum,
            limits.multiple_of,
        )

    def _within(self, number: N) -> N:
        limits = self._effective
        fits = (
            (limits.minimum is None or number >= limits.minimum)
            and (limits.maximum is None or number <= limits.maximum)
            and (limits.exclusive_minimum is None or number > limits.exclusive_minimum)
            and (limits.exclusive_maximum is None or number < limits.exclusive_maximum)
            and (limits.multiple_of is None or _is_multiple(number, limits.multiple_of))
        )
        if not fits:
            raise Unfit(f"it should be {self.allowed}")
        return number


class IvkIntegerField(_NumberField[int]):
    """A whole number."""

    type_name_default = "IntegerField"
    _word = "a whole number"

    def _convert(self, value: Any) -> int:
        if isinstance(value, bool):
            raise Unfit(f"it should be {self.allowed}, not a truth")
        try:
            if isinstance(value, float):
                value = operator.index(int(value)) if value.is_integer() else value
            return self._within(operator.index(cast("SupportsIndex", value)))
        except TypeError:
            raise Unfit(f"it should be {self.allowed}") from None

    def _from_text(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise Unfit(f"it should be {self.allowed}") from None


class IvkFloatField(_NumberField[float]):
    """A number."""

    type_name_default = "FloatField"

    def _convert(self, value: Any) -> float:
        if isinstance(value, bool | str | bytes):
            raise Unfit(f"it should be {self.allowed}")
        if isinstance(value, int):
            return self._within(value)  # goes out as 7, as the editor would send it
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise Unfit(f"it should be {self.allowed}") from None
        if not math.isfinite(number):
            raise Unfit("it should be a finite number")
        return self._within(number)

    def _from_text(self, text: str) -> float:
        try:
            return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
        except ValueError:
            raise Unfit(f"it should be {self.allowed}") from None


class IvkBooleanField(IvkField[bool]):
    """True or false."""

    type_name_default = "BooleanField"

    @property
    def allowed(self) -> str:
        """The two values."""
        return "true or false"

    def _convert(self, value: Any) -> bool:
        if isinstance(value, bool) or type(value).__name__ == "bool_":  # numpy's
            return bool(value)
        raise Unfit("it should be True or False")

    def _from_text(self, text: str) -> bool:
        word = text.strip().casefold()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        raise Unfit("it should be true or false")


class IvkStringField(IvkField[str]):
    """A text; some forms offer a choice of texts."""

    type_name_default = "StringField"

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The texts that the form offers, if it offers a choice."""
        options: Any = self._settings.get("options")
        return tuple(option["value"] for option in options) if options else None

    @property
    def allowed(self) -> str:
        """The choices, or the lengths allowed."""
        if self.choices:
            return short_list(self.choices)
        low, high = self.limits.min_length, self.limits.max_length
        if low is None and high is None:
            return "a text"
        return (
            f"a text of {low or 0} to {high} characters"
            if high is not None
            else f"a text of {low} or more characters"
        )

    def _convert(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Unfit("it should be a text")
        text = str(value)
        if self.choices and text not in self.choices:
            labels = {option.get("label"): option["value"] for option in self._settings["options"]}
            if text not in labels:
                raise Unfit(f"the form allows {self.allowed}")
            text = labels[text]
        low, high = self.limits.min_length, self.limits.max_length
        if (low is not None and len(text) < low) or (high is not None and len(text) > high):
            raise Unfit(f"it should be {self.allowed}")
        return text


def range_text(limits: Limits) -> str:
    """Limits of a number in a few words."""
    parts: list[str] = []
    if limits.minimum is not None and limits.maximum is not None:
        parts.append(f"from {_n(limits.minimum)} to {_n(limits.maximum)}")
    elif limits.minimum is not None:
        parts.append(f"of at least {_n(limits.minimum)}")
    elif limits.maximum is not None:
        parts.append(f"of at most {_n(limits.maximum)}")
    if limits.exclusive_minimum is not None:
        parts.append(f"above {_n(limits.exclusive_minimum)}")
    if limits.exclusive_maximum is not None:
        parts.append(f"below {_n(limits.exclusive_maximum)}")
    if limits.multiple_of is not None:
        parts.append(f"a multiple of {_n(limits.multiple_of)}")
    return ", ".join(parts)


def _n(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _is_multiple(number: float, of: float) -> bool:
    share = number / of
    return abs(share - round(share)) < 1e-9
