"""What every field is: a value, what it may be, and its form on the wire.

Plain Python rather than pydantic, for two reasons: whatever goes wrong with a value is told in our own error, with
the node and field it belongs to; and a workflow's inputs cost nothing to import.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.schema.template import NO_LIMITS, UNSET, FieldType, InputTemplate, Limits

T = TypeVar("T")

_SHOWN = 80


class Unfit(Exception):
    """A value does not fit; the text says what would."""


class IvkField(Generic[T]):
    """A typed input of a workflow.

    Assigning :attr:`value` checks it at once. A value that the workflow came with is kept as it came, and goes
    out as it came, until another one is assigned.

    Attributes:
        label: What the editor calls the field.
        node_label: What the workflow calls its node.
    """

    type_name_default: ClassVar[str] = "AnyField"

    def __init__(
        self,
        value: T | None = None,
        *,
        template: InputTemplate | None = None,
        label: str = "",
        node_label: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._template = template
        self._settings = dict(settings or {})
        self.label = label or (template.title if template else "")
        self.node_label = node_label
        self._value: Any = UNSET
        self._set_by_user = False
        if value is not None:
            self.value = value

    # ------------------------------------------------------------------ the value

    @property
    def value(self) -> T | None:
        """The value; None where there is none.

        Raises:
            InputValueError: On assignment, of a value that does not fit.
        """
        return None if self._value is UNSET else cast("T", self._value)

    @value.setter
    def value(self, value: Any) -> None:
        self._value = self._checked(value)
        self._set_by_user = True

    def hold(self, value: Any) -> None:
        """Take the value that a workflow came with, as it is; ``UNSET`` for none."""
        self._value = value
        self._set_by_user = False

    @property
    def is_set_by_user(self) -> bool:
        """Whether a value was assigned, as opposed to having come with the workflow."""
        return self._set_by_user

    def problems(self) -> list[str]:
        """What is wrong with the value, if anything; a missing one is, where the field is required."""
        if self._value is UNSET or (self._value is None and self.required):
            return [self._sentence("it has no value", self.allowed)] if self.required else []
        try:
            self._checked(self._value)
        except InputValueError as error:
            return [str(error)]
        return []

    def validate_field(self) -> bool:
        """Whether the value fits."""
        return not self.problems()

    def to_api_format(self) -> Any:
        """The value as it goes on the wire; ``UNSET`` where there is none.

        Raises:
            InputValueError: It is a name that has not been looked up on the server yet.
        """
        if not self._set_by_user or self._value is None:
            return self._value
        from invokeai_py_client.ivk_fields.pending import find_pending

        if find_pending(self._value):
            raise InputValueError(
                self._sentence(
                    f"{self._value!r} is not looked up on the server yet", "start the workflow with it"
                )
            )
        return self._to_wire(self._value)

    @classmethod
    def from_api_format(cls, data: Any) -> Self:
        """A field that holds a value in its form on the wire."""
        field = cls()
        field.hold(data)
        return field

    def parse_text(self, text: str) -> Any:
        """The value that a text on a command line stands for.

        Raises:
            InputValueError: It stands for none.
        """
        try:
            return self._from_text(text)
        except Unfit as error:
            raise self._error(text, str(error)) from None

    def copy(self) -> Self:
        """The same field with a value of its own."""
        other = copy.copy(self)
        other._value = copy.copy(self._value)
        return other

    # ------------------------------------------------------------------ what it may be

    @property
    def type_name(self) -> str:
        """The type's name in the server's schema."""
        return self._template.type.name if self._template else self.type_name_default

    @property
    def type_text(self) -> str:
        """The type with its cardinality: ``IntegerField``, ``ImageField[]``."""
        return str(self._template.type if self._template else FieldType(self.type_name_default))

    @property
    def is_list(self) -> bool:
        """Whether it takes a list and nothing else."""
        return bool(self._template and self._template.type.cardinality == "COLLECTION")

    @property
    def required(self) -> bool:
        """Whether the node cannot run without a value."""
        return bool(self._template and self._template.required)

    @property
    def default(self) -> Any:
        """The value of a fresh node; ``UNSET`` where it has none."""
        return self._template.default if self._template else UNSET

    @property
    def description(self) -> str:
        """What the schema says of the field."""
        return self._template.description if self._template else ""

    @property
    def limits(self) -> Limits:
        """What the server's schema allows, the form's own limits aside."""
        return _merged(self._template.limits, self._template.nested_limits) if self._template else NO_LIMITS

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The values it can take, where they are counted."""
        return self._template.options if self._template else None

    @property
    def allowed(self) -> str:
        """What it may be, in a few words."""
        return ""

    @property
    def display_value(self) -> Any:
        """The value as people read it."""
        return self.value

    def accepts_model(self, record: Mapping[str, Any]) -> bool:
        """Whether a model fits; only fields that hold models take any."""
        del record
        return False

    # ------------------------------------------------------------------ for the kinds of field

    def _convert(self, value: Any) -> Any:
        """A value as the field keeps it.

        Raises:
            Unfit: It does not fit.
        """
        return value

    def _to_wire(self, value: Any) -> Any:
        """A converted value as it goes on the wire."""
        return value

    def _from_text(self, text: str) -> Any:
        return text

    # ------------------------------------------------------------------ inside

    def _checked(self, value: Any) -> Any:
        if value is UNSET or (value is None and not self.required):
            return value
        try:
            return self._convert(value)
        except Unfit as error:
            raise self._error(value, str(error)) from None

    def _error(self, value: Any, reason: str) -> InputValueError:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
        return InputValueError(self._sentence(f"{shown} does not fit", reason))

    def _sentence(self, what: str, cure: str) -> str:
        place = (
            ", ".join(dict.fromkeys(part for part in (self.node_label, self.label) if part))
            or type(self).__name__
        )
        return f"{place}: {what}" + (f"; {cure}." if cure else ".")

    def __repr__(self) -> str:
        named = f"{self.label!r}, " if self.label else ""
        return f"{type(self).__name__}({named}value={self.display_value!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == cast("IvkField[Any]", other).__dict__

    __hash__ = None  # type: ignore[assignment]  # its value changes


def _merged(top: Limits, nested: Limits) -> Limits:
    if nested is NO_LIMITS:
        return top
    merged = {name: getattr(top, name) for name in Limits.__slots__}
    for name, value in merged.items():
        if value is None:
            merged[name] = getattr(nested, name)
    return Limits(**merged)


def short_list(options: Sequence[Any], most: int = 10) -> str:
    """Choices in a sentence, cut where there are many."""
    shown = ", ".join(map(repr, options[:most]))
    return shown if len(options) <= most else f"{shown}... ({len(options)} in all)"
