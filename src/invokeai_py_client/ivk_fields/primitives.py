"""Fields for numbers, text and booleans."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, cast

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.plain import (
    Mismatch,
    as_integer,
    as_number,
    guess,
    is_truth,
    short_list,
    text_of,
)
from invokeai_py_client.schema.fits import describe_number
from invokeai_py_client.schema.template import NO_LIMITS, Limits

N = TypeVar("N", int, float)

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class _NumberField(IvkField[N]):
    """The base class of number fields: limits."""

    _word: ClassVar[str] = "a number"

    def __init__(
        self,
        value: N | None = None,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        multiple_of: float | None = None,
        **known: Any,
    ) -> None:
        self._own = Limits(minimum=minimum, maximum=maximum, multiple_of=multiple_of)
        super().__init__(value, **known)

    @property
    def minimum(self) -> float | None:
        """The smallest valid value. Assigning it narrows the server's limit."""
        return self.limits.minimum

    @minimum.setter
    def minimum(self, minimum: float | None) -> None:
        self._own = replace(self._own, minimum=minimum)

    @property
    def maximum(self) -> float | None:
        """The largest valid value. Assigning it narrows the server's limit."""
        return self.limits.maximum

    @maximum.setter
    def maximum(self, maximum: float | None) -> None:
        self._own = replace(self._own, maximum=maximum)

    @property
    def multiple_of(self) -> float | None:
        """The number that valid values are multiples of."""
        return self.limits.multiple_of

    @property
    def limits(self) -> Limits:
        """The server's limits, narrowed by those of the form and of this field."""
        limits, own = super().limits, self._own
        if own != NO_LIMITS:
            limits = replace(
                limits,
                minimum=_tighter(max, limits.minimum, own.minimum),
                maximum=_tighter(min, limits.maximum, own.maximum),
                multiple_of=limits.multiple_of or own.multiple_of,
            )
        low, high = self._settings.get("min"), self._settings.get("max")
        if low is None and high is None:
            return limits
        return replace(
            limits, minimum=_tighter(max, limits.minimum, low), maximum=_tighter(min, limits.maximum, high)
        )

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return describe_number(self._word, self.limits)

    def _within(self, number: N) -> N:
        limits = self.limits
        fits = (
            (limits.minimum is None or number >= limits.minimum)
            and (limits.maximum is None or number <= limits.maximum)
            and (limits.exclusive_minimum is None or number > limits.exclusive_minimum)
            and (limits.exclusive_maximum is None or number < limits.exclusive_maximum)
            and (not limits.multiple_of or _is_multiple(number, limits.multiple_of))
        )
        if not fits:
            raise Mismatch(self.allowed)
        return number


class IvkIntegerField(_NumberField[int]):
    """A whole number. ``5.0`` is valid, ``True`` and ``"5"`` are not."""

    type_name_default = "IntegerField"
    _word = "a whole number"

    def _convert(self, value: Any) -> int:
        number = as_integer(value)
        if number is None:
            raise Mismatch(self.allowed)
        return self._within(number)

    def _from_text(self, text: str) -> int:
        number = as_integer(_number_of(text))
        if number is None:
            raise Mismatch(self.allowed)
        return number


class IvkFloatField(_NumberField[float]):
    """A finite number. Whole numbers are sent as integers, as the editor does."""

    type_name_default = "FloatField"

    def _convert(self, value: Any) -> float:
        number = as_number(value)
        if number is None:
            raise Mismatch(self.allowed)
        return self._within(number)

    def _from_text(self, text: str) -> float:
        number = as_number(_number_of(text))
        if number is None:
            raise Mismatch(self.allowed)
        return number


class IvkBooleanField(IvkField[bool]):
    """A boolean. Numbers are not valid."""

    type_name_default = "BooleanField"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return "true or false"

    def _convert(self, value: Any) -> bool:
        if is_truth(value):
            return bool(value)
        raise Mismatch("True or False")

    def _from_text(self, text: str) -> bool:
        word = text.strip().casefold()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        raise Mismatch("true or false (or yes, no, on, off, 1, 0)")


class IvkStringField(IvkField[str]):
    """Text. Some forms offer a list of choices, which can be given by value or by label."""

    type_name_default = "StringField"

    def __init__(
        self,
        value: str | None = None,
        *,
        min_length: int | None = None,
        max_length: int | None = None,
        **known: Any,
    ) -> None:
        self._own = Limits(min_length=min_length, max_length=max_length)
        super().__init__(value, **known)

    @property
    def min_length(self) -> int | None:
        """The smallest valid number of characters."""
        return self.limits.min_length

    @property
    def max_length(self) -> int | None:
        """The largest valid number of characters."""
        return self.limits.max_length

    @property
    def limits(self) -> Limits:
        """The server's limits, narrowed by those of this field."""
        limits, own = super().limits, self._own
        if own == NO_LIMITS:
            return limits
        return replace(
            limits,
            min_length=_tighter(max, limits.min_length, own.min_length),
            max_length=_tighter(min, limits.max_length, own.max_length),
        )

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The form's choices, or None if it has no list of choices."""
        options: Any = self._settings.get("options")
        return tuple(option["value"] for option in options) if options else None

    @property
    def choice_labels(self) -> dict[Any, str]:
        """The form's labels for its choices."""
        options: Any = self._settings.get("options") or ()
        return {option["value"]: option["label"] for option in options if option["label"]}

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        if self.choices:
            return f"one of {short_list(self.choices, self.choice_labels)}"
        low, high = self.limits.min_length, self.limits.max_length
        if high is not None:
            return f"text of {low or 0} to {high} characters"
        return f"text of {low} or more characters" if low else "text"

    def _convert(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Mismatch(self.allowed)
        text = text_of(value)
        if self.choices and text not in self.choices:
            return self._choice(text)
        low, high = self.limits.min_length, self.limits.max_length
        if (low is not None and len(text) < low) or (high is not None and len(text) > high):
            raise Mismatch(self.allowed, reason=f"it has {len(text)} characters")
        return text

    def _takes_null_word(self) -> bool:
        return False

    def _choice(self, text: str) -> str:
        by_label = {label: value for value, label in self.choice_labels.items()}
        found = by_label.get(text)
        if found is not None:
            return cast("str", found)
        raise Mismatch(self.allowed, hint=guess(text, [*(self.choices or ()), *by_label]))


def _tighter(choose: Any, one: float | None, other: float | None) -> float | None:
    given = [limit for limit in (one, other) if limit is not None]
    return choose(given) if given else None


def _number_of(text: str) -> int | float | None:
    if "_" in text:  # Python reads 1_000 as a number, but spreadsheets and other programs don't
        return None
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _is_multiple(number: float, of: float) -> bool:
    if isinstance(number, int) and float(of).is_integer():
        return number % int(of) == 0
    return abs(math.remainder(number, of)) <= 1e-9 * max(1.0, abs(number))
