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
        CacheOff,
        DnnModelRepository,
        GalleryRepository,
        Image,
        ImageRepository,
        InvokeAIClient,
        InvokeAIPool,
        JobHandle,
        ModelInstJobHandle,
        NodeRepository,
        PresetRepository,
        PromptRepository,
        QueueHandle,
        QueueRepository,
        QuickClient,
        Run,
        ServerRepository,
        Session,
        StateRepository,
        Sweep,
        UserRepository,
        Video,
        VideoRepository,
        WorkflowHandle,
        WorkflowRepository,
    )
    from invokeai_py_client._sync_api import Api, Download
    from invokeai_py_client.administration.cache import AsyncCacheOff
    from invokeai_py_client.administration.nodes import AsyncNodeRepository
    from invokeai_py_client.administration.server import AsyncServerRepository
    from invokeai_py_client.administration.state import AsyncStateRepository
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
        AgentLostError,
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
        MaintenanceError,
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
        PoolError,
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
    from invokeai_py_client.events.kinds import (
        BatchEnqueued,
        BulkDownloadCompleted,
        BulkDownloadEvent,
        BulkDownloadFailed,
        BulkDownloadStarted,
        DownloadCanceled,
        DownloadCompleted,
        DownloadEvent,
        DownloadFailed,
        DownloadProgress,
        DownloadStarted,
        EventsConnected,
        GeneralEvent,
        ItemsCanceled,
        ItemsEvent,
        ItemsRetried,
        LibraryChanged,
        LLMTaskCompleted,
        LLMTaskEvent,
        LLMTaskFailed,
        LLMTaskProgress,
        ModelInstallCanceled,
        ModelInstallCompleted,
        ModelInstallDownloaded,
        ModelInstallEvent,
        ModelInstallFailed,
        ModelInstallProgress,
        ModelInstallStarted,
        ModelLoadCompleted,
        ModelLoadEvent,
        ModelLoadStarted,
        OtherEvent,
        ParametersRecalled,
        QueueCleared,
        QueueEvent,
        WorkflowAccessRevoked,
        WorkflowCreated,
        WorkflowDeleted,
        WorkflowUpdated,
    )
    from invokeai_py_client.gallery.repository import AsyncGalleryRepository
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.record import AsyncImageMetadata, AsyncIvkImage
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.responses import NamedImage, NamedVideo
    from invokeai_py_client.image.transfer import TransferProgress
    from invokeai_py_client.ivk_fields.base import IvkField
    from invokeai_py_client.models.administration import (
        FontFace,
        ImageMoveStatus,
        InvocationCacheStatus,
        IvkDevice,
        IvkFont,
        IvkNodePack,
        IvkProvider,
        IvkProviderSettings,
        IvkServerConfig,
    )
    from invokeai_py_client.models.base import IvkModel, Row
    from invokeai_py_client.models.board import IvkBoard
    from invokeai_py_client.models.board import IvkBoard as Board
    from invokeai_py_client.models.dnn_model import (
        FoundModel,
        HuggingFaceModels,
        IvkDnnModel,
        ModelCacheStats,
        OrphanedModel,
        StarterBundle,
        StarterModel,
    )
    from invokeai_py_client.models.enums import (
        BaseModelEnum,
        BoardVisibility,
        HFLoginStatus,
        ImageCategory,
        ImageOrigin,
        InstallStatus,
        JobStatus,
        LogLevel,
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
    from invokeai_py_client.models.install import InstallFile, ModelInstallConfig, ModelInstJobInfo
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
    from invokeai_py_client.models.user import IvkAuthStatus, IvkUser
    from invokeai_py_client.models.video import IvkVideo
    from invokeai_py_client.models.workflow import IvkWorkflowRecord
    from invokeai_py_client.pool.pool import AsyncInvokeAIPool
    from invokeai_py_client.pool.servers import PoolServer, ServerState
    from invokeai_py_client.presets.repository import AsyncPresetRepository
    from invokeai_py_client.prompts.repository import AsyncPromptRepository
    from invokeai_py_client.queue.handle import AsyncQueueHandle
    from invokeai_py_client.queue.job import AsyncJobHandle
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.quick.client import AsyncQuickClient
    from invokeai_py_client.run.events import (
        ModelEvent,
        ModelLoaded,
        ModelLoading,
        NodeCompleted,
        NodeEvent,
        NodeFailed,
        NodeProgress,
        NodeStarted,
        Preview,
        RunEvent,
        ServerEvent,
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
    from invokeai_py_client.server.local_servers import LocalServers
    from invokeai_py_client.server.memory import ServerMemory
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.sweep.sources import DynamicPrompts
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.transport.payload import FormFile
    from invokeai_py_client.transport.responses import Response
    from invokeai_py_client.transport.settings import ConnectionSettings, Credentials, ServerAddress
    from invokeai_py_client.user.repository import AsyncUserRepository
    from invokeai_py_client.v1.session import AsyncSession
    from invokeai_py_client.video.record import AsyncIvkVideo
    from invokeai_py_client.video.repository import AsyncVideoRepository
    from invokeai_py_client.video.video import AsyncVideo
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle
    from invokeai_py_client.workflow.outputs import OutputMapping, WorkflowOutput, WorkflowSubmission
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

# fmt: off
__all__ = [
    "APIRequestError", "AgentLostError", "AmbiguousInputError", "Api", "AsyncApi", "AsyncBoardHandle",
    "AsyncBoardRepository", "AsyncCacheOff", "AsyncDnnModelRepository", "AsyncDownload",
    "AsyncGalleryRepository", "AsyncImage", "AsyncImageMetadata", "AsyncImageRepository",
    "AsyncInvokeAIClient", "AsyncInvokeAIPool", "AsyncIvkImage", "AsyncIvkVideo", "AsyncJobHandle",
    "AsyncModelInstJobHandle", "AsyncNodeRepository", "AsyncPresetRepository", "AsyncPromptRepository",
    "AsyncQueueHandle", "AsyncQueueRepository", "AsyncQuickClient", "AsyncRun", "AsyncServerRepository",
    "AsyncSession", "AsyncStateRepository", "AsyncSweep", "AsyncUserRepository", "AsyncVideo",
    "AsyncVideoRepository", "AsyncWorkflowHandle", "AsyncWorkflowRepository", "AuthenticationError",
    "BadRequestError", "BaseModelEnum", "BatchEnqueued", "BatchStatus", "Board", "BoardHandle",
    "BoardRepository", "BoardVisibility", "BulkDownloadCompleted", "BulkDownloadEvent", "BulkDownloadFailed",
    "BulkDownloadStarted", "CacheOff", "CalledResults", "CancelAllExceptCurrentResult", "CertificateError",
    "ClearResult", "ConflictError", "Connection", "ConnectionLostError", "ConnectionSettings", "Credentials",
    "DestinationStatus", "DnnModelRepository", "Download", "DownloadCanceled", "DownloadCompleted",
    "DownloadEvent", "DownloadFailed", "DownloadProgress", "DownloadStarted", "DynamicPrompts",
    "EnqueueError", "EnqueueResult", "EnqueueUnknownError", "EventsConnected", "ExpandedPrompt", "FieldType",
    "FileOptions", "FontFace", "FormFile", "FoundModel", "GalleryRepository", "GeneralEvent", "HFLoginStatus",
    "HuggingFaceModels", "Image", "ImageCategory", "ImageMetadata", "ImageMoveStatus", "ImageOrigin",
    "ImageRepository", "InputError", "InputSet", "InputTemplate", "InputValueError", "InstallCancelled",
    "InstallCompleted", "InstallDownloaded", "InstallDownloading", "InstallError", "InstallEvent",
    "InstallFailed", "InstallFile", "InstallPaused", "InstallStarted", "InstallStatus",
    "InvocationCacheStatus", "InvocationEvent", "InvokeAIClient", "InvokeAIClientError", "InvokeAIPool",
    "ItemsCanceled", "ItemsEvent", "ItemsRetried", "IvkAuthStatus", "IvkBoard", "IvkDevice", "IvkDnnModel",
    "IvkField", "IvkFont", "IvkGalleryDay", "IvkGalleryImage", "IvkGalleryItem", "IvkGalleryVideo",
    "IvkImage", "IvkJob", "IvkModel", "IvkNodePack", "IvkProvider", "IvkProviderSettings", "IvkServerConfig",
    "IvkStylePreset", "IvkSystemPrompt", "IvkUser", "IvkVideo", "IvkWorkflowRecord", "JobHandle", "JobStatus",
    "LLMTaskCompleted", "LLMTaskEvent", "LLMTaskFailed", "LLMTaskProgress", "LibraryChanged", "Limits",
    "LoadedWorkflow", "LocalServer", "LocalServerError", "LocalServers", "LogLevel", "MaintenanceError",
    "MethodNotAllowedError", "ModelCacheStats", "ModelEvent", "ModelFilter", "ModelFormatEnum",
    "ModelInstJobHandle", "ModelInstJobInfo", "ModelInstallCanceled", "ModelInstallCompleted",
    "ModelInstallConfig", "ModelInstallDownloaded", "ModelInstallError", "ModelInstallEvent",
    "ModelInstallFailed", "ModelInstallJobFailed", "ModelInstallProgress", "ModelInstallStartError",
    "ModelInstallStarted", "ModelInstallTimeout", "ModelLoadCompleted", "ModelLoadEvent", "ModelLoadStarted",
    "ModelLoaded", "ModelLoading", "ModelNotFoundError", "ModelTypeEnum", "NamedImage", "NamedVideo",
    "NodeCompleted", "NodeEvent", "NodeFailed", "NodeOutput", "NodeProgress", "NodeRepository", "NodeStarted",
    "NodeTemplate", "NotFoundError", "NotInvokeAIError", "NotReadyError", "OpenEnum", "OrphanedModel",
    "OtherEvent", "OutputMapping", "OutputTemplate", "ParametersRecalled", "PermissionDeniedError",
    "PoolError", "PoolServer", "PresetRepository", "Preview", "Problem", "ProcessorStatus",
    "PromptRepository", "PruneResult", "PythonNotFoundError", "QueueCleared", "QueueEvent", "QueueHandle",
    "QueueRepository", "QueueStatus", "QuickClient", "QuickTaskError", "RequestOptions",
    "RequestTimeoutError", "Response", "Results", "Row", "Run", "RunCanceledError", "RunError", "RunEvent",
    "RunFailedError", "RunNotFinishedError", "RunStatus", "RunTimeoutError", "Schema", "SchemaFormatError",
    "ServerAddress", "ServerError", "ServerEvent", "ServerMemory", "ServerRepository", "ServerState",
    "ServerTooOldError", "ServerUnreachableError", "Session", "SessionEvent", "StartError", "StarterBundle",
    "StarterModel", "StateRepository", "StatusChanged", "StreamOptions", "Sweep", "SweepPlan",
    "TransferError", "TransferProgress", "UnknownInputError", "UnknownNameError", "UnknownNodeError",
    "UnprocessableError", "UsageError", "UserRepository", "Video", "VideoRepository", "WorkflowAccessRevoked",
    "WorkflowCreated", "WorkflowDefinition", "WorkflowDeleted", "WorkflowError", "WorkflowFormatError",
    "WorkflowHandle", "WorkflowInput", "WorkflowNotFoundError", "WorkflowOutput", "WorkflowRepository",
    "WorkflowSubmission", "WorkflowUpdated", "__version__", "find_problems", "load_workflow",
    "reference_schema",
]
# fmt: on

_NAMES = {
    "_sync_api": "Api Download",
    "api.all": "AsyncApi",
    "api.base": "AsyncDownload FileOptions RequestOptions StreamOptions",
    "_sync": """
        BoardHandle BoardRepository CacheOff DnnModelRepository GalleryRepository Image ImageRepository
        InvokeAIClient InvokeAIPool JobHandle ModelInstJobHandle NodeRepository PresetRepository PromptRepository
        QueueHandle QueueRepository QuickClient Run ServerRepository Session StateRepository Sweep UserRepository Video
        VideoRepository WorkflowHandle WorkflowRepository
    """,
    "administration.cache": "AsyncCacheOff",
    "administration.nodes": "AsyncNodeRepository",
    "administration.server": "AsyncServerRepository",
    "administration.state": "AsyncStateRepository",
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
        APIRequestError AgentLostError AmbiguousInputError AuthenticationError BadRequestError CertificateError
        ConflictError ConnectionLostError EnqueueError EnqueueUnknownError InputError InputValueError InstallError
        InvokeAIClientError LocalServerError MaintenanceError MethodNotAllowedError ModelInstallError
        ModelInstallJobFailed
        ModelInstallStartError ModelInstallTimeout ModelNotFoundError NotFoundError NotInvokeAIError
        NotReadyError PermissionDeniedError PoolError PythonNotFoundError QuickTaskError RequestTimeoutError
        RunCanceledError RunError RunFailedError RunNotFinishedError RunTimeoutError SchemaFormatError
        ServerError ServerTooOldError ServerUnreachableError StartError TransferError UnknownInputError UnknownNameError
        UnknownNodeError UnprocessableError UsageError WorkflowError WorkflowFormatError WorkflowNotFoundError
    """,
    "events.kinds": """
        BatchEnqueued BulkDownloadCompleted BulkDownloadEvent BulkDownloadFailed BulkDownloadStarted
        DownloadCanceled DownloadCompleted DownloadEvent DownloadFailed DownloadProgress DownloadStarted
        EventsConnected GeneralEvent ItemsCanceled ItemsEvent ItemsRetried LLMTaskCompleted LLMTaskEvent
        LLMTaskFailed LLMTaskProgress LibraryChanged ModelInstallCanceled ModelInstallCompleted
        ModelInstallDownloaded ModelInstallEvent ModelInstallFailed ModelInstallProgress
        ModelInstallStarted ModelLoadCompleted ModelLoadEvent ModelLoadStarted OtherEvent
        ParametersRecalled QueueCleared QueueEvent WorkflowAccessRevoked WorkflowCreated WorkflowDeleted
        WorkflowUpdated
    """,
    "gallery.repository": "AsyncGalleryRepository",
    "image.image": "AsyncImage",
    "image.record": "AsyncImageMetadata AsyncIvkImage",
    "image.repository": "AsyncImageRepository",
    "image.responses": "NamedImage NamedVideo",
    "image.transfer": "TransferProgress",
    "ivk_fields.base": "IvkField",
    "models.administration": """
        FontFace ImageMoveStatus InvocationCacheStatus IvkDevice IvkFont IvkNodePack IvkProvider IvkProviderSettings
        IvkServerConfig
    """,
    "models.base": "IvkModel Row",
    "models.board": "Board IvkBoard",
    "models.dnn_model": """
        FoundModel HuggingFaceModels IvkDnnModel ModelCacheStats OrphanedModel StarterBundle StarterModel
    """,
    "models.enums": """
        BaseModelEnum BoardVisibility HFLoginStatus ImageCategory ImageOrigin InstallStatus JobStatus
        LogLevel ModelFormatEnum ModelTypeEnum OpenEnum
    """,
    "models.events": "InvocationEvent SessionEvent",
    "models.gallery": "IvkGalleryDay IvkGalleryImage IvkGalleryItem IvkGalleryVideo",
    "models.image": "ImageMetadata IvkImage",
    "models.install": "InstallFile ModelInstJobInfo ModelInstallConfig",
    "models.job": "IvkJob",
    "models.prompts": "ExpandedPrompt IvkStylePreset IvkSystemPrompt",
    "models.queue": """
        BatchStatus CancelAllExceptCurrentResult ClearResult DestinationStatus EnqueueResult ProcessorStatus
        PruneResult QueueStatus
    """,
    "models.user": "IvkAuthStatus IvkUser",
    "models.video": "IvkVideo",
    "models.workflow": "IvkWorkflowRecord",
    "pool.pool": "AsyncInvokeAIPool",
    "pool.servers": "PoolServer ServerState",
    "presets.repository": "AsyncPresetRepository",
    "prompts.repository": "AsyncPromptRepository",
    "queue.handle": "AsyncQueueHandle",
    "queue.job": "AsyncJobHandle",
    "queue.repository": "AsyncQueueRepository",
    "quick.client": "AsyncQuickClient",
    "run.events": """
        ModelEvent ModelLoaded ModelLoading NodeCompleted NodeEvent NodeFailed NodeProgress NodeStarted Preview
        RunEvent ServerEvent StatusChanged
    """,
    "run.results": "CalledResults NodeOutput Results",
    "run.run": "AsyncRun",
    "run.status": "RunStatus",
    "schema.reference": "reference_schema",
    "schema.template": "FieldType InputTemplate Limits ModelFilter NodeTemplate OutputTemplate Schema",
    "server.local": "LocalServer",
    "server.local_servers": "LocalServers",
    "server.memory": "ServerMemory",
    "sweep.plan": "SweepPlan",
    "sweep.sources": "DynamicPrompts",
    "sweep.sweep": "AsyncSweep",
    "transport.payload": "FormFile",
    "transport.settings": "ConnectionSettings Credentials ServerAddress",
    "transport.responses": "Response",
    "user.repository": "AsyncUserRepository",
    "v1.session": "AsyncSession",
    "video.record": "AsyncIvkVideo",
    "video.repository": "AsyncVideoRepository",
    "video.video": "AsyncVideo",
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
