"""Changes of several images or videos: what the server did, compared with what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._partial import is_hopeless, partial_failure
from invokeai_py_client._text import shown
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    TransferError,
)
from invokeai_py_client.image.image import HeldImages, HeldRecords, fetch_records
from invokeai_py_client.image.responses import MOST_NAMES, Kind, changed_names, failed_names
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.auth import auth_status
from invokeai_py_client.transport.payload import is_path_part, portions

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_AT_ONCE = 8


class Changed(NamedTuple):
    """The response to a change of several images or videos.

    Attributes:
        names: Those that were changed.
        failed: The errors of those for which the server failed.
    """

    names: Sequence[str]
    failed: Mapping[str, InvokeAIClientError]


def unclear_failure(response: Any) -> ServerError:
    """Return the error for an image or a video that a server failed to change without reporting a reason."""
    return ServerError(None, response, "The server failed to change it. The reason is in its log.")


async def change_images(
    connection: Connection,
    operation: Callable[..., Awaitable[Any]],
    verb: str,
    names: Sequence[str],
    *,
    what: str,
    **more: Any,
) -> list[str]:
    """Send the requests of a bulk route for images, up to 1,000 images each.

    Args:
        connection: The server.
        operation: The operation of the server.
        verb: The participle in the response: ``deleted``, ``starred``, ``unstarred``, ``added`` or ``removed``.
        names: The images.
        what: The participle for error messages.
        **more: Other values in the body of the requests.

    Returns:
        The names.

    Raises:
        TransferError: The server did not change some of the images. All others were changed.
        APIRequestError: No image was changed, because no request succeeded.
    """

    async def send(portion: list[str]) -> Changed:
        response = await operation(image_names=portion, **more)
        reported = changed_names(response, verb)
        if "removed_image_names" in response:  # InvokeAI before 6.0 includes names that do not exist
            reported = [image.image_name for image in await fetch_records(connection, reported)]
        return Changed(reported, dict.fromkeys(failed_names(response), unclear_failure(response)))

    return await change_files(connection.part(HeldImages), names, send, what=what)


async def change_files(
    held: HeldRecords,
    names: Sequence[str],
    send: Callable[[list[str]], Awaitable[Changed]],
    *,
    what: str,
    kind: Kind = "image",
) -> list[str]:
    """Change images or videos, up to 1,000 at a time.

    Args:
        held: The records to load again after the change.
        names: The images or videos.
        send: Sends the request for some of them.
        what: The participle for error messages.
        kind: What they are. Defaults to ``"image"``.

    Returns:
        The names.

    Raises:
        TransferError: The server did not change some of them. All others were changed.
        APIRequestError: None was changed, because no request succeeded.
    """
    changed: set[str] = set()
    failed: dict[str, InvokeAIClientError] = {}
    lost: list[APIRequestError] = []
    for portion in portions(names, MOST_NAMES):
        if lost and is_hopeless(lost[-1]):
            failed |= dict.fromkeys(portion, lost[-1])
            continue
        try:
            reported, errors = await send(portion)
        except APIRequestError as error:
            lost.append(error)
            failed |= dict.fromkeys(portion, error)
            continue
        changed.update(reported)
        failed |= errors
    held.forget(changed)
    if lost and len(failed) == len(names):
        raise lost[0]
    skipped = [name for name in names if name not in changed and name not in failed]
    try:
        failed |= await why_unchanged(held, skipped)
    except APIRequestError as error:  # the server went away: report what was changed before that
        failed |= dict.fromkeys(skipped, error)
    if failed:
        errors = {name: failed[name] for name in names if name in failed}
        raise partial_failure(what, errors, {name: name for name in names if name in changed}, kind=kind)
    return list(names)


async def why_unchanged(held: HeldRecords, names: Sequence[str]) -> dict[str, InvokeAIClientError]:
    """Return why the server skipped images or videos: it does not report reasons.

    Sends one request per 1,000 images or per video, and one for each image or video that another user may own on
    servers with users.
    """
    if not names:
        return {}
    visible: set[str] = set()
    for portion in portions(names, MOST_NAMES):
        visible |= {record.name for record in await held.fetch(portion)}
    has_users = (await auth_status(held.connection.http))["multiuser_enabled"]
    unseen = [name for name in names if name not in visible and has_users]
    hidden = await _owned_by_others(held, unseen)
    reasons: dict[str, InvokeAIClientError] = {}
    for name in names:
        if name in hidden or (name in visible and has_users):
            text = "It belongs to another user, or is on a board of another user. You may not change it."
            reasons[name] = PermissionDeniedError(403, None, text)
        elif name in visible:
            reasons[name] = ServerError(None, None, "The server skipped it and did not report a reason.")
        else:
            reasons[name] = NotFoundError(404, None, "It is not on the server.")
    return reasons


async def raise_if_files_left(
    board: str, there: Mapping[HeldRecords, Sequence[str]], response: Mapping[str, Any]
) -> None:
    """Check that the images and videos of a board were deleted together with the board.

    Args:
        board: The board's name.
        there: The images and videos that were on the board, by the part of the connection that loads their records.
        response: The server's response.

    Raises:
        TransferError: Some images or videos were not deleted. They are uncategorized now.
    """
    deleted = _reported("deleted", response)
    unclear = ServerError(None, response, "The server failed to delete it. The reason is in its log.")
    failed: dict[str, InvokeAIClientError] = dict.fromkeys(_reported("failed", response), unclear)
    for held, names in there.items():
        others = await why_unchanged(held, [name for name in names if name not in {*deleted, *failed}])
        # What is not on the server was deleted by someone else in the meantime.
        failed |= {name: error for name, error in others.items() if not isinstance(error, NotFoundError)}
    if failed:
        note = f"The board {shown(board)} was deleted, but not everything on it; the rest is uncategorized."
        kind = "image" if all(isinstance(held, HeldImages) for held in there) else "file"
        raise partial_failure("deleted", failed, {name: name for name in deleted}, kind=kind, note=note)


def raise_if_files_deleted(board: str, error: ServerError) -> None:
    """Check whether a failed deletion of a board has deleted some of its images and videos (6.14.2).

    Raises:
        TransferError: It has.
    """
    detail = as_mapping(as_mapping(error.payload).get("detail"))
    deleted = _reported("deleted", detail)
    if deleted:
        counts = [
            f"{count} {kind}{'s' * (count != 1)}"
            for kind in ("image", "video")
            if (count := len(detail.get(f"deleted_{kind}s") or ()))
        ]
        were = "was" if len(deleted) == 1 else "were"
        message = f"{' and '.join(counts)} on the board {shown(board)} {were} deleted, but the board was not: {error}"
        raise TransferError(message, failed={board: error}, done={name: name for name in deleted}) from None


def _reported(verb: str, response: Mapping[str, Any]) -> list[str]:
    """Return the names of the images and videos that a response about a board reports as deleted or failed."""
    return [str(name) for kind in ("images", "videos") for name in response.get(f"{verb}_{kind}") or ()]


async def _owned_by_others(held: HeldRecords, names: Iterable[str]) -> set[str]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def check(name: str) -> str | None:
        async with limit:
            try:
                await held.fetch_one(name)
            except PermissionDeniedError:
                return name
            except NotFoundError:
                pass
        return None

    found = await gather_or_cancel(check(name) for name in names if is_path_part(name))
    return {name for name in found if name is not None}
