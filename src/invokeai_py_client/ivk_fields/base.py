"""What every field is: a value, what it may be, and its form on the wire.

Plain Python rather than pydantic, for two reasons: whatever goes wrong with a value is told in our own error, with
the node and field it belongs to; and a workflow's inputs cost nothing to import.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from invokeai_py_client._text import shown
from invokeai_py_client.errors import InputError, InputValueError
from invokeai_py_client.ivk_fields.pending import find_pending, replace_pending
from invokeai_py_client.ivk_fields.plain import Mismatch
from invokeai_py_client.schema.fits import explain_mismatch
from invokeai_py_client.schema.template import NO_LIMITS, UNSET, FieldType, InputTemplate, Limits

T = TypeVar("T")
_CHANGEABLE: tuple[type, ...] = (dict, list)


class PydanticFieldMixin:
    """Fields as plain JSON data, by version 1's names for it. Fields are no pydantic models any more."""

    def to_json_dict(self) -> Any:
        """The same as ``IvkField.to_api_format()``."""
        return cast("IvkField[Any]", self).to_api_format()

    @classmethod
    def from_json_dict(cls, data: Any) -> Self:
        """The same as ``IvkField.from_api_format()``."""
        return cast("Self", cast("type[IvkField[Any]]", cls).from_api_format(data))


