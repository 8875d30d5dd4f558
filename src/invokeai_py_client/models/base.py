"""The base class of all records: parsing of server responses, validation, and conversion to JSON data.

Records are lenient with servers: unknown keys are kept, and missing and null values get defaults. They are strict with
callers: construction and assignment reject values of the wrong type with this package's own error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError

from invokeai_py_client._text import brief, shown
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.models.enums import (
    BaseModelEnum,
    BoardVisibility,
    ImageCategory,
    ImageOrigin,
    InstallStatus,
    JobStatus,
    ModelFormatEnum,
    ModelTypeEnum,
    OpenEnum,
)

logger = logging.getLogger("invokeai_py_client.models")

_LONGEST_ECHO = 60


class IvkModel(BaseModel):
    """A record with typed fields. Other keys from the server are kept as attributes.

    Invalid values raise ``invokeai_py_client.errors.InputValueError``, never an exception of the validation library.
    """

    model_config = ConfigDict(
        extra="allow", validate_assignment=True, defer_build=True, protected_namespaces=()
    )

    _brief: ClassVar[tuple[str, ...]] = ()
    """The fields that ``repr`` shows if they have a value. Defaults to all."""

    _words: ClassVar[Mapping[str, type[OpenEnum]]] = {}
    """Fields to which only known words can be assigned, although servers may send others."""

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _input_error(type(self), error) from None

    @classmethod
    def from_api_response(cls, data: Mapping[str, Any]) -> Self:
        """Create a record from a server's response or from the result of ``to_dict()``.

        If a field has a type that this client does not expect (on a newer server), it gets its default value, and a
        warning is logged.

        Raises:
            InputValueError: The data is not a mapping, or its identity is missing.
        """
        if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputValueError(
                f"{cls.__name__}: {shown(data, _LONGEST_ECHO)} is not valid; expected a mapping."
            )
        record = cls._shape({str(key): value for key, value in data.items()})
        record = {key: value for key, value in record.items() if value is not None or not cls._knows(key)}
        try:
            return cls(**record)
        except InputValueError as error:
            invalid = _invalid_fields(error)
            if not invalid or not invalid <= cls._optional_fields():
                raise
            logger.warning("Using default values for fields that this client cannot read: %s", error)
            return cls(**{key: value for key, value in record.items() if key not in invalid})

    def __repr__(self) -> str:
        return brief(self.__repr_name__(), self.__repr_args__())

    def __str__(self) -> str:
        return repr(self)

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """Yield the fields to show, required fields first: those in ``_brief``, or those without their defaults."""
        known = type(self).model_fields
        names = self._brief or sorted(known, key=lambda name: not known[name].is_required())
        for name in names:
            value, field = self.__dict__.get(name), known[name]
            if value in (None, "", False) and not (value == 0 and not isinstance(value, bool)):
                continue
            if self._brief or field.is_required() or value != field.get_default(call_default_factory=True):
                yield name, value

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON data, without fields that have no value.

        ``from_api_response()`` creates an equal record from it.
        """
        fields = {name: value for name, value in self.__dict__.items() if value is not None}
        return {name: jsonable(value) for name, value in (fields | (self.model_extra or {})).items()}

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate like pydantic, but raise ``InputValueError``."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise _input_error(cls, error) from None

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate like pydantic, but raise ``InputValueError``."""
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise _input_error(cls, error) from None

    if not TYPE_CHECKING:  # so that type checkers still report unknown attributes

        def __setattr__(self, name: str, value: Any) -> None:
            words = self._words.get(name)
            if words is not None and isinstance(value, str) and not isinstance(words.parse(value), words):
                known = ", ".join(repr(member.value) for member in words)
                raise InputValueError(
                    f"{type(self).__name__}.{name}: {shown(value, _LONGEST_ECHO)} is not valid; "
                    f"expected one of {known}."
                )
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                raise _input_error(type(self), error) from None

    # ------------------------------------------------------------------ internals

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Convert a server's record to the fields of this class. The dict is a copy and may be changed."""
        return data

    @classmethod
    def _optional_fields(cls) -> set[str]:
        return {name for name, field in cls.model_fields.items() if not field.is_required()}

    @classmethod
    def _knows(cls, key: str) -> bool:
        return key in cls.model_fields


