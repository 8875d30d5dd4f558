"""Tests of fields for plain values: valid and invalid values, and error messages."""

from __future__ import annotations

import copy
import math
import pickle
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from fields import Array, Float32, Int64, Truth, field_of, template

from invokeai_py_client.errors import InputError, InputValueError
from invokeai_py_client.ivk_fields import (
    IvkBooleanField,
    IvkEnumField,
    IvkField,
    IvkFloatField,
    IvkIntegerField,
    IvkSchedulerField,
    IvkStringField,
    make_field,
)
from invokeai_py_client.schema.template import UNSET, Limits

# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("value", [7, 7.0, Int64(7), Float32(7.0), Fraction(7), Decimal(7)])
def test_integers_of_any_numeric_type(value: Any) -> None:
    field = IvkIntegerField(value)
    assert field.value == 7
    assert type(field.to_api_format()) is int


@pytest.mark.parametrize(
    "value",
    [
        7.5,
        True,
        Truth(),
        "7",
        b"7",
        math.nan,
        math.inf,
        [7],
        Array([7, 8]),
        {},
        1j,
        10**400,
        object(),
        Decimal("NaN"),
    ],
)
def test_invalid_integers(value: Any) -> None:
    field = IvkIntegerField(3)
    with pytest.raises(InputValueError, match="whole number"):
        field.value = value
    assert field.value == 3


def test_huge_integer_is_rejected() -> None:
    with pytest.raises(InputValueError, match="that int is not valid"):
        IvkIntegerField(10**5000)


@pytest.mark.parametrize(
    ("value", "kept"), [(0.5, 0.5), (7, 7), (Float32(0.25), 0.25), (Int64(3), 3), (-0.0, 0.0)]
)
def test_floats_of_any_numeric_type(value: Any, kept: float) -> None:
    field = IvkFloatField(value)
    assert field.value == kept
    assert type(field.value) is type(kept)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "1.5", True, Truth(), None.__class__, [1.0], 10**400]
)
def test_invalid_floats(value: Any) -> None:
    with pytest.raises(InputValueError, match="a number"):
        IvkFloatField(value)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "text"),
    [
        (Limits(minimum=1, maximum=8), [1, 8], [0, 9], "from 1 to 8"),
        (Limits(exclusive_minimum=0), [0.01], [0, -1], "greater than 0"),
        (Limits(exclusive_maximum=1), [0.99], [1, 2], "less than 1"),
        (Limits(multiple_of=0.1), [0.3, 0.7, 1, 1e6 + 0.1], [0.25], "a multiple of 0.1"),
        (Limits(minimum=64, exclusive_minimum=0), [64], [63], "a number of at least 64"),
        (Limits(minimum=0, exclusive_minimum=0), [1], [0], "a number greater than 0"),
        (Limits(maximum=9, exclusive_maximum=9), [8], [9], "a number less than 9"),
        (Limits(minimum=64, multiple_of=8), [64, 72], [60, 65], "of at least 64, a multiple of 8"),
    ],
)
def test_limits_of_numbers(limits: Limits, good: list[float], bad: list[float], text: str) -> None:
    field = make_field(template("FloatField", limits=limits))
    assert field.allowed.endswith(text)
    for number in good:
        field.value = number
        assert field.value == number
    for number in bad:
        with pytest.raises(InputValueError, match="is not valid; expected a number") as caught:
            field.value = number
        assert text in str(caught.value)


def test_limits_inside_any_of_are_checked() -> None:
    field = field_of("video_concat.fps")  # anyOf integer 1..120 or null
    assert (field.limits.minimum, field.limits.maximum) == (1, 120)
    with pytest.raises(InputValueError, match="from 1 to 120"):
        field.value = 121


