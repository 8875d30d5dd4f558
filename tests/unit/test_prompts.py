"""The prompt of a workflow, which a text as the first argument of ``run()`` sets."""

from __future__ import annotations

from typing import Any

import pytest
import workflows

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.prompts import find_prompt
from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()
NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "a": ("compel", {"prompt": ""}),
    "b": ("compel", {"prompt": ""}),
    "denoise": ("denoise_latents", {}),
}
EDGES = ["a.conditioning -> denoise.positive_conditioning", "b.conditioning -> denoise.negative_conditioning"]
BOTH = [("a", "prompt"), ("b", "prompt")]


def prompt_of(document: dict[str, Any]) -> tuple[str, str]:
    loaded = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA)
    return find_prompt(loaded, InputSet(loaded, SCHEMA)).key


@pytest.mark.parametrize(
    ("nodes", "edges", "form", "labels", "expected"),
    [
        (NODES, [], BOTH, {("b", "prompt"): "Negative Prompt"}, ("a", "prompt")),
        (NODES, EDGES, BOTH, {}, ("a", "prompt")),
        (NODES, EDGES, [("denoise", "steps")], {}, ("a", "prompt")),
        (NODES, [], [("b", "prompt")], {}, ("b", "prompt")),
        (
            {**NODES, "text": ("string", {"value": ""}), "other": ("string", {"value": ""})},
            [*EDGES, "text.value -> a.prompt"],
            [("text", "value"), ("other", "value")],
            {("text", "value"): "What to draw"},
            ("text", "value"),
        ),
        (
            {**NODES, "sdxl": ("sdxl_compel_prompt", {"prompt": "", "style": ""})},
            [],
            [("sdxl", "prompt"), ("sdxl", "style")],
            {},
            ("sdxl", "prompt"),
        ),
    ],
    ids=["label", "connection", "outside", "only one", "text node", "style"],
)
def test_the_only_prompt_is_found(
    nodes: dict[str, tuple[str, dict[str, Any]]],
    edges: list[str],
    form: list[tuple[str, str]],
    labels: dict[tuple[str, str], str],
    expected: tuple[str, str],
) -> None:
    assert prompt_of(workflows.workflow("Prompts", nodes, edges, form, labels=labels)) == expected


def test_several_prompts_are_listed() -> None:
    labels = {("a", "prompt"): "Fox prompt", ("b", "prompt"): "Hen prompt"}
    with pytest.raises(AmbiguousInputError, match="'fox_prompt', 'hen_prompt'") as caught:
        prompt_of(workflows.workflow("Two", NODES, [], BOTH, labels=labels))
    assert caught.value.candidates == ("fox_prompt", "hen_prompt")


def test_workflow_without_a_prompt() -> None:
    with pytest.raises(UnknownInputError, match="has no prompt"):
        prompt_of(workflows.add())
