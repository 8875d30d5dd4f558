"""Reads a server's schema, from the cache on disk or from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import APIRequestError, NotFoundError, NotInvokeAIError
from invokeai_py_client.schema.cache import SchemaCache, fingerprint
from invokeai_py_client.schema.parse import parse_schema

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.http import HttpTransport

_SCHEMA_PATIENCE = 120.0


async def server_version(http: HttpTransport, *, timeout: float | None = None, once: bool = False) -> str:
    """Fetch the server's version.

    Args:
        http: The connection.
        timeout: The timeout of the request in seconds. Defaults to the connection's.
        once: Whether to send the request only once, without retries. Defaults to False.

    Raises:
        NotInvokeAIError: The URL belongs to another program.
        APIRequestError: The server does not respond, or rejects the request.
    """
    path = "/api/v1/app/version"
    try:
        answer = await http.json("GET", path, timeout=timeout, idempotent=not once, expect={"version": str})
    except NotFoundError as error:
        raise NotInvokeAIError(
            None,
            None,
            f"{http.url} responds, but is not InvokeAI: it has no {path}.",
            method="GET",
            path=path,
            request_id=error.request_id,
        ) from error
    return answer["version"]


async def load_schema(http: HttpTransport, url: str, *, refresh: bool = False) -> Schema:
    """Return the server's node types, from the cache if the server's version and custom nodes have not changed."""
    version = await server_version(http)
    mark = fingerprint(url, version, await _custom_nodes(http))
    cache = SchemaCache()
    schema = None if refresh else cache.load(mark)
    if schema is None:
        # The first request after its start takes the server 2-3 s.
        document = await http.json("GET", "/openapi.json", timeout=_SCHEMA_PATIENCE, expect=dict)
        schema = parse_schema(document, version)
        cache.store(mark, schema)
    return schema


async def _custom_nodes(http: HttpTransport) -> Any:
    """Return data that changes when custom nodes change, or None before InvokeAI 6.13, which does not list them."""
    try:
        return await http.json("GET", "/api/v2/custom_nodes/")
    except APIRequestError:
        return None
