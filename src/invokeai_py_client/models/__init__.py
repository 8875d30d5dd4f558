"""Records from the server: images, jobs, models, boards, events. Plain data without I/O.

Each name is loaded when it is first used, to keep the import of this package fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.models.base import IvkModel, Row
    from invokeai_py_client.models.board import UNCATEGORIZED, IvkBoard
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
    from invokeai_py_client.models.image import IvkImage
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
    "FoundModel",
    "HFLoginStatus",
    "ImageCategory",
    "ImageOrigin",
    "InstallStatus",
    "InvocationEvent",
    "IvkBoard",
    "IvkDnnModel",
    "IvkGalleryDay",
    "IvkGalleryImage",
    "IvkGalleryItem",
    "IvkGalleryVideo",
    "IvkImage",
    "IvkJob",
    "IvkModel",
    "IvkStylePreset",
    "IvkSystemPrompt",
    "IvkUser",
    "IvkWorkflowRecord",
    "JobStatus",
    "ModelCacheStats",
    "ModelFormatEnum",
    "ModelInstJobInfo",
    "ModelInstallConfig",
    "ModelTypeEnum",
    "OpenEnum",
    "ProcessorStatus",
    "PruneResult",
    "QueueStatus",
    "Row",
    "SessionEvent",
    "StarterModel",
]

_MODULES = {
    "IvkModel": "base",
    "UNCATEGORIZED": "board",
    "IvkBoard": "board",
    "FoundModel": "dnn_model",
    "IvkDnnModel": "dnn_model",
    "ModelCacheStats": "dnn_model",
    "StarterModel": "dnn_model",
    "InvocationEvent": "events",
    "SessionEvent": "events",
    "IvkGalleryDay": "gallery",
    "IvkGalleryImage": "gallery",
    "IvkGalleryItem": "gallery",
    "IvkGalleryVideo": "gallery",
    "IvkImage": "image",
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
    "IvkUser": "user",
    "IvkWorkflowRecord": "workflow",
}
_PLACE = dict.fromkeys(__all__, "enums") | _MODULES

__getattr__, __dir__ = lazy_names(__name__, _PLACE)
