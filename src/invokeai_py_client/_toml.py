"""Changes of tables in TOML files. Everything else in the file stays as it is: other tables, comments, the order.

Not tomlkit: it writes a new key after the comment that belongs to the next table.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, cast

Value = str | Sequence[str]
Table = Mapping[str, Value | None]
"""The values of a table's keys. None removes a key."""

# Strings first, because they may contain any of the other tokens. A long string may end with up to two more quotes.
_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?!")'
    r"|'''.*?'''(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}\n]",
    re.DOTALL,
)


def change_tables(text: str, parent: str, changes: Mapping[str, Table | None]) -> str | None:
    """Return a TOML text in which tables below a parent are changed: ``[parent.name]``.

    Args:
        text: A valid TOML text.
        parent: The name of the parent table.
        changes: The keys to set or to remove, by the name of the table. None removes a table.

    Returns:
        The new text, or None if a table has another form than ``[parent.name]`` and its lines, such as an inline table.
    """
    parts = _statements(text)
    for name, values in changes.items():
        path = (parent, name)
        parts = _without(parts, path) if values is None else _with(parts, path, values)
    changed = "".join(parts)
    try:
        found = _parsed(changed)
    except tomllib.TOMLDecodeError:  # the parent is an inline table, which cannot have tables outside it
        return None
    found.setdefault(parent, {})  # removing its last table removes the parent, unless it has a header
    return changed if found == _expected(text, parent, changes) else None


def quoted(text: str) -> str:
    """Return a text as a basic string of TOML."""
    # TOML's basic strings are JSON strings, except that DEL must be escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def key_of(name: str) -> str:
    """Return a name as a key of TOML, in quotation marks if necessary."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def line_of(key: str, value: Value) -> str:
    """Return the line that sets a key."""
    if isinstance(value, str):
        return f"{key_of(key)} = {quoted(value)}\n"
    return f"{key_of(key)} = [{', '.join(map(quoted, value))}]\n"


def _expected(text: str, parent: str, changes: Mapping[str, Table | None]) -> dict[str, Any]:
    """Return the data that the changed text must have."""
    data = _parsed(text)
    tables = cast("dict[str, Any]", data.setdefault(parent, {}))
    for name, values in changes.items():
        if values is None:
            tables.pop(name, None)
            continue
        table = cast("dict[str, Any]", tables.setdefault(name, {}))
        for key, value in values.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value if isinstance(value, str) else list(value)
    return data


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=str)  # as texts, because NaN is not equal to itself


def _statements(text: str) -> list[str]:
    """Split a text into headers, assignments, comments and empty lines. Each ends with a line break."""
    if text and not text.endswith("\n"):
        text += "\n"
    parts: list[str] = []
    start = depth = 0
    for token in _TOKENS.finditer(text):
        mark = token.group()
        if mark in ("[", "{"):
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
        elif mark == "\n" and depth == 0:
            parts.append(text[start : token.end()])
            start = token.end()
    return parts


def _is_header(part: str) -> bool:
    return part.lstrip().startswith("[")


def _path(part: str) -> tuple[str, ...]:
    """Return the keys that a header or an assignment names, or nothing for a comment or an empty line."""
    data: Any = tomllib.loads(part)
    path: list[str] = []
    while isinstance(data, dict) and data:
        [(key, data)] = cast("dict[str, Any]", data).items()
        path.append(key)
        if not _is_header(part):
            break
    return tuple(path)


def _block(parts: Sequence[str], path: tuple[str, ...], start: int = 0) -> tuple[int, int] | None:
    """Return where a table begins and ends: the index of its header, and the one after its last assignment."""
    for first in range(start, len(parts)):
        if _is_header(parts[first]) and _path(parts[first])[: len(path)] == path:
            end = first + 1
            for index in range(first + 1, len(parts)):
                if _is_header(parts[index]):
                    break
                if _path(parts[index]):
                    end = index + 1
            return first, end
    return None


def _without(parts: list[str], path: tuple[str, ...]) -> list[str]:
    """Remove a table with its own tables, and the empty lines after them. Comments before the next table are kept."""
    while (found := _block(parts, path)) is not None:
        first, end = found
        while end < len(parts) and not parts[end].strip():
            end += 1
        parts = [*parts[:first], *parts[end:]]
    while parts and not parts[-1].strip():
        parts = parts[:-1]
    return parts


def _with(parts: list[str], path: tuple[str, ...], values: Table) -> list[str]:
    """Set the keys of a table. A new table is added at the end."""
    found = next(
        (at for at, part in enumerate(parts) if _is_header(part) and _path(part) == path),
        None,
    )
    if found is None:
        gap = ["\n"] if parts and parts[-1].strip() else []
        parts = [*parts, *gap, f"[{'.'.join(map(key_of, path))}]\n"]
        found = len(parts) - 1
    block = _block(parts, path, found)
    assert block is not None
    first, end = block
    lines = parts[first:end]
    for key, value in values.items():
        at = next((i for i, line in enumerate(lines) if i and _path(line)[:1] == (key,)), len(lines))
        lines[at : at + 1] = [] if value is None else [line_of(key, value)]
    return [*parts[:first], *lines, *parts[end:]]
