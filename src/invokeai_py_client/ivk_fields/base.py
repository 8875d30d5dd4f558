"""The base class of all fields: a value, its validation, and its wire format.

This is plain Python rather than pydantic, for two reasons. Every validation error is one of this package's own and
names the node and the field. And importing it costs nothing.
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

NO_VALUE = "null"
"""The text that means "no value" on a command line and in CSV files."""

_CHANGEABLE: tuple[type, ...] = (dict, list)


class PydanticFieldMixin:
    """Version 1's methods for converting fields to and from JSON data. Fields are no longer pydantic models."""

    def to_json_dict(self) -> Any:
        """Return the value in its wire format, like ``IvkField.to_api_format()``."""
        return cast("IvkField[Any]", self).to_api_format()

    @classmethod
    def from_json_dict(cls, data: Any) -> Self:
        """Create a field from a value in its wire format, like ``IvkField.from_api_format()``."""
        return cast("Self", cast("type[IvkField[Any]]", cls).from_api_format(data))


class IvkField(PydanticFieldMixin, Generic[T]):
    """A typed input of a workflow.

    Assigning ``value`` validates it immediately. The workflow's original value is kept and sent unchanged until
    another value is assigned, or until it is changed in place (``field.value.append(...)``).

    Attributes:
        label: The field's label in the editor.
        node_label: The label of its node in the workflow.
        refusal: The reason why no value can be set, such as a connection that feeds the field. Defaults to "".
        node_id: The id of its node, if several nodes have the same label. Messages include it. Defaults to "".
    """

    type_name_default: ClassVar[str] = "AnyField"
    node_id: str = ""

    def __init__(
        self,
        value: T | None = None,
        *,
        template: InputTemplate | None = None,
        label: str = "",
        node_label: str = "",
        settings: Mapping[str, Any] | None = None,
        refusal: str = "",
        node_id: str = "",
    ) -> None:
        self._template = template
        self._settings = dict(settings or {})
        self.label = label or (template.title if template else "")
        self.node_label = node_label
        self.refusal = refusal
        if node_id:  # else the default, which fields in older pickles have too
            self.node_id = node_id
        self._value: Any = UNSET
        self._came_with: Any = UNSET
        self._assigned = False
        if value is not None:
            self.value = value

    # ------------------------------------------------------------------ the value

    @property
    def value(self) -> T | None:
        """The value, or None if no value is set.

        Assigning None removes the value of an optional field: null is sent if the server accepts it, or else nothing,
        so that the default of the node applies.

        Raises:
            InputValueError: On assignment, if the value is not valid, or None is assigned to a required field.
            InputError: On assignment, if a connection feeds the input, so that it takes no value.
        """
        return None if self._value is UNSET else cast("T", self._value)

    @value.setter
    def value(self, value: Any) -> None:
        self.keep(self.check(value))

    def check(self, value: Any) -> Any:
        """Validate a value without changing the field.

        Returns:
            The value as the field would store it.

        Raises:
            InputValueError: The value is not valid.
            InputError: The input does not take values.
        """
        if self.refusal:
            raise InputError(self._sentence(f"{self.refusal}."))
        if value is UNSET:
            return UNSET
        if value is None:
            if self.required:
                raise self._error(value, Mismatch(self.allowed or "a value", reason="the input is required"))
            return None if self._template and self._template.nullable else UNSET
        return self._checked(value)

    def keep(self, checked: Any) -> None:
        """Store a value that ``check()`` returned."""
        self._value = checked
        self._assigned = True

    def hold(self, value: Any) -> None:
        """Store the workflow's original value without validating it; ``UNSET`` if it has no value."""
        self._came_with = value
        self._value = _own(value)
        self._assigned = False

    @property
    def is_set_by_user(self) -> bool:
        """Whether the value was assigned or changed in place, rather than loaded from the workflow."""
        return self._assigned or (
            isinstance(self._value, _CHANGEABLE) and bool(self._value != self._came_with)
        )

    def problems(self) -> list[str]:
        """Return the problems with the value, an empty list if it is valid.

        A missing value is a problem if the field is required.
        """
        if self.refusal:
            return []
        if self._value is UNSET or self._value is None:
            if not self.required:
                return []
            return [self._sentence(f"no value is set; expected {self.allowed or 'a value'}.")]
        try:
            if self.is_set_by_user or not self._schema_judges(self._value):
                self._checked(self._value)
            else:  # it is sent unchanged, so only the server's rules count
                self._fit_schema(self._value, self._value)
        except InputValueError as error:
            return [str(error)]
        return []

    def validate_field(self) -> bool:
        """Return whether the value is valid; ``problems()`` returns the reasons if it is not."""
        return not self.problems()

    def to_api_format(self) -> Any:
        """Return the value in its wire format, or ``UNSET`` if no value is set.

        Raises:
            InputValueError: The value is a name that has not been looked up on the server yet, or it was changed
                in place and is no longer valid.
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
        """Create a field from a value in its wire format, without validating it."""
        field = cls()
        field.hold(data)
        return field

    def parse_text(self, text: str) -> Any:
        """Convert text from a command line or a CSV file to a value. Assigning the value validates it further.

        ``null`` becomes None, which removes the value of an optional input. In fields for text, it is text.

        Raises:
            InputValueError: The text cannot be converted.
        """
        try:
            return None if text.strip() == NO_VALUE and self._takes_null_word() else self._from_text(text)
        except Mismatch as error:
            raise self._error(text, error) from None

    def copy(self) -> Self:
        """Return a copy of the field whose value can be changed independently."""
        other = copy.copy(self)
        other._value = _own(self._value)
        return other

    # ------------------------------------------------------------------ valid values

    @property
    def type_name(self) -> str:
        """The name of the type in the server's schema."""
        return self._template.type.name if self._template else self.type_name_default

    @property
    def type_text(self) -> str:
        """The name of the type with its cardinality: ``IntegerField``, ``ImageField[]``."""
        return str(self._template.type if self._template else FieldType(self.type_name_default))

    @property
    def is_list(self) -> bool:
        """Whether the field takes only lists."""
        return bool(self._template and self._template.type.cardinality == "COLLECTION")

    @property
    def required(self) -> bool:
        """Whether the node cannot run without a value."""
        return bool(self._template and self._template.required)

    @property
    def default(self) -> Any:
        """The value in a new node, or ``UNSET`` if there is no default."""
        return self._template.default if self._template else UNSET

    @property
    def description(self) -> str:
        """The description of the field in the schema."""
        return self._template.description if self._template else ""

    @property
    def limits(self) -> Limits:
        """The limits of values: the server's, narrowed by the form's if it sets any."""
        return _merged(self._template.limits, self._template.nested_limits) if self._template else NO_LIMITS

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The valid values, or None if they are not limited to a list of choices."""
        return self._template.options if self._template else None

    @property
    def choice_labels(self) -> dict[Any, str]:
        """The editor's labels for choices, for those whose label differs from the choice itself."""
        return dict(self._template.option_labels) if self._template else {}

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return ""

    @property
    def display_value(self) -> Any:
        """The value in a readable form."""
        return self.value

    @property
    def reusable_value(self) -> Any:
        """The value as plain data that can be assigned again with the same result."""
        names = {one: one.given for one in find_pending(self._value)}
        return _own(replace_pending(self.value, names))

    def accepts_model(self, record: Mapping[str, Any]) -> bool:
        """Return whether a model can be selected; always False for fields that do not hold models."""
        del record
        return False

    @property
    def place(self) -> str:
        """The field in messages: its label and its node's, such as ``Steps (denoise)``."""
        node = f"{self.node_label}, node {self.node_id}" if self.node_id else self.node_label
        return field_place(self.label, node) or type(self).__name__

    # ------------------------------------------------------------------ for subclasses

    def _convert(self, value: Any) -> Any:
        """Convert a value to the form in which the field stores it. The conversion is idempotent.

        Raises:
            Mismatch: The value is not valid.
        """
        return value

    def _to_wire(self, value: Any) -> Any:
        """Return a converted value in its wire format."""
        return value

    def _from_text(self, text: str) -> Any:
        return text

    def _takes_null_word(self) -> bool:
        """Return whether the text "null" means None, rather than being a value itself."""
        return True

    def _knows_schema(self, value: Any) -> bool:
        """Return whether the schema covers a converted value; values of the editor alone never reach the server."""
        del value
        return True

    # ------------------------------------------------------------------ internals

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
        return f"{type(self).__name__}({named}value={shown(self.display_value)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == cast("IvkField[Any]", other).__dict__

    __hash__ = None  # type: ignore[assignment]  # its value changes


def field_place(label: str, node_label: str) -> str:
    """Return the name of a field in messages: ``Steps (denoise)``."""
    if label and node_label and label != node_label:
        return f"{label} ({node_label})"
    return label or node_label


def _own(value: Any) -> Any:
    """Return a copy of a value if it could be changed in place, so that the workflow stays unchanged."""
    return copy.deepcopy(value) if isinstance(value, _CHANGEABLE) else value


def _merged(top: Limits, nested: Limits) -> Limits:
    if nested is NO_LIMITS or nested == NO_LIMITS:
        return top
    merged = {name: getattr(top, name) for name in Limits.__slots__}
    for name, value in merged.items():
        if value is None:
            merged[name] = getattr(nested, name)
    return Limits(**merged)
