"""Fields that hold lists of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

from invokeai_py_client._text import shown
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.complex import IvkAnyField
from invokeai_py_client.ivk_fields.models import IvkLoRAField, is_lora_pair
from invokeai_py_client.ivk_fields.plain import Mismatch, as_sequence, looks_like_json, read_json
from invokeai_py_client.ivk_fields.primitives import IvkFloatField
from invokeai_py_client.schema.template import NO_LIMITS, Limits


class IvkCollectionFieldMixin:
    """List methods for fields. Each change validates the whole list, as an assignment does."""

    def append(self, item: Any) -> None:
        """Append an item."""
        self._set([*self._items(), item])

    def extend(self, items: Iterable[Any]) -> None:
        """Append several items."""
        self._set([*self._items(), *items])

    def remove(self, item: Any) -> None:
        """Remove the first item equal to a value.

        Raises:
            InputValueError: The list does not contain the value.
        """
        items = self._items()
        if item not in items:
            raise InputValueError(f"{shown(item)} is not in the list.")
        items.remove(item)
        self._set(items)

    def clear(self) -> None:
        """Remove all items."""
        self._set([])

    def iter_items(self) -> Iterator[Any]:
        """Return an iterator over the items."""
        return iter(self._items())

    def __len__(self) -> int:
        return len(self._items())

    def __bool__(self) -> bool:
        return True  # a field with an empty list is still a field

    def __iter__(self) -> Iterator[Any]:
        return self.iter_items()

    def __getitem__(self, index: int) -> Any:
        return self._items()[index]

    def _items(self) -> list[Any]:
        value: Any = cast("IvkField[Any]", self).value
        return [] if value is None else list(cast("list[Any]", value)) if isinstance(value, list) else [value]

    def _set(self, items: list[Any]) -> None:
        cast("IvkField[Any]", self).value = items


class IvkCollectionField(IvkCollectionFieldMixin, IvkField[Any]):
    """A list of values of one type. Also takes a single value if the node does."""

    type_name_default = "CollectionField"

    def __init__(
        self,
        value: Any = None,
        *,
        item: IvkField[Any] | None = None,
        one_too: bool = False,
        **known: Any,
    ) -> None:
        self._item: IvkField[Any] = item or IvkAnyField()
        self._one_too = one_too
        super().__init__(value, **known)

    def copy(self) -> Any:
        """Return a copy of the field whose value can be changed independently."""
        other = super().copy()
        other._item = self._item.copy()
        return other

    @property
    def item(self) -> IvkField[Any]:
        """A field for one item of the list. Its own value is not used."""
        return self._item

    @property
    def takes_one(self) -> bool:
        """Whether a single value is valid too."""
        return self._one_too

    @property
    def allowed(self) -> str:
        """A short description of the valid items and of their number."""
        low, high = self.limits.min_items, self.limits.max_items
        count = ""
        if high is not None:
            count = f"{low or 0} to {high} items"
        elif low:
            count = f"{low} or more items"
        item = self._item.allowed
        if self._one_too:
            return f"{item or 'a value'}, or a list of {count or 'such values'}"
        each = f", each {item}" if count else f", each item {item}"
        return f"a list{f' of {count}' if count else ''}{each if item else ''}"

    @property
    def display_value(self) -> Any:
        """The items in a readable form."""
        value = self.value
        return [self._shown(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value

    def accepts_model(self, record: Any) -> bool:
        """Return whether a model is valid as an item."""
        return self._item.accepts_model(record)

    def _shown(self, item: Any) -> Any:
        field = self._item.copy()
        field.hold(item)
        return field.display_value

    def _convert(self, value: Any) -> Any:
        items = None if self._is_one(value) else as_sequence(value)
        if items is None:
            if self._one_too:
                return self._alone(value)
            if not isinstance(self._item, IvkLoRAField):
                raise Mismatch(self.allowed)
            items = [value]  # a single LoRA is common; the server expects a list of one item
        low, high = self.limits.min_items, self.limits.max_items
        if (low is not None and len(items) < low) or (high is not None and len(items) > high):
            raise Mismatch(self.allowed, reason=f"it has {len(items)} items")
        return [self._numbered(item, index) for index, item in enumerate(items)]

    def _is_one(self, value: Any) -> bool:
        return isinstance(self._item, IvkLoRAField) and is_lora_pair(value)

    def _one(self, value: Any) -> Any:
        if value is None:
            raise Mismatch(self._item.allowed or "a value")
        return self._item._convert(value)

    def _alone(self, value: Any) -> Any:
        try:
            return self._one(value)
        except Mismatch as error:
            error.expected += ", or a list of such values"
            raise

    def _numbered(self, value: Any, index: int) -> Any:
        try:
            return self._one(value)
        except Mismatch as error:
            reason = f"item {index + 1} is {shown(value, 40)}" + (
                f" ({error.reason})" if error.reason else ""
            )
            raise Mismatch(f"each item to be {error.expected}", reason=reason, hint=error.hint) from None

    def _to_wire(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._item._to_wire(item) for item in cast("list[Any]", value)]
        return self._item._to_wire(value)

    def _knows_schema(self, value: Any) -> bool:
        items: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        return all(self._item._knows_schema(item) for item in items)

    def _takes_null_word(self) -> bool:
        return self._item._takes_null_word()

    def _from_text(self, text: str) -> Any:
        if looks_like_json(text):
            return read_json(text)
        pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
        items = [self._item._from_text(piece) for piece in pieces]
        return items[0] if self._one_too and len(items) == 1 else items


class IvkFloatOrListField(IvkCollectionField, IvkFloatField):
    """A number or a list of numbers, such as the CFG scale. Also an ``IvkFloatField``, as in version 1."""

    type_name_default = "FloatField"

    def __init__(self, value: Any = None, *, item: IvkField[Any] | None = None, **known: Any) -> None:
        super().__init__(value, item=item or IvkFloatField(), **{"one_too": True, **known})

    @property
    def limits(self) -> Limits:
        """The server's limits on each number and on the length of a list."""
        template, each = self._template, self._item.limits
        known = template.limits if template else NO_LIMITS
        return replace(each, min_items=known.min_items, max_items=known.max_items)

    @property
    def minimum(self) -> float | None:
        """The smallest valid number. Assigning it narrows the server's limit."""
        return self.limits.minimum

    @minimum.setter
    def minimum(self, minimum: float | None) -> None:
        self._number.minimum = minimum

    @property
    def maximum(self) -> float | None:
        """The largest valid number. Assigning it narrows the server's limit."""
        return self.limits.maximum

    @maximum.setter
    def maximum(self, maximum: float | None) -> None:
        self._number.maximum = maximum

    @property
    def _number(self) -> IvkFloatField:
        return cast("IvkFloatField", self._item)
