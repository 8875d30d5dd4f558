"""Who one is on a server with several users (InvokeAI 6.12+)."""

# Written by tools/generate_sync.py from src/invokeai_py_client/account.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.older import OlderClient

if TYPE_CHECKING:
    from invokeai_py_client.account import AsyncAccountClient
    from invokeai_py_client.models import IvkUser


class AccountClient(OlderClient):
    """Signing in and out."""

    _impl: AsyncAccountClient

    def login(self, email: str, password: str, *, remember_me: bool = False) -> IvkUser:
        """Sign in to a server with several users, and be that user from now on.

        The client keeps email and password in memory, never anywhere else, and signs in again by itself when the
        token has ended: requests are then repeated, and waits go on.

        Args:
            email: The user's email address.
            password: The password.
            remember_me: Ask for a token that lasts longer (7 days instead of one, as of 6.14).

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The server knows no such user, or not with this password.
            PermissionDeniedError: The account is disabled, or the server has no users (single-user mode).
            UsageError: No email, or no password.
            APIRequestError: The server failed, has no such route (before 6.12), or could not be reached.
        """
        return self._call(self._impl.login(email, password, remember_me=remember_me))

    def logout(self) -> None:
        """Be nobody from now on: the token, email and password are forgotten.

        The server keeps no list of tokens (6.14): one that was copied elsewhere lives until it ends, or until the
        password is changed.
        """
        self._call(self._impl.logout())

    def has_users(self) -> bool:
        """Whether the server has users, one of whom one has to sign in as.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        return self._call(self._impl.has_users())

    def me(self) -> IvkUser | None:
        """The user that this client is signed in as; None where the server has no users.

        Raises:
            AuthenticationError: Nobody is signed in, or the token has ended.
            APIRequestError: The server failed, or could not be reached.
        """
        return self._call(self._impl.me())
