"""Records from the server: images, jobs, models, boards, events. Plain data without I/O.

Each name is loaded when it is first used, to keep the import of this package fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
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
    from invokeai_py_client.models.board import UNCATEGORIZED, IvkBoard
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
    from invokeai_py_client.models.image import IvkImage
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
    from invokeai_py_client.models.workflow import IvkWorkflowRecord

__all__ = [
    "UNCATEGORIZED",
    "BaseModelEnum",
    "BatchStatus",
    "BoardVisibility",
    "CancelAllExceptCurrentResult",
    "ClearResult",
    "DestinationStatus",
    "EnqueueResult",
    "ExpandedPrompt",
    "FontFace",
    "FoundModel",
    "HFLoginStatus",
    "HuggingFaceModels",
    "ImageCategory",
    "ImageMoveStatus",
    "ImageOrigin",
    "InstallFile",
    "InstallStatus",
    "InvocationCacheStatus",
    "InvocationEvent",
    "IvkAuthStatus",
    "IvkBoard",
    "IvkDevice",
    "IvkDnnModel",
    "IvkFont",
    "IvkGalleryDay",
    "IvkGalleryImage",
    "IvkGalleryItem",
    "IvkGalleryVideo",
    "IvkImage",
    "IvkJob",
    "IvkModel",
    "IvkNodePack",
    "IvkProvider",
    "IvkProviderSettings",
    "IvkServerConfig",
    "IvkStylePreset",
    "IvkSystemPrompt",
    "IvkUser",
    "IvkWorkflowRecord",
    "JobStatus",
    "LogLevel",
    "ModelCacheStats",
    "ModelFormatEnum",
    "ModelInstJobInfo",
    "ModelInstallConfig",
    "ModelTypeEnum",
    "OpenEnum",
    "OrphanedModel",
    "ProcessorStatus",
    "PruneResult",
    "QueueStatus",
    "Row",
    "SessionEvent",
    "StarterBundle",
    "StarterModel",
]

_MODULES = {
    **dict.fromkeys(
        (
            "FontFace",
            "ImageMoveStatus",
            "InvocationCacheStatus",
            "IvkDevice",
            "IvkFont",
            "IvkNodePack",
            "IvkProvider",
            "IvkProviderSettings",
            "IvkServerConfig",
        ),
        "administration",
    ),
    "IvkModel": "base",
    "UNCATEGORIZED": "board",
    "IvkBoard": "board",
    "FoundModel": "dnn_model",
    "HuggingFaceModels": "dnn_model",
    "IvkDnnModel": "dnn_model",
    "ModelCacheStats": "dnn_model",
    "OrphanedModel": "dnn_model",
    "StarterBundle": "dnn_model",
    "StarterModel": "dnn_model",
    "InvocationEvent": "events",
    "SessionEvent": "events",
    "IvkGalleryDay": "gallery",
    "IvkGalleryImage": "gallery",
    "IvkGalleryItem": "gallery",
    "IvkGalleryVideo": "gallery",
    "IvkImage": "image",
    "InstallFile": "install",
    "ModelInstJobInfo": "install",
    "ModelInstallConfig": "install",
    "IvkJob": "job",
    "ExpandedPrompt": "prompts",
    "IvkStylePreset": "prompts",
    "IvkSystemPrompt": "prompts",
    "BatchStatus": "queue",
    "CancelAllExceptCurrentResult": "queue",
    "ClearResult": "queue",
    "DestinationStatus": "queue",
    "EnqueueResult": "queue",
    "ProcessorStatus": "queue",
    "PruneResult": "queue",
    "QueueStatus": "queue",
    "Row": "base",
    "IvkAuthStatus": "user",
    "IvkUser": "user",
    "IvkWorkflowRecord": "workflow",
}
_PLACE = dict.fromkeys(__all__, "enums") | _MODULES

__getattr__, __dir__ = lazy_names(__name__, _PLACE)
