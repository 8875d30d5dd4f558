"""Whether a source is installed already: which of a server's models came from it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from invokeai_py_client.models import InstallStatus, IvkDnnModel, ModelInstJobInfo

# The server's own words (InvokeAI 5.15 to 6.14) for a record that would collide with another.
_SAME_PATH = re.compile(r"A model with path '(.+)' is already installed")
_REPOSITORY = re.compile(r"[^/:\s]+/[^/:\s]+(:.*)?")

ALREADY_INSTALLED = "already_installed"


def looks_like_repository(source: str) -> bool:
    """Whether a source reads as ``owner/name``, with a variant and a subfolder or not."""
    return _REPOSITORY.fullmatch(source) is not None


def model_of_source(models: Iterable[IvkDnnModel], source: str) -> IvkDnnModel | None:
    """The model that was installed from a source, or that stands at it."""
    wanted = _plain(source)
    for model in models if wanted is not None else ():
        origin = getattr(model, "source", None)
        if wanted in (_plain(origin if isinstance(origin, str) else ""), _plain(model.path or "")):
            return model
    return None


def duplicate_of(models: Iterable[IvkDnnModel], job: ModelInstJobInfo) -> IvkDnnModel | None:
    """The model that a job failed to install a second time; None where it failed for another reason.

    A source that is there already is no HTTP error (6.14.2): the job is made, and fails with
    ``DuplicateModelException``. It fails so, too, for another model of the same name: that is not the same.
    """
    if job.status is not InstallStatus.ERROR or job.error_reason != "DuplicateModelException":
        return None
    models = list(models)
    same_path = _SAME_PATH.search(job.error or "")
    found = model_of_source(models, same_path[1]) if same_path else None
    return found or model_of_source(models, job.source or "") or model_of_source(models, job.local_path or "")


def already_installed(
    source: str, model: IvkDnnModel, job: ModelInstJobInfo | None = None
) -> ModelInstJobInfo:
    """What a job would say that had nothing to do."""
    info = job.model_copy(deep=True) if job is not None else ModelInstJobInfo(source=source)
    info.status = InstallStatus.COMPLETED
    info.model_key = model.key
    info.config_out = model.to_dict()
    info.error = info.error_reason = info.error_traceback = None
    info.extra = {**info.extra, "reason": ALREADY_INSTALLED}
    return info


def _plain(source: str) -> str | None:
    """A source without what spellings of it differ in; None for no source."""
    text = source.strip().strip('"')
    if not text:
        return None
    if "://" in text or looks_like_repository(text):
        return re.sub("::+", ":", text)
    return PurePath(text).as_posix()
