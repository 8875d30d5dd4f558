"""Interpretation of responses: turns statuses and bodies into data or errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

from invokeai_py_client._text import clip
from invokeai_py_client.errors import (
    API_ERRORS,
    APIRequestError,
    MaintenanceError,
    NotInvokeAIError,
    ServerError,
)
from invokeai_py_client.transport.proxies import Proxy

_LONGEST_DETAIL = 800
_CHECK_ADDRESS = "Check that this is the address of an InvokeAI server, and that its version has this route."


PROXY_SIGN_IN = 407
"""The status with which a proxy requires a user name and a password."""

_CONFLICT = 409

# A proxy responds with these if it cannot reach the server.
_OK = 200  # the status of the web page for unknown paths

_GATEWAY = frozenset({502, 503, 504})


def error_of(
    status: int,
    body: bytes,
    content_type: str,
    *,
    method: str,
    path: str,
    request_id: str,
    challenge: str = "",
    proxy: Proxy | None = None,
    note: str = "",
) -> APIRequestError:
    """Return the error for a failed request.

    Args:
        status: The status of the response.
        body: The body of the response, or the beginning of a long body.
        content_type: The content type of the body.
        method: The request's method.
        path: The request's path.
        request_id: The request's id.
        challenge: The ``WWW-Authenticate`` header of the response.
        proxy: The proxy that the request went through.
        note: A sentence to add if signing in is required. Defaults to none.
    """
    payload: Any = _payload(body, content_type)
    kind = API_ERRORS.get(status) or (ServerError if status >= 500 else APIRequestError)
    detail = _detail(payload)
    message = f"{method} {path} failed with HTTP status {status}" + (f": {detail}" if detail else "") + "."
    if status == 401 and not path.endswith("/auth/login"):
        message += _how_to_sign_in(challenge) + (f" {note}" if note else "")
    if status == _CONFLICT and "maintenance is active" in detail.casefold():
        message += " The server is moving its images to other folders. Nothing was changed: try again when it is done."
        return MaintenanceError(status, payload, message, method=method, path=path, request_id=request_id)
    if status == PROXY_SIGN_IN:
        message += how_to_sign_in_to(proxy)
    elif status in _GATEWAY and proxy is not None:
        message += f" The request went through the proxy {proxy.shown}. {proxy.way_around}"
    return kind(status, payload, message, method=method, path=path, request_id=request_id)


def how_to_sign_in_to(proxy: Proxy | None) -> str:
    """Return a sentence that describes how to sign in to a proxy that requires it."""
    if proxy is None:
        return ""
    return (
        f" The proxy {proxy.shown} requires a user name and a password: add them to its URL "
        f"(http://user:password@...). {proxy.way_around}"
    )


def _how_to_sign_in(challenge: str) -> str:
    if challenge.lower().startswith("basic"):
        return (
            " A proxy requires a user name and a password: add them to the URL (https://user:password@...)."
        )
    return (
        " Sign in with client.login(email, password), from_url(..., email=..., password=...) or `ivk login`, "
        "or pass a token (api_key=..., INVOKEAI_TOKEN)."
    )


def decode_json(body: bytes, content_type: str, *, url: str, method: str, path: str, request_id: str) -> Any:
    """Return the JSON data of a successful response, or None if the body is empty.

    Raises:
        NotInvokeAIError: The body is not JSON. InvokeAI (6.12+) responds to an unknown path with status 200 and a
            web page, as many other servers do.
    """
    if not body:
        return None
    where: dict[str, str] = {"method": method, "path": path, "request_id": request_id}
    if "json" not in content_type:
        raise NotInvokeAIError(
            None,
            None,
            f"{url} responded to {path} with {content_type or 'no content type'}; expected JSON. {_CHECK_ADDRESS}",
            **where,
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotInvokeAIError(
            None, None, f"{url} responded to {path} with invalid JSON ({error}). {_CHECK_ADDRESS}", **where
        ) from None


def check_is_ours(
    status: int, content_type: str, location: str, *, url: str, method: str, path: str, request_id: str
) -> None:
    """Check that a response with a status below 400 can come from InvokeAI.

    Raises:
        NotInvokeAIError: It is a redirect, which a proxy sends but InvokeAI never does, or a web page.
    """
    where: dict[str, str] = {"method": method, "path": path, "request_id": request_id}
    if status >= 300:
        raise NotInvokeAIError(
            status,
            None,
            f"{url} redirects {method} {path} to {location or 'an unknown address'}. InvokeAI sends no redirects: "
            "use the address that it redirects to, or sign in to the proxy in front of the server.",
            **where,
        )
    if content_type == "text/html" and status == _OK:  # a page about a model installation has 201
        raise NotInvokeAIError(
            None,
            None,
            f"{url} responded to {path} with a web page; expected data. {_CHECK_ADDRESS}",
            **where,
        )


def check_is_file(content_type: str, *, url: str, method: str, path: str, request_id: str) -> None:
    """Check that the content type of a response is that of a file.

    Raises:
        NotInvokeAIError: The response is text or JSON.
    """
    if "json" in content_type or content_type.startswith("text/"):
        raise NotInvokeAIError(
            None,
            None,
            f"{url} responded to {path} with {content_type}; expected a file. {_CHECK_ADDRESS}",
            method=method,
            path=path,
            request_id=request_id,
        )


def seconds_ahead(date: str | None) -> float | None:
    """Return by how many seconds a ``Date`` header is ahead of the local clock, or None if there is no valid date."""
    try:
        then = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return None
    return (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _payload(body: bytes, content_type: str) -> Any:
    text = body.decode("utf-8", "replace")
    if "json" in content_type:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _detail(payload: Any) -> str:
    """Return a short description of an error from the body of its response.

    FastAPI's 422 lists findings whose ``input`` can contain a whole graph, so only location and message are used.
    """
    if not isinstance(payload, dict):
        text = str(payload).strip()
        return "" if text.startswith("<") else clip(text, _LONGEST_DETAIL)
    detail: Any = cast("dict[str, Any]", payload).get("detail", "")
    if isinstance(detail, list):
        findings: list[str] = []
        for item in cast("list[Any]", detail)[:5]:
            if isinstance(item, dict):
                finding = cast("dict[str, Any]", item)
                place: Any = finding.get("loc")
                parts = cast("list[Any]", place) if isinstance(place, list) else [place or ""]
                where = ".".join(clip(str(part), 100) for part in parts[:20])
                findings.append(f"{where}: {clip(str(finding.get('msg', '')), 300)}")
            else:
                findings.append(clip(str(item), 300))
        detail = "; ".join(findings)
    return clip(str(detail), _LONGEST_DETAIL).rstrip(".")


class Headers(Mapping[str, str]):
    """The headers of a response. Their names are case-insensitive. Values of a repeated header are joined by commas."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            known = self._values.get(name.lower())
            self._values[name.lower()] = (
                (name, value) if known is None else (known[0], f"{known[1]}, {value}")
            )

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # A server can send a token in a header.
        return f"<Headers: {', '.join(self)}>"


