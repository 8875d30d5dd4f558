"""Version 1's names: each exists, or docs/migration.md documents its removal."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.board import Board
from invokeai_py_client.dnn_model import BaseDnnModelType, DnnModel, DnnModelFormat, DnnModelType
from invokeai_py_client.errors import InputValueError, UsageError, WorkflowFormatError
from invokeai_py_client.ivk_fields import (
    IvkCollectionField,
    IvkColorField,
    IvkConditioningField,
    IvkIntegerField,
    IvkModelIdentifierField,
    IvkSchedulerField,
    IvkSDXLModelField,
    IvkStringField,
)
from invokeai_py_client.models import IvkImage, IvkJob, QueueStatus
from invokeai_py_client.models.install import ModelInstallConfig
from invokeai_py_client.v1 import upstream_models as up

TESTS = Path(__file__).parents[1]
NAMES: dict[str, dict[str, list[str]]] = json.loads((TESTS / "data" / "names-1.1.1.json").read_text())
MIGRATION = (TESTS.parent / "docs" / "migration.md").read_text()
PACKAGES = ("", "board", "dnn_model", "ivk_fields", "queue", "quick", "workflow")
"""Packages that export names of their modules."""

_EXTRA = {"extra"}
_OF_MODELS = {"submodel_type"}
_PYDANTIC = re.compile(r"validate_\w+_(choice|component|constraints)")
GONE_NAMES = {
    "ivk_fields.base": {"IvkCollectionFieldMixin", "IvkImageFieldMixin"},
    "ivk_fields.complex": {"IvkCollectionField"},
    "ivk_fields.resources": {"IvkDenoiseMaskField", "IvkMetadataField"},
    "queue.queue_models": {"ImageFieldRef", "NodeFieldValue"},
}
GONE_MEMBERS: dict[str, set[str]] = {
    "FoundModel": _EXTRA,
    "ModelInstJobInfo": {"completed_at", "created_at", "updated_at"},
    "ModelManagerStats": _EXTRA
    | {"evictions", "hit_rate", "loads", "miss_rate", "ram_capacity_mb", "ram_used_mb"},
    "DnnModel": {"get_category"},
    "ModelInstJobHandle": {"from_client_and_id"},
    "IvkBoundingBoxField": {
        "get_area",
        "get_box",
        "get_height",
        "get_width",
        "score",
        "set_box",
        "x_max",
        "x_min",
        "y_max",
        "y_min",
    },
    "IvkColorField": {"a", "b", "g", "r"},
    "IvkFluxFillConditioningField": {"image", "mask"},
    "IvkFluxKontextConditioningField": {"image"},
    "IvkFluxReduxConditioningField": {"conditioning", "mask"},
    "IvkConditioningField": {"mask"},
    "IvkFluxConditioningField": {"mask"},
    "IvkColorModeField": {"add_choice", "remove_choice"},
    "IvkEnumField": {"add_choice", "remove_choice"},
    "IvkInterpolationField": {"add_choice", "remove_choice"},
    "IvkSchedulerField": {"add_choice", "remove_choice"},
    "IvkLiteralField": {"literals"},
    "IvkCLIPEmbedField": _OF_MODELS,
    "IvkFluxModelField": _OF_MODELS,
    "IvkModelIdentifierField": _OF_MODELS,
    "IvkSDXLModelField": _OF_MODELS,
    "IvkT5EncoderField": _OF_MODELS,
    "IvkVAEModelField": _OF_MODELS,
    "IvkCLIPField": {"loras", "skipped_layers", "text_encoder", "tokenizer"},
    "IvkLoRAField": {"lora_model", "weight"},
    "IvkTransformerField": {"loras", "transformer_model"},
    "IvkUNetField": {"freeu_config", "loras", "scheduler", "seamless_axes", "unet_model"},
    "IvkStringField": {"pattern"},
    "IvkImageField": {"download", "is_uploaded", "upload"},
    "IvkLatentsField": {"seed"},
    "SessionEvent": {"from_websocket_message"},
    "CancelAllExceptCurrentResult": _EXTRA,
    "ClearResult": _EXTRA,
    "ProcessorStatus": _EXTRA,
    "PruneResult": _EXTRA,
    "QueueAndProcessorStatus": _EXTRA,
    "QueueStatus": _EXTRA,
    "QueueItem": {"credits", "extra", "published_workflow_id", "session", "workflow"},
    "IvkWorkflowOutput": {"field", "jsonpath", "required", "validate_input"},
    "WorkflowHandle": {"get_output_image_jsonpath_templates"},
    "WorkflowDefinition": {
        "exposed_field_count",
        "has_obsolete_nodes",
        "raw_data",
        "validate_workflow",
    },
    "WorkflowRepository": {"validate_workflow_definition"},
}
_AS_THE_SERVER_SAYS = {"DnnModel": {"file_size", "prediction_type", "source"}}
"""Attributes that exist if the server's record has them."""


