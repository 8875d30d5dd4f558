"""Python client and command line for InvokeAI.

::

    from invokeai_py_client import InvokeAIClient

    with InvokeAIClient.from_url("http://localhost:9090") as client:
        wf = client.workflow_repo.create_workflow("portrait.json")
        run = wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        run.images[0].save("lighthouse.png")

Names are loaded when they are first used, so that the import itself costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "2.0.0"

if TYPE_CHECKING:
    from invokeai_py_client._sync import (
        BoardHandle,
        BoardRepository,
        Image,
        InvokeAIClient,
        Run,
        Sweep,
        WorkflowHandle,
        WorkflowRepository,
    )
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.errors import InvokeAIClientError
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.models.board import IvkBoard as Board
    from invokeai_py_client.models.dnn_model import IvkDnnModel
    from invokeai_py_client.models.enums import BaseModelEnum, ImageCategory, JobStatus
    from invokeai_py_client.models.events import SessionEvent
    from invokeai_py_client.models.image import IvkImage
    from invokeai_py_client.models.job import IvkJob
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.sweep.sources import DynamicPrompts
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

__all__ = [
    "AsyncImage",
    "AsyncInvokeAIClient",
    "AsyncRun",
    "AsyncSweep",
    "AsyncWorkflowHandle",
    "BaseModelEnum",
    "Board",
    "BoardHandle",
    "BoardRepository",
    "DynamicPrompts",
    "Image",
    "ImageCategory",
    "InvokeAIClient",
    "InvokeAIClientError",
    "IvkDnnModel",
    "IvkImage",
    "IvkJob",
    "JobStatus",
    "LocalServer",
    "Run",
    "SessionEvent",
    "Sweep",
    "WorkflowDefinition",
    "WorkflowHandle",
    "WorkflowRepository",
    "__version__",
]

_WHERE = {
    "AsyncImage": "image.image",
    "AsyncInvokeAIClient": "client",
    "AsyncRun": "run.run",
    "AsyncSweep": "sweep.sweep",
    "AsyncWorkflowHandle": "workflow.handle",
    "BaseModelEnum": "models.enums",
    "Board": "models.board",
    "BoardHandle": "_sync",
    "BoardRepository": "_sync",
    "DynamicPrompts": "sweep.sources",
    "Image": "_sync",
    "ImageCategory": "models.enums",
    "InvokeAIClient": "_sync",
    "InvokeAIClientError": "errors",
    "IvkDnnModel": "models.dnn_model",
    "IvkImage": "models.image",
    "IvkJob": "models.job",
    "JobStatus": "models.enums",
    "LocalServer": "server.local",
    "Run": "_sync",
    "SessionEvent": "models.events",
    "Sweep": "_sync",
    "WorkflowDefinition": "engine.definition",
    "WorkflowHandle": "_sync",
    "WorkflowRepository": "_sync",
}

_ALIASES = {"Board": "IvkBoard"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_WHERE[name]}")
    value = getattr(module, _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
