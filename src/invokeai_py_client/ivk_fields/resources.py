"""Things on the server: images, videos, boards, tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from invokeai_py_client.ivk_fields.base import IvkField, Unfit
from invokeai_py_client.ivk_fields.pending import BoardByName, LocalImage


class _NamedField(IvkField[Any]):
    """Something that goes out as ``{key: name}``."""

    _key: ClassVar[str] = "name"
    _word: ClassVar[str] = "a name"

    @property
    def allowed(self) -> str:
        """What names it."""
        return self._word

    @property
    def display_value(self) -> Any:
        """The name alone."""
        value = self.value
        return cast("Mapping[str, Any]", value).get(self._key, value) if isinstance(value, Mapping) else value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            name = cast("Mapping[str, Any]", value).get(self._key)
            if isinstance(name, str) and name:
                return {self._key: name}
        elif isinstance(value, str) and value.strip():
            return {self._key: value.strip()}
        else:
            name = getattr(value, self._key, None)
            if isinstance(name, str):
                return {self._key: name}
        raise Unfit(f"it should be {self._word}")


class IvkImageField(_NamedField):
    """An image: one on the server by its name, or a file, bytes or Pillow image, uploaded when a run starts."""

    type_name_default = "ImageField"
    _key = "image_name"
    _word = "an image's name on the server, a file, bytes, or a Pillow image"

    @property
    def display_value(self) -> Any:
        """The image's name, on the server or here."""
        value = self.value
        return value.name if isinstance(value, LocalImage) else super().display_value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, LocalImage):
            return value
        if isinstance(value, bytes | bytearray):
            return LocalImage(data=bytes(value), name="image.png")
        if isinstance(value, os.PathLike):
            return _local(cast("os.PathLike[str]", value))
        if isinstance(value, str):
            # A file that is here wins; without one the text is a name on the server, unless it is plainly a path.
            if Path(value).is_file() or "/" in value or "\\" in value:
                return _local(value)
            return super()._convert(value)
        if callable(getattr(value, "save", None)) and hasattr(value, "mode"):
            return _from_pillow(value)
        name = getattr(value, "name", None)
        if isinstance(name, str) and not isinstance(value, Mapping) and hasattr(value, "thumbnail"):
            return {"image_name": name}  # an image of this client
        return super()._convert(value)


class IvkVideoField(_NamedField):
    """A video on the server, by its name (InvokeAI 6.14+)."""

    type_name_default = "VideoField"
    _key = "video_name"
    _word = "a video's name on the server"


class IvkBoardField(_NamedField):
    """A board: its id or name, ``"auto"`` or ``"none"``."""

    type_name_default = "BoardField"
    _key = "board_id"
    _word = "a board's id or name, 'auto' or 'none'"

    @property
    def display_value(self) -> Any:
        """The board's name or id."""
        value = self.value
        return value.text if isinstance(value, BoardByName) else super().display_value

    def _convert(self, value: Any) -> Any:
        if isinstance(value, BoardByName):
            return value
        if isinstance(value, str) and value.strip():
            text = value.strip()
            return text if text in ("auto", "none") else BoardByName(text)
        return super()._convert(value)


class IvkLatentsField(_NamedField):
    """Latents on the server, by their name."""

    type_name_default = "LatentsField"
    _key = "latents_name"
    _word = "a latents name"


class IvkTensorField(_NamedField):
    """A tensor on the server, by its name."""

    type_name_default = "TensorField"
    _key = "tensor_name"
    _word = "a tensor's name"


class IvkStylePresetField(_NamedField):
    """A style preset, by its id."""

    type_name_default = "StylePresetField"
    _key = "style_preset_id"
    _word = "a style preset's id"


class IvkSystemPromptField(_NamedField):
    """A system prompt, by its id (InvokeAI 6.14+)."""

    type_name_default = "SystemPromptField"
    _key = "system_prompt_id"
    _word = "a system prompt's id"


class IvkSavedWorkflowField(IvkField[str]):
    """A workflow in the server's library, by its id (InvokeAI 6.14+)."""

    type_name_default = "SavedWorkflowField"

    @property
    def allowed(self) -> str:
        """What names it."""
        return "the id of a workflow in the server's library"

    def _convert(self, value: Any) -> str:
        if isinstance(value, str) and value:
            return value
        raise Unfit(f"it should be {self.allowed}")


def _local(path: str | os.PathLike[str]) -> LocalImage:
    file = Path(path)
    if not file.is_file():
        raise Unfit(f"there is no file {os.fspath(path)!r} here")
    return LocalImage(path=str(file.resolve()), name=file.name)


def _from_pillow(image: Any) -> LocalImage:
    from io import BytesIO

    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return LocalImage(data=buffer.getvalue(), name="image.png")
