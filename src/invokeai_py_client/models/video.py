"""The records of videos on a server."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator

from invokeai_py_client.models.base import ImageCategoryField, ImageOriginField, Timestamp
from invokeai_py_client.models.enums import ImageCategory
from invokeai_py_client.models.image import ImageMetadata
from invokeai_py_client.models.media import MediaRecord, metadata_reader


class IvkVideo(MediaRecord):
    """The record of a video (InvokeAI 6.14+). The video itself stays on the server until it is downloaded.

    The record can be used like the video's name: as text, as a file name, in comparisons with text, and in all methods
    that take a name. Records from a server can do what a run's videos can: ``save()``, ``bytes()``, ``thumbnail()``...

    >>> video = IvkVideo.from_api_response({"video_name": "abc.mp4", "duration": 2.5, "fps": 16.0})
    >>> video.video_name, video.duration
    ('abc.mp4', 2.5)

    Attributes:
        video_name: The video's name, which identifies it on the server.
        board_id: The id of its board, or None if it is on no board.
        video_category: The category.
        width: The width in pixels.
        height: The height in pixels.
        duration: The duration in seconds.
        fps: The number of frames per second, or None if it is not known.
        starred: Whether it is starred.
        metadata: The metadata it was generated with. For records from a server, it is loaded when it is first read. If
            you read it for many records of a listing, several are loaded at once.
        thumbnail_url: The URL of its thumbnail, relative to the server's URL.
        video_url: The URL of the video, relative to the server's URL.
        is_intermediate: Whether it is an intermediate video, which the gallery hides.
        node_id: The id of the node that generated it, in the executed graph (not in the workflow).
        session_id: The id of the session that generated it.
        video_origin: Whether the server generated it or a user uploaded it.
        has_workflow: Whether the server stores a workflow for it.
        video_subfolder: The subfolder of its file on the server.
    """

    _kind = "video"
    _brief: ClassVar[tuple[str, ...]] = (
        "video_name",
        "video_category",
        "width",
        "height",
        "duration",
        "board_id",
        "starred",
        "is_intermediate",
    )

    _words = {"video_category": ImageCategory}  # noqa: RUF012

    video_name: str
    board_id: str | None = None
    video_category: ImageCategoryField = ImageCategory.GENERAL
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    fps: float | None = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    starred: bool = False
    metadata: Annotated[dict[str, Any] | None, PlainValidator(metadata_reader(ImageMetadata))] = None
    thumbnail_url: str | None = None
    video_url: str | None = None
    is_intermediate: bool = False
    node_id: str | None = None
    session_id: str | None = None
    video_origin: ImageOriginField | None = None
    deleted_at: Timestamp = None
    has_workflow: bool | None = None
    video_subfolder: str | None = None

    def _repr_html_(self) -> str | None:
        return None if self._source is None else self._file._repr_html_()

    def __hash__(self) -> int:  # type checkers take a record with fields for unhashable otherwise
        return hash(self.name)
