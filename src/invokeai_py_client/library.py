"""The server's workflow library: which workflows a name can mean, and whose they are.

On servers with user accounts (InvokeAI 6.12+), the server lists a user's own workflows and those that come with the
server. It lists the workflows that other users share in another request (6.13+). It lists all workflows for
administrators. A name means one of your own workflows first, then one of another user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._names import ExactId, ambiguous, matching
from invokeai_py_client._text import shown
from invokeai_py_client.api.auth import AsyncAuthApi
from invokeai_py_client.api.workflows import AsyncWorkflowsApi
from invokeai_py_client.errors import PermissionDeniedError, UsageError, WorkflowNotFoundError
from invokeai_py_client.lookup import Lookup
from invokeai_py_client.models import IvkUser
from invokeai_py_client.models.workflow import IvkWorkflowRecord
from invokeai_py_client.transport.auth import current_user
from invokeai_py_client.transport.json_shape import ListOf

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

WorkflowRef: TypeAlias = str | Mapping[str, Any]
"""A workflow in the server's library: a record of ``list_workflows()``, a name, or an id."""

WorkflowOrder: TypeAlias = Literal["name", "created_at", "updated_at", "opened_at", "is_public"]
"""The field by which ``list_workflows()`` sorts."""

CATEGORIES = ("user", "default")


async def fetch_workflow(connection: Connection, workflow_id: str) -> IvkWorkflowRecord:
    """Fetch the record of a workflow in the server's library, with its contents as the item ``"workflow"``.

    Raises:
        NotFoundError: The workflow is not in the library.
        PermissionDeniedError: It belongs to another user, who does not share it.
    """
    shape = {"workflow_id": str, "workflow": dict}
    record = await connection.part(AsyncWorkflowsApi).get_workflow(workflow_id, expect=shape)
    return IvkWorkflowRecord.from_api_response({"workflow_id": workflow_id, **record})


async def fetch_listed(connection: Connection, **filters: Any) -> list[IvkWorkflowRecord]:
    """Fetch the records of the workflows that the server lists, sorted by name. They have no contents.

    These are your own and those that come with the server. Administrators get those of all users.

    Args:
        connection: The server.
        **filters: Query parameters that override the defaults.
    """
    params: Any = {"order_by": "name", "direction": "ASC", "categories": CATEGORIES, **filters}
    shape = {"items": ListOf({"workflow_id": str, "name": str})}
    response = await connection.part(AsyncWorkflowsApi).list_workflows(**params, expect=shape)
    return [IvkWorkflowRecord.from_api_response(record) for record in response["items"]]


async def fetch_visible(connection: Connection, **filters: Any) -> list[IvkWorkflowRecord]:
    """Fetch the records of all workflows that you can see, as ``fetch_listed()`` does: also those that others share."""
    if not connection.settings.has_account:
        return await fetch_listed(connection, **filters)
    listed, shared = await gather_or_cancel(
        [fetch_listed(connection, **filters), fetch_listed(connection, **filters, is_public=True)]
    )
    known = {record.workflow_id for record in listed}
    others = [record for record in shared if record.workflow_id not in known]
    if not others:
        return listed
    order, backwards = filters.get("order_by", "name"), filters.get("direction") == "DESC"

    def key(record: IvkWorkflowRecord) -> tuple[bool, Any]:
        value = record[order]  # times as text, which can be compared
        return value is not None, value

    return sorted([*listed, *others], key=key, reverse=backwards)


def belongs_to(record: IvkWorkflowRecord, user: IvkUser) -> bool:
    """Whether a workflow is a user's own, or comes with the server."""
    return record.is_default or record.user_id in (None, user.user_id)


