"""A user of a server with user accounts."""

from __future__ import annotations

from typing import ClassVar

from invokeai_py_client.models.base import IvkModel, Timestamp


class IvkUser(IvkModel):
    """The record of a user (InvokeAI 6.12+).

    Attributes:
        user_id: The user's id.
        email: The email address used to sign in.
        display_name: The name that others see.
        is_admin: Whether the user has administrator rights.
        is_active: Whether the user can sign in.
        created_at: The time when the account was created.
        updated_at: The time when the account was last changed.
        last_login_at: The time when the user last signed in, or None if never.
        token_epoch: A number that increases when the password changes, which invalidates all earlier tokens
            (InvokeAI 6.14+). None if the server does not send it.
    """

    _brief: ClassVar[tuple[str, ...]] = ("email", "is_admin", "is_active")

    user_id: str
    email: str = ""
    display_name: str | None = None
    is_admin: bool = False
    is_active: bool = True
    created_at: Timestamp = None
    updated_at: Timestamp = None
    last_login_at: Timestamp = None
    token_epoch: int | None = None


class IvkAuthStatus(IvkModel):
    """Whether a server has user accounts, and whether it needs its first administrator (InvokeAI 6.12+).

    Attributes:
        multiuser_enabled: Whether the server has user accounts and requires signing in.
        setup_required: Whether it has no administrator yet.
        strict_password_checking: Whether passwords need 8 characters with upper and lower case letters and digits.
        admin_email: The email address of an administrator, which servers only send while ``setup_required``.
    """

    multiuser_enabled: bool = False
    setup_required: bool = False
    strict_password_checking: bool = False
    admin_email: str | None = None
