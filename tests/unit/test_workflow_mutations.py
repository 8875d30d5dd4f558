"""Damaged files lead to our errors or to a request, never to another exception."""

from __future__ import annotations

import json
import random

from golden import CASES, golden
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutate

from invokeai_py_client.engine.batch import server_generators
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.references import references
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()
NODE_TYPES = sorted(SCHEMA)
SMALL = [name for name in CASES if len(golden(name).workflow["nodes"]) < 30]


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(name=st.sampled_from(SMALL), seed=st.integers(0, 2**32))
def test_damaged_files_raise_our_errors(name: str, seed: int) -> None:
    document = mutate(dict(golden(name).workflow), random.Random(seed), NODE_TYPES)
    try:
        loaded = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA)
        generated = {asked.node_id: ["a"] for asked in server_generators(loaded, {})}
        request = build_request(loaded, SCHEMA, {}, generated=generated)
        for problem in find_problems(loaded, SCHEMA, {}, generated):
            assert str(problem)
        references(loaded, {}, SCHEMA)
    except InvokeAIClientError as error:
        assert str(error)
        return
    json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
    graph = request["batch"]["graph"]
    for edge in graph["edges"]:
        for end in ("source", "destination"):
            assert edge[end]["node_id"] in graph["nodes"]
        assert edge["destination"]["field"] not in graph["nodes"][edge["destination"]["node_id"]]


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(st.text() | st.binary())
def test_any_text_raises_our_errors(text: str | bytes) -> None:
    try:
        WorkflowDefinition.from_json(text)
    except InvokeAIClientError as error:
        assert str(error)
