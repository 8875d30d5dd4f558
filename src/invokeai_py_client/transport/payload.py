"""What a request carries: its query, or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
"""Query parameters; None values are left out, sequences repeat."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send as a multipart form."""

    data: bytes
    filename: str
    content_type: str
    fields: Mapping[str, str]


class Query(list[tuple[str, str]]):
    """Pairs of texts that tracebacks do not show: one may be a token."""

    def __repr__(self) -> str:
        return f"<{len(self)} parameters>"


def query_of(params: Params | None) -> Query | None:
    """Query parameters as pairs of texts."""
    if not params:
        return None
    pairs = Query()
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        pairs.extend((name, _text(one)) for one in values)
    return pairs


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
