"""Tests of fields for colors, boxes, images, boards, lists, generators and other values."""

from __future__ import annotations

import array
import io
import math
from pathlib import Path
from typing import Any

import pytest
from fields import Array, Int64, Named, field_of, template
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields import (
    IvkAnyField,
    IvkBoundingBoxField,
    IvkCollectionField,
    IvkColorField,
    IvkGeneratorField,
    IvkImageField,
    make_field,
)
from invokeai_py_client.ivk_fields.pending import BoardByName, LocalImage, find_pending, replace_pending
from invokeai_py_client.models import IvkImage
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import Limits

# ------------------------------------------------------------------ colors and boxes

RED = {"r": 255, "g": 0, "b": 0, "a": 255}


@pytest.mark.parametrize(
    "value",
    [
        "#ff0000",
        "ff0000",
        "#F00",
        "#f00f",
        "#ff0000ff",
        (255, 0, 0),
        [255, 0, 0, 255],
        RED,
        {"r": 255, "g": 0, "b": 0},
        Array([255, 0, 0]),
        (255.0, Int64(0), 0),
        " #ff0000 ",
        array.array("B", [255, 0, 0]),
    ],
)
def test_colors(value: Any) -> None:
    field = IvkColorField(value)
    assert field.to_api_format() == RED
    assert field.display_value == "#ff0000ff"


@pytest.mark.parametrize(
    "value",
    [
        "red",
        "#ff",
        "#ff00000",
        (1, 2),
        (1, 2, 3, 4, 5),
        (256, 0, 0),
        (-1, 0, 0),
        (0.5, 0, 0),
        {"r": 1},
        5,
        None.__class__,
        (True, 0, 0),
        "",
        b"abc",
    ],
)
def test_invalid_colors(value: Any) -> None:
    with pytest.raises(InputValueError, match="'#rrggbb"):
        IvkColorField(value)


@given(st.tuples(*[st.integers(0, 255)] * 4))
def test_hex_color_equals_rgba(parts: tuple[int, int, int, int]) -> None:
    field = IvkColorField(parts)
    assert IvkColorField(field.display_value).value == field.value


BOX = {"x_min": 1, "x_max": 3, "y_min": 2, "y_max": 4}


@pytest.mark.parametrize(
    "value", [(1, 2, 3, 4), [1.0, 2, 3, 4], Array([1, 2, 3, 4]), BOX, {**BOX, "score": None}]
)
def test_boxes(value: Any) -> None:
    wire = IvkBoundingBoxField(value).to_api_format()
    assert {side: wire[side] for side in BOX} == BOX


def test_a_box_keeps_its_score() -> None:
    field = field_of("crop_image_to_bounding_box.bounding_box")
    field.value = {**BOX, "score": 0.5}
    assert field.to_api_format()["score"] == 0.5
    with pytest.raises(InputValueError, match="score"):
        field.value = {**BOX, "score": 1.5}


@pytest.mark.parametrize(
    "value", [(3, 2, 1, 4), (1, 4, 3, 2), (1, 2, 3), (1.5, 2, 3, 4), "1,2,3,4", {}, 5, (True, 2, 3, 4)]
)
def test_invalid_boxes(value: Any) -> None:
    with pytest.raises(InputValueError, match=r"x_min|minima"):
        IvkBoundingBoxField(value)


# ------------------------------------------------------------------ images and boards


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        "a.png",
        {"image_name": "a.png", "width": 5},
        IvkImage(image_name="a.png"),
        Named(image_name="a.png"),
        Named(name="a.png"),
    ],
)
def test_images_on_the_server(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    field = IvkImageField(value)
    assert field.to_api_format() == {"image_name": "a.png"}
    assert field.display_value == "a.png"


def test_local_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "a.png"
    file.write_bytes(png())
    for value in (file, str(file), "a.png", "./a.png"):
        field = IvkImageField(value)
        assert field.value == LocalImage(path=str(file), name="a.png")
        assert field.reusable_value == str(file)
        with pytest.raises(InputValueError, match="has not been looked up"):
            field.to_api_format()
        assert field.validate_field()
        assert IvkImageField(field.reusable_value).value == field.value


@pytest.mark.parametrize("value", [png(), bytearray(png()), memoryview(png()), Image.new("RGB", (2, 2))])
def test_images_in_memory(value: Any) -> None:
    field = IvkImageField(value)
    assert isinstance(field.value, LocalImage)
    assert field.value.data.startswith(b"\x89PNG")
    assert "PNG" not in repr(field)


def test_cmyk_image_is_converted() -> None:
    field = IvkImageField(Image.new("CMYK", (2, 2)))
    assert isinstance(field.value, LocalImage)
    assert Image.open(io.BytesIO(field.value.data)).mode == "RGB"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("missing/a.png", "'missing/a.png' is not valid: there is no such file"),
        (Path("missing.png"), "there is no such file"),
        ("a\0b/c", "no such file"),
        ("x" * 5000 + "/y", "no such file"),
        (b"", "it is empty"),
        ("", "expected an image"),
        (5, "expected an image"),
        ({"image_name": 5}, "expected an image"),
        ({}, "expected an image"),
        ("~nobody-of-that-name/a.png", "no such file"),
    ],
)
def test_invalid_images(value: Any, text: str) -> None:
    with pytest.raises(InputValueError, match=text):
        IvkImageField(value)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ({"board_id": "b"}, {"board_id": "b"}),
        (Named(board_id="b"), {"board_id": "b"}),
        (Named(board_id="none"), "none"),
        ({"board_id": "none"}, "none"),
    ],
)
def test_boards(value: Any, wire: Any) -> None:
    field = field_of("save_image.board")
    field.value = value
    assert field.to_api_format() == wire


