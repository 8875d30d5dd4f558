"""Signing in to a server with several users (InvokeAI 6.12+), and signing in again when the token has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import AuthenticationError, MethodNotAllowedError, NotFoundError, UsageError
from invokeai_py_client.transport.secrets import Hidden
from invokeai_py_client.transport.settings import Credentials

if TYPE_CHECKING:
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

LOGIN = "/api/v1/auth/login"


class SignIn:
    """Gets tokens for one connection."""

    def __init__(self, http: HttpTransport, settings: ConnectionSettings) -> None:
        self._http = http
        self._settings = settings
        self._lock: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def sign_in(self, credentials: Credentials) -> Mapping[str, Any]:
        """Get a token, and use it from now on.

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The server does not know this user, or not with this password.
            APIRequestError: It refused or failed, or could not be reached.
        """
        answer = await self._http.json(
            "POST",
            LOGIN,
            json=Hidden(
                email=credentials.email, password=credentials.password, remember_me=credentials.remember_me
            ),
            # It changes nothing, so that it can be asked twice.
            idempotent=True,
            expect={"token": str, "user": dict},
        )
        self._settings.use_token(answer["token"], credentials)
        logger.info("signed in to %s", self._settings.address.url)
        return answer["user"]

    async def again(self, refused: str | None) -> bool:
        """Get a new token in place of one that the server refused.

        Returns:
            Whether there is a new one; False where nothing to sign in with is known.

        Raises:
            APIRequestError: The server did not let the user in, or could not be reached.
        """
        credentials = self._settings.credentials
        if credentials is None:
            return False
        async with self._locked():  # one for all requests that were refused together
            if self._settings.token != refused:
                return self._settings.token is not None
            try:
                await self.sign_in(credentials)
            except AuthenticationError as error:
                raise AuthenticationError(
                    error.status_code,
                    error.payload,
                    f"{self._settings.address.url} no longer lets this user in: the token has ended, and with the "
                    "email and password that this client knows no new one is given. "
                    "Sign in with those of today: client.login(email, password).",
                    method=error.method,
                    path=error.path,
                    request_id=error.request_id,
                ) from None
        return True

    async def first(self) -> None:
        """Sign in where an email and a password were given and nobody has yet: events are sent to users only.

        Raises:
            APIRequestError: The server did not let the user in, or could not be reached.
        """
        credentials = self._settings.credentials
        if credentials is None or self._settings.token is not None:
            return
        async with self._locked():
            if self._settings.token is None:
                status = await auth_status(self._http)
                if status["multiuser_enabled"]:
                    await self.sign_in(credentials)
                else:
                    logger.info("%s has no users; nobody signs in", self._settings.address.url)
                    self._settings.credentials = None

    def _locked(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._lock is None or self._loop is not loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock


async def auth_status(http: HttpTransport) -> dict[str, Any]:
    """Whether the server has users (``multiuser_enabled``), and whether its first one is still to be made.

    Servers before 6.12 have neither users nor this question.

    Raises:
        APIRequestError: The server failed, or could not be reached.
    """
    from invokeai_py_client.errors import NotInvokeAIError

    try:
        return await http.json("GET", "/api/v1/auth/status", expect={"multiuser_enabled": bool})
    except (NotFoundError, MethodNotAllowedError):
        return {"multiuser_enabled": False, "setup_required": False}
    except NotInvokeAIError:
        # 5.x answers paths that it does not have with its web page; it is InvokeAI if it tells its version.
        await http.json("GET", "/api/v1/app/version", expect={"version": str})
        return {"multiuser_enabled": False, "setup_required": False}


def credentials_of(email: str | None, password: str | None, remember_me: bool = False) -> Credentials | None:
    """An email and its password; None where neither is given.

    Raises:
        UsageError: One without the other, or something that is no text.
    """
    if not email and not password:
        return None
    for name, value in (("email", email), ("password", password)):
        if not isinstance(value, str) or not value:
            other = "password" if name == "email" else "email"
            raise UsageError(
                f"Signing in takes an email and a password; there is no {name} for this {other}."
            )
    return Credentials(str(email), str(password), remember_me)
