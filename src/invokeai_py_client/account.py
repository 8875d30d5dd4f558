"""Who one is on a server with several users (InvokeAI 6.12+)."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from invokeai_py_client.errors import APIRequestError, UsageError
from invokeai_py_client.older import AsyncOlderClient

if TYPE_CHECKING:
    from invokeai_py_client.config import Profile
    from invokeai_py_client.connections import Connections
    from invokeai_py_client.models import IvkUser
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client")


class AsyncAccountClient(AsyncOlderClient):
    """Signing in and out."""

    settings: ConnectionSettings
    _connections: Connections
    _profile: Profile | None = None

    async def login(self, email: str, password: str, *, remember_me: bool = False) -> IvkUser:
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
        from invokeai_py_client.models import IvkUser
        from invokeai_py_client.transport.sign_in import credentials_of

        credentials = credentials_of(email, password, remember_me)
        del password  # tracebacks that show variables do not show it here
        if credentials is None:
            raise UsageError("Signing in takes an email and a password.")
        changes = self.settings.token is not None
        user = IvkUser.from_api_response(await self._client._http.sign_in.sign_in(credentials))
        self._profile = None
        if changes:
            await self._connections.renew_events()  # they came as somebody else's
        return user

    async def logout(self) -> None:
        """Be nobody from now on: the token, email and password are forgotten.

        The server keeps no list of tokens (6.14): one that was copied elsewhere lives until it ends, or until the
        password is changed.
        """
        self._profile = None
        if self.settings.token is not None:
            try:
                self.settings.credentials = None  # an ended token is no reason to sign in again
                await self._client._http.json("POST", "/api/v1/auth/logout")
            except APIRequestError as error:
                logger.info("the server was not told of signing out: %s", error)
        self.settings.use_token(None)
        await self._connections.renew_events()

    async def has_users(self) -> bool:
        """Whether the server has users, one of whom one has to sign in as.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.transport.sign_in import auth_status

        return (await auth_status(self._client._http))["multiuser_enabled"]

    async def me(self) -> IvkUser | None:
        """The user that this client is signed in as; None where the server has no users.

        Raises:
            AuthenticationError: Nobody is signed in, or the token has ended.
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.models import IvkUser

        if not await self.has_users():
            return None
        return IvkUser.from_api_response(
            await self._client._http.json("GET", "/api/v1/auth/me", gives={"user_id": str, "email": str})
        )

    def _keep_token(self) -> None:
        """Write a token that the server has renewed where the old one came from, for the next program."""
        from invokeai_py_client.config import Profile, keep_profile, read_profiles

        known, token = self._profile, self.settings.token
        if known is None or token is None or token == known.token:
            return
        try:
            today = read_profiles().get(known.name)
            if today == known:  # else somebody has signed in or out meanwhile
                self._profile = Profile(known.name, known.url, token, known.email)
                keep_profile(self._profile)
        except UsageError as error:
            logger.warning("The renewed token could not be kept: %s", error)
