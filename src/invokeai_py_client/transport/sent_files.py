"""Files on disk that a request sends, read while they are sent."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.transport.payload import Form


class SentFiles:
    """The open files of a request. They stay open until its response was read, because a server may respond early.

    The request as a whole has no timeout, because a large file takes long. Instead, each part of a file that is read
    extends the time until the response has to arrive.
    """

    def __init__(self, form: Form | None, patience: float) -> None:
        """Create the files of one attempt. None is open yet.

        Args:
            form: The form that is sent, or None.
            patience: How many seconds nothing may be sent.
        """
        self._on_disk = form is not None and form.has_files_on_disk
        self._patience = patience
        self._open = ExitStack()
        self._limit: asyncio.Timeout | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._open.close()

    def open(self, path: Path) -> io.BufferedReader:
        """Open a file that is sent.

        Raises:
            UsageError: The file cannot be read.
        """
        try:
            raw = io.FileIO(path)
        except OSError as error:
            raise UsageError(f"Cannot read the file {str(path)!r}: {error.strerror or error}.") from None
        return self._open.enter_context(_SentFile(raw, self._extend))

    @asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Raise ``TimeoutError`` if neither a file is read nor the response arrives within the patience."""
        if not self._on_disk:
            yield
            return
        self._loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience) as limit:
            self._limit = limit
            try:
                yield
            finally:
                self._limit = None

    def _extend(self) -> None:
        """Extend the time limit. Files are read in a thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reschedule)

    def _reschedule(self) -> None:
        if self._limit is not None and self._loop is not None and not self._limit.expired():
            self._limit.reschedule(self._loop.time() + self._patience)


class _SentFile(io.BufferedReader):
    """A file that reports each read."""

    def __init__(self, raw: io.FileIO, on_read: Callable[[], None]) -> None:
        super().__init__(raw)
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> bytes:
        self._on_read()
        return super().read(size)
