"""What all records have in common: how they read what a server sent, refuse what does not fit, and go out.

Lenient towards servers: unknown keys are kept, missing and null values get defaults. Strict towards
callers: a value of the wrong type is refused, at construction and at assignment, with our own error.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError

from invokeai_py_client._text import shown
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
    """A record: fields with types, whatever else the server sent beside them, and a way back to JSON.

    No exception of the validation library leaves it: what does not fit raises
    ``invokeai_py_client.errors.InputValueError``.
    """

    model_config = ConfigDict(
        extra="allow", validate_assignment=True, defer_build=True, protected_namespaces=()
    )

    _words: ClassVar[Mapping[str, type[OpenEnum]]] = {}
    """Fields to which only known words can be assigned, though servers may send others."""

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _refusal(type(self), error) from None

    @classmethod
    def from_api_response(cls, data: Mapping[str, Any]) -> Self:
        """Read a record as a server sent it, or as ``to_dict()`` gave it.

        Nothing but a missing identity is refused: a field of a type that this client does not expect
        (a newer server) gets its default, with a warning in the log.

        Raises:
            InputValueError: The data is not a record, or lacks what identifies it.
        """
        if not isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputValueError(
                f"{cls.__name__}: a record should be a mapping, not {shown(data, _LONGEST_ECHO)}."
            )
        record = cls._shape({str(key): value for key, value in data.items()})
        record = {key: value for key, value in record.items() if value is not None or not cls._knows(key)}
        try:
            return cls(**record)
        except InputValueError as error:
            unfit = _unfit_fields(error)
            if not unfit or not unfit <= cls._optional_fields():
                raise
            logger.warning("Default values for what this client cannot read: %s", error)
            return cls(**{key: value for key, value in record.items() if key not in unfit})

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON data; fields without a value are left out.

        ``from_api_response()`` makes an equal record of it.
        """
        fields = {name: value for name, value in self.__dict__.items() if value is not None}
        return {name: jsonable(value) for name, value in (fields | (self.model_extra or {})).items()}

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """As in pydantic, but with our error."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise _refusal(cls, error) from None

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """As in pydantic, but with our error."""
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise _refusal(cls, error) from None

    if not TYPE_CHECKING:  # type checkers are to go on telling unknown attributes

        def __setattr__(self, name: str, value: Any) -> None:
            words = self._words.get(name)
            if words is not None and isinstance(value, str) and not isinstance(words.parse(value), words):
                known = ", ".join(repr(member.value) for member in words)
                raise InputValueError(
                    f"{type(self).__name__}: {name} should be one of {known}, not {shown(value, _LONGEST_ECHO)}."
                )
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                raise _refusal(type(self), error) from None

    # ------------------------------------------------------------------ inside

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Bring a server's record into the shape of this class. The dict is the caller's own copy."""
        return data

    @classmethod
    def _optional_fields(cls) -> set[str]:
        return {name for name, field in cls.model_fields.items() if not field.is_required()}

    @classmethod
    def _knows(cls, key: str) -> bool:
        return key in cls.model_fields


def _refusal(model: type[BaseModel], error: ValidationError) -> InputValueError:
    findings: list[str] = []
    for finding in error.errors(include_url=False):
        ours = finding.get("ctx", {}).get("error")
        if isinstance(ours, InputValueError):  # pydantic wrapped what __init__ had raised already
            return ours
        where = ".".join(str(part) for part in finding["loc"]) or "the record"
        what = finding["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if finding["type"] == "missing":
            findings.append(f"{where} is missing")
        else:
            findings.append(
                f"{where} {what[:1].lower()}{what[1:]}, not {shown(finding.get('input'), _LONGEST_ECHO)}"
            )
    return InputValueError(f"{model.__name__}: {'; '.join(findings)}.")


def _unfit_fields(error: InputValueError) -> set[str]:
    """The fields that a refusal is about; it keeps the validation's error as its context."""
    if not isinstance(error.__context__, ValidationError):
        return set()
    return {str(finding["loc"][0]) for finding in error.__context__.errors() if finding["loc"]}


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: for parts of records that may be null."""
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
    """A point in time out of what servers and users write.

    Servers send UTC without saying so (``2025-01-31 12:00:00.123``, straight from their database): those
    become aware. A ``T`` without an offset is what Python writes for a naive datetime, and stays naive.
    Text that is no timestamp is kept.
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
"""A text that servers may give as a number."""


_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def jsonable(value: Any) -> Any:
    """The same as dicts, lists, text, numbers, booleans and None; anything unknown as text.

    Written out rather than left to the validation library, whose serialiser raises errors of its own for
    values that records may hold beside their fields.
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
    # An image is its name; where an object is in memory says nothing.
    return name if isinstance(name, str) and hasattr(value, "thumbnail") else _ADDRESS.sub("", str(value))


class Row(dict[str, Any]):
    """A dict whose keys are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}") from None
