"""Fields for colors, boxes, generators, and types without a class of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.plain import (
    Mismatch,
    as_integer,
    as_sequence,
    looks_like_json,
    plain_json,
    read_json,
    text_of,
)

_WHOLE = re.compile(r"\d{1,9}")
_HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_SIDES = ("x_min", "y_min", "x_max", "y_max")


class IvkAnyField(IvkField[Any]):
    """A value of a type that this client has no class for. It is validated against the server's schema."""

    @property
    def allowed(self) -> str:
        """The name of the type, if it is known."""
        return self.type_name if self._template else ""

    def _convert(self, value: Any) -> Any:
        return plain_json(value)

    def _from_text(self, text: str) -> Any:
        try:
            return read_json(text)
        except Mismatch:
            if looks_like_json(text):
                raise
            return text


class IvkColorField(IvkField[Any]):
    """A color: ``"#rrggbb"``, ``"#rrggbbaa"``, ``(r, g, b[, a])`` or a dict, with each channel from 0 to 255."""

    type_name_default = "ColorField"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return "'#rrggbb[aa]' or (r, g, b[, a]), each from 0 to 255"

    @property
    def display_value(self) -> Any:
        """The color as ``#rrggbbaa``."""
        value: Any = self.value
        try:
            return "#" + "".join(f"{value[part]:02x}" for part in "rgba")
        except (TypeError, KeyError, ValueError):
            return value

    def set_rgba(self, r: int, g: int, b: int, a: int = 255) -> None:
        """Set the color by its channels, each from 0 to 255."""
        self.value = (r, g, b, a)

    def set_hex(self, hex_color: str) -> None:
        """Set the color from text such as ``"#ff8800"``."""
        self.value = hex_color

    def to_rgba(self) -> tuple[int, int, int, int]:
        """Return the channels of the color, those of opaque black if no color is set."""
        value: Any = self.value or {}
        return value.get("r", 0), value.get("g", 0), value.get("b", 0), value.get("a", 255)

    def to_hex(self, include_alpha: bool = False) -> str:
        """Return the color as ``#rrggbb``, or as ``#rrggbbaa`` with ``include_alpha``."""
        return "#" + "".join(f"{part:02x}" for part in self.to_rgba()[: 4 if include_alpha else 3])

    def _convert(self, value: Any) -> dict[str, int]:
        channels = [as_integer(part) for part in self._parts(value)]
        if len(channels) == 3:
            channels.append(255)
        color = {
            name: part
            for name, part in zip("rgba", channels, strict=False)
            if part is not None and 0 <= part <= 255
        }
        if len(channels) != 4 or len(color) != 4:
            raise Mismatch(self.allowed)
        return color

    def _parts(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            match = _HEX.fullmatch(value.strip())
            if not match:
                raise Mismatch(self.allowed)
            digits = match[1] if len(match[1]) > 4 else "".join(digit * 2 for digit in match[1])
            return [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
        if isinstance(value, Mapping):
            given = cast("Mapping[str, Any]", value)
            return [given.get("r"), given.get("g"), given.get("b"), given.get("a", 255)]
        return list(as_sequence(value) or ())

    def _from_text(self, text: str) -> Any:
        if looks_like_json(text):
            return read_json(text)
        pieces = text.strip("() ").split(",")
        if len(pieces) in (3, 4) and all(_WHOLE.fullmatch(piece.strip()) for piece in pieces):
            return tuple(int(piece) for piece in pieces)
        return text


class IvkBoundingBoxField(IvkField[Any]):
    """A box in pixels: ``(x_min, y_min, x_max, y_max)``, or a dict with these keys and optionally a score.

    A dict may have ``width`` and ``height`` instead of ``x_max`` and ``y_max``.
    """

    type_name_default = "BoundingBoxField"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return "(x_min, y_min, x_max, y_max) in whole pixels"

    def _convert(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping):
            box: dict[str, Any] = plain_json(value)
        else:
            sides = as_sequence(value) or ()
            if len(sides) != len(_SIDES):
                raise Mismatch(self.allowed)
            box = dict(zip(_SIDES, sides, strict=True))
        for low, high, size in (("x_min", "x_max", "width"), ("y_min", "y_max", "height")):
            start, length = as_integer(box.get(low)), as_integer(box.get(size))
            if high not in box and start is not None and length is not None:
                box[high] = start + length
                del box[size]
        for name in _SIDES:
            box[name] = as_integer(box.get(name))
            if box[name] is None:
                raise Mismatch(self.allowed)
        if box["x_min"] > box["x_max"] or box["y_min"] > box["y_max"]:
            raise Mismatch("x_min ≤ x_max and y_min ≤ y_max")
        return box

    def _from_text(self, text: str) -> Any:
        if looks_like_json(text):
            return read_json(text)
        try:
            return tuple(int(piece) for piece in text.strip("() ").split(","))
        except ValueError:
            raise Mismatch(self.allowed) from None


class IvkGeneratorField(IvkField[Any]):
    """The settings of a generator node: a dict in the editor's format.

    Keys that are left out have the editor's defaults. Number and text generators also take a list, and then generate
    its items.
    """

    type_name_default = "IntegerGeneratorField"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return f"a dict with a 'type' that starts with '{self.family}'"

    @property
    def family(self) -> str:
        """The prefix of the kinds of generator that are valid, such as ``integer_generator_``."""
        word = self.type_name.removesuffix("GeneratorField").casefold()
        return f"{word}_generator_"

    def _convert(self, value: Any) -> dict[str, Any]:
        from invokeai_py_client.editor.generators import settings_of

        if not isinstance(value, Mapping):
            value = self._listing(value)
        given = plain_json(value)
        settings = settings_of(self.family.removesuffix("_"), given) if given.get("type") else None
        if settings is None:
            raise Mismatch(f"{self.allowed}, and the settings of that type")
        return settings

    def _listing(self, value: Any) -> dict[str, Any]:
        """Settings of the generator that reads its values from a text."""
        items = as_sequence(value)
        if not items or not self.family.startswith(("float", "integer", "string")):
            raise Mismatch(self.allowed)
        texts = [text_of(item) if isinstance(item, str) else str(plain_json(item)) for item in items]
        kind = f"{self.family}parse_string"
        mark = next((mark for mark in (",", "|", "\n", ";;") if not any(mark in text for text in texts)), "")
        if (
            not mark
            or not all(texts)
            or any(isinstance(item, str) for item in items) is (not self.family.startswith("string"))
        ):
            raise Mismatch(f"{self.allowed}, or a list of the values to generate")
        return {"type": kind, "input": mark.join(texts), "splitOn": mark}

    def _from_text(self, text: str) -> Any:
        return read_json(text)

    def _knows_schema(self, value: Any) -> bool:
        return False  # the server never runs these nodes, and its schema does not describe their settings


class _MadeField(IvkAnyField):
    """A value that a node stores under a name. Text is taken as that name."""

    _key: ClassVar[str] = "conditioning_name"

    @property
    def allowed(self) -> str:
        """A short description of the valid values."""
        return f"a dict with {self._key}, or only that name"

    def _convert(self, value: Any) -> Any:
        return {self._key: value} if isinstance(value, str) and value.strip() else super()._convert(value)


class IvkConditioningField(_MadeField):
    """A conditioning for SD-1, SD-2 or SDXL."""

    type_name_default = "ConditioningField"


class IvkFluxConditioningField(_MadeField):
    """A conditioning for FLUX."""

    type_name_default = "FluxConditioningField"


class IvkSD3ConditioningField(_MadeField):
    """A conditioning for SD-3."""

    type_name_default = "SD3ConditioningField"


class IvkCogView4ConditioningField(_MadeField):
    """A conditioning for CogView4."""

    type_name_default = "CogView4ConditioningField"


class IvkFluxReduxConditioningField(IvkAnyField):
    """The output of FLUX Redux for an image."""

    type_name_default = "FluxReduxConditioningField"


class IvkFluxFillConditioningField(IvkAnyField):
    """An image and a mask for FLUX Fill."""

    type_name_default = "FluxFillConditioningField"


class IvkFluxKontextConditioningField(IvkAnyField):
    """An image for FLUX Kontext."""

    type_name_default = "FluxKontextConditioningField"


class IvkDenoiseMaskField(_MadeField):
    """A mask for denoising."""

    type_name_default = "DenoiseMaskField"
    _key = "mask_name"


class IvkMetadataField(IvkAnyField):
    """Metadata for an image: a dict."""

    type_name_default = "MetadataField"
