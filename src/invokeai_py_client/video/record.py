"""Records of videos from the asynchronous client."""

# A record is a record, even though its methods are coroutines.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import PlainValidator

from invokeai_py_client.image.record import AsyncImageMetadata, CoroutineRecord
from invokeai_py_client.models.media import metadata_reader
from invokeai_py_client.models.video import IvkVideo


class AsyncIvkVideo(CoroutineRecord, IvkVideo):
    """The record of a video, from the asynchronous client. Its methods are coroutines.

    Attributes:
        metadata: The metadata it was generated with. Load it with ``await video.metadata()``. If you do so for many
            records of a listing, several are loaded at once.
    """

    _twin = IvkVideo

    metadata: Annotated[AsyncImageMetadata, PlainValidator(metadata_reader(AsyncImageMetadata))] = cast(
        "Any", None
    )

    def __hash__(self) -> int:  # type checkers take a record with fields for unhashable otherwise
        return hash(self.name)
