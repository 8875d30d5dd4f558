"""The schema of the reference version of InvokeAI, for use without a server."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invokeai_py_client.schema.packed import unpack

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import Schema

REFERENCE_VERSION: Final = "6.14.2"
REFERENCE_FILE: Final = Path(__file__).with_name("data") / f"reference-{REFERENCE_VERSION}.ivkschema"


@cache
def reference_schema() -> Schema:
    """Return the node types of InvokeAI 6.14.2. ``tools/make_reference_schema.py`` writes the file."""
    return unpack(REFERENCE_FILE.read_bytes())
