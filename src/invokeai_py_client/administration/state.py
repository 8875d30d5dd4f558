"""Small values that a program keeps on a server."""

from __future__ import annotations

import json
from typing import Any

from invokeai_py_client._given import require
from invokeai_py_client._text import shown
from invokeai_py_client.api.client_state import AsyncClientStateApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, UsageError

_PREFIX = "invokeai-py-client/"
# The server ignores the name of the queue (6.14.2).
_QUEUE = "default"


class AsyncStateRepository(Resource):
    """Small values that a program keeps on a server, such as settings that several machines share.

    Every user has their own values. They are stored next to the web UI's, under keys with a prefix: the web UI's own
    values can neither be read nor changed here. InvokeAI 6.3+.

    Example:
        ```python
        await client.server.state.set("last-sweep", {"seed": 7})
        print(await client.server.state.get("last-sweep"))
        ```
    """

    async def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the server has no such key. For every user.

        Args:
            key: The key.
            default: The value to return for an unknown key. Defaults to None.

        Raises:
            APIRequestError: Another program has stored something else than JSON under this key.
        """
        text = await self.connection.part(AsyncClientStateApi).get_client_state_by_key(_QUEUE, key=_full(key))
        if text is None:
            return default
        try:
            return json.loads(text)
        except (TypeError, ValueError):
            raise APIRequestError(
                200,
                text,
                f"The value of {key!r} on the server is not JSON. Replace it with set(), or delete() it.",
            ) from None

    async def set(self, key: str, value: Any) -> None:
        """Store a value under a key. For every user.

        Args:
            key: The key.
            value: JSON data: a text, number, boolean, None, or a list or dict of such values.

        Raises:
            UsageError: The value is not JSON data. Nothing was sent.
        """
        try:
            text = json.dumps(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"value: {shown(value)} is not valid; expected JSON data ({error}).") from None
        await self.connection.part(AsyncClientStateApi).set_client_state(_QUEUE, key=_full(key), body=text)

    async def list_keys(self) -> list[str]:
        """List the keys, sorted. For every user. InvokeAI 6.13+."""
        found = await self.connection.part(AsyncClientStateApi).get_client_state_keys_by_prefix(
            _QUEUE, prefix=_PREFIX, expect=list
        )
        return sorted(str(key).removeprefix(_PREFIX) for key in found)

    async def delete(self, key: str) -> None:
        """Delete a value. Does nothing if the server has no such key. For every user. InvokeAI 6.13+."""
        await self.connection.part(AsyncClientStateApi).delete_client_state_by_key(_QUEUE, key=_full(key))


def _full(key: str) -> str:
    require("the key of a value", key=key)
    return f"{_PREFIX}{key}"
