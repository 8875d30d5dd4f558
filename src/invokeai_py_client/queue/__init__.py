"""The queue of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client.queue.job_handle import JobHandle
    from invokeai_py_client.queue.queue_handle import QueueHandle
    from invokeai_py_client.queue.queue_repo import QueueRepository

__all__ = ["JobHandle", "QueueHandle", "QueueRepository"]

_WHERE = {
    "JobHandle": "queue.job_handle",
    "QueueHandle": "queue.queue_handle",
    "QueueRepository": "queue.queue_repo",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"invokeai_py_client.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
