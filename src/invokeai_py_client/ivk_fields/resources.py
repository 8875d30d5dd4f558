"""Fields for things on the server: images, videos, boards, tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from invokeai_py_client._names import ExactId
from invokeai_py_client._paths import absolute_path, is_file
from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.pending import (
    BoardByName,
    ByName,
    LocalImage,
    StylePresetByName,
    SystemPromptByName,
)
from invokeai_py_client.ivk_fields.plain import Mismatch, plain_json, read_json, text_of

_BYTES: tuple[type, ...] = (bytes, bytearray, memoryview)
_WORDS = ("auto", "none")


class _NamedField(IvkField[Any]):
    """The base class of fields that are sent as ``{key: name}``."""

    _key: ClassVar[str] = "name"
    _word: ClassVar[str] = "a name"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return self._word

    @property
    def display_value(self) -> Any:
        """The name without its key."""
        value = self.value
        return cast("Mapping[str, Any]", value).get(self._key, value) if isinstance(value, Mapping) else value

    def _convert(self, value: Any) -> Any:
        name = self._name_in(value)
        if name is None:
            raise Mismatch(self._word)
        return {self._key: name}

    def _name_in(self, value: Any) -> str | None:
        """Return the name in a string, a dict or an object of this client, or None if it has no name."""
        if isinstance(value, Mapping):
            name: Any = cast("Mapping[str, Any]", value).get(self._key)
        else:
            name = value if isinstance(value, str) else getattr(value, self._key, None)
        return text_of(name).strip() or None if isinstance(name, str) else None

    def _from_text(self, text: str) -> Any:
        return read_json(text) if text.lstrip().startswith("{") else text


class IvkImageFieldMixin:
    """The base class of image fields. They accept local files, which are uploaded when a run starts."""


class IvkImageField(IvkImageFieldMixin, _NamedField):
    """An image: the name of one on the server, or a file, bytes or Pillow image to upload when a run starts."""

    type_name_default = "ImageField"
    _key = "image_name"
    _word = "an image's name on the server, a file, bytes, or a Pillow image"

    @property
    def display_value(self) -> Any:
        """The image's name on the server, or the path of its local file."""
        value = self.value
        return value.path or value if isinstance(value, LocalImage) else super().display_value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, LocalImage):
            return value
        if isinstance(value, _BYTES):
            data = bytes(value)
            if not data:
                raise Mismatch("the content of an image file", reason="it is empty")
            return LocalImage(data=data, name="image.png")
        record = getattr(value, "image_name", None)
        if isinstance(record, str):  # a record also has a path: that of a file with the same name
            return super()._convert(record)
        if isinstance(value, os.PathLike):
            return _local(cast("os.PathLike[str]", value))
        if isinstance(value, str):
            text = text_of(value).strip()
            # A local file has priority. Otherwise the text is a name on the server, unless it is clearly a path.
            if is_file(text) or "/" in text or "\\" in text:
                return _local(text)
            return super()._convert(text)
        if callable(getattr(value, "save", None)) and hasattr(value, "mode"):
            return _from_pillow(value)
        name = getattr(value, "name", None)
        if isinstance(name, str) and not isinstance(value, Mapping) and hasattr(value, "thumbnail"):
            return super()._convert(name)  # an image of this client
        return super()._convert(value)


class IvkVideoField(_NamedField):
    """A video on the server, given by its name (InvokeAI 6.14+)."""

    type_name_default = "VideoField"
    _key = "video_name"
    _word = "the name of a video on the server"


class IvkLookedUpField(_NamedField):
    """The base class of fields for things on the server that are looked up by name when a run starts."""

    _by_name: ClassVar[type[ByName]] = ByName

    @property
    def display_value(self) -> Any:
        """The name or id."""
        value = self.value
        return value.text if isinstance(value, ByName) else super().display_value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, self._by_name):
            return value
        name = self._name_in(value)
        if name is not None and isinstance(value, str):
            return self._by_name(name)
        return super()._convert(value)


class IvkBoardField(IvkLookedUpField):
    """A board: its id or name, ``"auto"`` (the board that the editor would use) or ``"none"`` (uncategorized)."""

    type_name_default = "BoardField"
    _key = "board_id"
    _word = "the id or name of a board, 'auto' or 'none'"
    _by_name = BoardByName

    def _convert(self, value: Any) -> Any:
        name = self._name_in(value)
        return name if name in _WORDS else super()._convert(value)

    def _knows_schema(self, value: Any) -> bool:
        return value not in _WORDS


class _TensorsField(_NamedField):
    """A file on the server given by its name, with further data."""

    def _convert(self, value: Any) -> Any:
        named = super()._convert(value)
        if not isinstance(value, Mapping):
            return named
        return {**plain_json(value), **named}


class IvkLatentsField(_TensorsField):
    """Latents on the server, given by their name. A dict may also contain their seed."""

    type_name_default = "LatentsField"
    _key = "latents_name"
    _word = "the name of latents on the server"


class IvkTensorField(_TensorsField):
    """A tensor on the server, given by its name."""

    type_name_default = "TensorField"
    _key = "tensor_name"
    _word = "the name of a tensor on the server"


class IvkStylePresetField(IvkLookedUpField):
    """A style preset: its name, id or record."""

    type_name_default = "StylePresetField"
    _key = "style_preset_id"
    _word = "the name or id of a style preset"
    _by_name = StylePresetByName


class IvkSystemPromptField(IvkLookedUpField):
    """A system prompt saved on the server: its name, id or record (InvokeAI 6.14+)."""

    type_name_default = "SystemPromptField"
    _key = "system_prompt_id"
    _word = "the name or id of a system prompt"
    _by_name = SystemPromptByName


class IvkSavedWorkflowField(_NamedField):
    """A workflow in the server's library, given by its id or name (InvokeAI 6.14+). It is sent as a plain id."""

    type_name_default = "SavedWorkflowField"
    _key = "workflow_id"
    _word = "the id or name of a workflow in the server's library"

    def _convert(self, value: Any) -> Any:
        found = super()._convert(value)[self._key]
        return found if type(value) is str else ExactId(found)


def _local(path: str | os.PathLike[str]) -> LocalImage:
    if not is_file(path):
        raise Mismatch(
            "an existing file or the name of an image on the server", reason="there is no such file"
        )
    file = absolute_path(path)
    return LocalImage(path=str(file.resolve()), name=file.name)


def _from_pillow(image: Any) -> LocalImage:
    from invokeai_py_client._pillow import png_bytes

    try:
        data = png_bytes(image)
    except (OSError, ValueError, TypeError) as error:
        raise Mismatch(
            reason=f"it cannot be saved as PNG ({error})", hint=" Convert it to RGB first."
        ) from None
    return LocalImage(data=data, name="image.png")
