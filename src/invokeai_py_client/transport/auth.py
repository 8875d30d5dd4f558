"""Authentication for multi-user servers (InvokeAI 6.12+): signing in, and again when a token has expired."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import LoopBound
from invokeai_py_client.errors import AuthenticationError, MethodNotAllowedError, NotFoundError
from invokeai_py_client.transport.secrets import Hidden, hidden
from invokeai_py_client.transport.settings import Credentials

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkUser
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

LOGIN = "/api/v1/auth/login"


_RENEWALS = 3
_REFUSED = 401


class Auth:
    """Signs in to a server with the credentials in the connection's settings."""

    def __init__(self, http: HttpTransport, settings: ConnectionSettings) -> None:
        self._http = http
        self._settings = settings
        self._lock = LoopBound[asyncio.Lock]()
        self._changing = LoopBound[asyncio.Lock]()
        self._changer: asyncio.Task[Any] | None = None

    def flow(self, path: str = "") -> AuthFlow:
        """Return the authentication of one request, stream or event connection.

        Args:
            path: The path of the request. Signing in itself requires no token.
        """
        return AuthFlow(self._settings, self.renew, renewals=0 if path == LOGIN else _RENEWALS)

    async def sign_in(self, credentials: Credentials) -> Mapping[str, Any]:
        """Request a token and use it for later requests.

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The email or password is wrong.
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        response = await self._http.json(
            "POST",
            LOGIN,
            json=Hidden(
                email=credentials.email, password=credentials.password, remember_me=credentials.remember_me
            ),
            # Signing in changes nothing on the server, so it can be repeated.
            idempotent=True,
            expect={"token": str, "user": dict},
        )
        self._settings.use_token(response["token"], credentials)
        logger.info("signed in to %s", self._settings.address.url)
        return response["user"]

    async def renew(self, refused: str | None) -> bool:
        """Replace a token that the server rejected.

        Returns:
            Whether there is a new token. False if there are no credentials to sign in with.

        Raises:
            APIRequestError: The server rejected the credentials, or could not be reached.
        """
        credentials = self._settings.credentials
        if credentials is None:
            return False
        async with self._lock.get(
            asyncio.Lock
        ):  # one new token for all requests that were rejected at the same time
            if self._settings.token != refused:
                return self._settings.token is not None
            try:
                await self.sign_in(credentials)
            except AuthenticationError as error:
                if await self._password_was_changed(refused):
                    return True
                raise AuthenticationError(
                    error.status_code,
                    error.payload,
                    f"Cannot sign in to {self._settings.address.url} again: the token has expired, and the server "
                    "rejected the email and password. "
                    "Call client.login(email, password) with the current password.",
                    method=error.method,
                    path=error.path,
                    request_id=error.request_id,
                ) from None
        return True

    @asynccontextmanager
    async def changing_password(self) -> AsyncGenerator[None]:
        """Let other requests of this client wait for the new token while the password is changed inside the block.

        The server rejects all older tokens at once. A request that is rejected before the new token has arrived could
        otherwise only sign in with the old password, and would fail.
        """
        async with self._changing.get(asyncio.Lock):
            self._changer = asyncio.current_task()
            try:
                yield
            finally:
                self._changer = None

    async def _password_was_changed(self, refused: str | None) -> bool:
        """Wait until the password is changed, if that is going on. Return whether there is a new token."""
        if self._changer is None or self._changer is asyncio.current_task():
            return False
        async with self._changing.get(asyncio.Lock):
            return self._settings.token not in (refused, None)

    async def ensure_signed_in(self) -> None:
        """Sign in if there are credentials but no token yet.

        A request without a token is rejected and then signs in. An event connection must be signed in from the start.

        Raises:
            APIRequestError: The server rejected the credentials, or could not be reached.
        """
        credentials = self._settings.credentials
        if credentials is None or self._settings.token is not None:
            return
        async with self._lock.get(asyncio.Lock):
            if self._settings.token is None:
                status = await auth_status(self._http)
                if status["multiuser_enabled"]:
                    await self.sign_in(credentials)
                else:
                    logger.info("%s has no users; no sign-in required", self._settings.address.url)
                    self._settings.credentials = None


class AuthFlow:
    """The authentication of one request, stream or event connection.

    The sender drives the flow. It calls ``begin()`` before each attempt, then ``received()`` with the response (or
    ``refused()``), and sends again while ``renewed()`` returns True.
    """

    __slots__ = ("_left", "_refused", "_renew", "_session", "_settings", "_token")

    def __init__(
        self, settings: ConnectionSettings, renew: Callable[[str | None], Awaitable[bool]], *, renewals: int
    ) -> None:
        """Create the flow for a request that has not been sent yet.

        Args:
            settings: The settings that contain the token.
            renew: Replaces a rejected token and returns whether there is a new one.
            renewals: How often to renew the token. More than once makes sense, because another request may have
                renewed it, and that token may be rejected as well.
        """
        self._settings = settings
        self._renew = renew
        self._left = renewals
        self._refused = False
        self.begin()

    def begin(self) -> None:
        """Remember the token that is about to be sent."""
        self._refused = False
        self._token = hidden(self._settings.token)
        self._session = self._settings.session

    def received(self, status: int, headers: Mapping[str, str]) -> None:
        """Process a response: check whether the token was rejected, and adopt a renewed token."""
        # A "Basic" challenge comes from a proxy, which has its own passwords.
        basic = headers.get("WWW-Authenticate", "").lower().startswith("basic")
        self._refused = status == _REFUSED and not basic
        if status < 400:
            self._settings.adopt_token(headers.get("X-Refreshed-Token"), self._session)

    def refused(self) -> None:
        """Record that the token was rejected."""
        self._refused = True

    async def renewed(self) -> bool:
        """Renew the token if it was rejected.

        Returns:
            Whether to send the request again. The server has not processed it, so even a POST can be repeated.

        Raises:
            APIRequestError: The server rejected the credentials, or could not be reached.
        """
        if not self._refused or not self._left:
            return False
        self._left -= 1
        return await self._renew(self._token)


def expiry_of(token: str | None) -> datetime | None:
    """Return the time when a token of InvokeAI expires, or None if it does not say (as tokens of other origin)."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


async def auth_status(http: HttpTransport) -> dict[str, Any]:
    """Return whether the server has users (``multiuser_enabled``), and whether it needs its first (``setup_required``).

    Servers before 6.12 have neither users nor this route.

    Raises:
        APIRequestError: The server failed, or could not be reached.
    """
    from invokeai_py_client.errors import NotInvokeAIError

    try:
        return await http.json("GET", "/api/v1/auth/status", expect={"multiuser_enabled": bool})
    except (NotFoundError, MethodNotAllowedError):
        return {"multiuser_enabled": False, "setup_required": False}
    except NotInvokeAIError:
        # 5.x responds to unknown paths with its web page. If it reports a version, it is InvokeAI.
        await http.json("GET", "/api/v1/app/version", expect={"version": str})
        return {"multiuser_enabled": False, "setup_required": False}


async def current_user(http: HttpTransport) -> IvkUser | None:
    """Return the user that requests are sent as, or None if the server has no users.

    Raises:
        AuthenticationError: There is no token, or it has expired.
        APIRequestError: The server failed, or could not be reached.
    """
    from invokeai_py_client.models import IvkUser

    if not (await auth_status(http))["multiuser_enabled"]:
        return None
    return IvkUser.from_api_response(
        await http.json("GET", "/api/v1/auth/me", expect={"user_id": str, "email": str})
    )
