"""A user of a server that has several."""

from __future__ import annotations

from invokeai_py_client.models.base import IvkModel, Timestamp


class IvkUser(IvkModel):
    """A user's record (InvokeAI 6.12+).

    Attributes:
        user_id: The user's identity.
        email: What one signs in with.
        display_name: What others see.
        is_admin: Whether the user may do everything.
        is_active: Whether the user may sign in.
        last_login_at: When the user last did.
    """

    user_id: str
    email: str = ""
    display_name: str | None = None
    is_admin: bool = False
    is_active: bool = True
    created_at: Timestamp = None
    updated_at: Timestamp = None
    last_login_at: Timestamp = None
