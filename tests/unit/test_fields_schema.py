"""Tests of fields for every input of the reference version."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from invokeai_py_client import ivk_fields
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.ivk_fields import (
    FIELD_CLASSES,
    IvkAnyField,
    IvkCollectionField,
    IvkField,
    SchedulerName,
    make_field,
)
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET, InputTemplate

SCHEMA = reference_schema()
INPUTS = [
    pytest.param(f"{kind}.{name}", template, id=f"{kind}.{name}")
    for kind in sorted(SCHEMA)
    for name, template in SCHEMA[kind].inputs.items()
]
# Inputs for which the editor's default is not valid on the server. The editor uses 0, "" or [] if there is no default,
# and one of the server's defaults has the wrong type.
REFUSED = {
    "crop_latents.width",
    "crop_latents.height",
    "lresize.width",
    "lresize.height",
    "lscale.scale_factor",
    "ideogram4_denoise.steps",
    "ideogram4_denoise.guidance_scale",
    "video_concat.fps",
    "float_batch.floats",
    "image_batch.images",
    "integer_batch.integers",
    "string_batch.strings",
    "flux_kontext_image_prep.images",
    "metadata_to_bool_collection.default_value",
}
PROMISED = [
    "IvkStringField",
    "IvkIntegerField",
    "IvkFloatField",
    "IvkBooleanField",
    "IvkImageField",
    "IvkBoardField",
    "IvkLatentsField",
    "IvkTensorField",
    "IvkModelIdentifierField",
    "IvkUNetField",
    "IvkCLIPField",
    "IvkTransformerField",
    "IvkLoRAField",
    "IvkColorField",
    "IvkBoundingBoxField",
    "IvkCollectionField",
    "IvkEnumField",
    "IvkSchedulerField",
]


@pytest.mark.parametrize(("name", "template"), INPUTS)
def test_default_is_kept_and_can_be_assigned(name: str, template: InputTemplate) -> None:
    field = make_field(template, copy.deepcopy(template.default))
    assert not field.is_set_by_user
    assert field.to_api_format() == template.default
    assert isinstance(field.allowed, str)
    assert isinstance(repr(field), str)
    if template.default is UNSET or template.default is None:
        assert field.validate_field() is not template.required
        return
    assert bool(field.problems()) is (name in REFUSED)
    again = make_field(template)
    if name in REFUSED or name == "call_saved_workflow.workflow_id":  # "" is not a workflow
        with pytest.raises(InputValueError, match="is not valid"):
            again.value = template.default
        return
    again.value = field.reusable_value
    assert again.is_set_by_user
    assert again.to_api_format() == template.default
    shown = make_field(template)
    shown.value = field.display_value
    assert shown.value == again.value


def test_every_stateful_type_has_a_field_class() -> None:
    kinds = {template.type.name for kind in SCHEMA for template in SCHEMA[kind].inputs.values()}
    assert set(FIELD_CLASSES) <= kinds
    typed = {
        template.type.name
        for kind in SCHEMA
        for template in SCHEMA[kind].inputs.values()
        if template.input != "connection"
    }
    # The other types accept any value, or only the editor sets them.
    left = typed - set(FIELD_CLASSES) - {"AnyField", "CollectionField", "CollectionItemField"}
    assert all(name.endswith("MetadataField") for name in left), left


@pytest.mark.parametrize("name", PROMISED)
def test_S29_a_field_class_stands_alone(name: str) -> None:
    kind: type[IvkField[Any]] = getattr(ivk_fields, name)
    field = kind()
    assert field.value is None
    assert field.to_api_format() is UNSET
    assert field.validate_field() is True
    assert kind.from_api_format(None).value is None
    assert pickle.loads(pickle.dumps(field)) == field
    assert copy.deepcopy(field) == field


@pytest.mark.parametrize(
    ("name", "value", "wire"),
    [
        ("IvkStringField", "a", "a"),
        ("IvkIntegerField", 5, 5),
        ("IvkFloatField", 0.5, 0.5),
        ("IvkBooleanField", True, True),
        ("IvkImageField", "a.png", {"image_name": "a.png"}),
        ("IvkVideoField", "a.mp4", {"video_name": "a.mp4"}),
        ("IvkBoardField", "none", "none"),
        ("IvkBoardField", {"board_id": "b"}, {"board_id": "b"}),
        ("IvkLatentsField", "l", {"latents_name": "l"}),
        ("IvkLatentsField", {"latents_name": "l", "seed": 3}, {"latents_name": "l", "seed": 3}),
        ("IvkTensorField", "t", {"tensor_name": "t"}),
        ("IvkStylePresetField", {"style_preset_id": "p"}, {"style_preset_id": "p"}),
        ("IvkSystemPromptField", {"system_prompt_id": "p"}, {"system_prompt_id": "p"}),
        ("IvkSavedWorkflowField", "w", "w"),
        ("IvkUNetField", {"unet": {}, "loras": ()}, {"unet": {}, "loras": []}),
        ("IvkCLIPField", {"a": 1}, {"a": 1}),
        ("IvkVAEField", {"a": 1}, {"a": 1}),
        ("IvkTransformerField", {"a": 1}, {"a": 1}),
        ("IvkColorField", "#01020304", {"r": 1, "g": 2, "b": 3, "a": 4}),
        ("IvkBoundingBoxField", (0, 1, 2, 3), {"x_min": 0, "y_min": 1, "x_max": 2, "y_max": 3}),
        ("IvkCollectionField", (1, "a"), [1, "a"]),
        ("IvkEnumField", "x", "x"),
        ("IvkSchedulerField", "DPM++ 2M Karras", "dpmpp_2m_k"),
        ("IvkAnyField", {"a": (1, 2)}, {"a": [1, 2]}),
    ],
)
def test_S29_a_value_goes_out_and_comes_back(name: str, value: Any, wire: Any) -> None:
    kind: type[IvkField[Any]] = getattr(ivk_fields, name)
    field = kind(value=value)
    assert field.to_api_format() == wire
    back = kind.from_api_format(wire)
    assert back.value == field.value
    assert back.validate_field() is True
    assert back.to_api_format() == wire


def test_schedulers_of_the_reference_version_are_all_known() -> None:
    options = {
        str(option)
        for kind in SCHEMA
        for template in SCHEMA[kind].inputs.values()
        if template.type.name == "SchedulerField"
        for option in template.options or ()
    }
    assert options == {name.value for name in SchedulerName}


OLD_SCHEDULERS = [
    "DDIM",
    "DDPM",
    "DEIS",
    "DPM_2",
    "DPM_2_A",
    "EULER",
    "EULER_A",
    "HEUN",
    "KDPM_2",
    "KDPM_2_A",
    "LMS",
    "PNDM",
    "UNIPC",
]


@pytest.mark.parametrize("name", OLD_SCHEDULERS)
def test_S04_older_scheduler_names_are_what_the_server_has(name: str) -> None:
    options = SCHEMA["denoise_latents"].inputs["scheduler"].options
    assert options is not None
    assert getattr(SchedulerName, name).value in options
    assert SchedulerName(name.lower()).value in options
    field = make_field(SCHEMA["denoise_latents"].inputs["scheduler"])
    field.value = name.lower()
    assert field.to_api_format() == SchedulerName[name].value
    field.value = SchedulerName[name]
    assert field.to_api_format() == SchedulerName[name].value


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("dpm_2", "kdpm_2"),
        ("dpm_2_a", "kdpm_2_a"),
        ("euler_ancestral", "euler_a"),
        ("Euler a", "euler_a"),
        ("k_euler_a", "euler_a"),
        ("DPM++ 2M SDE Karras", "dpmpp_2m_sde_k"),
        ("DPM2 a Karras", "kdpm_2_a_k"),
        ("UniPC", "unipc"),
        ("EulerAncestralDiscreteScheduler", "euler_a"),
        ("plms", "pndm"),
        ("euler_k", "euler_k"),
    ],
)
def test_S04_other_programs_names_are_understood(given: str, wire: str) -> None:
    assert SchedulerName(given).value == wire


@pytest.mark.parametrize("wrong", ["", "nonsense", "k", "_", None, 5])
def test_S04_invalid_schedulers(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid SchedulerName"):
        SchedulerName(wrong)


def test_lists_get_the_class_of_their_items() -> None:
    loras = make_field(SCHEMA["lora_collection_loader"].inputs["loras"])
    assert isinstance(loras, IvkCollectionField)
    assert loras.accepts_model({"base": "sd-1", "type": "lora"})
    assert not loras.accepts_model({"base": "sd-1", "type": "main"})
    anything = make_field(SCHEMA["collect"].inputs["item"])
    assert isinstance(anything, IvkAnyField)
