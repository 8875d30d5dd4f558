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
    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client._sync.run_run import Run
    from invokeai_py_client._sync.sweep_sweep import Sweep
    from invokeai_py_client._sync.workflow_handle import WorkflowHandle
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.errors import InvokeAIClientError
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.sweep.sources import DynamicPrompts
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.workflow.definition import WorkflowDefinition
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

__all__ = [
    "AsyncImage",
    "AsyncInvokeAIClient",
    "AsyncRun",
    "AsyncSweep",
    "AsyncWorkflowHandle",
    "DynamicPrompts",
    "Image",
    "InvokeAIClient",
    "InvokeAIClientError",
    "LocalServer",
    "Run",
    "Sweep",
    "WorkflowDefinition",
    "WorkflowHandle",
    "__version__",
]

_WHERE = {
    "AsyncImage": "image.image",
    "AsyncInvokeAIClient": "client",
    "AsyncRun": "run.run",
    "AsyncSweep": "sweep.sweep",
    "AsyncWorkflowHandle": "workflow.handle",
    "DynamicPrompts": "sweep.sources",
    "Image": "_sync.image_image",
    "InvokeAIClient": "_sync.client",
    "InvokeAIClientError": "errors",
    "LocalServer": "server.local",
    "Run": "_sync.run_run",
    "Sweep": "_sync.sweep_sweep",
    "WorkflowDefinition": "workflow.definition",
    "WorkflowHandle": "_sync.workflow_handle",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
