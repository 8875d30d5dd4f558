"""Python client and command line for InvokeAI.

::

    from invokeai_py_client import InvokeAIClient

    with InvokeAIClient.from_url("http://localhost:9090") as client:
        wf = client.workflow("portrait.json")
        run = wf.run(positive_prompt="a lighthouse at dusk", steps=30)
        run.images[0].save("lighthouse.png")

Names are loaded when they are first used, which keeps the import itself fast.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

__version__ = "2.0.0"

if TYPE_CHECKING:
    from invokeai_py_client._sync import (
        BoardHandle,
        BoardRepository,
        DnnModelRepository,
        GalleryRepository,
        Image,
        ImageRepository,
        InvokeAIClient,
        JobHandle,
        ModelInstJobHandle,
        PresetRepository,
        PromptRepository,
        QueueHandle,
        QueueRepository,
        QuickClient,
        Run,
        Session,
        Sweep,
        UserRepository,
        WorkflowHandle,
        WorkflowRepository,
    )
    from invokeai_py_client._sync_api import Api, Download
    from invokeai_py_client.api.all import AsyncApi
    from invokeai_py_client.api.base import AsyncDownload, FileOptions, RequestOptions, StreamOptions
    from invokeai_py_client.board.handle import AsyncBoardHandle
    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.dnn_model.events import (
        InstallCancelled,
        InstallCompleted,
        InstallDownloaded,
        InstallDownloading,
        InstallEvent,
        InstallFailed,
        InstallPaused,
        InstallStarted,
    )
    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.load import load_workflow
    from invokeai_py_client.engine.readiness import Problem, find_problems
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.errors import (
        AmbiguousInputError,
        APIRequestError,
        AuthenticationError,
        BadRequestError,
        CertificateError,
        ConflictError,
        ConnectionLostError,
        EnqueueError,
        EnqueueUnknownError,
        InputError,
        InputValueError,
        InstallError,
        InvokeAIClientError,
        LocalServerError,
        MethodNotAllowedError,
        ModelInstallError,
        ModelInstallJobFailed,
        ModelInstallStartError,
        ModelInstallTimeout,
        ModelNotFoundError,
        NotFoundError,
        NotInvokeAIError,
        NotReadyError,
        PermissionDeniedError,
        PythonNotFoundError,
        QuickTaskError,
        RequestTimeoutError,
        RunCanceledError,
        RunError,
        RunFailedError,
        RunNotFinishedError,
        RunTimeoutError,
        SchemaFormatError,
        ServerError,
        ServerTooOldError,
        ServerUnreachableError,
        StartError,
        TransferError,
        UnknownInputError,
        UnknownNameError,
        UnknownNodeError,
        UnprocessableError,
        UsageError,
        WorkflowError,
        WorkflowFormatError,
        WorkflowNotFoundError,
    )
    from invokeai_py_client.gallery.repository import AsyncGalleryRepository
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.record import AsyncImageMetadata, AsyncIvkImage
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.responses import NamedImage
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.ivk_fields.base import IvkField
    from invokeai_py_client.models.base import IvkModel, Row
    from invokeai_py_client.models.board import IvkBoard
    from invokeai_py_client.models.board import IvkBoard as Board
    from invokeai_py_client.models.dnn_model import FoundModel, IvkDnnModel, ModelCacheStats, StarterModel
    from invokeai_py_client.models.enums import (
        BaseModelEnum,
        BoardVisibility,
        HFLoginStatus,
        ImageCategory,
        ImageOrigin,
        InstallStatus,
        JobStatus,
        ModelFormatEnum,
        ModelTypeEnum,
        OpenEnum,
    )
    from invokeai_py_client.models.events import InvocationEvent, SessionEvent
    from invokeai_py_client.models.gallery import (
        IvkGalleryDay,
        IvkGalleryImage,
        IvkGalleryItem,
        IvkGalleryVideo,
    )
    from invokeai_py_client.models.image import ImageMetadata, IvkImage
    from invokeai_py_client.models.install import ModelInstallConfig, ModelInstJobInfo
    from invokeai_py_client.models.job import IvkJob
    from invokeai_py_client.models.prompts import ExpandedPrompt, IvkStylePreset, IvkSystemPrompt
    from invokeai_py_client.models.queue import (
        BatchStatus,
        CancelAllExceptCurrentResult,
        ClearResult,
        DestinationStatus,
        EnqueueResult,
        ProcessorStatus,
        PruneResult,
        QueueStatus,
    )
    from invokeai_py_client.models.user import IvkUser
    from invokeai_py_client.models.workflow import IvkWorkflowRecord
    from invokeai_py_client.presets.repository import AsyncPresetRepository
    from invokeai_py_client.prompts.progress import PromptProgress
    from invokeai_py_client.prompts.repository import AsyncPromptRepository
    from invokeai_py_client.queue.handle import AsyncQueueHandle
    from invokeai_py_client.queue.job import AsyncJobHandle
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.quick.client import AsyncQuickClient
    from invokeai_py_client.run.events import (
        NodeCompleted,
        NodeEvent,
        NodeFailed,
        NodeProgress,
        NodeStarted,
        Preview,
        RunEvent,
        StatusChanged,
    )
    from invokeai_py_client.run.results import CalledResults, NodeOutput, Results
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.run.status import RunStatus
    from invokeai_py_client.schema.reference import reference_schema
    from invokeai_py_client.schema.template import (
        FieldType,
        InputTemplate,
        Limits,
        ModelFilter,
        NodeTemplate,
        OutputTemplate,
        Schema,
    )
    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.sources import DynamicPrompts
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.transport.payload import FormFile
    from invokeai_py_client.transport.responses import Response
    from invokeai_py_client.transport.settings import ConnectionSettings, Credentials, ServerAddress
    from invokeai_py_client.user.repository import AsyncUserRepository
    from invokeai_py_client.v1.session import AsyncSession
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle
    from invokeai_py_client.workflow.outputs import OutputMapping, WorkflowOutput, WorkflowSubmission
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

# fmt: off
__all__ = [
    "APIRequestError", "AmbiguousInputError", "Api", "AsyncApi", "AsyncBoardHandle", "AsyncBoardRepository",
    "AsyncDnnModelRepository", "AsyncDownload", "AsyncGalleryRepository", "AsyncImage", "AsyncImageMetadata",
    "AsyncImageRepository", "AsyncInvokeAIClient", "AsyncIvkImage", "AsyncJobHandle", "AsyncModelInstJobHandle",
    "AsyncPresetRepository", "AsyncPromptRepository", "AsyncQueueHandle", "AsyncQueueRepository", "AsyncQuickClient",
    "AsyncRun", "AsyncSession", "AsyncSweep", "AsyncUserRepository", "AsyncWorkflowHandle", "AsyncWorkflowRepository",
    "AuthenticationError", "BadRequestError", "BaseModelEnum", "BatchStatus", "Board", "BoardHandle",
    "BoardRepository", "BoardVisibility", "CalledResults", "CancelAllExceptCurrentResult", "CertificateError",
    "ClearResult", "ConflictError", "Connection", "ConnectionLostError", "ConnectionSettings", "Credentials",
    "DestinationStatus", "DnnModelRepository", "Download", "DynamicPrompts", "EnqueueError", "EnqueueResult",
    "EnqueueUnknownError", "ExpandedPrompt", "FieldType", "FileOptions", "FormFile", "FoundModel", "GalleryRepository",
    "HFLoginStatus", "Image", "ImageCategory", "ImageMetadata", "ImageOrigin", "ImageRepository", "InputError",
    "InputSet", "InputTemplate", "InputValueError", "InstallCancelled", "InstallCompleted", "InstallDownloaded",
    "InstallDownloading", "InstallError", "InstallEvent", "InstallFailed", "InstallPaused", "InstallStarted",
    "InstallStatus", "InvocationEvent", "InvokeAIClient", "InvokeAIClientError", "IvkBoard", "IvkDnnModel", "IvkField",
    "IvkGalleryDay", "IvkGalleryImage", "IvkGalleryItem", "IvkGalleryVideo", "IvkImage", "IvkJob", "IvkModel",
    "IvkStylePreset", "IvkSystemPrompt", "IvkUser", "IvkWorkflowRecord", "JobHandle", "JobStatus", "Limits",
    "LoadedWorkflow", "LocalServer", "LocalServerError", "MethodNotAllowedError", "ModelCacheStats", "ModelFilter",
    "ModelFormatEnum", "ModelInstJobHandle", "ModelInstJobInfo", "ModelInstallConfig", "ModelInstallError",
    "ModelInstallJobFailed", "ModelInstallStartError", "ModelInstallTimeout", "ModelNotFoundError", "ModelTypeEnum",
    "NamedImage", "NodeCompleted", "NodeEvent", "NodeFailed", "NodeOutput", "NodeProgress", "NodeStarted",
    "NodeTemplate", "NotFoundError", "NotInvokeAIError", "NotReadyError", "OpenEnum", "OutputMapping",
    "OutputTemplate", "PermissionDeniedError", "PresetRepository", "Preview", "Problem", "ProcessorStatus",
    "PromptProgress", "PromptRepository", "PruneResult", "PythonNotFoundError", "QueueHandle", "QueueRepository",
    "QueueStatus", "QuickClient", "QuickTaskError", "RequestOptions", "RequestTimeoutError", "Response", "Results",
    "Row", "Run", "RunCanceledError", "RunError", "RunEvent", "RunFailedError", "RunNotFinishedError", "RunStatus",
    "RunTimeoutError", "Schema", "SchemaFormatError", "ServerAddress", "ServerError", "ServerTooOldError",
    "ServerUnreachableError", "Session", "SessionEvent", "StartError", "StarterModel", "StatusChanged",
    "StreamOptions", "Sweep", "SweepPlan", "TransferError", "TransferProgress", "UnknownInputError",
    "UnknownNameError", "UnknownNodeError", "UnprocessableError", "UsageError", "UserRepository", "WorkflowDefinition",
    "WorkflowError", "WorkflowFormatError", "WorkflowHandle", "WorkflowInput", "WorkflowNotFoundError",
    "WorkflowOutput", "WorkflowRepository", "WorkflowSubmission", "__version__", "find_problems", "load_workflow",
    "reference_schema",
]
# fmt: on

_NAMES = {
    "_sync_api": "Api Download",
    "api.all": "AsyncApi",
    "api.base": "AsyncDownload FileOptions RequestOptions StreamOptions",
    "_sync": """
        BoardHandle BoardRepository DnnModelRepository GalleryRepository Image ImageRepository InvokeAIClient JobHandle
        ModelInstJobHandle PresetRepository PromptRepository QueueHandle QueueRepository QuickClient Run Session Sweep
        UserRepository WorkflowHandle WorkflowRepository
    """,
    "board.handle": "AsyncBoardHandle",
    "board.repository": "AsyncBoardRepository",
    "client": "AsyncInvokeAIClient",
    "connection": "Connection",
    "dnn_model.events": """
        InstallCancelled InstallCompleted InstallDownloaded InstallDownloading InstallEvent InstallFailed
        InstallPaused InstallStarted
    """,
    "dnn_model.install": "AsyncModelInstJobHandle",
    "dnn_model.repository": "AsyncDnnModelRepository",
    "engine.definition": "WorkflowDefinition",
    "engine.inputs": "InputSet WorkflowInput",
    "engine.load": "load_workflow",
    "engine.readiness": "Problem find_problems",
    "engine.workflow": "LoadedWorkflow",
    "errors": """
        APIRequestError AmbiguousInputError AuthenticationError BadRequestError CertificateError ConflictError
        ConnectionLostError EnqueueError EnqueueUnknownError InputError InputValueError InstallError
        InvokeAIClientError LocalServerError MethodNotAllowedError ModelInstallError ModelInstallJobFailed
        ModelInstallStartError ModelInstallTimeout ModelNotFoundError NotFoundError NotInvokeAIError
        NotReadyError PermissionDeniedError PythonNotFoundError QuickTaskError RequestTimeoutError
        RunCanceledError RunError RunFailedError RunNotFinishedError RunTimeoutError SchemaFormatError
        ServerError ServerTooOldError ServerUnreachableError StartError TransferError UnknownInputError UnknownNameError
        UnknownNodeError UnprocessableError UsageError WorkflowError WorkflowFormatError WorkflowNotFoundError
    """,
    "gallery.repository": "AsyncGalleryRepository",
    "image.image": "AsyncImage",
    "image.record": "AsyncImageMetadata AsyncIvkImage",
    "image.repository": "AsyncImageRepository",
    "image.responses": "NamedImage",
    "image.transfer": "TransferProgress",
    "ivk_fields.base": "IvkField",
    "models.base": "IvkModel Row",
    "models.board": "Board IvkBoard",
    "models.dnn_model": "FoundModel IvkDnnModel ModelCacheStats StarterModel",
    "models.enums": """
        BaseModelEnum BoardVisibility HFLoginStatus ImageCategory ImageOrigin InstallStatus JobStatus
        ModelFormatEnum ModelTypeEnum OpenEnum
    """,
    "models.events": "InvocationEvent SessionEvent",
    "models.gallery": "IvkGalleryDay IvkGalleryImage IvkGalleryItem IvkGalleryVideo",
    "models.image": "ImageMetadata IvkImage",
    "models.install": "ModelInstJobInfo ModelInstallConfig",
    "models.job": "IvkJob",
    "models.prompts": "ExpandedPrompt IvkStylePreset IvkSystemPrompt",
    "models.queue": """
        BatchStatus CancelAllExceptCurrentResult ClearResult DestinationStatus EnqueueResult ProcessorStatus
        PruneResult QueueStatus
    """,
    "models.user": "IvkUser",
    "models.workflow": "IvkWorkflowRecord",
    "presets.repository": "AsyncPresetRepository",
    "prompts.progress": "PromptProgress",
    "prompts.repository": "AsyncPromptRepository",
    "queue.handle": "AsyncQueueHandle",
    "queue.job": "AsyncJobHandle",
    "queue.repository": "AsyncQueueRepository",
    "quick.client": "AsyncQuickClient",
    "run.events": """
        NodeCompleted NodeEvent NodeFailed NodeProgress NodeStarted Preview RunEvent StatusChanged
    """,
    "run.results": "CalledResults NodeOutput Results",
    "run.run": "AsyncRun",
    "run.status": "RunStatus",
    "schema.reference": "reference_schema",
    "schema.template": "FieldType InputTemplate Limits ModelFilter NodeTemplate OutputTemplate Schema",
    "server.local": "LocalServer",
    "sweep.plan": "SweepPlan",
    "sweep.sources": "DynamicPrompts",
    "sweep.sweep": "AsyncSweep",
    "transport.payload": "FormFile",
    "transport.settings": "ConnectionSettings Credentials ServerAddress",
    "transport.responses": "Response",
    "user.repository": "AsyncUserRepository",
    "v1.session": "AsyncSession",
    "workflow.handle": "AsyncWorkflowHandle",
    "workflow.outputs": "OutputMapping WorkflowOutput WorkflowSubmission",
    "workflow.repository": "AsyncWorkflowRepository",
}
"""The public names, keyed by the module that defines them."""

_ALIASES = {"Board": "IvkBoard"}


def __getattr__(name: str) -> Any:
    module = next((module for module, names in _NAMES.items() if name in names.split()), None)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _OldModules:
    """Finds moved modules by their old names. Python asks it only for modules that do not exist."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> Any:
        del path, target
        # The table of old names is in v1, so modules below v1 have no old names.
        if not fullname.startswith(f"{__name__}.") or fullname.startswith(f"{__name__}.v1"):
            return None
        from importlib import import_module

        return import_module(f"{__name__}.v1.names").find_old_module(fullname)


if all(
    getattr(finder, "__module__", None) != __name__ for finder in sys.meta_path
):  # skipped if the package is reloaded
    sys.meta_path.append(_OldModules)
