"""The official editor's rules for connecting outputs to inputs."""

from __future__ import annotations

from typing import Final

from invokeai_py_client.schema.template import FieldType

_CASTS: Final = frozenset(
    {("IntegerField", "FloatField"), ("IntegerField", "StringField"), ("FloatField", "StringField")}
)


def can_connect(source: FieldType, target: FieldType) -> bool:
    """Return whether an output of type ``source`` can be connected to an input of type ``target``.

    - Batch lists connect only to batch lists.
    - Integers connect to floats and text, floats to text.
    - Single values and lists connect to inputs that take either.
    - ``AnyField``, ``CollectionField`` and ``CollectionItemField`` are wildcards.
    """
    if _equal(source, target):
        return True
    if source.batch != target.batch:
        return False
    if target.name == "AnyField":
        return True
    cardinality_fits = _cardinality_fits(source, target)
    if cardinality_fits and (source.name == "AnyField" or (source.name, target.name) in _CASTS):
        return True
    return (
        (source.name == "CollectionItemField" and target.cardinality != "COLLECTION")
        or (target.name == "CollectionItemField" and source.cardinality == "SINGLE")
        or (target.cardinality == "SINGLE_OR_COLLECTION" and source.name == target.name)
        or (source.name == "CollectionField" and target.cardinality != "SINGLE")
        or (target.name == "CollectionField" and source.cardinality == "COLLECTION")
    )


def _equal(source: FieldType, target: FieldType) -> bool:
    """Return whether two types are equal, also by the type that a ``ui_type`` renamed (SchedulerField, EnumField)."""
    originals = (target.original, source.original)
    return (
        source == target
        or source == originals[0]
        or target == originals[1]
        or (originals[0] is not None and originals[0] == originals[1])
    )


def _cardinality_fits(source: FieldType, target: FieldType) -> bool:
    if target.cardinality == "SINGLE_OR_COLLECTION":
        return True
    return source.cardinality == target.cardinality
