"""Five thousand damaged files lead to our errors, or to requests that the real server accepts.

``tests/unit/test_workflow_mutations.py`` has a smaller version. This many files take longer than all unit tests
together.
"""

from __future__ import annotations

import json
import random
from typing import Any

from golden import CASES, golden
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import mutate

from invokeai_py_client import InvokeAIClient
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
FILES = 5000
POSTED = 400
LONGEST_QUEUE = 10_000  # the server's max_queue_size; a damaged generator can ask for more

Document = dict[str, Any]


def request_of(document: Document) -> Document | None:
    """Return the request for a document, or None if a problem is found.

    Raises:
        InvokeAIClientError: The document cannot be loaded.
    """
    loaded = load_workflow(WorkflowDefinition.from_dict(document), SCHEMA)
    generated = {asked.node_id: ["a"] for asked in server_generators(loaded, {})}
    request = build_request(loaded, SCHEMA, {}, generated=generated)
    references(loaded, {}, SCHEMA)
    json.dumps(request, allow_nan=False, ensure_ascii=False).encode()
    problems = find_problems(loaded, SCHEMA, {}, generated)
    assert all(str(problem) for problem in problems)
    return None if problems else request


def test_damaged_files_raise_our_errors_or_are_accepted_by_the_server(
    client: InvokeAIClient, held_queue: None
) -> None:
    seen: list[str] = []
    good: list[tuple[Document, Document]] = []

    @settings(
        max_examples=FILES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(name=st.sampled_from(CASES), seed=st.integers(0, 2**32))
    def damaged(name: str, seed: int) -> None:
        seen.append(name)
        document = mutate(dict(golden(name).workflow), random.Random(seed), NODE_TYPES)
        try:
            request = request_of(document)
        except InvokeAIClientError as error:
            assert str(error)
            return
        if request is not None:
            good.append((document, request))

    damaged()
    assert len(seen) >= FILES
    assert len(good) >= POSTED / 2, "too few of the files are good enough to be posted"
    sample = good if len(good) <= POSTED else random.Random(0).sample(good, POSTED)
    for document, request in sample:
        post(client, request)
        ask(client, document)


def post(client: InvokeAIClient, request: Document) -> None:
    """The server accepts requests that we consider valid, and can still read the items of its queue."""
    http, queue = client._impl.connection.http, "/api/v1/queue/default"
    answer = client._call(http.json("POST", f"{queue}/enqueue_batch", json=request))
    assert answer["enqueued"] == min(answer["requested"], LONGEST_QUEUE) > 0
    first = {"item_ids": answer["item_ids"][:20]}
    items = client._call(http.json("POST", f"{queue}/items_by_ids", json=first))
    assert len(items) == len(first["item_ids"])
    client.queue_repo.clear()


def ask(client: InvokeAIClient, document: Document) -> None:
    """The public API, which also looks up images and models on the server."""
    try:
        assert "graph" in client.workflow_repo.create_workflow(document).enqueue_request()["batch"]
    except InvokeAIClientError as error:
        assert str(error)
