"""The set of inputs of a workflow."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
from golden import CASES, golden
from hypothesis import given, settings
from hypothesis import strategies as st
from workflows import workflow

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import (
    AmbiguousInputError,
    InputError,
    InputValueError,
    UnknownInputError,
    WorkflowFormatError,
)
from invokeai_py_client.ivk_fields.pending import ModelByName
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET

MODEL = {"key": "k", "hash": "h", "name": "Dream", "base": "sd-1", "type": "main"}
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "loader": ("main_model_loader", {"model": MODEL}),
    "positive": ("compel", {"prompt": "a cat"}),
    "negative": ("compel", {"prompt": ""}),
    "noise": ("noise", {"seed": 7, "width": 512, "height": 512}),
    "width": ("integer", {"value": 512}),
    "denoise": ("denoise_latents", {"steps": 900, "cfg_scale": 7.5, "scheduler": "euler"}),
    "decode": ("l2i", {}),
    "color": ("blank_image", {"color": {"r": 1, "g": 2, "b": 3, "a": 4}}),
}
EDGES = [
    "loader.clip -> positive.clip",
    "loader.clip -> negative.clip",
    "positive.conditioning -> denoise.positive_conditioning",
    "negative.conditioning -> denoise.negative_conditioning",
    "loader.unet -> denoise.unet",
    "width.value -> noise.width",
    "noise.noise -> denoise.noise",
    "denoise.latents -> decode.latents",
    "loader.vae -> decode.vae",
]
FORM = [
    ("positive", "prompt"),
    ("negative", "prompt"),
    ("denoise", "steps"),
    ("denoise", "cfg_scale"),
    ("positive", "prompt"),  # a second time
    ("noise", "width"),  # fed by an edge
    ("loader", "model"),
    ("color", "color"),
]
LABELS = {("positive", "prompt"): "Positive Prompt", ("negative", "prompt"): "Timeout"}


def inputs_of(document: dict[str, Any]) -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)


def document(**changes: Any) -> dict[str, Any]:
    return workflow(
        "Test", NODES | changes.pop("nodes", {}), EDGES, changes.pop("form", FORM), labels=LABELS, **changes
    )


@pytest.fixture
def inputs() -> InputSet:
    return inputs_of(document())


# ------------------------------------------------------------------ order and finding


def test_S17_inputs_follow_the_form_without_repetition(inputs: InputSet) -> None:
    rows = [(item.input_index, item.node_id, item.field_name) for item in inputs]
    assert rows == [
        (0, "positive", "prompt"),
        (1, "negative", "prompt"),
        (2, "denoise", "steps"),
        (3, "denoise", "cfg_scale"),
        (4, "noise", "width"),
        (5, "loader", "model"),
        (6, "color", "color"),
    ]
    assert len(inputs) == 7
    first = inputs[0]
    assert (first.label, first.node_name, first.required, first.type) == (
        "Positive Prompt",
        "positive",
        first.field.required,
        "StringField",
    )
    assert repr(first) == "<[0] Positive Prompt: StringField = 'a cat'>"


def test_input_is_found_by_every_address(inputs: InputSet) -> None:
    item = inputs[0]
    assert item in inputs
    for address in (0, "Positive Prompt", "positive_prompt", "positive.prompt", ("positive", "prompt"), item):
        assert inputs.find(address) is item
    other = inputs_of(document())
    assert other.find(item) is other[0]
    assert item not in other


NO_INPUTS = [-1, 7, True, 1.5, None, "nothing", "", ("positive", "x"), ("x", "prompt"), (), ("positive",)]


@pytest.mark.parametrize("address", NO_INPUTS)
def test_invalid_addresses_are_unknown(inputs: InputSet, address: Any) -> None:
    with pytest.raises(UnknownInputError) as caught:
        inputs.find(address)
    assert str(caught.value)


def test_index_into_an_empty_form_is_unknown() -> None:
    with pytest.raises(UnknownInputError, match="the form is empty"):
        inputs_of(document(form=[])).find(0)


def test_everything_lists_the_form_first_without_connected_fields(inputs: InputSet) -> None:
    every = inputs.everything()
    assert [item.key for item in every[:7]] == [item.key for item in inputs]
    keys = [item.key for item in every]
    assert len(set(keys)) == len(keys)
    assert ("denoise", "scheduler") in keys
    assert ("denoise", "unet") not in keys
    assert ("denoise", "latents") not in keys or inputs.find("denoise.latents").field.refusal == ""
    assert all(item.input_index is None for item in every[7:])


# ------------------------------------------------------------------ setting


def test_values_are_only_those_that_were_set(inputs: InputSet) -> None:
    assert inputs.values() == {}
    inputs.set({"steps": 20, 0: "a dog", ("noise", "seed"): 5})
    assert inputs.values() == {
        ("denoise", "steps"): 20,
        ("positive", "prompt"): "a dog",
        ("noise", "seed"): 5,
    }
    assert set(inputs.touched()) == set(inputs.values())


def test_set_is_atomic_and_reports_every_error(inputs: InputSet) -> None:
    with pytest.raises(InputValueError) as caught:
        inputs.set({"positive_prompt": "a dog", "steps": "many", "denoise.scheduler": "eulerr"})
    lines = str(caught.value).split("\n")
    assert len(lines) == 2
    assert lines[0].startswith("Steps (denoise): 'many' is not valid")
    assert "Did you mean 'euler'" in lines[1]
    assert inputs.values() == {}


def test_set_reports_errors_of_several_kinds(inputs: InputSet) -> None:
    with pytest.raises(InputError) as caught:
        inputs.set({"stepps": 5, "prompt": "a", "steps": "many", "noise.width": 5})
    text = str(caught.value)
    assert type(caught.value) is InputError
    assert len(text.split("\n")) == 4
    for part in ("no input named 'stepps'", "'prompt' is ambiguous", "'many'", "no value can be set"):
        assert part in text
    assert inputs.values() == {}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"stepps": 5}, UnknownInputError),
        ({"prompt": "a"}, AmbiguousInputError),
        ({"steps": "a"}, InputValueError),
    ],
)
def test_set_raises_a_single_error_unchanged(
    inputs: InputSet, values: dict[str, Any], error: type[InputError]
) -> None:
    with pytest.raises(error):
        inputs.set(values)


def test_an_input_takes_one_value_at_a_time(inputs: InputSet) -> None:
    with pytest.raises(InputError, match=r"^Steps \(denoise\) has two values: 5 and 6\.$"):
        inputs.set({"steps": 5, "denoise.steps": 6})
    with pytest.raises(InputValueError, match=r"greater than 0\. For a run with each value, use a sweep\.$"):
        inputs.set({"steps": [5, 6]})
    assert inputs.values() == {}


def test_value_of_an_input_can_be_assigned(inputs: InputSet) -> None:
    inputs["steps"].value = 7
    inputs["noise.seed"].value = "random"
    assert inputs.values()["denoise", "steps"] == 7
    assert type(inputs["noise.seed"].value) is int
    with pytest.raises(InputValueError, match=r"^Steps \(denoise\): 0 is not valid"):
        inputs["steps"].value = 0
    with pytest.raises(InputError, match="no value can be set"):
        inputs["noise.width"].value = 64
    assert inputs["steps"].value == 7


def test_error_for_connected_field_names_its_source(inputs: InputSet) -> None:
    width = inputs.find("noise.width")
    assert width.connected
    with pytest.raises(InputError, match=r"Width \(noise\): a connection from 'width' \(output 'value'\)"):
        width.field.value = 640
    with pytest.raises(InputError, match="only accepts a connection"):
        inputs.find(("denoise", "control")).field.value = {}


def test_fields_fed_by_batch_nodes_are_connected() -> None:
    nodes = {"batch": ("integer_batch", {"integers": [1, 2]}), "gen": ("integer_generator", {})}
    doc = document(nodes=nodes)
    doc["edges"].append(_edge("batch", "value", "denoise", "steps"))
    doc["edges"].append(_edge("gen", "integers", "batch", "integers"))
    inputs = inputs_of(doc)
    assert inputs.find("denoise.steps").connected
    with pytest.raises(InputError, match="a connection from 'batch'"):
        inputs.set({"denoise.steps": 5})
    with pytest.raises(InputError, match="a connection from 'gen'"):
        inputs.set({"batch.integers": [5]})
    inputs.set({"gen.generator": [3, 4]})
    assert inputs.values()["gen", "generator"]["input"] == "3,4"


def test_error_for_connected_field_names_the_node_behind_a_connector() -> None:
    doc = document()
    doc["nodes"].append(
        {
            "id": "wire",
            "type": "connector",
            "position": {"x": 0, "y": 0},
            "data": {"id": "wire", "type": "connector", "label": "", "isOpen": True},
        }
    )
    doc["edges"].append(_edge("width", "value", "wire", "in"))
    doc["edges"].append(_edge("wire", "out", "noise", "height"))
    inputs = inputs_of(doc)
    with pytest.raises(InputError, match=r"a connection from 'width' \(output 'value'\) feeds it"):
        inputs.set({"noise.height": 64})
    doc["edges"].pop(-2)  # a connector without an input feeds nothing
    inputs_of(doc).set({"noise.height": 64})


def _edge(source: str, out: str, target: str, into: str) -> dict[str, Any]:
    return {
        "id": f"{source}{out}{target}{into}",
        "type": "default",
        "source": source,
        "target": target,
        "sourceHandle": out,
        "targetHandle": into,
    }


def test_workflow_value_out_of_range_is_kept(inputs: InputSet) -> None:
    field = inputs.find("denoise.steps").field
    assert field.value == 900
    doc = document(nodes={"denoise": ("denoise_latents", {"steps": -3})})
    lame = inputs_of(doc)
    assert lame.find("denoise.steps").field.problems()
    assert lame.values() == {}


def test_form_settings_apply_to_the_field() -> None:
    limits = {
        "type": "integer-field-config",
        "component": "slider",
        "min": 5,
        "max": 50,
        "showShuffle": False,
    }
    inputs = inputs_of(document(settings={("denoise", "steps"): limits}))
    assert "from 5 to 50" in inputs.find("steps").field.allowed
    with pytest.raises(InputValueError):
        inputs.set({"steps": 51})


# ------------------------------------------------------------------ copies


def test_copies_are_independent(inputs: InputSet) -> None:
    inputs.set({"steps": 20, "color": "#010203"})
    for other in (
        inputs.copy(),
        copy.copy(inputs),
        copy.deepcopy(inputs),
        pickle.loads(pickle.dumps(inputs)),
    ):
        assert other.values() == inputs.values()
        other.set({"steps": 30, "positive_prompt": "b"})
        color: Any = other.find("color").field.value
        color["r"] = 200
        assert inputs.values() == {
            ("denoise", "steps"): 20,
            ("color", "color"): {"r": 1, "g": 2, "b": 3, "a": 255},
        }
        assert other.values()["color", "color"]["r"] == 200
        assert [item.label for item in other] == [item.label for item in inputs]


def test_pickle_contains_only_used_node_types(inputs: InputSet) -> None:
    assert len(pickle.dumps(inputs)) < len(pickle.dumps(reference_schema())) / 3
    assert pickle.loads(pickle.dumps(inputs)).find("denoise.scheduler").field.choices


def test_threads_share_inputs() -> None:
    inputs = inputs_of(document())
    keys = [item.key for item in inputs_of(document()).everything()]
    seen: list[dict[Any, WorkflowInput]] = []
    start = threading.Barrier(4)

    def look() -> None:
        start.wait()
        seen.append({key: inputs.at(key) for key in keys})
        inputs.copy()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert all(one[key] is seen[0][key] for one in seen for key in keys)


# ------------------------------------------------------------------ snapshots


def test_snapshot_contains_form_values_and_set_values(inputs: InputSet) -> None:
    inputs.set({"noise.seed": 5, "model": "Other", "positive_prompt": "a dog"})
    assert inputs.snapshot() == {
        "positive_prompt": "a dog",
        "Timeout": "",  # in lower case, it is an argument of run()
        "steps": 900,
        "cfg_scale": 7.5,
        "model": "Other",
        "color": {"r": 1, "g": 2, "b": 3, "a": 4},
        "seed": 5,
    }


def test_snapshot_avoids_names_of_arguments() -> None:
    labels = {("positive", "prompt"): "timeout", ("negative", "prompt"): "1"}
    inputs = inputs_of(workflow("Test", NODES, EDGES, FORM, labels=labels))
    assert list(inputs.snapshot())[:2] == ["positive.prompt", "negative.prompt"]
    assert inputs.find("1") is inputs[1]  # as a name; the command line parses a number as an index


def test_snapshot_omits_values_that_cannot_be_set() -> None:
    shown = inputs_of(
        document(nodes={"denoise": ("denoise_latents", {"steps": -3, "cfg_scale": 7})})
    ).snapshot()
    assert "steps" not in shown
    assert shown["cfg_scale"] == 7


@pytest.mark.parametrize("name", CASES)
def test_snapshot_can_be_set_again(name: str) -> None:
    try:
        loaded = golden(name).load()
    except WorkflowFormatError:
        return
    inputs = InputSet(loaded, reference_schema())
    again = InputSet(loaded, reference_schema())
    shown = inputs.snapshot()
    again.set(shown)
    assert again.snapshot() == shown
    own = {
        item.key: item.field.to_api_format()
        for item in inputs
        if inputs.name_of(item) in shown and not isinstance(item.field.value, ModelByName)
    }
    assert {key: value for key, value in again.values().items() if key in own} == own
    for item in inputs.everything():
        assert inputs.find(inputs.name_of(item)) is item


LABEL = st.text(alphabet="aA. _?1é提", max_size=4)


@settings(max_examples=60)
@given(st.lists(LABEL, min_size=3, max_size=3), st.lists(LABEL, min_size=3, max_size=3))
def test_snapshot_names_are_unique_for_any_labels(field_labels: list[str], node_labels: list[str]) -> None:
    nodes = {f"n.{index}": ("integer", {"value": index}) for index in range(3)}
    doc = workflow(
        "Labels",
        nodes,
        [],
        [(node, "value") for node in nodes],
        labels={(node, "value"): label for node, label in zip(nodes, field_labels, strict=True)},
    )
    for node, label in zip(doc["nodes"], node_labels, strict=True):
        node["data"]["label"] = label
    inputs = inputs_of(doc)
    shown = inputs.snapshot()
    assert list(shown.values()) == [0, 1, 2]
    inputs.set({name: value + 10 for name, value in shown.items()})
    assert list(inputs.values().values()) == [10, 11, 12]


# ------------------------------------------------------------------ nodes of other kinds


def test_fields_of_unknown_node_types_can_be_inspected() -> None:
    doc = document()
    doc["nodes"][5]["data"]["type"] = "denoise_of_tomorrow"
    inputs = inputs_of(doc)
    steps = inputs.find("denoise.steps")
    assert (steps.type, steps.value, steps.label) == ("AnyField", 900, "steps")
    assert [item.value for item in inputs][2] == 900


def test_unset_removes_a_value_from_the_request(inputs: InputSet) -> None:
    inputs.set({"denoise.denoising_start": None})
    assert inputs.values() == {("denoise", "denoising_start"): UNSET}


def test_node_rules_use_current_values() -> None:
    doc = document(nodes={"range": ("range", {"start": 0, "stop": 5, "step": 1})})
    inputs = inputs_of(doc)
    assert inputs.refusals("range", {"stop": 3}) == []
    inputs.set({"range.start": 4, "model": "not looked up yet"})
    assert inputs.refusals("range", {"stop": 3})
    assert inputs.refusals("denoise", {"steps": 3}) == []