class IvkField(PydanticFieldMixin, Generic[T]):
    """A typed input of a workflow.

    Assigning ``value`` checks it at once. A value that the workflow came with is kept as it came, and goes
    out as it came, until another one is assigned, or it is changed in place (``field.value.append(...)``).

    Attributes:
        label: What the editor calls the field.
        node_label: What the workflow calls its node.
        refusal: Why it takes no value at all (a connection feeds it, for example), or "".
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
        refusal: str = "",
    ) -> None:
        self._template = template
        self._settings = dict(settings or {})
        self.label = label or (template.title if template else "")
        self.node_label = node_label
        self.refusal = refusal
        self._value: Any = UNSET
        self._came_with: Any = UNSET
        self._assigned = False
        if value is not None:
            self.value = value

    # ------------------------------------------------------------------ the value

    @property
    def value(self) -> T | None:
        """The value; None where there is none.

        Assigning None takes the value away; where the server tells null from nothing, it is sent null.

        Raises:
            InputValueError: On assignment, of a value that does not fit.
            InputError: On assignment, where the input takes no value because a connection feeds it.
        """
        return None if self._value is UNSET else cast("T", self._value)

    @value.setter
    def value(self, value: Any) -> None:
        self.keep(self.check(value))

    def check(self, value: Any) -> Any:
        """A value as the field would keep it; the field itself stays as it is.

        Raises:
            InputValueError: It does not fit.
            InputError: The input takes no value at all.
        """
        if self.refusal:
            raise InputError(self._sentence(f"{self.refusal}."))
        if value is UNSET:
            return UNSET
        if value is None:
            if self.required:
                raise self._error(value, Mismatch(self.allowed or "a value"))
            return None if self._template and self._template.nullable else UNSET
        return self._checked(value)

    def keep(self, checked: Any) -> None:
        """Take a value that ``check()`` gave."""
        self._value = checked
        self._assigned = True

    def hold(self, value: Any) -> None:
        """Take the value that a workflow came with, as it is; ``UNSET`` for none."""
        self._came_with = value
        self._value = _own(value)
        self._assigned = False

    @property
    def is_set_by_user(self) -> bool:
        """Whether the value was assigned or changed in place, as opposed to being the workflow's own."""
        return self._assigned or (
            isinstance(self._value, _CHANGEABLE) and bool(self._value != self._came_with)
        )

    def problems(self) -> list[str]:
        """What is wrong with the value, if anything; a missing one is, where the field is required."""
        if self.refusal:
            return []
        if self._value is UNSET or self._value is None:
            if not self.required:
                return []
            return [self._sentence(f"no value is set; expected {self.allowed or 'a value'}.")]
        try:
            if self.is_set_by_user or not self._schema_judges(self._value):
                self._checked(self._value)
            else:  # it goes out as it is: what counts is what the server says to it
                self._fit_schema(self._value, self._value)
        except InputValueError as error:
            return [str(error)]
        return []

    def validate_field(self) -> bool:
        """Whether the value fits; ``problems()`` says what does not."""
        return not self.problems()

    def to_api_format(self) -> Any:
        """The value as it goes on the wire; ``UNSET`` where there is none.

        Raises:
            InputValueError: It is a name that has not been looked up on the server yet, or it was changed in
                place to something that does not fit.
        """
        value = self._value
        if value is UNSET or value is None or not self.is_set_by_user:
            return value
        if isinstance(value, dict | list):
            value = self._checked(value)
        if find_pending(value):
            raise InputValueError(
                self._sentence(
                    f"{shown(self.display_value)} has not been looked up on the server yet. "
                    "This happens when the workflow starts or its request is built."
                )
            )
        return self._to_wire(value)

    @classmethod
    def from_api_format(cls, data: Any) -> Self:
        """A field that holds a value in its form on the wire."""
        field = cls()
        field.hold(data)
        return field

    def parse_text(self, text: str) -> Any:
        """The value that a text on a command line stands for; assigning it checks it further.

        Raises:
            InputValueError: It stands for none.
        """
        try:
            return self._from_text(text)
        except Mismatch as error:
            raise self._error(text, error) from None

    def copy(self) -> Self:
        """The same field with a value of its own."""
        other = copy.copy(self)
        other._value = _own(self._value)
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
        """What a value may be: the server's limits, narrowed by the form's own where it has some."""
        return _merged(self._template.limits, self._template.nested_limits) if self._template else NO_LIMITS

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The values it can take, where they are counted."""
        return self._template.options if self._template else None

    @property
    def choice_labels(self) -> dict[Any, str]:
        """What the editor shows for a choice, where that differs from the choice itself."""
        return dict(self._template.option_labels) if self._template else {}

    @property
    def allowed(self) -> str:
        """What it may be, in a few words."""
        return ""

    @property
    def display_value(self) -> Any:
        """The value as people read it."""
        return self.value

    @property
    def reusable_value(self) -> Any:
        """The value as plain data, such that assigning it again gives the same value."""
        names = {one: one.given for one in find_pending(self._value)}
        return _own(replace_pending(self.value, names))

    def accepts_model(self, record: Mapping[str, Any]) -> bool:
        """Whether a model fits; only fields that hold models take any."""
        del record
        return False

    @property
    def place(self) -> str:
        """The field in messages: its label and its node's, such as ``Steps (denoise)``."""
        return field_place(self.label, self.node_label) or type(self).__name__

    # ------------------------------------------------------------------ for the kinds of field

    def _convert(self, value: Any) -> Any:
        """A value as the field keeps it. Converting what it gives changes nothing.

        Raises:
            Mismatch: It does not fit.
        """
        return value

    def _to_wire(self, value: Any) -> Any:
        """A converted value as it goes on the wire."""
        return value

    def _from_text(self, text: str) -> Any:
        return text

    def _knows_schema(self, value: Any) -> bool:
        """Whether the schema speaks of a converted value; the editor's own words never reach the server."""
        del value
        return True

    # ------------------------------------------------------------------ inside

    def _checked(self, value: Any) -> Any:
        try:
            kept = self._convert(value)
            if not find_pending(kept) and self._schema_judges(kept):
                self._fit_schema(value, self._to_wire(kept))
        except Mismatch as error:
            raise self._error(value, error) from None
        except RecursionError:
            raise self._error(type(value), Mismatch(reason="it is nested too deeply")) from None
        return kept

    def _schema_judges(self, value: Any) -> bool:
        return bool(self._template and self._template.json_schema) and self._knows_schema(value)

    def _fit_schema(self, value: Any, wire: Any) -> None:
        expected = explain_mismatch(self._template.json_schema, wire) if self._template else None
        if expected is not None:
            raise self._error(value, Mismatch(expected))

    def _error(self, value: Any, mismatch: Mismatch) -> InputValueError:
        return InputValueError(self._sentence(f"{shown(value)} is {mismatch}"))

    def _sentence(self, message: str) -> str:
        return f"{self.place}: {message}"

    def __repr__(self) -> str:
        named = f"{self.label!r}, " if self.label else ""
        return f"{type(self).__name__}({named}value={self.display_value!r})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == cast("IvkField[Any]", other).__dict__

    __hash__ = None  # type: ignore[assignment]  # its value changes


def field_place(label: str, node_label: str) -> str:
    """Return the name of a field in messages: ``Steps (denoise)``."""
    if label and node_label and label != node_label:
        return f"{label} ({node_label})"
    return label or node_label


def _own(value: Any) -> Any:
    """A value that can be changed in place without changing the workflow it came from."""
    return copy.deepcopy(value) if isinstance(value, _CHANGEABLE) else value


def _merged(top: Limits, nested: Limits) -> Limits:
    if nested is NO_LIMITS or nested == NO_LIMITS:
        return top
    merged = {name: getattr(top, name) for name in Limits.__slots__}
    for name, value in merged.items():
        if value is None:
            merged[name] = getattr(nested, name)
    return Limits(**merged)