def module(name: str) -> Any:
    return importlib.import_module(f"invokeai_py_client.{name}" if name else "invokeai_py_client")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "workflow.field_plugins"])
def test_every_name_exists_or_is_documented_as_removed(name: str) -> None:
    there = module(name)
    missing = {one for one in NAMES[name] if not hasattr(there, one)}
    assert missing == GONE_NAMES.get(name, set())
    for one in missing:
        assert f"`{one}`" in MIGRATION or f".{one}`" in MIGRATION


def test_import_of_field_plugins_explains_its_removal() -> None:
    with pytest.raises(ImportError, match=r"the server's schema.*docs/migration\.md"):
        module("workflow.field_plugins")
    assert "`workflow.field_plugins`" in MIGRATION


def classes() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, classes in NAMES.items():
        if name not in PACKAGES and name != "workflow.field_plugins":
            found += [(name, one) for one in classes if one not in GONE_NAMES.get(name, ())]
    return found


@pytest.mark.parametrize(("name", "one"), classes())
def test_every_member_exists_or_is_documented_as_removed(name: str, one: str) -> None:
    kind = getattr(module(name), one)
    known = {*dir(kind), *getattr(kind, "model_fields", ()), *getattr(kind, "__slots__", ())}
    known |= {*getattr(kind, "__members__", ())}
    missing = {member for member in NAMES[name][one] if member not in known and not _PYDANTIC.match(member)}
    if "Field" in one:
        missing -= {"name"}
    assert missing - _AS_THE_SERVER_SAYS.get(one, set()) == GONE_MEMBERS.get(one, set())
    for member in missing & GONE_MEMBERS.get(one, set()):
        assert one in MIGRATION or member in MIGRATION or name in MIGRATION


def test_star_imports_of_packages() -> None:
    for name in PACKAGES[1:]:
        namespace: dict[str, Any] = {}
        exec(f"from invokeai_py_client.{name} import *", namespace)
        assert set(NAMES[name]) <= set(namespace)


def test_old_packages_import_nothing_heavy() -> None:
    """Check that only the module of a requested name is loaded."""
    code = (
        "import invokeai_py_client.board, invokeai_py_client.dnn_model, invokeai_py_client.queue\n"
        "import invokeai_py_client.quick, invokeai_py_client.workflow, invokeai_py_client.client, sys\n"
        "print(sorted({'pydantic', 'aiohttp', 'socketio', 'PIL'} & set(sys.modules)))\n"
        "print('invokeai_py_client._sync' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nFalse\n"


def test_old_paths_return_the_synchronous_classes() -> None:
    from invokeai_py_client import client
    from invokeai_py_client._sync import QuickClient
    from invokeai_py_client.queue import QueueRepository

    assert client.InvokeAIClient is InvokeAIClient
    assert QuickClient is module("quick").QuickClient
    old = (module("board.board_handle").BoardHandle, module("workflow.workflow_handle").WorkflowHandle)
    for kind in (QueueRepository, *old):
        assert kind.__module__ == "invokeai_py_client._sync"
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = client.Nothing
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = module("board").Nothing


def test_old_errors_are_current_errors() -> None:
    old = module("exceptions")
    for name in NAMES["exceptions"]:
        kind = getattr(old, name)
        assert kind is TimeoutError or issubclass(kind, errors.InvokeAIClientError)
    assert issubclass(errors.RunTimeoutError, old.TimeoutError)
    assert issubclass(errors.InputValueError, old.ValidationError)
    assert module("dnn_model").ModelManagerError is errors.ModelInstallError


# --------------------------------------------------------------------------- behavior


def test_enums_accept_both_spellings() -> None:
    assert DnnModelType.Main is DnnModelType.MAIN
    assert BaseDnnModelType("sdxl") is BaseDnnModelType.StableDiffusionXL
    assert DnnModelFormat.Diffusers.value == "diffusers"
    assert [*map(str, BaseDnnModelType)] == list(dict.fromkeys(map(str, BaseDnnModelType)))


def test_model_has_enum_members() -> None:
    model = DnnModel(key="k", name="n", base="sdxl", type="main", format="diffusers")
    assert (model.type, model.format) == (DnnModelType.Main, DnnModelFormat.Diffusers)
    assert model.to_dict()["type"] == "main"
    assert type(model.to_dict()["format"]) is str
    assert DnnModel(key="k", name="n", base="sdxl", type="dream", format="dreamt").format == "dreamt"
    assert model.is_compatible_with_base(BaseDnnModelType.StableDiffusionXL)
    assert not model.is_compatible_with_base("flux")
    assert DnnModel(key="k", name="n", base="any", type="t5_encoder").is_compatible_with_base("flux")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (5 * 1024**2, "5.0 MB"), (int(6.9 * 1024**3), "6.9 GB")],
)
def test_model_size_is_formatted(size: int, text: str) -> None:
    model = DnnModel.from_api_response(
        {"key": "k", "name": "n", "base": "sdxl", "type": "main", "file_size": size}
    )
    assert model.format_file_size() == text


