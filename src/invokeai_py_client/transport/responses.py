"""What a server's answer means: statuses and bodies to data or to one of our errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from invokeai_py_client._text import clip
from invokeai_py_client.errors import API_ERRORS, APIRequestError, NotInvokeAIError, ServerError

_LONGEST_DETAIL = 800


def error_of(
    status: int,
    body: bytes,
    content_type: str,
    *,
    method: str,
    path: str,
    request_id: str,
    challenge: str = "",
) -> APIRequestError:
    """The error that a failed request raises.

    Args:
        status: The answer's status.
        body: Its body, or the beginning of a long one.
        content_type: What the body is said to be.
        method: The request's method.
        path: Its path.
        request_id: Its id.
        challenge: The answer's ``WWW-Authenticate``.
    """
    payload: Any = _payload(body, content_type)
    kind = API_ERRORS.get(status) or (ServerError if status >= 500 else APIRequestError)
    detail = _detail(payload)
    message = f"{method} {path}: the server answered {status}" + (f": {detail}" if detail else "") + "."
    if status == 401 and not path.endswith("/auth/login"):
        message += _how_to_sign_in(challenge)
    return kind(status, payload, message, method=method, path=path, request_id=request_id)


def _how_to_sign_in(challenge: str) -> str:
    if challenge.lower().startswith("basic"):
        return " A proxy before the server wants a user and a password: put them into the URL (https://user:password@...)."
    return (
        " Sign in: client.login(email, password), from_url(..., email=..., password=...), `ivk login`, "
        "or a token (api_key=..., INVOKEAI_TOKEN)."
    )


def decode_json(body: bytes, content_type: str, *, url: str, method: str, path: str, request_id: str) -> Any:
    """The JSON data of a successful answer; None for an empty one.

    Raises:
        NotInvokeAIError: The body is not JSON. InvokeAI (6.12+) answers an unknown path with 200 and a
            web page, and so does many another server.
    """
    if not body:
        return None
    where: dict[str, str] = {"method": method, "path": path, "request_id": request_id}
    if "json" not in content_type:
        raise NotInvokeAIError(
            None,
            None,
            f"{url} answers, but {path} gave {content_type or 'no content type'} instead of JSON. "
            "Is this the address of an InvokeAI server (and of one that has this route)?",
            **where,
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotInvokeAIError(
            None, None, f"{url} answered {path} with something that is not JSON ({error}).", **where
        ) from None


def check_is_ours(
    status: int, content_type: str, location: str, *, url: str, method: str, path: str, request_id: str
) -> None:
    """Make sure that an answer below 400 is one that InvokeAI gives.

    Raises:
        NotInvokeAIError: A redirect (InvokeAI sends none, a proxy's sign-in page or https does), or a web page.
    """
    where: dict[str, str] = {"method": method, "path": path, "request_id": request_id}
    if status >= 300:
        raise NotInvokeAIError(
            status,
            None,
            f"{url} redirects {method} {path} to {location or 'nowhere'} instead of answering. "
            "Give the address that it leads to, or sign in at the proxy before the server.",
            **where,
        )
    if content_type == "text/html":
        raise NotInvokeAIError(
            None,
            None,
            f"{url} answers, but {path} gave a web page. "
            "Is this the address of an InvokeAI server (and of one that has this route)?",
            **where,
        )


def check_is_file(content_type: str, *, url: str, method: str, path: str, request_id: str) -> None:
    """Make sure that a file came, and not words about it.

    Raises:
        NotInvokeAIError: It is text or JSON.
    """
    if "json" in content_type or content_type.startswith("text/"):
        raise NotInvokeAIError(
            None,
            None,
            f"{url} gave {content_type} instead of a file for {path}. Is it an InvokeAI server?",
            method=method,
            path=path,
            request_id=request_id,
        )


def seconds_ahead(date: str | None) -> float | None:
    """By how many seconds the clock is ahead that an answer's ``Date`` shows; None where there is none."""
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
    """A short sentence out of an error's body.

    FastAPI's 422 lists findings whose ``input`` can echo a whole graph: only place and message are kept.
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


class Response:
    """A successful response to ``client.request()``. Other responses raise an error instead.

    Attributes:
        content: The body.
        content_type: The body's media type: ``application/json``, ``image/png``...
    """

    status_code = 200
    ok = True

    def __init__(self, content: bytes, content_type: str) -> None:
        self.content = content
        self.content_type = content_type

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
        except ValueError:
            raise NotInvokeAIError(
                None, self.text, f"The response is not JSON: {clip(self.text, 120)!r}."
            ) from None

    def __repr__(self) -> str:
        return f"<Response: {len(self.content)} bytes of {self.content_type}>"