def _input_error(model: type[BaseModel], error: ValidationError) -> InputValueError:
    sentences: list[str] = []
    for finding in error.errors(include_url=False):
        ours = finding.get("ctx", {}).get("error")
        if isinstance(ours, InputValueError):  # pydantic wrapped an error that __init__ had raised
            # A copy: the original would be in its own context, and Dask pickles errors with their contexts.
            return InputValueError(*ours.args)
        field = ".".join(map(str, (model.__name__, *finding["loc"])))
        if finding["type"] == "missing":
            sentences.append(f"{field} is missing.")
            continue
        message = finding["msg"].removeprefix("Value error, ")
        expected = message.removeprefix("Input should be ").removeprefix("should be ")
        reason = f": {message}" if expected == message else f"; expected {expected}"
        sentences.append(f"{field}: {shown(finding.get('input'), _LONGEST_ECHO)} is not valid{reason}.")
    return InputValueError(" ".join(sentences))


def _invalid_fields(error: InputValueError) -> set[str]:
    """Return the fields that an error is about, from the validation error in its context."""
    if not isinstance(error.__context__, ValidationError):
        return set()
    return {str(finding["loc"][0]) for finding in error.__context__.errors() if finding["loc"]}


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a mapping, or else an empty mapping, for parts of records that may be null."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


Word = TypeVar("Word", bound=OpenEnum)


def _word_of(enum: type[Word]) -> Callable[[Any], Word | str]:
    def read(value: Any) -> Word | str:
        if isinstance(value, enum):
            return value
        if isinstance(value, str):
            return enum.parse(value)
        known = ", ".join(repr(member.value) for member in [*enum][:6])
        raise ValueError(f"should be a word such as {known}")

    return read


JobStatusField = Annotated[JobStatus | str, PlainValidator(_word_of(JobStatus))]
InstallStatusField = Annotated[InstallStatus | str, PlainValidator(_word_of(InstallStatus))]
ImageCategoryField = Annotated[ImageCategory | str, PlainValidator(_word_of(ImageCategory))]
ImageOriginField = Annotated[ImageOrigin | str, PlainValidator(_word_of(ImageOrigin))]
BoardVisibilityField = Annotated[BoardVisibility | str, PlainValidator(_word_of(BoardVisibility))]
ModelTypeField = Annotated[ModelTypeEnum | str, PlainValidator(_word_of(ModelTypeEnum))]
ModelFormatField = Annotated[ModelFormatEnum | str, PlainValidator(_word_of(ModelFormatEnum))]
BaseModelField = Annotated[BaseModelEnum | str, PlainValidator(_word_of(BaseModelEnum))]


def parse_timestamp(value: Any) -> datetime | str | None:
    """Parse a timestamp from a server or a user.

    Servers send UTC without an offset (``2025-01-31 12:00:00.123``, as in their database). Those timestamps become
    aware. Text with a ``T`` and no offset, as Python writes naive datetimes, stays naive. Other text is returned
    unchanged.
    """
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError("should be a datetime, or a text such as '2025-01-31 12:00:00.000'")
    if len(value) < 19 or value[4] != "-" or value[10] not in "T ":
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None and value[10] == " " else moment


def _event_timestamp(value: Any) -> datetime | str | None:
    # Events carry whole seconds since 1970.
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("should be seconds since 1970") from None
    return parse_timestamp(value)


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Timestamp = Annotated[datetime | str | None, PlainValidator(parse_timestamp)]
EventTimestamp = Annotated[datetime | str | None, PlainValidator(_event_timestamp)]
Identifier = Annotated[str, BeforeValidator(_number_as_text)]
"""Text that servers may send as a number."""


_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def jsonable(value: Any) -> Any:
    """Convert a value to dicts, lists, text, numbers, booleans and None. Objects of other types become text.

    The serializer of the validation library isn't used, because it raises errors for some values that records
    may contain in addition to their fields.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Enum):
        return jsonable(value.value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in cast("list[Any]", value)]
    if isinstance(value, AbstractSet):
        return sorted((jsonable(item) for item in cast("AbstractSet[Any]", value)), key=str)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    to_dict = getattr(value, "to_dict", None)
    if callable(to_dict):
        return jsonable(to_dict())
    name = getattr(value, "name", None)
    # Images become their names. Memory addresses are removed from the text of other objects.
    return name if isinstance(name, str) and hasattr(value, "thumbnail") else _ADDRESS.sub("", str(value))


class Row(dict[str, Any]):
    """A dict whose keys are also attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None
