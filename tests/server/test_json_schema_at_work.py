"""JSON Schemas of workflows on the real server: its library, choices, runs and ``ivk inputs --json-schema``."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from random import Random
from typing import Any

import pytest
import workflows
from command import Command, ivk_command
from default_workflows import FACTS
from json_values import value_for
from jsonschema import Draft202012Validator

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.engine.json_schema import named_inputs

__all__ = ["ivk_command"]


@pytest.fixture
def ivk(ivk_command: Command, server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", server.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    Path("sd1.json").write_text(json.dumps(workflows.sd1()))
    return ivk_command


def tokens(schema: dict[str, Any]) -> float:
    return len(json.dumps(schema, separators=(",", ":"), ensure_ascii=False)) / 4


def test_schemas_of_the_library_are_valid_small_and_sound(client: InvokeAIClient) -> None:
    random = Random(26)
    sizes: list[float] = []
    for name, facts in FACTS.items():
        wf = client.workflow_repo.create_workflow(facts["id"])
        form = wf.json_schema(choices=False)
        assert form["title"] == " ".join(name.split())
        sizes.append(tokens(form))
        every = wf.json_schema(choices=False, everything=True)
        assert list(every["properties"])[: len(form["properties"])] == list(form["properties"])
        for key, item in named_inputs(wf.inputs, everything=True).items():
            part = every["properties"][key]
            Draft202012Validator.check_schema(part)
            assert wf.get_input(key).key == item.key or item.feeds
            if "default" in part:
                Draft202012Validator(part).validate(part["default"])
            for _ in range(4):
                item.check(value_for(part, random))
        wf.set({key: value_for(part, random) for key, part in form["properties"].items()})
    assert len(sizes) == 26
    assert statistics.median(sizes) <= 320
    assert max(sizes) <= 650


def test_models_and_boards_are_choices_and_are_requested_once(
    client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, nothing_left: None
) -> None:
    board = client.board_repo.create_board("Foxes")
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    http = client._impl.connection.http
    json_of, asked = http.json, []

    async def counted(method: str, path: str, **known: Any) -> Any:
        asked.append(path)
        return await json_of(method, path, **known)

    monkeypatch.setattr(http, "json", counted)
    described = wf.json_schema(choices=False, everything=True)["properties"]
    assert asked == []
    assert described["model"]["pattern"] == r"\S"
    listed = wf.json_schema(everything=True)["properties"]
    assert sorted(asked) == ["/api/v1/boards/", "/api/v2/models/"]
    assert listed["model"]["enum"] == ["tiny-sd1"]
    boards = [part for part in listed.values() if "auto" in part.get("enum", ())]
    assert boards
    assert all("Foxes" in part["enum"] for part in boards)
    client.board_repo.delete_board(board)


def test_run_with_values_that_the_schema_allows(client: InvokeAIClient, nothing_left: None) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    schema = wf.json_schema(everything=True)
    board = next(key for key, part in schema["properties"].items() if "auto" in part.get("enum", ()))
    values: dict[str, Any] = {
        "model": "tiny-sd1",
        "steps": 1,
        "seed": 7,
        "width": 64,
        "height": 64.0,
        board: "none",
    }
    values = {key: value for key, value in values.items() if key in schema["properties"]}
    Draft202012Validator(schema).validate(values)
    run = wf.run(values)
    assert run.seed == 7
    assert run.images[0].width == 64


def test_command_prints_the_schema_of_the_handle(ivk: Command, client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow("sd1.json")
    for words, everything in (((), False), (("--all",), True)):
        done = ivk("inputs", "sd1.json", "--json-schema", *words)
        assert done.code == 0
        assert json.loads(done.out) == wf.json_schema(everything=everything)
    assert done.out.startswith('{\n  "$schema"')
    [line] = ivk("inputs", "sd1.json", "--json-schema", "--json").lines
    assert json.loads(line) == wf.json_schema()
    # Its keys are names for -s.
    [key, *_] = (key for key, part in wf.json_schema()["properties"].items() if part.get("type") == "integer")
    assert ivk("run", "sd1.json", "-s", f"{key}=8", "-s", "model=tiny-sd1", "--dry-run").code == 0
