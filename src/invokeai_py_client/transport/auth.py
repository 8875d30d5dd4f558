"""Authentication for servers with several users (InvokeAI 6.12+): signing in, and again when a token has expired."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import LoopBound
from invokeai_py_client.errors import AuthenticationError, MethodNotAllowedError, NotFoundError
from invokeai_py_client.transport.secrets import Hidden, hidden
from invokeai_py_client.transport.settings import Credentials

if TYPE_CHECKING:
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.settings import ConnectionSettings

logger = logging.getLogger("invokeai_py_client.http")

LOGIN = "/api/v1/auth/login"


_RENEWALS = 3
_REFUSED = 401


class Auth:
    """Signs in for one connection, with the credentials in its settings."""

    def __init__(self, http: HttpTransport, settings: ConnectionSettings) -> None:
        self._http = http
        self._settings = settings
        self._lock = LoopBound[asyncio.Lock]()

    def flow(self, path: str = "") -> AuthFlow:
        """Return the authentication of one request, stream or event connection.

        Args:
            path: The path that a request is sent to: signing in itself needs no token.
        """
        return AuthFlow(self._settings, self.renew, renewals=0 if path == LOGIN else _RENEWALS)

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

    async def renew(self, refused: str | None) -> bool:
        """Get a new token in place of one that the server refused.

        Returns:
            Whether there is a new one; False where nothing to sign in with is known.

        Raises:
            APIRequestError: The server did not let the user in, or could not be reached.
        """
        credentials = self._settings.credentials
        if credentials is None:
            return False
        async with self._lock.get(asyncio.Lock):  # one for all requests that were refused together
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

    async def ensure_signed_in(self) -> None:
        """Sign in if there are credentials and no token yet.

        A request is refused without a token, and then signs in. An event connection has to be signed in from the start.

        Raises:
            APIRequestError: The server did not let the user in, or could not be reached.
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
                    logger.info("%s has no users; nobody signs in", self._settings.address.url)
                    self._settings.credentials = None


class AuthFlow:
    """The authentication of one request, stream or event connection. Whoever sends it drives the flow.

    The sender calls ``begin()`` each time before it sends, ``received()`` with the response (or ``refused()``), and
    sends again for as long as ``renewed()`` returns True.
    """

    __slots__ = ("_left", "_refused", "_renew", "_session", "_settings", "_token")

    def __init__(
        self, settings: ConnectionSettings, renew: Callable[[str | None], Awaitable[bool]], *, renewals: int
    ) -> None:
        """Create the flow of something that has not been sent yet.

        Args:
            settings: Hold the token.
            renew: Gets a token in place of the one that was refused; returns whether there is another one.
            renewals: How often a token is renewed. More than once, because the new one may come from another request,
                and be refused as well.
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
        """Take note of a response: whether it refuses the token, or brings a newer one."""
        # "Basic" is the challenge of a proxy, which wants another password.
        basic = headers.get("WWW-Authenticate", "").lower().startswith("basic")
        self._refused = status == _REFUSED and not basic
        if status < 400:
            self._settings.adopt_token(headers.get("X-Refreshed-Token"), self._session)

    def refused(self) -> None:
        """Take note that the token was refused."""
        self._refused = True

    async def renewed(self) -> bool:
        """Renew the token if it was refused.

        Returns:
            Whether to send again. Nothing was done by then, so that even a POST can be sent again.

        Raises:
            APIRequestError: The server did not let the user in, or could not be reached.
        """
        if not self._refused or not self._left:
            return False
        self._left -= 1
        return await self._renew(self._token)


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
