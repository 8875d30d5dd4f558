"""The documented names of the client's areas, completion, and a short ``repr`` for every public object."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest
import workflows
from pydantic import BaseModel

import invokeai_py_client as package
from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient, WorkflowDefinition, load_workflow
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.models import IvkBoard, IvkDnnModel, IvkImage, IvkJob
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.models.install import ModelInstJobInfo
from invokeai_py_client.models.queue import BatchStatus, QueueStatus
from invokeai_py_client.run.events import NodeProgress, StatusChanged
from invokeai_py_client.run.results import NodeOutput, Results
from invokeai_py_client.run.status import RunStatus
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.v1.completion import HIDDEN
from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

AREAS = {
    "workflows": "workflow_repo",
    "images": "image_repo",
    "boards": "board_repo",
    "models": "dnn_model_repo",
    "queue": "queue_repo",
}


@pytest.mark.parametrize("client", [InvokeAIClient(), AsyncInvokeAIClient()], ids=["sync", "async"])
@pytest.mark.parametrize(("name", "old"), AREAS.items())
def test_areas_have_two_names(client: Any, name: str, old: str) -> None:
    assert getattr(client, name) is getattr(client, old)
    assert getattr(client, name) is getattr(client, name)
    assert type(getattr(pickle.loads(pickle.dumps(client)), name)) is type(getattr(client, name))


# --------------------------------------------------------------------------- completion


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_names_exist(name: str) -> None:
    asynchronous, synchronous = getattr(package, f"Async{name}"), getattr(package, name)
    for member in HIDDEN[name]:
        assert hasattr(asynchronous, member) or hasattr(synchronous, member), member


@pytest.mark.parametrize("kind", [InvokeAIClient, AsyncInvokeAIClient])
def test_completion_leaves_out_version_1(kind: type[Any]) -> None:
    class Mine(kind):
        """A subclass completes like its base."""

        def extra(self) -> None:
            """Do nothing."""

    for client in (kind(), Mine()):
        names = set(dir(client))
        assert not names & HIDDEN["InvokeAIClient"]
        assert names >= {*AREAS, "workflow", "run", "url", "close", "__class__"}
        assert dir(client.workflows).count("create_workflow") == 1
        assert "create_workflow_from_file" not in dir(client.workflows)
    assert "extra" in dir(Mine())


# --------------------------------------------------------------------------- reprs


def handle() -> AsyncWorkflowHandle:
    definition, schema = WorkflowDefinition.from_dict(workflows.sd1()), reference_schema()
    return AsyncWorkflowHandle(
        AsyncInvokeAIClient().connection, definition, load_workflow(definition, schema), schema
    )


def test_every_public_class_has_a_repr() -> None:
    for name in package.__all__:
        kind = getattr(package, name)
        is_protocol = getattr(kind, "_is_protocol", False)
        if inspect.isclass(kind) and not is_protocol and not issubclass(kind, BaseException):
            assert kind.__repr__ is not object.__repr__, name
            assert kind.__repr__ is not BaseModel.__repr__, name


SCHEMA = reference_schema()
LOADED = load_workflow(WorkflowDefinition.from_dict(workflows.sd1()), SCHEMA)
ABOUT: dict[str, Any] = {"item_id": 5, "timestamp": 1.0, "raw": {"a": "x" * 5000}}
NODE: dict[str, Any] = {"node_id": "denoise", "node_type": "denoise_latents", "prepared_id": "0f"}


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (InvokeAIClient("gpu"), "<InvokeAIClient of http://gpu:9090>"),
        (InvokeAIClient("gpu").images, "<ImageRepository of http://gpu:9090>"),
        (AsyncInvokeAIClient("gpu").models, "<AsyncDnnModelRepository of http://gpu:9090>"),
        (LOADED, "<LoadedWorkflow 'SD-1 text to image': 6 nodes>"),
        (handle(), "<AsyncWorkflowHandle 'SD-1 text to image': 5 inputs>"),
        (
            InputSet(LOADED, SCHEMA),
            "<InputSet: 'Model', 'Positive Prompt', 'Negative Prompt', 'Steps', 'Seed'>",
        ),
        (SCHEMA["denoise_latents"], "<NodeTemplate denoise_latents 1.6.0: 20 inputs, 3 outputs>"),
        (SCHEMA["denoise_latents"].inputs["steps"].limits, "Limits(exclusive_minimum=0)"),
        (
            IvkImage.from_api_response(
                {"image_name": "a.png", "width": 64, "height": 32, "starred": True, "other": "x" * 999}
            ),
            "IvkImage(image_name='a.png', image_category='general', width=64, height=32, starred=True)",
        ),
        (
            IvkBoard.from_api_response({"board_id": "b", "board_name": "Foxes"}),
            "IvkBoard(board_id='b', board_name='Foxes', image_count=0, asset_count=0)",
        ),
        (
            IvkDnnModel.from_api_response(
                {"key": "k", "name": "m", "base": "sdxl", "type": "main", "description": "x" * 999}
            ),
            "IvkDnnModel(key='k', name='m', base='sdxl', type='main')",
        ),
        (
            IvkJob.from_api_response({"item_id": 5, "status": "pending", "session": {"a": "x" * 999}}),
            "IvkJob(id='5', status='pending', progress=0.0)",
        ),
        (
            ModelInstJobInfo(source="x.safetensors"),
            "ModelInstJobInfo(status='waiting', source='x.safetensors')",
        ),
        (BatchStatus(batch_id="b", pending=4), "BatchStatus(batch_id='b', pending=4)"),
        (QueueStatus(), "QueueStatus()"),
        (RunStatus(), "RunStatus(state='pending')"),
        (
            RunStatus(JobStatus.FAILED, error_type="OSError"),
            "RunStatus(state='failed', error_type='OSError')",
        ),
        (StatusChanged(**ABOUT, status=JobStatus.COMPLETED), "StatusChanged(item_id=5, status='completed')"),
        (
            NodeProgress(**ABOUT, **NODE, fraction=0.5),
            "NodeProgress(item_id=5, node_id='denoise', node_type='denoise_latents', fraction=0.5)",
        ),
        (Results((NodeOutput("n", "add", "0"),)), "<Results: 1 outputs of 1 nodes>"),
        (
            NodeOutput("n", "string", "0", data={"value": "x" * 999}),
            "NodeOutput(node_id='n', node_type='string', prepared_id='0', "
            "data={'value': 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…)",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_reprs(thing: object, expected: str) -> None:
    assert repr(thing) == expected


def test_printing_a_handle_shows_its_inputs() -> None:
    wf = handle()
    assert "Positive Prompt" in str(wf)
    assert len(str(wf).splitlines()) > 5


def test_long_reprs_are_cut() -> None:
    inputs = InputSet(LOADED, SCHEMA)
    field: Any = inputs["positive_prompt"].field
    field.value = "a long prompt " * 500
    assert len(repr(inputs["positive_prompt"])) < 200
    assert len(repr(inputs["positive_prompt"].field)) < 200
    job = ModelInstJobInfo(source="x" * 5000, error="y" * 5000, id=5, model_key="k" * 5000)
    assert len(repr(job)) < 200
    assert len(repr(SCHEMA["denoise_latents"].inputs["steps"])) < 200
