"""Functions generated from workflows, for a real form and for hostile forms."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest
import workflows
from golden import CASES, golden
from workflows import workflow

from invokeai_py_client import AsyncRun, Run
from invokeai_py_client.engine.codegen import function_name, generate
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.schema.reference import reference_schema


def generated(document: Any, *, source: str = "portrait.json", is_file: bool = True, **options: Any) -> str:
    schema = reference_schema()
    definition = WorkflowDefinition.from_dict(document)
    inputs = InputSet(load_workflow(definition, schema), schema)
    return generate(
        definition.name,
        definition.description,
        inputs,
        source=source,
        is_file=is_file,
        command="ivk codegen",
        **options,
    )


class Asked:
    """A fake client that records the values of runs."""

    def __init__(self) -> None:
        self.workflow_repo = self
        self.source: Any = None
        self.values: Any = None

    def create_workflow(self, source: Any) -> Asked:
        self.source = source
        return self

    def run(self, values: Any) -> str:
        self.values = values
        return "the run"


def function_of(text: str) -> Any:
    module: dict[str, Any] = {"__file__": "/folder/portrait.py", "__name__": "portrait"}
    exec(compile(text, "portrait.py", "exec"), module)
    [name] = [
        node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return module[name]


def test_arguments_are_the_inputs_of_the_form() -> None:
    function = function_of(generated(workflows.sdxl()))
    signature = inspect.signature(function, eval_str=True)
    parameters = dict(signature.parameters)
    assert list(parameters) == ["client", "model", "positive_prompt", "steps", "scheduler", "seed"]
    assert parameters["model"].default is inspect.Parameter.empty, "it has no model of its own"
    assert (parameters["steps"].annotation, parameters["steps"].default) == (int, 4)
    assert "dpmpp_2m_k" in parameters["scheduler"].annotation.__args__
    assert signature.return_annotation is Run
    assert "steps: Steps of denoise: a whole number greater than 0." in (function.__doc__ or "")


def test_arguments_become_values() -> None:
    asked = Asked()
    function = function_of(generated(workflows.sdxl()))
    assert function(asked, model="tiny-sdxl", steps=9) == "the run"
    assert str(asked.source) == "/folder/portrait.json"
    assert asked.values == {
        ("model", "model"): "tiny-sdxl",
        ("positive", "prompt"): "a lighthouse",
        ("denoise", "steps"): 9,
        ("denoise", "scheduler"): "euler",
        ("noise", "seed"): 7,
    }


def test_seed_of_a_random_node_is_an_argument() -> None:
    document = workflows.workflow(
        "Random",
        {"random": ("rand_int", {}), "noise": ("noise", {})},
        ["random.value -> noise.seed"],
        form=[("noise", "width")],
    )
    function, asked = function_of(generated(document)), Asked()
    function(asked, width=64)
    assert ("random", "value") not in asked.values
    function(asked, width=64, seed=7)
    assert asked.values["random", "value"] == 7
    assert inspect.signature(function, eval_str=True).parameters["seed"].annotation == int | None


def test_values_without_a_python_literal_default_to_the_workflow() -> None:
    document = workflows.sdxl()
    model = {"key": "k", "hash": "blake3:h", "name": "My SDXL", "base": "sdxl", "type": "main"}
    document["nodes"][0]["data"]["inputs"]["model"]["value"] = model
    function, asked = function_of(generated(document)), Asked()
    function(asked)
    assert ("model", "model") not in asked.values
    assert "Defaults to the workflow's value, My SDXL" in " ".join(function.__doc__.split())
    function(asked, model="other")
    assert asked.values["model", "model"] == "other"


def test_asynchronous_function_of_a_library_workflow() -> None:
    text = generated(workflows.add(), source="Add up", is_file=False, asynchronous=True)
    function = function_of(text)
    assert inspect.iscoroutinefunction(function)
    assert inspect.signature(function, eval_str=True).return_annotation is AsyncRun
    assert 'WORKFLOW = "Add up"' in text
    assert "Path" not in text


def test_names_that_are_invalid_in_python() -> None:
    labels = ["class", "class", "client", "2 fast", "!?", 'a "b" \\ c', "プロンプト"]
    nodes = {f'n{index}"\\': ("add", {"a": index, "b": 1}) for index in range(len(labels))}
    document = workflow(
        'Say """hello""" \\',
        nodes,
        [],
        [(node, "a") for node in nodes],
        labels={(node, "a"): label for node, label in zip(nodes, labels, strict=True)},
    )
    document["description"] = 'He said: """ \\N{nothing}'
    text = generated(document)
    function, asked = function_of(text), Asked()
    names = list(inspect.signature(function).parameters)
    assert names[:2] == ["client", "class_"]
    assert len(set(names)) == len(labels) + 1
    assert "プロンプト" in names
    function(asked, **{names[-1]: 99})
    assert asked.values == {(node, "a"): index for index, node in enumerate(nodes)} | {('n6"\\', "a"): 99}