@pytest.mark.parametrize(
    ("settings", "good", "bad"),
    [
        ({"min": 10, "max": 20}, [10, 20], [9, 21]),  # stricter than the schema
        ({"min": -50, "max": 500}, [0, 100], [-1, 101]),  # looser: the server's limits stay
        ({"min": 10}, [10, 100], [9, 101]),
        ({"max": 20}, [0, 20], [-1, 21]),
    ],
)
def test_form_limits_narrow_schema_limits(settings: dict[str, Any], good: list[int], bad: list[int]) -> None:
    limited = template("IntegerField", limits=Limits(minimum=0, maximum=100))
    field = make_field(limited, settings={"type": "integer-field-config", **settings})
    for number in good:
        field.value = number
    for number in bad:
        with pytest.raises(InputValueError):
            field.value = number


def test_form_limits_do_not_round() -> None:
    field = make_field(template("FloatField"), settings={"min": 0, "max": 1})
    field.value = 0.123456789
    assert field.to_api_format() == 0.123456789


# ------------------------------------------------------------------ the workflow's value


def test_workflow_value_out_of_range_is_sent_unchanged() -> None:
    field = field_of("denoise_latents.steps", -4)
    assert field.to_api_format() == -4
    assert not field.is_set_by_user
    assert field.validate_field() is False
    assert "-4" in field.problems()[0]


@pytest.mark.parametrize("own", ["5", 5.0])
def test_workflow_value_valid_for_server_is_not_a_problem(own: Any) -> None:
    field = field_of("denoise_latents.steps", own)
    assert field.problems() == []
    assert field.to_api_format() is own


def test_problems_report_missing_value() -> None:
    field = field_of("main_model_loader.model", label="Checkpoint", node_label="Loader")
    (problem,) = field.problems()
    assert problem.startswith("Checkpoint (Loader): no value is set; expected the name or key of a model (")


def test_assigning_none_removes_the_value() -> None:
    optional = field_of("denoise_latents.denoising_start", 0.5)
    assert optional.required is False
    optional.value = None
    assert optional.is_set_by_user
    assert optional.to_api_format() is UNSET  # not null, because the field is not nullable
    nullable = make_field(template("IntegerField", nullable=True), 3)
    nullable.value = None
    assert nullable.to_api_format() is None
    with pytest.raises(InputValueError, match="None is not valid"):
        make_field(template("IntegerField", required=True), 3).value = None


def test_value_changed_in_place_is_validated() -> None:
    own = [1, 2]
    field = make_field(template("IntegerField", "COLLECTION"), own)
    assert not field.is_set_by_user
    items: Any = field.value
    items.append(3)
    assert own == [1, 2]
    assert field.is_set_by_user
    assert field.to_api_format() == [1, 2, 3]
    items.append("four")
    assert field.problems()
    with pytest.raises(InputValueError, match="item 4"):
        field.to_api_format()


def test_copies_are_independent() -> None:
    field = make_field(template("IntegerField", "COLLECTION"), [1])
    for other in (
        field.copy(),
        copy.copy(field).copy(),
        copy.deepcopy(field),
        pickle.loads(pickle.dumps(field)),
    ):
        assert other == field
        items: Any = other.value
        items.append(2)
        assert field.value == [1]
        assert other.to_api_format() == [1, 2]


def test_refusal_is_in_error() -> None:
    field = make_field(template("IntegerField"), node_label="Resize", refusal="another node feeds it")
    with pytest.raises(InputError, match=r"X \(Resize\): another node feeds it"):
        field.value = 3
    assert field.problems() == []


def test_error_names_field_value_and_expectation() -> None:
    field = field_of("denoise_latents.steps", label="Detail", node_label="My Denoiser")
    with pytest.raises(InputValueError) as caught:
        field.value = "thirty"
    text = str(caught.value)
    assert text.startswith("Detail (My Denoiser): 'thirty' is not valid; expected a whole number")
    with pytest.raises(InputValueError) as caught:
        field.value = "x" * 1000
    assert len(str(caught.value)) < 250


# ------------------------------------------------------------------ booleans, strings, choices


@pytest.mark.parametrize("value", [1, 0, "true", "", None.__class__, [], 1.0])
def test_invalid_booleans(value: Any) -> None:
    with pytest.raises(InputValueError, match="True or False"):
        IvkBooleanField(value)


