"""The HTML report of a sweep: each run with its image and values, to filter, sort and browse."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from invokeai_py_client._paths import user_path
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.atomic import AtomicFile
from invokeai_py_client.files.labels import label_of

_PAGE = Path(__file__).parent / "page"
# Whole numbers beyond this are rounded by JavaScript.
_EXACT = 2**53
# Characters that could end a script element or start other markup.
_RISKY = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """A run in a report.

    Attributes:
        index: The index in the sweep.
        inputs: The values by input: those of the axes, and any others to show.
        state: The final state. Defaults to ``"completed"``.
        seconds: The duration in seconds. Defaults to None (unknown).
        error: The error message of a failed run. Defaults to None.
        thumbnail: The content of a WEBP, JPEG, PNG or GIF file, which is embedded in the page. Defaults to None.
        picture: The full-size image: a path relative to the page, or the content of a file, which is embedded in the
            page. Defaults to None.
    """

    index: int
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    state: str = "completed"
    seconds: float | None = None
    error: str | None = None
    thumbnail: bytes | None = None
    picture: str | PurePath | bytes | None = None


def write_report(
    path: str | os.PathLike[str],
    title: str,
    axes: Sequence[str],
    entries: Iterable[ReportEntry],
    *,
    inputs: Mapping[str, Any] | None = None,
    about: str = "",
) -> Path:
    """Write the report of a sweep as one HTML file that needs no network.

    Entries are written one at a time, so memory use does not grow with their number. The file is created atomically.

    Args:
        path: The file to write.
        title: The title of the page.
        axes: The inputs that vary, in display order.
        entries: The runs.
        inputs: The values that all runs share. Defaults to none.
        about: A line under the title. Defaults to "".

    Returns:
        The path of the file.

    Raises:
        UsageError: The image of an entry is not in a supported format, or its path is absolute.
    """
    target = user_path(path)
    with AtomicFile(target) as file:
        for piece in _page(title, axes, entries, inputs or {}, about):
            file.write(piece.encode("utf-8", "replace"))
        file.keep()
    return target


def make_thumbnail(data: bytes, longest: int = 256) -> bytes:
    """Create a WEBP thumbnail for a report. Requires the extra ``invokeai-py-client[image]``.

    Args:
        data: The content of an image file.
        longest: The longer side of the thumbnail in pixels. Defaults to 256.
    """
    import io

    from invokeai_py_client.files.images import decode

    with decode(data, "for the report") as picture:
        small = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGBA")
        small.thumbnail((longest, longest))
        written = io.BytesIO()
        small.save(written, "WEBP", quality=70)
    return written.getvalue()


def _page(
    title: str,
    axes: Sequence[str],
    entries: Iterable[ReportEntry],
    inputs: Mapping[str, Any],
    about: str,
) -> Iterator[str]:
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    # Allow only the script and style of this page, whatever text the values contain.
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; script-src '{_digest(script)}'; style-src"
        f" '{_digest(style)}'; base-uri 'none'; form-action 'none'"
    )
    shared = {name: _plain(value) for name, value in inputs.items()}
    parts = {
        "policy": policy,
        "title": escape(title),
        "about": escape(about),
        "style": style,
        "script": script,
        "head": _json({"axes": list(axes), "inputs": shared}),
    }
    for piece in re.split(r"@(\w+)@", (_PAGE / "report.html").read_text(encoding="utf-8")):
        if piece == "runs":
            for place, entry in enumerate(entries):
                yield from _run(place, entry, axes, inputs)
        else:
            yield parts.get(piece, piece)


def _run(place: int, entry: ReportEntry, axes: Sequence[str], shared: Mapping[str, Any]) -> Iterator[str]:
    others = {
        name: _plain(value) for name, value in entry.inputs.items() if name not in axes and name not in shared
    }
    found: dict[str, Any] = {
        "index": entry.index,
        "state": entry.state,
        "values": [_plain(entry.inputs.get(name)) for name in axes],
    }
    for name, value in (("others", others), ("seconds", _plain(entry.seconds)), ("error", entry.error)):
        if value:
            found[name] = value
    pictures: list[str] = []
    if entry.thumbnail is not None:
        found["thumbnail"] = _kind(entry.thumbnail, entry.index)
        pictures.append(_inline(f"t{place}", entry.thumbnail))
    if isinstance(entry.picture, bytes):
        found["inline"] = _kind(entry.picture, entry.index)
        pictures.append(_inline(f"p{place}", entry.picture))
    elif entry.picture is not None:
        found["picture"] = _link(entry.picture, entry.index)
    yield f'<script type="application/json" class="run">{_json(found)}</script>\n'
    yield from pictures


def _inline(name: str, data: bytes) -> str:
    return f'<script type="text/plain" id="{name}">{base64.b64encode(data).decode()}</script>\n'


def _kind(data: bytes, index: int) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for start, kind in _KINDS.items():
        if data.startswith(start):
            return kind
    raise UsageError(f"The image of run {index} has an unknown format: expected WEBP, PNG, JPEG or GIF.")


def _link(picture: str | PurePath, index: int) -> str:
    path = PurePath(picture)
    if path.is_absolute():
        raise UsageError(
            f"The image path {str(picture)!r} of run {index} is absolute: expected a path relative to the report."
        )
    # The leading dot keeps a browser from interpreting part of a name as a protocol.
    return "./" + quote(path.as_posix(), safe="/", errors="surrogateescape")


def _plain(value: Any) -> Any:
    """Convert a value to one that JavaScript compares correctly. Numbers that it would round become text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) <= _EXACT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return label_of(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_RISKY)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
