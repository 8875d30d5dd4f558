"""Tests of the rules for connecting outputs to inputs."""

from __future__ import annotations

import pytest

from invokeai_py_client.schema.connect import can_connect
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import Cardinality, FieldType

KINDS: dict[str, Cardinality] = {"": "SINGLE", "[]": "COLLECTION", "|[]": "SINGLE_OR_COLLECTION"}


def of(text: str, *, batch: bool = False) -> FieldType:
    """Return the type written as ``IntegerField|[]``."""
    for suffix in ("|[]", "[]", ""):
        if text.endswith(suffix):
            return FieldType(text.removesuffix(suffix), KINDS[suffix], batch)
    raise AssertionError


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("ImageField", "ImageField"),
        ("ImageField[]", "ImageField[]"),
        ("IntegerField", "FloatField"),
        ("IntegerField", "StringField"),
        ("FloatField", "StringField"),
        ("IntegerField[]", "FloatField[]"),
        ("IntegerField", "FloatField|[]"),
        ("IntegerField[]", "FloatField|[]"),
        ("IntegerField|[]", "FloatField|[]"),
        ("ImageField", "ImageField|[]"),
        ("ImageField[]", "ImageField|[]"),
        ("CollectionItemField", "ImageField"),
        ("CollectionItemField", "ImageField|[]"),
        ("ImageField", "CollectionItemField"),
        ("CollectionField[]", "ImageField[]"),
        ("CollectionField[]", "ImageField|[]"),
        ("ImageField[]", "CollectionField[]"),
        ("ImageField", "AnyField"),
        ("ImageField[]", "AnyField"),
        ("AnyField", "ImageField"),
        ("AnyField", "ImageField|[]"),
    ],
)
def test_fits(source: str, target: str) -> None:
    assert can_connect(of(source), of(target))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("ImageField", "LatentsField"),
        ("StringField", "EnumField"),
        ("FloatField", "IntegerField"),
        ("StringField", "IntegerField"),
        ("IntegerField", "BooleanField"),
        ("ImageField[]", "ImageField"),
        ("ImageField", "ImageField[]"),
        ("ImageField|[]", "ImageField"),
        ("ImageField|[]", "ImageField[]"),
        ("IntegerField", "FloatField[]"),
        ("IntegerField[]", "FloatField"),
        ("CollectionItemField", "ImageField[]"),
        ("ImageField[]", "CollectionItemField"),
        ("ImageField|[]", "CollectionItemField"),
        ("CollectionField[]", "ImageField"),
        ("ImageField", "CollectionField[]"),
        ("AnyField", "ImageField[]"),
    ],
)
def test_does_not_fit(source: str, target: str) -> None:
    assert not can_connect(of(source), of(target))


def test_batch_lists_connect_only_to_batch_lists() -> None:
    plain, batch = of("IntegerField[]"), of("IntegerField[]", batch=True)
    assert can_connect(batch, batch)
    assert not can_connect(plain, batch)
    assert not can_connect(batch, plain)
    assert not can_connect(batch, of("AnyField"))


def test_scheduler_connects_like_enumeration() -> None:
    schema = reference_schema()
    scheduler = schema["scheduler"].outputs["scheduler"].type
    assert can_connect(scheduler, schema["denoise_latents"].inputs["scheduler"].type)
    assert can_connect(scheduler, of("EnumField"))
    assert can_connect(of("EnumField"), schema["denoise_latents"].inputs["scheduler"].type)
    assert not can_connect(of("StringField"), schema["denoise_latents"].inputs["scheduler"].type)
    # Two renamed types connect if their original types are equal.
    renamed = FieldType("TheirField", original=FieldType("EnumField"))
    assert can_connect(renamed, scheduler)
    assert not can_connect(FieldType("TheirField", original=FieldType("StringField")), scheduler)
