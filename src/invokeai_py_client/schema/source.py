"""Reads a server's schema, from the cache on disk or from the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from invokeai_py_client.errors import NotFoundError, NotInvokeAIError
from invokeai_py_client.schema.cache import SchemaCache, fingerprint
from invokeai_py_client.schema.document import as_object
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.transport.responses import decode_json

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.http import HttpTransport

_DOCUMENT = "/openapi.json"
_SCHEMA_PATIENCE = 120.0

# The schemas in use, by version and the digest of the document. Servers of one version mostly have the same nodes, and
# a schema of 6.14 takes 4 MB, so the connections of a pool of hundreds of servers must not have one each.
_in_use: WeakValueDictionary[tuple[str, bytes], Schema] = WeakValueDictionary()


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
        answer = await http.json("GET", path, timeout=timeout, retry=not once, expect={"version": str})
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


async def read_document(http: HttpTransport) -> tuple[bytes, str]:
    """Fetch the OpenAPI document that describes the server. Return its content and content type."""
    # The first request after its start takes the server 2-3 s.
    response = await http.raw("GET", _DOCUMENT, timeout=_SCHEMA_PATIENCE)
    return response.content, response.content_type


async def operations(http: HttpTransport) -> set[tuple[str, str]]:
    """Return the method and path of every operation in the server's OpenAPI document."""
    document, content_type = await read_document(http)
    data = as_object(
        decode_json(document, content_type, url=http.url, method="GET", path=_DOCUMENT, request_id="")
    )
    paths = as_object((data or {}).get("paths")) or {}
    return {(method.upper(), path) for path, methods in paths.items() for method in as_object(methods) or {}}


async def load_schema(http: HttpTransport, url: str, *, refresh: bool = False) -> Schema:
    """Return the server's node types.

    The document that describes them is fetched each time, because nothing smaller shows all changes: the server sends
    no ETag, its list of node packs (6.13+) has only the names of nodes, and node packs can be replaced while it runs.
    The server needs about 25 ms to send it. The cache saves decoding and parsing it, which takes longer. Connections to
    servers with the same document share one schema.

    Args:
        http: The connection.
        url: The server's URL.
        refresh: Whether to parse the document even if the cache has it. Defaults to False.
    """
    from hashlib import sha256

    version = await server_version(http)
    document, content_type = await read_document(http)
    key = version, sha256(document).digest()
    known = None if refresh else _in_use.get(key)
    if known is not None:
        return known
    mark = fingerprint(url, version, document)
    cache = SchemaCache()
    schema = None if refresh else cache.load(mark)
    if schema is None:
        data = decode_json(document, content_type, url=url, method="GET", path=_DOCUMENT, request_id="")
        if not isinstance(data, dict):
            raise NotInvokeAIError(
                None,
                None,
                f"Unexpected response of {url} to GET {_DOCUMENT}: expected a JSON object. Check that the address is "
                "that of an InvokeAI server, version 5.15 or later.",
                method="GET",
                path=_DOCUMENT,
            )
        schema = parse_schema(cast("dict[str, Any]", data), version)
        cache.store(mark, schema)
    _in_use[key] = schema
    return schema