def test_booleans() -> None:
    assert IvkBooleanField(Truth()).value is True
    assert IvkBooleanField(False).to_api_format() is False


@pytest.mark.parametrize("value", [5, b"text", None.__class__, ["a"], Path("a")])
def test_invalid_strings(value: Any) -> None:
    with pytest.raises(InputValueError, match="expected text"):
        IvkStringField(value)


def test_lone_surrogates_are_rejected() -> None:
    with pytest.raises(InputValueError, match="UTF-8"):
        IvkStringField("a\ud800b")


def test_string_lengths() -> None:
    field = make_field(template("StringField", limits=Limits(min_length=2, max_length=3)))
    field.value = "ab"
    for wrong in ("a", "abcd"):
        with pytest.raises(InputValueError, match="2 to 3 characters"):
            field.value = wrong


DROPDOWN = {
    "type": "string-field-config",
    "component": "dropdown",
    "options": [{"label": "Oil painting", "value": "oil"}, {"label": "", "value": "photo"}],
}


def test_form_dropdown_is_a_choice() -> None:
    field = make_field(template("StringField"), "sketch", settings=DROPDOWN)
    assert field.choices == ("oil", "photo")
    assert (
        field.to_api_format() == "sketch"
    )  # the workflow's value is sent even if the form does not offer it
    field.value = "photo"
    assert field.to_api_format() == "photo"
    field.value = "Oil painting"
    assert field.to_api_format() == "oil"
    with pytest.raises(InputValueError, match="Did you mean 'photo'") as caught:
        field.value = "photos"
    assert "'oil' (Oil painting), 'photo'" in str(caught.value)
    with pytest.raises(InputValueError):
        field.value = ""


class Size(Enum):
    SMALL = "small"


def enum_field(**known: Any) -> IvkField[Any]:
    return make_field(template("EnumField", options=("small", "large", "XL"), **known))


@pytest.mark.parametrize(
    ("given_value", "kept"), [("small", "small"), ("LARGE", "large"), (Size.SMALL, "small")]
)
def test_choices(given_value: Any, kept: str) -> None:
    field = enum_field()
    field.value = given_value
    assert field.to_api_format() == kept


def test_choices_by_label() -> None:
    field = enum_field(option_labels={"XL": "Very large"})
    field.value = "very large"
    assert field.to_api_format() == "XL"


@pytest.mark.parametrize(
    ("wrong", "hint"), [("smal", "Did you mean 'small'"), ("", "one of"), (5, "one of"), ([], "one of")]
)
def test_invalid_choice_suggests_closest(wrong: Any, hint: str) -> None:
    with pytest.raises(InputValueError, match=hint):
        enum_field().value = wrong


def test_choices_that_differ_only_in_case() -> None:
    field = make_field(template("EnumField", options=("a", "A")))
    field.value = "A"
    assert field.value == "A"
    field = make_field(template("EnumField", options=("ab", "AB")))
    with pytest.raises(InputValueError):
        field.value = "Ab"


def test_numeric_choices_reject_booleans() -> None:
    field = make_field(template("EnumField", options=(1, 2)))
    field.value = 1
    with pytest.raises(InputValueError):
        field.value = True
    assert field.parse_text("2") == 2


def test_scheduler_aliases_and_suggestion() -> None:
    field = field_of("denoise_latents.scheduler")
    field.value = "DPM++ 2M Karras"
    assert field.to_api_format() == "dpmpp_2m_k"
    with pytest.raises(InputValueError, match="Did you mean 'euler'"):
        field.value = "eulr"
    assert IvkSchedulerField("dpm_2").to_api_format() == "kdpm_2"


def test_flow_scheduler_rejects_other_schedulers() -> None:
    field = field_of("flux_denoise.scheduler")
    assert isinstance(field, IvkEnumField)
    with pytest.raises(InputValueError):
        field.value = "kdpm_2_a_k"
