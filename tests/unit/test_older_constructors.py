"""Version 1's ways to create clients, repositories and handles."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import workflows

from invokeai_py_client import (
    AsyncInvokeAIClient,
    BoardRepository,
    DnnModelRepository,
    ImageRepository,
    InvokeAIClient,
    QueueRepository,
    WorkflowDefinition,
    WorkflowHandle,
    WorkflowRepository,
)
from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.ivk_fields import IvkCollectionField, IvkFloatField
from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

DOCUMENT = workflows.sdxl()


@pytest.mark.parametrize("kind", [InvokeAIClient, AsyncInvokeAIClient])
def test_client_by_base_url(kind: Any) -> None:
    assert kind(base_url="http://gpu:9191/proxy").url == "http://gpu:9191/proxy"
    assert kind(base_url="gpu").url == "http://gpu:9090"
    with pytest.raises(UsageError, match="either base_url, or host and port"):
        kind("gpu", base_url="http://gpu")


@pytest.mark.parametrize(
    "kind", [BoardRepository, DnnModelRepository, ImageRepository, QueueRepository, WorkflowRepository]
)
def test_repositories_take_a_client(kind: Any) -> None:
    with InvokeAIClient(base_url="http://gpu:9191") as client:
        repository = kind(client)
        assert repository._impl.connection is client.connection
        assert repository._impl._face is repository
    other = AsyncInvokeAIClient(base_url="http://gpu:9191")
    assert AsyncBoardRepository(other).connection is other.connection
    assert AsyncBoardRepository(other.connection).connection is other.connection


def test_a_handle_without_a_server_shows_its_inputs() -> None:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    handle = WorkflowHandle(definition=definition, client=None)
    labels = [item.label for item in handle.inputs]
    assert len(labels) == len(handle.list_inputs()) > 3
    assert len({item.jsonpath for item in handle.inputs}) == len(labels)
    handle.set({handle.list_inputs()[1].label: "a fox"})
    assert pickle.loads(pickle.dumps(handle)).list_inputs()[1].field.value == "a fox"
    assert AsyncWorkflowHandle(None, definition).definition is definition


def test_a_handle_without_a_server_cannot_run() -> None:
    handle = WorkflowHandle(definition=WorkflowDefinition.from_dict(DOCUMENT), client=None)
    for call in (handle.run, handle.start, handle.enqueue_request, handle.sync_dnn_model):
        with pytest.raises(UsageError, match=r"no server.*create_workflow"):
            call()
    with InvokeAIClient(base_url="http://gpu") as client, pytest.raises(UsageError, match="create_workflow"):
        WorkflowHandle(client, WorkflowDefinition.from_dict(DOCUMENT))


def test_exposed_fields_of_a_document() -> None:
    exposed = [{"nodeId": "a", "fieldName": "b"}]
    definition = WorkflowDefinition.from_dict({**workflows.add(), "exposedFields": exposed})
    assert definition.exposedFields == exposed
    assert WorkflowDefinition.from_dict(DOCUMENT).exposedFields == []


def test_a_number_or_a_list_of_numbers_is_a_float_field() -> None:
    handle = WorkflowHandle(definition=WorkflowDefinition.from_dict(DOCUMENT), client=None)
    field: Any = handle.get_input_value("denoise.cfg_scale")
    assert isinstance(field, IvkFloatField)
    assert isinstance(field, IvkCollectionField)
    field.minimum = 1
    assert (field.minimum, field.maximum, field.limits.minimum) == (1, None, 1)
    for value in (7.5, [1.5, 2]):
        field.value = value
        assert field.to_api_format() == value
    field.maximum = 10
    for wrong in (0.5, 11, [5, 11], "many"):
        with pytest.raises(InputValueError):
            field.value = wrong
    other = field.copy()
    other.value = 3
    assert field.value == [1.5, 2]
