"""The invocation cache, switched off for the duration of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._base import AsyncObject

if TYPE_CHECKING:
    from typing import Self

    from invokeai_py_client.administration.server import AsyncServerRepository


class AsyncCacheOff(AsyncObject):
    """The invocation cache, switched off for the duration of an ``async with`` block. See ``server.cache_off()``."""

    def __init__(self, server: AsyncServerRepository) -> None:
        self.connection = server.connection
        self._server = server
        self._restore = False

    async def __aenter__(self) -> Self:
        self._restore = (await self._server.cache_status()).enabled
        if self._restore:
            try:
                await self._server.disable_cache()
            except BaseException:
                await self.close()  # the server may have carried out the request
                raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Switch the cache on again if it was on before. Called at the end of the block."""
        if self._restore:
            await self._server.enable_cache()
            self._restore = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection.url}>"
