"""Check whether a manifest is resumed on the server that its runs were sent to."""

from __future__ import annotations

import logging
from itertools import chain, islice
from typing import TYPE_CHECKING

from invokeai_py_client.api.queue import AsyncQueueApi
from invokeai_py_client.transport.settings import ServerAddress

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.sweep.manifest import Manifest

logger = logging.getLogger("invokeai_py_client.sweep")

_BATCHES = 5
_IMAGES = 100


async def warn_if_foreign(connection: Connection, queue_id: str, kept: Manifest) -> None:
    """Log a warning if a server is not the one that a manifest's runs were sent to.

    InvokeAI (6.14) has no id that identifies a server or its database. The same address counts as the same server, even
    if its database was recreated. A server at another address is the same one if it has a batch or an image of the
    sweep: their ids are unique.

    Args:
        connection: The server.
        queue_id: The queue of the sweep.
        kept: The manifest.
    """
    url: str = kept.header["url"]
    if not kept.batches or ServerAddress.parse(url).is_same(connection.settings.address):
        return
    for sending in islice(reversed(kept.batches), _BATCHES):
        api = connection.part(AsyncQueueApi)
        if (await api.get_batch_status(queue_id, sending.batch_id, expect={"total": int}))["total"]:
            return
    from invokeai_py_client.image.repository import AsyncImageRepository

    records = (record["images"] for record in reversed(kept.runs.values()))
    names = list(islice(chain.from_iterable(records), _IMAGES))
    if names and await connection.part(AsyncImageRepository).get_images(names):
        return
    logger.warning(
        "This sweep ran on %s, but the server at %s has none of its runs and images. Runs without a result are sent to "
        "that server. Runs with a result are not repeated, but their images are not there.",
        url,
        connection.url,
    )
