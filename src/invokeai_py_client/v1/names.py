"""Old module paths and names, with their current locations, and the import hook that serves them.

This module is only imported if an old name is used. ``_lazy.py`` serves the old names of modules that still exist. All
module paths are relative to ``invokeai_py_client``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import cast

MOVED = {
    # Version 1
    "ivk_fields.model_conversion": "v1.model_conversion",
    "workflow.upstream_models": "v1.upstream_models",
    # Before 2.0.0: existing pickles refer to these modules.
    "_sync.face": "_face",
    **dict.fromkeys(
        (
            "_sync.board_handle",
            "_sync.board_repository",
            "_sync.client",
            "_sync.dnn_model_install",
            "_sync.dnn_model_repository",
            "_sync.image_image",
            "_sync.image_repository",
            "_sync.queue_handle",
            "_sync.queue_job",
            "_sync.queue_repository",
            "_sync.quick_client",
            "_sync.run_run",
            "_sync.sweep_sweep",
            "_sync.workflow_handle",
            "_sync.workflow_repository",
        ),
        "_sync",
    ),
    "dnn_model.installed": "dnn_model.start",
    "image.answers": "image.responses",
    "image.decode": "files.images",
    "image.files": "files.atomic",
    "image.local": "files.images",
    "image.naming": "files.names",
    "image.zipped": "image.zip",
    "ivk_fields.conditioning": "ivk_fields.complex",
    "ivk_fields.make": "ivk_fields.kinds",
    "ivk_fields.schedulers": "ivk_fields.enums",
    "models.jsonable": "models.base",
    "models.types": "models.base",
    "queue.idle": "queue.watch",
    "routes": "transport.payload",
    "run.blocked": "run.blockage",
    "run.bulk": "run.queue_items",
    "run.called": "run.subworkflow",
    "run.failure": "run.end",
    "run.locate": "run.queue_items",
    "run.patience": "transport.timing",
    "run.retrying": "run.retries",
    "schema.schema": "schema.template",
    "server.gpu": "server.torch_choice",
    "server.ports": "server.health",
    "server.uv": "server.pip",
    "sweep.display": "display.sweep",
    "sweep.follow": "sweep.follower",
    "sweep.labels": "files.labels",
    "sweep.names": "files.names",
    "sweep.textfile": "files.text",
    "transport.address": "transport.settings",
    "transport.answers": "transport.responses",
    "transport.requests": "transport.payload",
    "transport.shapes": "transport.json_shape",
    "transport.sign_in": "transport.auth",
    "workflow.attach": "engine.request",
    "workflow.batch": "engine.batch",
    "workflow.batch_images": "engine.batch",
    "workflow.callee": "engine.subworkflow",
    "workflow.codegen": "engine.codegen",
    "workflow.definition": "engine.definition",
    "workflow.fits": "schema.fits",
    "workflow.form": "engine.form",
    "workflow.generators": "editor.generators",
    "workflow.graph": "engine.graph",
    "workflow.index_map": "engine.index_map",
    "workflow.inputs": "engine.inputs",
    "workflow.js": "editor.js",
    "workflow.known": "editor.literals",
    "workflow.load": "engine.load",
    "workflow.loaded": "engine.workflow",
    "workflow.mersenne": "editor.generators",
    "workflow.migrate": "engine.migrate",
    "workflow.model_sync": "engine.models",
    "workflow.plain_json": "engine.plain_json",
    "workflow.png": "engine.png",
    "workflow.prepare": "run.prepare",
    "workflow.readiness": "engine.readiness",
    "workflow.references": "engine.references",
    "workflow.request": "engine.request",
    "workflow.row": "models.base",
    "workflow.server_rules": "engine.server_rules",
    "workflow.server_side": "run.lookup",
    "workflow.structure": "engine.structure",
    "workflow.submission": "workflow.outputs",
    "workflow.table": "display.inputs",
    "workflow.update": "engine.migrate",
    "workflow.values": "editor.literals",
    "workflow.wiring": "engine.wiring",
}
"""Old modules whose whole content is now in one module. Both names refer to the same module object."""

_BOARD = {
    "Board": "invokeai_py_client.models.board:IvkBoard",
}
_BOARD_HANDLE = {
    "BoardHandle": "invokeai_py_client._sync:BoardHandle",
}
_BOARD_REPOSITORY = {
    "BoardRepository": "invokeai_py_client._sync:BoardRepository",
}
_MODEL_ERRORS = {
    "APIRequestError": "invokeai_py_client.errors:APIRequestError",
    "InvokeAIClientError": "invokeai_py_client.errors:InvokeAIClientError",
    "ModelInstallJobFailed": "invokeai_py_client.errors:ModelInstallJobFailed",
    "ModelInstallStartError": "invokeai_py_client.errors:ModelInstallStartError",
    "ModelInstallTimeout": "invokeai_py_client.errors:ModelInstallTimeout",
    "ModelManagerError": "invokeai_py_client.errors:ModelInstallError",
}
_MODEL_RECORDS = {
    "FoundModel": "invokeai_py_client.models.dnn_model:FoundModel",
    "HFLoginStatus": "invokeai_py_client.models.enums:HFLoginStatus",
    "InstallJobStatus": "invokeai_py_client.models.enums:InstallStatus",
    "ModelInstJobInfo": "invokeai_py_client.models.install:ModelInstJobInfo",
    "ModelInstallConfig": "invokeai_py_client.models.install:ModelInstallConfig",
    "ModelManagerStats": "invokeai_py_client.models.dnn_model:ModelCacheStats",
}
_MODEL_REPOSITORY = {
    "DnnModelRepository": "invokeai_py_client._sync:DnnModelRepository",
}
_MODEL_TYPES = {
    "BaseDnnModelType": "invokeai_py_client.models.enums:BaseModelEnum",
    "DnnModel": "invokeai_py_client.models.dnn_model:IvkDnnModel",
    "DnnModelFormat": "invokeai_py_client.models.enums:ModelFormatEnum",
    "DnnModelType": "invokeai_py_client.models.enums:ModelTypeEnum",
}
_INSTALL_JOB = {
    "ModelInstJobHandle": "invokeai_py_client._sync:ModelInstJobHandle",
}
_JOB_HANDLE = {
    "JobHandle": "invokeai_py_client._sync:JobHandle",
}
_QUEUE_HANDLE = {
    "QueueHandle": "invokeai_py_client._sync:QueueHandle",
}
_QUEUE_REPOSITORY = {
    "QueueRepository": "invokeai_py_client._sync:QueueRepository",
}
_QUICK_CLIENT = {
    "QuickClient": "invokeai_py_client._sync:QuickClient",
}
_WORKFLOW_DEFINITION = {
    "WorkflowDefinition": "invokeai_py_client.engine.definition:WorkflowDefinition",
}
_WORKFLOW_HANDLE = {
    "IvkWorkflowInput": "invokeai_py_client.engine.inputs:WorkflowInput",
    "IvkWorkflowOutput": "invokeai_py_client.workflow.outputs:WorkflowOutput",
    "OutputMapping": "invokeai_py_client.workflow.outputs:OutputMapping",
    "WorkflowHandle": "invokeai_py_client._sync:WorkflowHandle",
    "WorkflowSubmission": "invokeai_py_client.workflow.outputs:WorkflowSubmission",
}
_WORKFLOW_REPOSITORY = {
    "WorkflowRepository": "invokeai_py_client._sync:WorkflowRepository",
}

NAMES: dict[str, dict[str, str]] = {
    # Version 1
    "board": _BOARD | _BOARD_HANDLE | _BOARD_REPOSITORY,
    "board.board_handle": _BOARD_HANDLE,
    "board.board_model": _BOARD,
    "board.board_repo": _BOARD_REPOSITORY,
    "client": {
        "InvokeAIClient": "invokeai_py_client._sync:InvokeAIClient",
    },
    "dnn_model": _MODEL_ERRORS | _MODEL_RECORDS | _MODEL_REPOSITORY | _MODEL_TYPES | _INSTALL_JOB,
    "dnn_model.dnn_model_exceptions": _MODEL_ERRORS,
    "dnn_model.dnn_model_models": _MODEL_RECORDS,
    "dnn_model.dnn_model_repo": _MODEL_REPOSITORY,
    "dnn_model.dnn_model_types": _MODEL_TYPES,
    "dnn_model.model_inst_job_handle": _INSTALL_JOB,
    "exceptions": {
        "APIError": "invokeai_py_client.errors:APIRequestError",
        "AuthenticationError": "invokeai_py_client.errors:AuthenticationError",
        "ConfigurationError": "invokeai_py_client.errors:UsageError",
        "ConnectionError": "invokeai_py_client.errors:ServerUnreachableError",
        "FileError": "invokeai_py_client.errors:WorkflowError",
        "InvokeAIError": "invokeai_py_client.errors:InvokeAIClientError",
        "JobError": "invokeai_py_client.errors:RunError",
        "ResourceNotFoundError": "invokeai_py_client.errors:NotFoundError",
        "TimeoutError": "builtins:TimeoutError",
        "ValidationError": "invokeai_py_client.errors:InputError",
        "WorkflowError": "invokeai_py_client.errors:WorkflowError",
    },
    "queue": _JOB_HANDLE | _QUEUE_HANDLE | _QUEUE_REPOSITORY,
    "queue.job_handle": _JOB_HANDLE,
    "queue.queue_handle": _QUEUE_HANDLE,
    "queue.queue_models": {
        "CancelAllExceptCurrentResult": "invokeai_py_client.models.queue:CancelAllExceptCurrentResult",
        "ClearResult": "invokeai_py_client.models.queue:ClearResult",
        "ProcessorStatus": "invokeai_py_client.models.queue:ProcessorStatus",
        "PruneResult": "invokeai_py_client.models.queue:PruneResult",
        "QueueAndProcessorStatus": "invokeai_py_client.models.queue:QueueStatus",
        "QueueItem": "invokeai_py_client.models.job:IvkJob",
        "QueueItemStatus": "invokeai_py_client.models.enums:JobStatus",
        "QueueStatus": "invokeai_py_client.models.queue:QueueStatus",
    },
    "queue.queue_repo": _QUEUE_REPOSITORY,
    "quick": _QUICK_CLIENT,
    "quick.quick_client": _QUICK_CLIENT,
    "workflow": _WORKFLOW_DEFINITION | _WORKFLOW_HANDLE | _WORKFLOW_REPOSITORY,
    "workflow.workflow_handle": _WORKFLOW_HANDLE,
    "workflow.workflow_model": _WORKFLOW_DEFINITION,
    "workflow.workflow_repo": _WORKFLOW_REPOSITORY,
    # Before 2.0.0
    "older": {
        "Answer": "invokeai_py_client.transport.responses:Response",
    },
    "run.tracker": {
        "Story": "invokeai_py_client.run.tracker:ItemHistory",
    },
    "workflow.addressing": {
        "Place": "invokeai_py_client.engine.addressing:FieldPath",
        "PlaceIndex": "invokeai_py_client.engine.addressing:InputIndex",
    },
    "workflow.batch_check": {
        "Finding": "invokeai_py_client.engine.batch_check:BatchFinding",
    },
}
"""The old names of modules, with the current ``module:name`` of each. Some of these modules no longer exist."""

GONE = {
    "workflow.field_plugins": "invokeai_py_client.workflow.field_plugins was removed: field types now come from the "
    "server's schema, including those of custom nodes, so plugins no longer need to be registered. "
    "See docs/migration.md.",
}
"""Old modules without a replacement, with the message of the ImportError."""


_PACKAGE = "invokeai_py_client"


def find_old_module(fullname: str) -> ModuleSpec | None:
    """Return the spec of an old module, or None if it never existed.

    Args:
        fullname: The full name of a module of this package that does not exist.
    """
    old = fullname.removeprefix(f"{_PACKAGE}.")
    if old in MOVED:
        loader: InspectLoader = _MovedModule(f"{_PACKAGE}.{MOVED[old]}")
    elif old in GONE:
        loader = _SmallModule(f"raise ImportError({GONE[old]!r})\n")
    elif old in NAMES:
        loader = _SmallModule(_imports(NAMES[old]))
    else:
        return None
    return ModuleSpec(fullname, loader, origin=f"{_PACKAGE}.v1.names")


def _imports(names: dict[str, str]) -> str:
    """Return the source of a module that imports names from their current locations."""
    lines: list[str] = []
    for old, target in names.items():
        module, _, name = target.partition(":")
        lines.append(f"from {module} import {name} as {old}\n")
    return "".join([*lines, f"__all__ = {sorted(names)}\n"])


class _SmallModule(InspectLoader):
    """A loader for a module with a few lines of source."""

    def __init__(self, source: str) -> None:
        self._source = source

    def is_package(self, fullname: str) -> bool:
        del fullname
        return False

    def get_source(self, fullname: str) -> str:
        del fullname
        return self._source


class _MovedModule(InspectLoader):
    """A loader that returns a current module in place of an old one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def exec_module(self, module: ModuleType) -> None:
        # The import system returns the entry in sys.modules, so the current module keeps its name and spec.
        sys.modules[module.__name__] = import_module(self._target)

    def is_package(self, fullname: str) -> bool:
        del fullname
        return False

    def get_source(self, fullname: str) -> str | None:
        del fullname
        return self._real().get_source(self._target)

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of the current module, which ``python -m`` runs."""
        del fullname
        return self._real().get_code(self._target)

    def _real(self) -> InspectLoader:
        spec = find_spec(self._target)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {self._target!r}", name=self._target)
        return cast("InspectLoader", spec.loader)
