"""Downloads to disk. Data is streamed, so memory use stays constant, and only complete files are kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError, ConnectionLostError
from invokeai_py_client.files.atomic import AtomicFile, write_atomically
from invokeai_py_client.files.convert import convert
from invokeai_py_client.files.formats import Edges, needs_conversion
from invokeai_py_client.transport.loop import call_back
from invokeai_py_client.transport.responses import Headers, Response
from invokeai_py_client.transport.retry import Retries, patient

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.transport.http import Stream
    from invokeai_py_client.transport.payload import Form, Params

# Images are already compressed. Servers before 6.14 would compress them again and omit the Content-Length header. Only
# the length of uncompressed data shows where to resume.
_UNCOMPRESSED = {"Accept-Encoding": "identity"}
_PARTIAL = 206
_RANGE_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_PROGRESS = 1 << 18
"""How many bytes a resumed download has to receive before it counts as a new attempt."""


@patient
async def fetch_to_disk(
    connection: Connection,
    path: str,
    target: Path,
    *,
    once: bool = False,
    on_progress: Callable[[int, int | None], object] | None = None,
) -> int:
    """Download an image, a video or another media file from the server to this machine.

    This is ``save_to_disk()`` for files that are never empty. Truncated images are detected, even if the server does
    not send their length. While the server is down, the download is repeated as long as waits tolerate that. An
    image is converted if the file's extension promises another format.

    Args:
        connection: The server.
        path: Path of the file on the server.
        target: File to write. Missing folders are created.
        once: Whether the server sends the file only once, so that a retry is useless. Defaults to False.
        on_progress: Called with the number of bytes that have arrived, and the size of the file (None if it is not
            known), after each chunk.

    Returns:
        The size of the file in bytes.

    Raises:
        APIRequestError: The server rejected the request or failed, could not be reached, or sent only part of the
            file.
        UsageError: The file cannot be written, or the image cannot be converted to its format.
    """
    download = _Download(connection, path, target, is_media=True, on_progress=on_progress)
    await download.run(once=once)
    return download.size


async def save_to_disk(
    connection: Connection,
    path: str,
    target: Path,
    *,
    method: str = "GET",
    params: Params | None = None,
    json: Any = None,
    form: Form | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    idempotent: bool | None = None,
    on_progress: Callable[[int, int | None], object] | None = None,
) -> Response:
    """Send a request and save the body of its response. Every download to disk goes through this module.

    The data is written as it arrives, so at most one chunk is in memory. The file appears under its name when it is
    complete, and replaces a file of that name (a symbolic link itself, not its target). A truncated download is not
    kept.

    A download that breaks continues where it stopped if the server supports that (``Accept-Ranges``) and the file is
    still the same: its size, and its ``ETag`` or ``Last-Modified`` if the server sends them. Otherwise it starts again
    from the beginning. It is repeated as many times as other requests are. Attempts that make progress do not count.

    Args:
        connection: The server.
        path: The path below the server's address.
        target: File to write. Missing folders are created.
        method: The HTTP method. Only GET is resumed. Defaults to GET.
        params: Query parameters.
        json: The body, as JSON data.
        form: A form to send instead of JSON.
        headers: Additional headers.
        timeout: How many seconds to wait for the next bytes. Defaults to the client's timeout.
        idempotent: Whether the request may be repeated if its outcome is unknown. Defaults to True for all methods
            except POST and PATCH.
        on_progress: As for ``fetch_to_disk()``.

    Returns:
        The first response, with the path of the file instead of a body.

    Raises:
        APIRequestError: The server rejected the request or failed, could not be reached, or sent only part of the
            file.
        UsageError: The file cannot be written.
    """
    request = {"method": method, "params": params, "json": json, "form": form, "timeout": timeout}
    download = _Download(
        connection, path, target, is_media=False, on_progress=on_progress, headers=headers, request=request
    )
    may_repeat = method not in ("POST", "PATCH") if idempotent is None else idempotent
    return await download.run(once=False, idempotent=may_repeat, is_read=method == "GET")


class _Download:
    """A download, and the part of it that has arrived."""

    def __init__(
        self,
        connection: Connection,
        path: str,
        target: Path,
        *,
        is_media: bool,
        on_progress: Callable[[int, int | None], object] | None,
        headers: Mapping[str, str] | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        self._http = connection.http
        self._path = path
        self._target = target
        self._is_media = is_media
        self._on_progress = on_progress
        self._headers = {**_UNCOMPRESSED, **(headers or {})}
        self._request = request or {}
        self._file: AtomicFile | None = None
        self._edges = Edges()
        self._first: Stream | None = None
        self._total: int | None = None
        self._gained = 0
        self._has_own_range = any(name.lower() == "range" for name in self._headers)
        self.size = 0
        """The size of the file, once it is complete."""

    async def run(self, *, once: bool, idempotent: bool = True, is_read: bool = True) -> Response:
        """Download the file.

        Args:
            once: Whether to send the request only once.
            idempotent: Whether to send the request again if its outcome is unknown.
            is_read: Whether the method is GET, so that the download can continue if it breaks.
        """
        retries = Retries(0) if once else self._http.retries(idempotent=idempotent)
        # As for any other read: a connection that the server has closed is only noticed when it is used again.
        maybe_stale = is_read and idempotent and not once
        try:
            while True:
                start = self._edges.size
                try:
                    if await self._receive(retries):
                        return await self._finish()
                except APIRequestError as error:
                    if once or not is_read or not self._can_resume(error):
                        self._discard()
                    if self._gained >= _PROGRESS:
                        retries = self._http.retries(idempotent=idempotent)
                    if maybe_stale and isinstance(error, ConnectionLostError):
                        maybe_stale = False
                        continue
                    if error.status_code == _RANGE_NOT_SATISFIABLE and start:
                        continue  # the file has changed
                    if not await retries.pause_after(error):
                        raise
        finally:
            self._discard()

    def _can_resume(self, error: APIRequestError) -> bool:
        """Return whether the next request may ask for the rest of the file."""
        if error.status_code == _RANGE_NOT_SATISFIABLE or self._first is None or self._has_own_range:
            return False
        has_rest = self._total is not None and 0 < self._edges.size < self._total
        return has_rest and self._first.headers.get("Accept-Ranges", "").strip().lower() == "bytes"

    async def _receive(self, retries: Retries) -> bool:
        """Send the request and write what arrives. Return whether the file is complete."""
        start, self._gained = self._edges.size, 0
        async with self._http.stream(
            self._path,
            headers={**self._headers, **self._range()},
            any_type=not self._is_media,
            **self._request,
        ) as stream:
            retries.responded()
            # The file is written in the event loop, because a thread for each step takes longer than the step itself
            # (half a millisecond per file).
            file = self._begin(stream)
            async for chunk in stream:
                file.write(chunk)
                self._edges.add(chunk)
                if start and stream.status_code == _PARTIAL:
                    self._gained += len(chunk)
                if self._on_progress is not None:
                    await call_back(self._on_progress, self._edges.size, self._total)
        size = self._edges.size
        if self._total is not None and size < self._total:
            # 6.14 sends at most 1 MB of a video for each request with a range.
            if stream.status_code == _PARTIAL and size > start and not self._has_own_range:
                return False
            raise self._incomplete()
        if (self._is_media and self._edges.truncated) or (self._total is not None and size > self._total):
            # The HTTP library checks the Content-Length header. Some proxies do not send it.
            error = self._incomplete()
            self._discard()
            raise error
        return True

    def _range(self) -> dict[str, str]:
        if self._first is None or not self._edges.size:
            return {}
        tag = self._first.headers.get("ETag", "")
        validator = tag if tag.startswith('"') else self._first.headers.get("Last-Modified", "")
        wanted = {"Range": f"bytes={self._edges.size}-"}
        return wanted | ({"If-Range": validator} if validator else {})

    def _begin(self, stream: Stream) -> AtomicFile:
        """Return the file to append the body of a response to."""
        if stream.status_code == _PARTIAL and not self._has_own_range:
            found = _CONTENT_RANGE.fullmatch(stream.headers.get("Content-Range", "").strip())
            if found is None or int(found[1]) != self._edges.size or not self._is_same(stream, int(found[3])):
                self._discard()
                raise ConnectionLostError(
                    None,
                    None,
                    f"The file {self._path} on {self._http.url} has changed during its download.",
                    method="GET",
                    path=self._path,
                )
            self._total = int(found[3])
        else:
            self._discard()
            self._total = _length(stream.headers)
        if self._file is None:
            self._first = stream
            self._file = AtomicFile(self._target)
        return self._file

    def _is_same(self, stream: Stream, total: int) -> bool:
        """Return whether a part belongs to the file whose first part has arrived."""
        if self._first is None:
            return True
        tags = [one.headers.get("ETag") for one in (self._first, stream)]
        return total == self._total and (None in tags or tags[0] == tags[1])

    def _incomplete(self) -> ConnectionLostError:
        return ConnectionLostError(
            None,
            None,
            f"The download of {self._path} from {self._http.url} is incomplete: the file ends after "
            f"{self._edges.size} bytes.",
            method="GET",
            path=self._path,
        )

    async def _finish(self) -> Response:
        assert self._first is not None and self._file is not None
        if self._is_media and needs_conversion(self._edges.head, self._target):
            data, target = self._file.content(), self._target
            await asyncio.to_thread(lambda: write_atomically(target, convert(data, target)))
        else:
            self._file.keep()
        first, self.size = self._first, self._edges.size
        return Response(b"", first.content_type, first.status_code, first.headers, self._target)

    def _discard(self) -> None:
        """Delete what has arrived."""
        file, self._file = self._file, None
        self._edges, self._first, self._total = Edges(), None, None
        if file is not None:
            file.discard()


def _length(headers: Headers) -> int | None:
    """Return the size of a file from the headers of a response that contains all of it, or None if it is not known."""
    text = headers.get("Content-Length", "")
    if headers.get("Content-Encoding", "identity") != "identity" or not (text.isascii() and text.isdigit()):
        return None
    return int(text)
