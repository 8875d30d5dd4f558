"""Records of the gallery: images and videos in one list, and the days on which they were made."""

from __future__ import annotations

from typing import ClassVar

from invokeai_py_client.models.base import ImageCategoryField, IvkModel, Timestamp
from invokeai_py_client.models.enums import ImageCategory


class IvkGalleryItem(IvkModel):
    """An image or a video in the gallery (InvokeAI 6.14+): an ``IvkGalleryImage`` or an ``IvkGalleryVideo``.

    Attributes:
        kind: ``"image"`` or ``"video"``.
        name: The name of the image or video, which identifies it on the server.
        width: The width in pixels.
        height: The height in pixels.
        category: The category. Images and videos have the same.
        starred: Whether it is starred.
        is_intermediate: Whether it is an intermediate result, which the gallery hides.
        board_id: The id of its board, or None if it is on no board.
        full_url: The URL of the image or video, relative to the server's URL.
        thumbnail_url: The URL of its thumbnail, relative to the server's URL.
    """

    _brief: ClassVar[tuple[str, ...]] = ("kind", "name", "width", "height", "board_id", "starred")
    _words = {"category": ImageCategory}  # noqa: RUF012

    kind: str
    name: str
    width: int | None = None
    height: int | None = None
    category: ImageCategoryField = ImageCategory.GENERAL
    starred: bool = False
    is_intermediate: bool = False
    board_id: str | None = None
    created_at: Timestamp = None
    full_url: str | None = None
    thumbnail_url: str | None = None


class IvkGalleryImage(IvkGalleryItem):
    """An image in the gallery. Methods that take an image accept it."""

    @property
    def image_name(self) -> str:
        """The image's name."""
        return self.name


class IvkGalleryVideo(IvkGalleryItem):
    """A video in the gallery. Methods that take a video accept it.

    Attributes:
        duration: The duration in seconds.
        fps: The number of frames per second.
    """

    duration: float | None = None
    fps: float | None = None

    @property
    def video_name(self) -> str:
        """The video's name."""
        return self.name


class IvkGalleryDay(IvkModel):
    """A day on which images or videos were made (InvokeAI 6.13+).

    Attributes:
        date: The day, such as ``"2026-03-18"``, by the server's clock in UTC.
        image_count: The number of images of category GENERAL.
        asset_count: The number of images of other categories.
        video_count: The number of videos (InvokeAI 6.14+).
        cover_image_name: The newest image, if it is newer than the videos.
        cover_video_name: The newest video, if it is newer than the images (InvokeAI 6.14+).
    """

    _brief: ClassVar[tuple[str, ...]] = ("date", "image_count", "asset_count", "video_count")

    date: str
    image_count: int = 0
    asset_count: int = 0
    video_count: int = 0
    cover_image_name: str | None = None
    cover_video_name: str | None = None