def test_unknown_model_size() -> None:
    assert DnnModel(key="k", name="n", base="sdxl", type="main").format_file_size() == "unknown"


def test_install_config_can_be_used_as_a_dict() -> None:
    config = ModelInstallConfig(name="mine", base="sdxl", extra={"cover_image": None, "source": "here"})
    assert config.to_record_changes() == {
        "name": "mine",
        "base": "sdxl",
        "cover_image": None,
        "source": "here",
    }
    assert dict(config) == config.to_record_changes()
    assert dict(ModelInstallConfig()) == {}


def test_image_record_can_be_used_as_its_name(tmp_path: Path) -> None:
    image = IvkImage(image_name="a.png", width=4)
    assert f"{image}" == "a.png"
    assert image == "a.png"
    assert image != "b.png"
    assert "a.png" in [image]
    assert {"a.png"} - {image} == set()
    assert image == IvkImage(image_name="a.png", width=4) != IvkImage(image_name="a.png", width=5)
    assert tmp_path / image == tmp_path / "a.png"


def test_model_field_from_parts() -> None:
    field = IvkModelIdentifierField(key="k", hash="h", name="n", base="sdxl", type=DnnModelType.Main)
    assert field.value == {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"}
    field.key = "other"
    assert field.value["key"] == "other" if isinstance(field.value, dict) else field.key == "other"
    field = IvkModelIdentifierField({"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"})
    field.name = "another"
    assert (field.name, field.display_value) == ("another", "another")
    assert field.validate_field()
    field.value = {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"}
    assert (field.name, field.key, field.base) == ("n", "k", "sdxl")
    assert IvkModelIdentifierField().key == ""


def test_model_field_rejects_models_of_another_base() -> None:
    with pytest.raises(InputValueError, match="sdxl"):
        IvkSDXLModelField(key="k", hash="h", name="n", base="flux", type="main")


def test_fields_with_custom_limits() -> None:
    steps = IvkIntegerField(minimum=1, maximum=100)
    steps.value = 20
    with pytest.raises(InputValueError, match="1 to 100"):
        steps.value = 101
    steps.maximum = 200
    steps.value = 101
    assert (steps.minimum, steps.maximum, IvkIntegerField(multiple_of=8).multiple_of) == (1, 200, 8)
    with pytest.raises(InputValueError, match="5 characters"):
        IvkStringField(max_length=4).value = "12345"
    assert IvkStringField(min_length=1).min_length == 1


def test_collection_field_list_methods() -> None:
    field: IvkCollectionField = IvkCollectionField(item=IvkIntegerField())
    assert (len(field), bool(field), list(field)) == (0, True, [])
    field.append(1)
    field.extend([2, 3])
    field.remove(2)
    assert (field.value, field[1], list(field.iter_items())) == ([1, 3], 3, [1, 3])
    with pytest.raises(InputValueError):
        field.append("four")
    with pytest.raises(InputValueError, match="9 is not in the list"):
        field.remove(9)
    field.clear()
    assert field.value == []


def test_colors_schedulers_and_conditionings() -> None:
    color = IvkColorField()
    color.set_hex("#ff8000")
    assert (color.to_rgba(), color.to_hex(), color.to_hex(include_alpha=True)) == (
        (255, 128, 0, 255),
        "#ff8000",
        "#ff8000ff",
    )
    color.set_rgba(1, 2, 3)
    assert color.to_rgba() == (1, 2, 3, 255)
    assert IvkSchedulerField.normalize_alias("euler_ancestral") == "euler_a"
    assert IvkSchedulerField.normalize_alias("unknown") == "unknown"
    assert "euler" in IvkSchedulerField().get_choices()
    field = IvkConditioningField("made by a node")
    assert field.to_json_dict() == {"conditioning_name": "made by a node"}
    assert IvkConditioningField.from_json_dict(field.to_json_dict()) == IvkConditioningField.from_api_format(
        {"conditioning_name": "made by a node"}
    )


def test_queue_records() -> None:
    status = QueueStatus.from_api_response(
        {"queue": {"pending": 2, "in_progress": 1}, "processor": {"is_processing": True}}
    )
    assert (status.queue.pending, status.processor.is_processing) == (2, True)
    job = IvkJob.from_api_response(
        {"item_id": 4, "status": "failed", "error_type": "E", "error_message": "m", "destination": "gallery"}
    )
    assert (job.error_type, job.error_message, job.destination, job.priority) == ("E", "m", "gallery", None)
    assert Board.uncategorized(3).is_system_board()


# --------------------------------------------------------------------------- documents


def document() -> dict[str, Any]:
    import pipelines

    return pipelines.sdxl_text_to_image()


def test_document_round_trips() -> None:
    plain = document()
    root = up.load_workflow_json(plain)
    assert up.workflow_to_dict(root) == plain
    assert up.update_node_input_value(root, "wanted", "value", "a harbor")
    assert not up.update_node_input_value(root, "wanted", "nothing", 1)
    assert not up.update_node_input_value(root, "nobody", "value", 1)
    assert up.workflow_to_dict(root) != plain == document(), "the original document does not change"
    with pytest.raises(WorkflowFormatError):
        up.load_workflow_json({"nodes": 1})


def test_document_fields_are_in_form_order() -> None:
    root = up.load_workflow_json(document())
    elements = dict(reversed(root.form.elements.items()))
    root.form.elements = elements
    found = [*up.iter_form_input_fields(root)]
    assert [(node, name) for node, name, _, _ in found][:3] == [
        ("model", "model"),
        ("wanted", "value"),
        ("unwanted", "value"),
    ]
    assert next(field["value"] for _, _, _, field in found if field and "value" in field) == "a lighthouse"


def test_document_outputs() -> None:
    root = up.load_workflow_json(document())
    assert [*up.enumerate_output_nodes(root)] == [("decode", "l2i", True)]
    assert up.is_output_node_type("flux_vae_decode")
    assert not up.is_output_node_type("flux_vae_encode"), "it returns latents"
    assert not up.is_output_node_type(None)
    assert up.update_output_boards(root, "b") == 1
    assert up.update_output_boards(root, "c") == 0
    assert up.update_output_boards(root, "c", override=True) == 1
    node = root.get_typed_node("decode")
    assert node is not None
    assert node.data.inputs["board"].value == {"board_id": "c"}
    with pytest.raises(UsageError):
        up.update_output_boards(root, "")


def test_document_nodes_as_objects() -> None:
    root = up.load_workflow_json(document())
    node = root.get_typed_node("noise")
    assert node is not None
    node.data.label = "grain"
    root.replace_typed_node(node)
    assert [one["data"]["label"] for one in root.nodes if one["id"] == "noise"] == ["grain"]
    node.id = "more"
    root.replace_typed_node(node)
    assert len([*root.iter_typed_nodes()]) == len(document()["nodes"]) + 1
    assert root.get_typed_node("nobody") is None
    assert up.is_field_connected(root, "noise", "seed")
    assert not up.is_field_connected(root, "noise", "width")
    assert up.build_input_jsonpath("noise", "seed") == "$.nodes[?(@.id='noise')].data.inputs.seed"
