"""Colours, boxes, lists, generators, and types that this client has no class for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from invokeai_py_client.ivk_fields.base import IvkField, Unfit
from invokeai_py_client.workflow.fits import mismatch

_HEX = re.compile(r"#?([0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


class IvkAnyField(IvkField[Any]):
    """A value of a type that this client has no class for; it is checked by the server's schema."""

    @property
    def allowed(self) -> str:
        """The type's name, where it is known."""
        return self.type_name if self._template else ""

    def _convert(self, value: Any) -> Any:
        if self._template and self._template.json_schema:
            reason = mismatch(self._template.json_schema, value)
            if reason is not None:
                raise Unfit(reason)
        return value

    def _from_text(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return text


class IvkColorField(IvkField[Any]):
    """A colour: ``"#rrggbb"``, ``"#rrggbbaa"``, ``(r, g, b[, a])`` or a dict; each part 0 to 255."""

    type_name_default = "ColorField"

    @property
    def allowed(self) -> str:
        """What it may be."""
        return "'#rrggbb[aa]' or (r, g, b[, a]), each 0 to 255"

    @property
    def display_value(self) -> Any:
        """The colour as ``#rrggbbaa``."""
        value: Any = self.value
        try:
            return "#" + "".join(f"{value[part]:02x}" for part in "rgba")
        except (TypeError, KeyError, ValueError):
            return value

    def _convert(self, value: Any) -> dict[str, int]:
        parts: list[Any]
        if isinstance(value, str):
            match = _HEX.fullmatch(value.strip())
            if not match:
                raise Unfit(f"it should be {self.allowed}")
            digits = match[1] if len(match[1]) > 4 else "".join(digit * 2 for digit in match[1])
            parts = [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
        elif isinstance(value, Mapping):
            given = cast("Mapping[str, Any]", value)
            parts = [given.get("r"), given.get("g"), given.get("b"), given.get("a", 255)]
        elif isinstance(value, Sequence):
            parts = list(cast("Sequence[Any]", value))
        else:
            raise Unfit(f"it should be {self.allowed}")
        parts = [*parts, 255] if len(parts) == 3 else parts
        whole = all(
            isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= 255 for part in parts
        )
        if len(parts) != 4 or not whole:
            raise Unfit(f"it should be {self.allowed}")
        return dict(zip("rgba", parts, strict=True))

    def _from_text(self, text: str) -> Any:
        pieces = text.strip("() ").split(",")
        if len(pieces) in (3, 4) and all(piece.strip().isdigit() for piece in pieces):
            return tuple(int(piece) for piece in pieces)
        return text


class IvkBoundingBoxField(IvkField[Any]):
    """A box in pixels: ``(x_min, y_min, x_max, y_max)`` or a dict with these and, perhaps, a score."""

    type_name_default = "BoundingBoxField"

    @property
    def allowed(self) -> str:
        """What it may be."""
        return "(x_min, y_min, x_max, y_max) in whole pixels"

    def _convert(self, value: Any) -> dict[str, Any]:
        names = ("x_min", "y_min", "x_max", "y_max")
        if isinstance(value, Mapping):
            box = dict(cast("Mapping[str, Any]", value))
        elif (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and len(cast("Sequence[Any]", value)) == 4
        ):
            box = dict(zip(names, cast("Sequence[Any]", value), strict=True))
        else:
            raise Unfit(f"it should be {self.allowed}")
        sides = [box.get(name) for name in names]
        if not all(isinstance(side, int) and not isinstance(side, bool) for side in sides):
            raise Unfit(f"it should be {self.allowed}")
        if box["x_min"] > box["x_max"] or box["y_min"] > box["y_max"]:
            raise Unfit("the minima should not be above the maxima")
        return box

    def _from_text(self, text: str) -> Any:
        try:
            found = (
                json.loads(text)
                if text.lstrip().startswith(("{", "["))
                else [int(p) for p in text.split(",")]
            )
        except ValueError:
            raise Unfit(f"it should be {self.allowed}") from None
        return found


class IvkGeneratorField(IvkField[Any]):
    """What a generator node makes its values by: a dict as the editor writes it."""

    type_name_default = "IntegerGeneratorField"

    @property
    def allowed(self) -> str:
        """What it may be."""
        return "a generator's settings with their 'type'"

    def _convert(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping) and isinstance(cast("Mapping[str, Any]", value).get("type"), str):
            return dict(cast("Mapping[str, Any]", value))
        raise Unfit(f"it should be {self.allowed}")

    def _from_text(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise Unfit("it should be JSON") from None


class IvkCollectionField(IvkField[Any]):
    """A list of values of one type; where the node takes one value or a list, one value is taken too."""

    type_name_default = "CollectionField"

    def __init__(
        self, value: Any = None, *, item: IvkField[Any] | None = None, one_too: bool = False, **known: Any
    ) -> None:
        self._item: IvkField[Any] = item or IvkAnyField()
        self._one_too = one_too
        super().__init__(value, **known)

    @property
    def allowed(self) -> str:
        """What its items may be, and how many."""
        low, high = self.limits.min_items, self.limits.max_items
        count = f"{low or 0} to {high} of: " if high is not None else (f"{low} or more of: " if low else "")
        return f"a list of {count}{self._item.allowed or 'values'}"

    @property
    def display_value(self) -> Any:
        """The items as people read them."""
        value = self.value
        if not isinstance(value, list):
            return value
        return [self._shown(item) for item in cast("list[Any]", value)]

    def accepts_model(self, record: Mapping[str, Any]) -> bool:
        """Whether a model fits its items."""
        return self._item.accepts_model(record)

    def _shown(self, item: Any) -> Any:
        field = self._item.copy()
        field.hold(item)
        return field.display_value

    def _convert(self, value: Any) -> Any:
        convert = getattr(value, "tolist", None)  # numpy's arrays and pandas' columns
        value = convert() if callable(convert) else value
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            if self._one_too:
                return self._one(value, None)
            raise Unfit(f"it should be {self.allowed}")
        items = [self._one(item, index) for index, item in enumerate(cast("Sequence[Any]", value))]
        low, high = self.limits.min_items, self.limits.max_items
        if (low is not None and len(items) < low) or (high is not None and len(items) > high):
            raise Unfit(f"it has {len(items)} items; it should be {self.allowed}")
        return items

    def _one(self, value: Any, index: int | None) -> Any:
        try:
            return self._item._convert(value)  # pyright: ignore[reportPrivateUsage]
        except Unfit as error:
            raise Unfit(str(error) if index is None else f"item {index} ({value!r}): {error}") from None

    def _to_wire(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._item._to_wire(item) for item in cast("list[Any]", value)]  # pyright: ignore[reportPrivateUsage]
        return self._item._to_wire(value)  # pyright: ignore[reportPrivateUsage]

    def _from_text(self, text: str) -> Any:
        if text.lstrip().startswith("["):
            try:
                return json.loads(text)
            except ValueError:
                raise Unfit("it should be a JSON list, or values with commas between them") from None
        pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
        items = [self._item._from_text(piece) for piece in pieces]  # pyright: ignore[reportPrivateUsage]
        return items[0] if self._one_too and len(items) == 1 else items
