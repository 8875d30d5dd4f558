"""Tests of values given as text on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fields import field_of, template
from hypothesis import given
from hypothesis import strategies as st

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields import IvkField, make_field
from invokeai_py_client.ivk_fields.pending import BoardByName, LocalImage, ModelByName
from invokeai_py_client.schema.reference import reference_schema

IDENTIFIER = '{"key": "k", "hash": "h", "name": "Dream", "base": "sdxl", "type": "main"}'


def parsed(field: IvkField[Any], text: str) -> Any:
    field.value = field.parse_text(text)
    return field.value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("IntegerField", "30", 30),
        ("IntegerField", " -4 ", -4),
        ("IntegerField", "1e3", 1000),
        ("IntegerField", "5.0", 5),
        ("FloatField", "7", 7),
        ("FloatField", "-0.5", -0.5),
        ("FloatField", "1e-3", 0.001),
        ("FloatField", ".5", 0.5),
        ("BooleanField", "true", True),
        ("BooleanField", "NO", False),
        ("BooleanField", "1", True),
        ("BooleanField", "off", False),
        ("StringField", "a lighthouse", "a lighthouse"),
        ("StringField", "", ""),
        ("StringField", " 5 ", " 5 "),
        ("StringField", '{"a": 1}', '{"a": 1}'),
        ("SchedulerField", "DPM++ 2M Karras", "dpmpp_2m_k"),
        ("ColorField", "#ff0000", {"r": 255, "g": 0, "b": 0, "a": 255}),
        ("ColorField", "255, 0,0", {"r": 255, "g": 0, "b": 0, "a": 255}),
        ("ColorField", "(255,0,0,10)", {"r": 255, "g": 0, "b": 0, "a": 10}),
        ("ColorField", "[255,0,0]", {"r": 255, "g": 0, "b": 0, "a": 255}),
        ("ColorField", '{"r":255,"g":0,"b":0}', {"r": 255, "g": 0, "b": 0, "a": 255}),
        ("BoundingBoxField", "1,2,3,4", {"x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}),
        ("BoundingBoxField", "-1, -2, 3, 4", {"x_min": -1, "y_min": -2, "x_max": 3, "y_max": 4}),
        ("BoundingBoxField", "[1,2,3,4]", {"x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}),
        ("ImageField", "there.png", {"image_name": "there.png"}),
        ("ImageField", '{"image_name": "a.png"}', {"image_name": "a.png"}),
        ("BoardField", "auto", "auto"),
        ("BoardField", "My board", BoardByName("My board")),
        ("BoardField", '{"board_id": "b"}', {"board_id": "b"}),
        ("ModelIdentifierField", "Dream: XL", ModelByName("Dream: XL")),
        ("LoRAField", "Ink:0.8", {"lora": ModelByName("Ink"), "weight": 0.8}),
        ("LoRAField", "Ink: XL", {"lora": ModelByName("Ink: XL"), "weight": 0.75}),
        ("LoRAField", "Ink: XL:-1", {"lora": ModelByName("Ink: XL"), "weight": -1}),
        ("LatentsField", "l", {"latents_name": "l"}),
        ("SavedWorkflowField", "w", "w"),
        ("VideoField", "a.mp4", {"video_name": "a.mp4"}),
        ("SomethingNew", '{"a": [1]}', {"a": [1]}),
        ("SomethingNew", "plain", "plain"),
    ],
)
def test_texts(kind: str, text: str, value: Any) -> None:
    assert parsed(make_field(template(kind)), text) == value


def test_a_model_as_json() -> None:
    assert parsed(make_field(template("ModelIdentifierField")), IDENTIFIER)["name"] == "Dream"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("IntegerField", "1, 2,-3", [1, 2, -3]),
        ("IntegerField", "[1, 2]", [1, 2]),
        ("IntegerField", "", []),
        ("IntegerField", "5", [5]),
        ("FloatField", "0.5,1", [0.5, 1]),
        ("StringField", "a, b", ["a", "b"]),
        ("StringField", '["a, b", "c"]', ["a, b", "c"]),
        ("BooleanField", "true,no", [True, False]),
        ("ImageField", "a.png,b.png", [{"image_name": "a.png"}, {"image_name": "b.png"}]),
        (
            "LoRAField",
            "Ink:0.8, Oil",
            [{"lora": ModelByName("Ink"), "weight": 0.8}, {"lora": ModelByName("Oil"), "weight": 0.75}],
        ),
        ("LoRAField", '[["Ink", 0.8]]', [{"lora": ModelByName("Ink"), "weight": 0.8}]),
    ],
)
def test_texts_of_lists(kind: str, text: str, value: Any) -> None:
    assert parsed(make_field(template(kind, "COLLECTION")), text) == value


def test_texts_of_one_or_many() -> None:
    either = make_field(template("FloatField", "SINGLE_OR_COLLECTION"))
    assert parsed(either, "0.5") == 0.5
    assert parsed(either, "0.5,0.6") == [0.5, 0.6]
    assert parsed(either, "[0.5]") == [0.5]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("IntegerField", "thirty"),
        ("IntegerField", ""),
        ("IntegerField", "5.5"),
        ("IntegerField", "nan"),
        ("FloatField", "inf"),
        ("FloatField", ""),
        ("FloatField", "0,5"),
        ("BooleanField", "maybe"),
        ("BooleanField", ""),
        ("ColorField", "red"),
        ("ColorField", ""),
        ("ColorField", "256,0,0"),
        ("BoundingBoxField", "1,2,3"),
        ("BoundingBoxField", "a,b,c,d"),
        ("BoundingBoxField", ""),
        ("ImageField", ""),
        ("ImageField", "{"),
        ("BoardField", ""),
        ("ModelIdentifierField", ""),
        ("ModelIdentifierField", "{}"),
        ("LoRAField", ""),
        ("UNetField", "x"),
        ("IntegerGeneratorField", "x"),
        ("SomethingNew", "[1"),
    ],
)
def test_invalid_texts(kind: str, text: str) -> None:
    with pytest.raises(InputValueError, match="is not valid"):
        parsed(make_field(template(kind)), text)


def test_json_nan_is_rejected() -> None:
    with pytest.raises(InputValueError, match="NaN is not valid JSON"):
        make_field(template("SomethingNew")).parse_text("[NaN]")


def test_invalid_json_list_is_reported() -> None:
    with pytest.raises(InputValueError, match="expected JSON"):
        make_field(template("StringField", "COLLECTION")).parse_text('["a", ')


def test_image_from_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    assert parsed(field_of("save_image.image"), str(file)) == LocalImage(path=str(file), name="a.png")


def test_choices_that_are_not_strings() -> None:
    field = make_field(template("EnumField", options=(1, 2)))
    assert parsed(field, "2") == 2


KINDS = sorted(
    {
        (one.type.name, one.type.cardinality): f"{kind}.{name}"
        for kind, node in sorted(reference_schema().items())
        for name, one in node.inputs.items()
    }.values()
)


@given(
    st.sampled_from(KINDS), st.text(max_size=12) | st.sampled_from(["[", "{}", "[[[", "1,,2", ",", ":", "-"])
)
def test_any_text_is_parsed_or_rejected_with_input_error(address: str, text: str) -> None:
    field = field_of(address)
    try:
        field.value = field.parse_text(text)
    except InputValueError as error:
        assert "is not valid" in str(error)