class LibraryLookup(Lookup[IvkWorkflowRecord]):
    """The resolver for workflows in the library, which prefers your own."""

    async def to_change(
        self, connection: Connection, ref: Any, action: str, *, mine: bool
    ) -> IvkWorkflowRecord | None:
        """Return the record of a workflow that is about to be changed, or None if it is not in the library.

        Args:
            connection: The server.
            ref: The workflow, its id or its name.
            action: The action for messages, such as "delete".
            mine: Whether to refuse the workflows of other users, which administrators could change.

        Raises:
            UsageError: It comes with the server, or it belongs to another user although you could change it.
            PermissionDeniedError: It belongs to another user, and you are not an administrator.
            WorkflowNotFoundError: Several workflows have this name.
        """
        text = self.text(ref)
        user = await current_user(connection.http) if mine and connection.settings.has_account else None
        record: IvkWorkflowRecord | None = None
        if user is not None and not isinstance(text, ExactId):
            listed = await fetch_listed(connection)
            record = self._only(text, [one for one in listed if belongs_to(one, user)])
        if record is None:
            record = await self.find(connection, ref)
        if record is None:
            return None
        name = shown(record.name)
        if record.is_default:
            raise UsageError(f"Cannot {action} workflow {name}: it is a default workflow of the server.")
        if user is not None and not belongs_to(record, user):
            whose = f"Cannot {action} workflow {name} (id {record.workflow_id}): it belongs to another user."
            if not user.is_admin:
                raise PermissionDeniedError(
                    403, None, f"{whose} Only its owner or an administrator can do that."
                )
            raise UsageError(
                f"{whose} Pass mine=False (--all-users) to include the workflows of other users. Nothing was changed."
            )
        return record

    async def _find(
        self, connection: Connection, text: str
    ) -> tuple[IvkWorkflowRecord | None, list[IvkWorkflowRecord] | None]:
        if isinstance(text, ExactId):
            return await self._by_id(connection, text), None
        listed = await fetch_listed(connection)
        own, others, user = listed, list[IvkWorkflowRecord](), None
        is_shared = connection.settings.has_account
        if is_shared and len({record.user_id for record in listed if not record.is_default}) > 1:
            # The list has the workflows of several users, so this user is an administrator.
            user = await current_user(connection.http)
        if user is not None:
            own = [record for record in listed if belongs_to(record, user)]
            others = [record for record in listed if not belongs_to(record, user)]
        found = self._only(text, own)
        if found is None and is_shared and user is None:
            known = {record.workflow_id for record in own}
            shared = await fetch_listed(connection, categories=("user",), is_public=True)
            others = [record for record in shared if record.workflow_id not in known]
        found = found or await self._only_of_others(connection, text, others, user)
        if self.is_id(text) and (found is None or text not in (found.name, found.workflow_id)):
            # An id takes precedence over a name in another case.
            found = await self._by_id(connection, text) or found
        return found, [*own, *others]

    async def _only_of_others(
        self, connection: Connection, text: str, records: Sequence[IvkWorkflowRecord], user: IvkUser | None
    ) -> IvkWorkflowRecord | None:
        """Return the workflow of another user that a text means, or None.

        Raises:
            WorkflowNotFoundError: Several workflows have this name. The message says whose they are.
        """
        found = matching(text, records, lambda one: one.workflow_id, lambda one: one.name)
        if len(found) < 2:
            return found[0] if found else None
        users = await _names_of_users(connection, user)
        owners = [users.get(one.user_id or "", f"user {one.user_id}") for one in found]
        ids = [f"{one.workflow_id} (of {owner})" for one, owner in zip(found, owners, strict=True)]
        raise WorkflowNotFoundError(ambiguous(self.kind, text, ids))


async def _names_of_users(connection: Connection, user: IvkUser | None) -> dict[str, str]:
    """Return the email addresses of all users by their ids, if this user is an administrator, who can list them."""
    if user is None or not user.is_admin:
        return {}
    users = await connection.part(AsyncAuthApi).list_users(expect=ListOf({"user_id": str, "email": str}))
    return {one["user_id"]: one["email"] for one in users}


WORKFLOWS = LibraryLookup(
    "workflow",
    "workflow_id",
    "name",
    fetch_workflow,
    fetch_visible,
    error=WorkflowNotFoundError,
    ambiguous_error=WorkflowNotFoundError,
)