class Response:
    """A successful response to ``client.request()``. Other responses raise an error instead.

    Attributes:
        status_code: The HTTP status, such as 200 or 204.
        headers: The headers. Their names are case-insensitive.
        content: The body. Empty if it was saved to a file.
        content_type: The body's media type: ``application/json``, ``image/png``...
        path: The file that the body was saved to, or None.
        ok: True.
    """

    # Older versions pickled responses without these.
    status_code: int = 200
    headers: Mapping[str, str] = Headers()
    path: Path | None = None
    ok = True

    def __init__(
        self,
        content: bytes,
        content_type: str,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        path: Path | None = None,
    ) -> None:
        self.content = content
        self.content_type = content_type
        self.status_code = status_code
        self.headers = headers or Headers()
        self.path = path

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Return the body as JSON data, or None if the body is empty.

        Raises:
            NotInvokeAIError: The body is not JSON.
        """
        try:
            return json.loads(self.content) if self.content else None
        except (ValueError, RecursionError):
            raise NotInvokeAIError(
                None,
                self.text,
                f"The response is not JSON: {clip(self.text, 120)!r}. Use `content` or `text`.",
            ) from None

    def raise_for_status(self) -> None:
        """Do nothing. Kept for older code: requests that fail raise an error themselves."""

    def __repr__(self) -> str:
        if self.path is not None:
            return f"<Response {self.status_code}: {self.content_type} in {str(self.path)!r}>"
        return f"<Response {self.status_code}: {len(self.content)} bytes of {self.content_type}>"
