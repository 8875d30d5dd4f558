"""What all records have in common: how they read what a server sent, refuse what does not fit, and go out.

Lenient towards servers: unknown keys are kept, missing and null values get defaults. Strict towards
callers: a value of the wrong type is refused, at construction and at assignment, with our own error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from invokeai_py_client._text import shown
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.models.enums import OpenEnum
from invokeai_py_client.models.jsonable import jsonable

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