ODD_LABELS = [
    *("Workflow", "Values", "client", "progress", "self", "Any", "Path", "dict", "str", "tuple"),
    *("class", "None", "match", "lambda", "def", "type", "_", "__class__"),
    *(
        "two\nlines",
        "tab\there",
        "مرحبا بالعالم",
        "שלום",
        "👩\u200d🚀",
        "🦊",
        "ｃｌａｓｓ",
        "ﬁx",
        "fix",
        "FIX",
    ),
    *(
        "\u202egnp",
        "nul\x00",
        "a\u2028b",
        '"""',
        "\\N{DIGIT ONE}",
        "{seed}",
        "",
        " ",
        "2 fast",
    ),
]


def test_any_label_makes_a_valid_argument() -> None:
    nodes = {f"n{place}": ("string", {"value": f"{label}!"}) for place, label in enumerate(ODD_LABELS)}
    document = workflow(
        "nul \x00",
        nodes,
        [],
        [(node, "value") for node in nodes],
        labels={(node, "value"): label for node, label in zip(nodes, ODD_LABELS, strict=True)},
    )
    document["description"] = "nul \x00, \u202egnp"
    text = generated(document)
    text.encode()  # can be written to a file
    assert "\u202e" not in text
    function, asked = function_of(text), Asked()
    names = list(inspect.signature(function).parameters)[1:]
    function(asked, **{name: f"value {place}" for place, name in enumerate(names)})
    assert asked.values == {(f"n{place}", "value"): f"value {place}" for place in range(len(ODD_LABELS))}
    function(asked)
    assert list(asked.values.values()) == [f"{label}!" for label in ODD_LABELS]


@pytest.mark.parametrize("label", ["2 fast", "None", "Run", "Invoke AI Client", "画像", "Path"])
def test_type_aliases_have_valid_and_unique_names(label: str) -> None:
    document = workflow(
        label,
        {"d": ("denoise_latents", {"scheduler": "euler"})},
        [],
        [("d", "scheduler")],
        labels={("d", "scheduler"): label},
    )
    function, asked = function_of(generated(document)), Asked()
    (_, argument) = inspect.signature(function, eval_str=True).parameters.values()
    assert "euler" in argument.annotation.__args__
    function(asked, **{argument.name: "unipc"})
    assert asked.values == {("d", "scheduler"): "unipc"}


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("Text to Image", "text_to_image"),
        ("3D!", "_3d"),
        ("", "workflow"),
        ("import", "import_"),
        ("画像", "画像"),
    ],
)
def test_function_names(name: str, called: str) -> None:
    assert function_name(name) == called


@pytest.mark.parametrize("case", CASES)
def test_every_recorded_workflow_becomes_a_function(case: str) -> None:
    document = golden(case).workflow
    try:
        text = generated(document)
    except ValueError:
        pytest.skip("the editor does not load it either")
    assert text == generated(document), "the same workflow results in the same text"
    function_of(text)
    assert max(map(len, text.splitlines())) < 400
