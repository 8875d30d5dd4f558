"""Tests of fields that hold models."""

from __future__ import annotations

import pickle
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from fields import field_of, template

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields import IvkLoRAField, IvkModelIdentifierField
from invokeai_py_client.ivk_fields.pending import ModelByName, find_pending, replace_pending
from invokeai_py_client.models import BaseModelEnum, IvkDnnModel
from invokeai_py_client.schema.template import ModelFilter

IDENTIFIER = {"key": "k", "hash": "blake3:h", "name": "Dream", "base": "sdxl", "type": "main"}
LORA = {"key": "l", "hash": "blake3:l", "name": "Ink", "base": "sd-1", "type": "lora"}
RECORD = {**IDENTIFIER, "path": "/models/dream", "format": "diffusers", "variant": "normal", "file_size": 5}


@pytest.mark.parametrize(
    "value", [IDENTIFIER, RECORD, IvkDnnModel.from_api_response(RECORD), SimpleNamespace(**IDENTIFIER)]
)
def test_model_from_record(value: Any) -> None:
    field = IvkModelIdentifierField(value)
    assert field.to_api_format() == IDENTIFIER
    assert type(field.to_api_format()["base"]) is str
    assert field.display_value == "Dream"
    assert field.reusable_value == IDENTIFIER


def test_a_field_with_a_model_can_be_pickled_and_copied() -> None:
    by_record, by_parts = IvkModelIdentifierField(), IvkModelIdentifierField()
    by_record.value = RECORD
    by_parts.name, by_parts.base = "Dream", "sdxl"
    for field in (by_record, by_parts):
        for again in (pickle.loads(pickle.dumps(field)), deepcopy(field)):
            assert (again.value, again.name, again.base) == (field.value, field.name, field.base)


def test_submodel_type_is_kept() -> None:
    field = IvkModelIdentifierField({**IDENTIFIER, "submodel_type": "vae"})
    assert field.to_api_format() == {**IDENTIFIER, "submodel_type": "vae"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Dream", "Dream"),
        (" Dream ", "Dream"),
        ({"key": "k"}, "k"),
        (ModelByName("x"), "x"),
        (IvkDnnModel(key="k", name="n", base=BaseModelEnum.SDXL, type="main"), "k"),
    ],
)
def test_model_by_name_or_key_is_pending(value: Any, text: str) -> None:
    field = IvkModelIdentifierField(value)
    assert field.value == ModelByName(text)
    assert field.display_value == field.reusable_value == text
    with pytest.raises(InputValueError, match="has not been looked up"):
        field.to_api_format()
    assert field.validate_field()


@pytest.mark.parametrize(
    "value", ["", "  ", 5, {}, {"name": "Dream"}, {"key": ""}, [], None.__class__, object()]
)
def test_invalid_models(value: Any) -> None:
    with pytest.raises(InputValueError, match="the name or key of a model"):
        IvkModelIdentifierField(value)


FILTER = ModelFilter(
    base=("sdxl",), type=("main",), variant=("normal",), format=("diffusers",), provider_id=None
)


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"base": "sd-1"}, False),
        ({"type": "vae"}, False),
        ({"variant": "inpaint"}, False),
        ({"variant": None}, True),  # the editor filters only models that have a variant
        ({"format": "checkpoint"}, False),
        ({"provider_id": "p"}, True),
    ],
)
def test_accepts_model_applies_filters(changes: dict[str, Any], fits: bool) -> None:
    field = IvkModelIdentifierField(template=template("ModelIdentifierField", models=FILTER))
    assert field.accepts_model({**RECORD, **changes}) is fits


def test_accepts_model_filters_external_models() -> None:
    only = ModelFilter(provider_id=("gemini",))
    field = IvkModelIdentifierField(template=template("ModelIdentifierField", models=only))
    assert field.accepts_model({**RECORD, "provider_id": "gemini"})
    assert not field.accepts_model(RECORD)
    anything = IvkModelIdentifierField(template=template("ModelIdentifierField"))
    assert anything.accepts_model({"base": "new", "type": "new"})


def test_model_of_wrong_base_is_rejected() -> None:
    field = field_of("sdxl_model_loader.model", node_label="Loader")
    assert "sdxl" in field.allowed and "main" in field.allowed
    with pytest.raises(InputValueError, match="'Ink' has the base 'sd-1'; expected a model of base 'sdxl'"):
        field.value = LORA
    field.value = IDENTIFIER
    assert field.validate_field()


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        (LORA, 0.75),
        ((LORA, 0.5), 0.5),
        ([LORA, 1], 1),
        ({"lora": LORA, "weight": -0.3}, -0.3),
        ({"lora": LORA}, 0.75),
    ],
)
def test_lora_and_weight(value: Any, weight: float) -> None:
    field = IvkLoRAField(value)
    assert field.to_api_format() == {"lora": LORA, "weight": weight}
    assert field.display_value == ("Ink", weight)
    assert IvkLoRAField(field.reusable_value).value == field.value


@pytest.mark.parametrize("value", [(LORA, "heavy"), (LORA, None), ("", 0.5), 5, (LORA, True), (LORA, 0.5, 1)])
def test_invalid_loras(value: Any) -> None:
    with pytest.raises(InputValueError, match=r"a number as the weight|the name or key of a model"):
        IvkLoRAField(value)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("Ink", [("Ink", 0.75)]),
        (("Ink", 0.5), [("Ink", 0.5)]),
        (["Ink", "Oil"], [("Ink", 0.75), ("Oil", 0.75)]),
        ([("Ink", 0.5), {"lora": "Oil", "weight": 1}], [("Ink", 0.5), ("Oil", 1)]),
        ([], []),
    ],
)
def test_lists_of_loras(value: Any, names: list[tuple[str, float]]) -> None:
    field = field_of("lora_collection_loader.loras")
    field.value = value
    assert [(ModelByName(name), weight) for name, weight in names] == [
        (one["lora"], one["weight"]) for one in field.value or ()
    ]
    again = field_of("lora_collection_loader.loras")
    again.value = field.reusable_value
    assert again.value == field.value


def test_pending_names_in_lists_are_replaced() -> None:
    field = field_of("lora_collection_loader.loras")
    field.value = ["Ink", LORA, ("Ink", 0.2)]
    assert find_pending(field.value) == [ModelByName("Ink")]
    field.value = replace_pending(field.value, {ModelByName("Ink"): {**LORA, "key": "new"}})
    wire = field.to_api_format()
    assert [one["lora"]["key"] for one in wire] == ["new", "l", "new"]
    assert [one["weight"] for one in wire] == [0.75, 0.75, 0.2]


def test_invalid_lora_in_list_is_named_by_position() -> None:
    field = field_of("lora_collection_loader.loras")
    with pytest.raises(
        InputValueError, match=r"item 2 is .*'Dream' has the type 'main'.*; expected each item to be a"
    ):
        field.value = [LORA, {**IDENTIFIER, "base": "sd-1"}]
