"""Sweeps that still need items of a queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient


def sweeps_to_resume(client: InvokeAIClient) -> dict[Path, int]:
    """Return the manifests on this machine that lack the results of finished items, each with the number of items.

    Sends one request for each batch whose results are not recorded. Manifests of other servers, and files that are not
    manifests any more, are omitted.
    """
    from invokeai_py_client.sweep.known import known_manifests
    from invokeai_py_client.sweep.manifest import read_manifest
    from invokeai_py_client.transport.settings import ServerAddress

    found: dict[Path, int] = {}
    for path in known_manifests():
        try:
            manifest = read_manifest(path)
        except UsageError:  # resuming it reports the problem
            continue
        if manifest.header["queue"] != "default":
            continue
        # The servers of a pool may have other URLs from here.
        if not manifest.is_of_pool and not client.settings.address.is_same(
            ServerAddress.parse(manifest.header["url"])
        ):
            continue
        count = 0
        for batch, missing in manifest.unrecorded().items():
            status = client.queue_repo.batch_status(batch)
            count += min(missing, status.total - status.unfinished)
        if count:
            found[path] = count
    return found
