"""Fields for the tests, and stand-ins for values of other libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from invokeai_py_client.ivk_fields import IvkField, make_field
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate


def field_of(address: str, value: Any = UNSET, **known: Any) -> IvkField[Any]:
    """Return the field of an input of the reference version: ``node_type.field``."""
    kind, name = address.split(".")
    return make_field(reference_schema()[kind].inputs[name], value, **known)


def template(kind: str, cardinality: Any = "SINGLE", **known: Any) -> InputTemplate:
    """Return an input named X."""
    plain = InputTemplate("x", "X", FieldType(kind, cardinality), "any", required=False)
    return replace(plain, **known)


class Int64:
    """A numpy-like integer: it has an index but is not an `int`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number

    def __float__(self) -> float:
        return float(self.number)


class Float32:
    """As numpy's."""

    def __init__(self, number: float) -> None:
        self.number = number

    def __float__(self) -> float:
        return self.number


class Array:
    """A numpy-like array: it also converts to a number."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def tolist(self) -> list[Any]:
        return self.items

    def __index__(self) -> int:
        raise TypeError("only integer scalar arrays can be converted to a scalar index")

    def __float__(self) -> float:
        raise TypeError("only length-1 arrays can be converted")


class bool_:
    """A numpy-like boolean, which also has an index."""

    __module__ = "numpy"

    def __bool__(self) -> bool:
        return True

    def __index__(self) -> int:
        return 1


Truth: Any = bool_


class Named:
    """An object with attributes and a repr."""

    def __init__(self, **names: str) -> None:
        self.__dict__.update(names)

    def thumbnail(self) -> None:
        """An object with the attributes of this client's images."""
