"""Several installations at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from invokeai_py_client.errors import (
    ModelInstallError,
    ModelInstallJobFailed,
    ModelInstallTimeout,
)
from invokeai_py_client.models import ModelInstJobInfo

if TYPE_CHECKING:
    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

T = TypeVar("T")


async def ended_or_error(
    job: AsyncModelInstJobHandle,
    timeout: float | None,
    poll_interval: float,
    *,
    on_progress: Callable[[ModelInstJobInfo], object] | None,
) -> ModelInstallError | None:
    """Wait for one of several; that it failed or goes on keeps nobody from waiting for the others."""
    try:
        await job.wait_until(timeout, poll_interval, on_progress=on_progress)
    except (ModelInstallJobFailed, ModelInstallTimeout) as error:
        return error
    return None


def raise_first(ended: Sequence[ModelInstallError | None], *, check: bool) -> None:
    """Raise what became of several where not all is well: first of all that some go on."""
    late = [error for error in ended if isinstance(error, ModelInstallTimeout)]
    if late:
        first = late[0]
        raise ModelInstallTimeout(first.last_info, first.timeout, _of_several(first, late, ended, "go on"))
    failed = [error for error in ended if isinstance(error, ModelInstallJobFailed)]
    if failed and check:
        first = failed[0]
        raise ModelInstallJobFailed(first.info, _of_several(first, failed, ended, "failed"))


def _of_several(
    first: ModelInstallError, errors: Sequence[object], ended: Sequence[object], what: str
) -> str:
    return str(first) if len(ended) == 1 else f"{len(errors)} of {len(ended)} {what}. The first: {first}"
