"""Whose queue items a call is about: those of the user who makes it, or those of all users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invokeai_py_client.errors import PermissionDeniedError
from invokeai_py_client.run.batch_ids import is_sent_from_here
from invokeai_py_client.transport.auth import current_user

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import IvkJob, IvkUser


@dataclass(frozen=True, slots=True)
class Scope:
    """The queue items that a call is about.

    Attributes:
        user: The user who makes the call, or None if the server has no users.
        everyone: Whether the call is about the items of all users. Servers without users have only such items.
    """

    user: IvkUser | None
    everyone: bool

    @property
    def is_bulk(self) -> bool:
        """Whether the server's requests about a whole queue change exactly these items.

        They change all items if an administrator sends them, and otherwise those of the user.
        """
        return self.everyone if self.user is None or self.user.is_admin else not self.everyone

    def includes(self, job: IvkJob) -> bool:
        """Return whether the call is about an item.

        Servers without users do not know who sent an item. There, the items of this user are those that this user sent
        from this machine with this package.
        """
        if self.everyone:
            return True
        return is_sent_from_here(job.batch_id) if self.user is None else job.user_id == self.user.user_id

    def raise_unless_allowed(self, action: str) -> None:
        """Raise if the call would change the items of other users without the right to do so.

        Args:
            action: The action for the message, such as "cancel".

        Raises:
            PermissionDeniedError: The user is not an administrator.
        """
        if self.everyone and self.user is not None and not self.user.is_admin:
            raise PermissionDeniedError(
                403,
                None,
                f"{self.user.email} cannot {action} the queue items of other users: expected an administrator. "
                "Leave out mine=False (--all-users) to use your own items only.",
            )


async def scope_of(connection: Connection, mine: bool | None) -> Scope:
    """Return the scope of a call.

    Args:
        connection: The server.
        mine: Whether the call is about the items of the user who makes it. None means these items on a server with
            users, and all items on other servers.

    Raises:
        AuthenticationError: The server has users, and the client is not signed in.
        APIRequestError: The server failed, or could not be reached.
    """
    if not connection.settings.has_account and not mine:
        return Scope(None, everyone=True)  # a server with users would refuse the call itself
    user = await current_user(connection.http)
    return Scope(user, everyone=user is None if mine is None else not mine)