def test_board_by_name_is_pending() -> None:
    field = field_of("save_image.board")
    field.value = " Portraits "
    assert field.value == BoardByName("Portraits")
    assert field.display_value == field.reusable_value == "Portraits"
    with pytest.raises(InputValueError, match="'Portraits' has not been looked up"):
        field.to_api_format()
    for wrong in ("", 5, {}, {"board_id": ""}):
        with pytest.raises(InputValueError, match="id or name of a board"):
            field.value = wrong


# ------------------------------------------------------------------ lists


def test_image_lists_mix_local_and_remote(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png())
    field = field_of("image_collection.images")
    field.value = [file, "there.png", png()]
    pending = find_pending(field.value)
    assert [type(one) for one in pending] == [LocalImage, LocalImage]
    with pytest.raises(InputValueError, match="has not been looked up"):
        field.to_api_format()
    answers = {one: {"image_name": f"new{index}.png"} for index, one in enumerate(pending)}
    field.value = replace_pending(field.value, answers)
    assert [image["image_name"] for image in field.to_api_format()] == ["new0.png", "there.png", "new1.png"]


@pytest.mark.parametrize("value", [[1, 2], (1, 2), range(1, 3), Array([1, 2]), array.array("i", [1, 2])])
def test_lists_of_any_kind(value: Any) -> None:
    field = make_field(template("IntegerField", "COLLECTION"))
    field.value = value
    assert field.to_api_format() == [1, 2]


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "a list"), ("1,2", "a list"), ({}, "a list"), ([1, "x"], "item 2 is 'x'"), ([None], "item 1")],
)
def test_invalid_lists(value: Any, text: str) -> None:
    with pytest.raises(InputValueError, match=text):
        make_field(template("IntegerField", "COLLECTION")).value = value


def test_list_lengths() -> None:
    field = make_field(template("IntegerField", "COLLECTION", limits=Limits(min_items=1, max_items=2)))
    for wrong in ([], [1, 2, 3]):
        with pytest.raises(InputValueError, match="1 to 2"):
            field.value = wrong


def test_single_value_or_list() -> None:
    field = make_field(template("FloatField", "SINGLE_OR_COLLECTION"))
    assert isinstance(field, IvkCollectionField)
    field.value = 0.5
    assert field.to_api_format() == 0.5
    field.value = [0.5, 1]
    assert field.to_api_format() == [0.5, 1]
    with pytest.raises(InputValueError, match="or a list"):
        field.value = "x"


def test_list_that_crashes_the_server_is_rejected() -> None:
    field = field_of("controlnet.control_weight")  # 6.14.2 compares the list itself with the limit
    field.value = 0.5
    with pytest.raises(InputValueError, match="expected one number"):
        field.value = [0.5, 0.6]


# ------------------------------------------------------------------ generators and other values


def test_generators_take_settings_or_a_list() -> None:
    field = field_of("integer_generator.generator")
    assert isinstance(field, IvkGeneratorField)
    field.value = {"type": "integer_generator_arithmetic_sequence", "start": 5}
    assert field.to_api_format() == {
        "type": "integer_generator_arithmetic_sequence",
        "start": 5,
        "step": 1,
        "count": 10,
    }
    field.value = [3, 1, 2]
    assert field.to_api_format()["input"] == "3,1,2"
    texts = field_of("string_generator.generator")
    texts.value = ["a, b", "c"]
    assert texts.to_api_format() == {
        "type": "string_generator_parse_string",
        "input": "a, b|c",
        "splitOn": "|",
    }


@pytest.mark.parametrize(
    "value", [{}, {"type": "float_generator_parse_string"}, 5, "1,2", ["a"], [], {"type": 5}]
)
def test_invalid_generators(value: Any) -> None:
    with pytest.raises(InputValueError, match="integer_generator_"):
        field_of("integer_generator.generator").value = value


def test_values_of_unknown_types_are_checked_by_the_schema() -> None:
    schema = {"type": "object", "title": "Spot", "required": ["x"], "properties": {"x": {"type": "integer"}}}
    field = make_field(template("SpotField", json_schema=schema))
    assert isinstance(field, IvkAnyField)
    field.value = {"x": Int64(5)}
    assert field.to_api_format() == {"x": 5}
    for wrong in ({}, {"x": "a"}, 5):
        with pytest.raises(InputValueError):
            field.value = wrong


@pytest.mark.parametrize("value", [object(), {1: 2}, math.nan, [object()], {"a": math.inf}, b"x", {1, 2}])
def test_values_outside_json_are_rejected(value: Any) -> None:
    with pytest.raises(InputValueError):
        IvkAnyField(value)


def test_recursive_list_is_rejected() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputValueError, match="too deeply"):
        IvkAnyField(endless)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
SCHEMA = reference_schema()
KINDS = sorted(
    {
        (field.type.name, field.type.cardinality): (kind, name)
        for kind in sorted(SCHEMA)
        for name, field in SCHEMA[kind].inputs.items()
    }.values()
)


@given(st.sampled_from(KINDS), ANY)
def test_any_value_is_stored_or_rejected_with_input_error(address: tuple[str, str], value: Any) -> None:
    field = field_of(".".join(address))
    try:
        field.value = value
    except InputValueError as error:
        assert "is not valid" in str(error)
        assert not field.is_set_by_user
        return
    again = field_of(".".join(address))
    again.value = field.reusable_value
    assert again.value == field.value
    assert repr(field) and field.copy() == field
    if not find_pending(field.value):
        assert again.to_api_format() == field.to_api_format()
        assert field.problems() == [] or value is None
