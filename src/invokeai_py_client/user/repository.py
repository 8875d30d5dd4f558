"""The user accounts of a server, which administrators manage (InvokeAI 6.12+)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client.api.auth import AsyncAuthApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import AuthenticationError, UsageError
from invokeai_py_client.lookup import Lookup
from invokeai_py_client.models import IvkUser
from invokeai_py_client.transport.auth import auth_status
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.settings import Credentials

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

_SHAPE = {"user_id": str, "email": str}


class UserLike(Protocol):
    """An object that stands for a user."""

    @property
    def user_id(self) -> str:
        """The user's id."""
        ...

    @property
    def email(self) -> str:
        """The user's email address."""
        ...


UserRef: TypeAlias = str | UserLike
"""A user: a record, an email address, or an id."""


@asynccontextmanager
async def _accounts_of(connection: Connection) -> AsyncGenerator[AsyncAuthApi]:
    """Yield the operations about accounts, and explain why they fail on a server without accounts.

    Such a server requires a token for them, although it has none.
    """
    try:
        yield connection.part(AsyncAuthApi)
    except AuthenticationError:
        if (await auth_status(connection.http))["multiuser_enabled"]:
            raise
        raise UsageError(
            f"{connection.url} has no user accounts. Set `multiuser: true` in its invokeai.yaml and restart it."
        ) from None


async def _fetch_user(connection: Connection, user_id: str) -> IvkUser:
    async with _accounts_of(connection) as api:
        return IvkUser.from_api_response(await api.get_user(user_id, expect=_SHAPE))


async def _fetch_users(connection: Connection) -> list[IvkUser]:
    async with _accounts_of(connection) as api:
        return [IvkUser.from_api_response(one) for one in await api.list_users(expect=ListOf(_SHAPE))]


USERS = Lookup("user", "user_id", "email", _fetch_user, _fetch_users)


class AsyncUserRepository(Resource):
    """The user accounts of a server (InvokeAI 6.12+ with the setting ``multiuser``).

    Only administrators can use these methods, except for ``generate_password()``. For your own account, see
    ``client.me()``, ``client.update_me()`` and ``client.change_password()``.
    """

    async def list_users(self) -> list[IvkUser]:
        """List all users, newest first. Administrator only (InvokeAI 6.12+).

        Raises:
            PermissionDeniedError: You are not an administrator.
            AuthenticationError: The client is not signed in, or the server has no users (single-user mode).
        """
        return await _fetch_users(self.connection)

    async def get_user(self, user: UserRef) -> IvkUser:
        """Return a user's record. Administrator only (InvokeAI 6.12+).

        Args:
            user: The user: a record, an email address, or an id.

        Raises:
            UnknownNameError: No user has this email address or id. This is also a ``NotFoundError``.
            PermissionDeniedError: You are not an administrator.
        """
        return await USERS.get(self.connection, user)

    async def find_user(self, user: UserRef) -> IvkUser | None:
        """Return a user's record, as ``get_user()`` does, or None if there is no such user.

        Raises:
            PermissionDeniedError: You are not an administrator.
        """
        return await USERS.find(self.connection, user)

    async def create_user(
        self, email: str, password: str, *, display_name: str | None = None, is_admin: bool = False
    ) -> IvkUser:
        """Create a user. Administrator only (InvokeAI 6.12+).

        Args:
            email: The email address to sign in with.
            password: The password. Servers with the setting ``strict_password_checking`` require 8 characters with
                upper and lower case letters and digits. ``generate_password()`` returns such a password.
            display_name: The name that others see. Defaults to none.
            is_admin: Whether the user has administrator rights. Defaults to False.

        Raises:
            UsageError: The email or the password is empty.
            APIRequestError: The email address is invalid or taken, or the password is too weak.
            PermissionDeniedError: You are not an administrator.
        """
        _refuse_empty_password(password)
        require("an email address", email=email)
        refuse_empty(display_name=display_name)
        async with _accounts_of(self.connection) as api:
            response = await api.create_user(
                email=email,
                password=password,
                display_name=display_name,
                is_admin=is_admin,
                idempotent=False,
                expect=_SHAPE,
            )
        return IvkUser.from_api_response(response)

    async def update_user(
        self,
        user: UserRef,
        *,
        display_name: str | None = None,
        is_admin: bool | None = None,
        is_active: bool | None = None,
        password: str | None = None,
    ) -> IvkUser:
        """Change a user. Omitted arguments keep their values. Administrator only (InvokeAI 6.12+).

        A new password ends all sessions of the user. If it is your own, this client continues with the new one.

        Args:
            user: The user: a record, an email address, or an id.
            display_name: The new name that others see. The server cannot remove a name (6.14).
            is_admin: Whether the user has administrator rights.
            is_active: Whether the user can sign in. The items of an inactive user do not run.
            password: The new password.

        Returns:
            The changed record.

        Raises:
            UnknownNameError: No user has this email address or id. This is also a ``NotFoundError``.
            UsageError: There is nothing to change, or an argument is empty.
            APIRequestError: The password is too weak, or no active administrator would be left.
            PermissionDeniedError: You are not an administrator.
        """
        if password is not None:
            _refuse_empty_password(password)
        refuse_empty(display_name=display_name)
        changes: dict[str, Any] = {"display_name": display_name, "is_admin": is_admin, "is_active": is_active}
        if password is None and all(value is None for value in changes.values()):
            raise UsageError("Nothing to change: pass at least one new value to update_user().")
        settings = self.connection.settings
        known = settings.credentials

        async def change(user_id: str) -> IvkUser:
            async with _accounts_of(self.connection) as api:
                response = await api.update_user(
                    user_id, **changes, password=password, idempotent=True, expect=_SHAPE
                )
            return IvkUser.from_api_response(response)

        changed = await USERS.call(self.connection, user, change)
        if (
            password is not None
            and known is not None
            and settings.credentials is known  # not replaced by another sign-in in the meantime
            and known.email.casefold() == changed.email.casefold()
        ):
            # The response contained a new token. Later sign-ins need the new password.
            settings.credentials = Credentials(known.email, password, known.remember_me)
        return changed

    async def delete_user(self, user: UserRef) -> bool:
        """Delete a user's account. Administrator only (InvokeAI 6.12+).

        The server keeps the user's images, boards, workflows and queue items. Afterwards only administrators see those
        that the user did not share. To keep a user from signing in, use ``update_user(user, is_active=False)`` instead.

        Args:
            user: The user: a record, an email address, or an id.

        Returns:
            Whether the user existed.

        Raises:
            APIRequestError: The user is the last active administrator.
            PermissionDeniedError: You are not an administrator.
        """
        async with _accounts_of(self.connection) as api:
            return await USERS.call_if_found(self.connection, user, api.delete_user)

    async def generate_password(self) -> str:
        """Return a new random password of 16 characters, made by the server. Any signed-in user (InvokeAI 6.12+).

        It has upper and lower case letters, digits and punctuation, so that every server accepts it.
        """
        async with _accounts_of(self.connection) as api:
            return (await api.generate_password(expect={"password": str}))["password"]


def _refuse_empty_password(password: str) -> None:
    """Raise if a password is empty, without showing it."""
    if not isinstance(password, str) or not password:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError("The password is empty: expected a text that is not empty.")
