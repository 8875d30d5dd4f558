"""Field types that records share: open words, timestamps, texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainValidator

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
