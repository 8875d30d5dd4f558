"""Make the packaged schema of the reference version of InvokeAI.

Usage::

    python tools/make_reference_schema.py http://localhost:9090
    python tools/make_reference_schema.py openapi.json --version 6.14.2

``--document FILE.json.xz`` instead writes the part of the document that describes nodes, for the tests. Such a file is
also accepted as a source, to rebuild the packaged schema without a server. The version must be the one named in
``invokeai_py_client.schema.reference``.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

from invokeai_py_client.schema.packed import pack
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.schema.reference import REFERENCE_FILE, REFERENCE_VERSION
from invokeai_py_client.schema.template import Schema

LONGEST_DESCRIPTION = 200


def without_long_prose(schema: Schema) -> Schema:
    """Return the schema without the longest descriptions."""

    def short(text: str) -> str:
        return text if len(text) <= LONGEST_DESCRIPTION else ""

    return Schema(
        {
            node_type: replace(
                node,
                description=short(node.description),
                inputs={
                    name: replace(template, description=short(template.description))
                    for name, template in node.inputs.items()
                },
            )
            for node_type, node in schema.items()
        },
        schema.version,
    )


def read(source: str, version: str) -> tuple[Any, str]:
    """Return the document and the version of a server or a file."""
    if not source.startswith(("http://", "https://")):
        data = Path(source).read_bytes()
        return json.loads(lzma.decompress(data) if source.endswith(".xz") else data), version
    base = source.rstrip("/")
    with urlopen(f"{base}/api/v1/app/version") as answer:
        version = json.load(answer)["version"]
    with urlopen(f"{base}/openapi.json") as answer:
        return json.load(answer), version


def node_part(document: Any) -> Any:
    """Return the part of an OpenAPI document that describes nodes, without long descriptions."""
    definitions: dict[str, Any] = document["components"]["schemas"]
    wanted: dict[str, Any] = {}
    waiting = [name for name, item in definitions.items() if item.get("class") in ("invocation", "output")]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted[name] = item = _trimmed(definitions[name])
            waiting.extend(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(item)))
    # In the document's order, which is the order of the node types.
    return {"components": {"schemas": {name: wanted[name] for name in definitions if name in wanted}}}


def _trimmed(node: Any) -> Any:
    if isinstance(node, list):
        return [_trimmed(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    return {
        key: _trimmed(value)
        for key, value in cast("dict[str, Any]", node).items()
        if not (key == "description" and isinstance(value, str) and len(value) > LONGEST_DESCRIPTION)
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", help="the URL of a server, or a file with its openapi.json")
    parser.add_argument("--version", default="", help="the server's version, if SOURCE is a file")
    parser.add_argument("-o", "--output", type=Path, default=REFERENCE_FILE)
    parser.add_argument("--document", type=Path, metavar="FILE.json.xz", help="write test data instead")
    options = parser.parse_args(arguments)
    document, version = read(options.source, options.version)
    if options.document:
        text = json.dumps(node_part(document), separators=(",", ":"))
        options.document.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
        print(f"{options.document}: {options.document.stat().st_size} bytes")
        return 0
    if version != REFERENCE_VERSION:
        print(
            f"The reference version is {REFERENCE_VERSION}, not {version or '(none given)'}.", file=sys.stderr
        )
        return 1
    schema = without_long_prose(parse_schema(document, version))
    custom = sorted({node.node_pack for node in schema.values()} - {"invokeai"})
    if custom:
        print(
            f"The server has custom nodes: {', '.join(custom)}.",
            file=sys.stderr,
        )
        return 1
    data = pack(schema)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_bytes(data)
    print(f"{options.output}: {len(schema)} node types, {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
