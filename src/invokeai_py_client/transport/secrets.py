"""Redaction of secrets. Servers repeat request data in their responses, including passwords."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import hide_secrets
from invokeai_py_client.transport.proxies import passwords

if TYPE_CHECKING:
    from invokeai_py_client.transport.settings import ConnectionSettings

_SECRET_KEYS = frozenset({"password", "current_password", "new_password", "token", "access_token", "api_key"})
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_SHORTEST = 4  # shorter secrets would match parts of ordinary words
_GONE = b"***"
_NESTED = 3


class Hidden(dict[str, Any]):
    """A dict whose ``repr`` hides its values from tools that show the variables of a traceback."""

    def __repr__(self) -> str:
        return f"<{len(self)} hidden values>"

    def __or__(self, other: Any) -> Hidden:
        return Hidden({**self, **other})


class HiddenText(str):
    """A string whose ``repr`` hides it from such tools."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hidden(text: str | None) -> HiddenText | None:
    """Return a string with a hidden ``repr``, or None for None."""
    return None if text is None else HiddenText(text)


def secrets_of(settings: ConnectionSettings, *sent: Any) -> set[str]:
    """Return all secrets in a request.

    Args:
        settings: The settings of the connection.
        sent: The query and the body of the request.
    """
    known = {settings.token, *settings.headers.values()}
    if settings.credentials is not None:
        known.add(settings.credentials.password)
    if settings.address.userinfo is not None:
        known |= {
            settings.address.userinfo[1],
            b64encode(":".join(settings.address.userinfo).encode()).decode(),
        }
    for data in sent:
        known.update(_named(data))
    return {one for one in known if one and len(one) >= _SHORTEST}


def redacted_text(text: str, settings: ConnectionSettings) -> str:
    """Return a text of a library without secrets: those of a connection, and those in the URLs that it contains."""
    if not text:  # as for most responses; looking for the password of a proxy reads the whole environment
        return text
    secrets = secrets_of(settings)
    secrets.update(one for one in passwords(settings.address.origin) if len(one) >= _SHORTEST)
    return hide_secrets(redacted(text.encode(errors="replace"), secrets).decode(errors="replace"))


def redacted(body: bytes, secrets: set[str]) -> bytes:
    """Return a response body with all secrets replaced, including their JSON-escaped forms and JSON inside JSON."""
    import json

    forms = set(secrets)
    for _ in range(_NESTED):
        forms |= {json.dumps(one, ensure_ascii=way)[1:-1] for one in forms for way in (False, True)}
    for form in sorted(forms, key=len, reverse=True):
        body = body.replace(form.encode(errors="replace"), _GONE)
    return body


def _named(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in cast("Mapping[str, Any]", data).items():
            if key in _SECRET_KEYS and isinstance(value, str):
                yield value
            elif isinstance(value, str) and str(key).lower() in _SECRET_HEADERS:
                yield value
                yield value.rpartition(" ")[2]  # without "Bearer"
