"""Changes of several images: what the server did, compared with what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
from invokeai_py_client.image.image import HeldImages, fetch_records
from invokeai_py_client.image.responses import MOST_NAMES, changed_names, failed_names
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.auth import auth_status
from invokeai_py_client.transport.payload import is_path_part, portions, route

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_AT_ONCE = 8


async def change_images(
    connection: Connection,
    path: str,
    verb: str,
    names: Sequence[str],
    *,
    what: str,
    idempotent: bool = True,
    **more: Any,
) -> list[str]:
    """Send the requests of a bulk route for images, up to 1,000 images each.

    Args:
        connection: The server.
        path: The route.
        verb: The participle in the response: ``deleted``, ``starred``, ``unstarred``, ``added`` or ``removed``.
        names: The images.
        what: The participle for error messages.
        idempotent: Whether a request may be repeated. Defaults to True.
        **more: Other values in the body of the requests.

    Returns:
        The names.

    Raises:
        TransferError: The server did not change some of the images. All others were changed.
        APIRequestError: No image was changed, because no request succeeded.
    """
    changed: set[str] = set()
    failed: dict[str, InvokeAIClientError] = {}
    lost: list[APIRequestError] = []
    for portion in portions(names, MOST_NAMES):
        if lost and is_hopeless(lost[-1]):
            failed |= dict.fromkeys(portion, lost[-1])
            continue
        try:
            response = await connection.http.json(
                "POST", path, json={**more, "image_names": portion}, idempotent=idempotent
            )
            reported = changed_names(response, verb)
        except APIRequestError as error:
            lost.append(error)
            failed |= dict.fromkeys(portion, error)
            continue
        if "removed_image_names" in response:  # InvokeAI before 6.0 includes names that do not exist
            reported = [image.image_name for image in await fetch_records(connection, reported)]
        changed.update(reported)
        error = ServerError(None, response, "The server failed to change it. The reason is in its log.")
        failed |= dict.fromkeys(failed_names(response), error)
    connection.part(HeldImages).forget(changed)
    if lost and len(failed) == len(names):
        raise lost[0]
    skipped = [name for name in names if name not in changed and name not in failed]
    try:
        failed |= await why_unchanged(connection, skipped)
    except APIRequestError as error:  # the server went away: report what was changed before that
        failed |= dict.fromkeys(skipped, error)
    if failed:
        errors = {name: failed[name] for name in names if name in failed}
        raise partial_failure(what, errors, {name: name for name in names if name in changed})
    return list(names)


async def why_unchanged(connection: Connection, names: Sequence[str]) -> dict[str, InvokeAIClientError]:
    """Return why the server skipped images: it does not report reasons.

    Sends one request per 1,000 images, and one for each image that another user may own on servers with users.
    """
    if not names:
        return {}
    visible: set[str] = set()
    for portion in portions(names, MOST_NAMES):
        visible |= {record.image_name for record in await fetch_records(connection, portion)}
    has_users = (await auth_status(connection.http))["multiuser_enabled"]
    unseen = [name for name in names if name not in visible and has_users]
    hidden = await _owned_by_others(connection, unseen)
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


async def raise_if_images_left(
    connection: Connection, board: str, names: Sequence[str], response: Mapping[str, Any]
) -> None:
    """Check that the images of a board were deleted together with the board.

    Args:
        connection: The server.
        board: The board's name.
        names: The images that were on the board.
        response: The server's response.

    Raises:
        TransferError: Some images or videos were not deleted. They are uncategorized now.
    """
    deleted = [str(name) for kind in ("images", "videos") for name in response.get(f"deleted_{kind}") or ()]
    unclear = ServerError(None, response, "The server failed to delete it. The reason is in its log.")
    failed: dict[str, InvokeAIClientError] = dict.fromkeys(
        [str(name) for kind in ("images", "videos") for name in response.get(f"failed_{kind}") or ()], unclear
    )
    others = await why_unchanged(connection, [name for name in names if name not in {*deleted, *failed}])
    # Images that are not on the server were deleted by someone else in the meantime.
    failed |= {name: error for name, error in others.items() if not isinstance(error, NotFoundError)}
    if failed:
        note = f"The board {shown(board)} was deleted, but not everything on it; the rest is uncategorized."
        raise partial_failure("deleted", failed, {name: name for name in deleted}, note=note)


def raise_if_images_deleted(board: str, error: ServerError) -> None:
    """Check whether a failed deletion of a board has deleted some of its images (6.14.2).

    Raises:
        TransferError: It has.
    """
    detail = as_mapping(as_mapping(error.payload).get("detail"))
    deleted = [str(name) for kind in ("images", "videos") for name in detail.get(f"deleted_{kind}") or ()]
    if deleted:
        were = (
            "1 image on the board {} was"
            if len(deleted) == 1
            else f"{len(deleted)} images on the board {{}} were"
        )
        message = f"{were.format(shown(board))} deleted, but the board was not: {error}"
        raise TransferError(message, failed={board: error}, done={name: name for name in deleted}) from None


async def _owned_by_others(connection: Connection, names: Iterable[str]) -> set[str]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def check(name: str) -> str | None:
        async with limit:
            try:
                await connection.http.json("GET", route("/api/v1/images/i/{image}", image=name))
            except PermissionDeniedError:
                return name
            except NotFoundError:
                pass
        return None

    found = await gather_or_cancel(check(name) for name in names if is_path_part(name))
    return {name for name in found if name is not None}
