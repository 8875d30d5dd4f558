"""Building blocks of messages: similar names, lists of names, and shortened texts."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

_ALIKE = 0.55
_SHORTEST_PART = 3
_LONGEST_REPR = 160
# Characters that control a terminal, or that hide or reorder text: control characters except tabs and line breaks, soft
# hyphens, marks of direction, zero-width characters, other line breaks, annotations and tags. Joiners are kept where
# they belong: in emoji, and in scripts whose letters they connect or separate.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]|(?<![\u0300-\u200a\u2010-\U0010ffff])[\u200c\u200d]"
)
_JOINERS = frozenset("\u200c\u200d")
_FLAG_LETTERS = "".join(map(chr, range(0x1F1E6, 0x1F200)))


# Query parameters of URLs whose values are secrets.
_SECRET_VALUE = re.compile(
    r"([?&][^=&\s]*(?:token|key|secret|password|signature|sig|auth)[^=&\s]*=)[^&#\s'\"]+", re.IGNORECASE
)


def hide_secrets(text: object) -> str:
    """Return a text with the user names, passwords and tokens in its URLs replaced by ``***``."""
    return _SECRET_VALUE.sub(r"\1***", re.sub(r"(?<=://)\S+", _without_userinfo, str(text)))


def _without_userinfo(found: re.Match[str]) -> str:
    rest = found.group()
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # A password with a slash ends the authority early. Then the text after the colon is not a port.
    if "@" in authority or ("@" in rest and re.search(r":(?!\d*$)", authority)):
        return f"***@{rest.rpartition('@')[2]}"
    return rest


def decode_text(data: bytes) -> str:
    """Return the text of a UTF-8 or UTF-16 file, without its byte order mark. A UTF-16 file may lack the mark.

    Raises:
        UnicodeDecodeError: The data is not valid text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as written by PowerShell 5
        return data.decode("utf-16")
    if (
        b"\0" in data[:2] and len(data) % 2 == 0
    ):  # no text file begins with a NUL, so the first character is in ASCII
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le")
    return data.decode("utf-8-sig")


def close_names(name: str, known: Iterable[str], most: int = 4) -> list[str]:
    """Return the known names that are similar to an unknown name, best first.

    Names with a similar spelling come first, then names that contain the given name. Case does not matter.

    Args:
        name: The unknown name.
        known: All known names.
        most: The maximum number of names to return. Defaults to 4.
    """
    from difflib import get_close_matches

    by_word: dict[str, str] = {}
    for one in known:
        by_word.setdefault(one.casefold(), one)
    word = name.casefold()
    close = get_close_matches(word, by_word, n=most, cutoff=_ALIKE)
    if len(word) >= _SHORTEST_PART:
        close += [one for one in by_word if word in one and one not in close]
    return [by_word[one] for one in close[:most]]


def did_you_mean(names: Sequence[str]) -> str:
    """Return a sentence that suggests names, with a leading space, or "" if there are no names."""
    if not names:
        return ""
    *first, last = map(repr, names)
    return f" Did you mean {', '.join(first)} or {last}?" if first else f" Did you mean {last}?"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names in quotation marks, separated by commas, followed by the number of omitted names."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(map(repr, names[:most]))}{more}"


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """Return the first lines. If lines are omitted, the last line says how many."""
    more = [f"... and {len(lines) - most} more."] if len(lines) > most else []
    return [*lines[:most], *more]


def node_place(node_id: str, labels: Mapping[str, str]) -> str:
    """Return the name of a node in messages: its label, with its id if other nodes have the same label.

    Args:
        node_id: The id of the node.
        labels: The labels of all nodes, by id.
    """
    label = labels.get(node_id)
    if not label:
        return node_id
    shared = sum(other == label for other in labels.values()) > 1
    return f"{label}, node {node_id}" if shared else label


def clip(text: str, length: int, *, keep_end: bool = False) -> str:
    """Shorten a text to a number of characters. An ellipsis replaces the omitted part.

    Args:
        text: The text.
        length: The maximum number of characters, including the ellipsis.
        keep_end: Whether to omit the beginning instead of the end. Defaults to False.
    """
    if len(text) <= length:
        return text
    return f"…{text[len(text) - length + 1 :]}" if keep_end else f"{text[: length - 1]}…"


def brief(name: str, values: Iterable[tuple[str, Any]]) -> str:
    """Return a ``repr`` of one line: ``Name(size=3, label='Steps')``. Values and the whole text are shortened."""
    pairs = [f"{key}={shown(value.value if isinstance(value, Enum) else value, 48)}" for key, value in values]
    return f"{name}({clip(', '.join(pairs), _LONGEST_REPR)})"


def brief_repr(self: Any) -> str:
    """Return the ``repr`` of a dataclass: its first attribute if it is not None, and those without their defaults.

    Use it as ``__repr__``. Attributes with ``field(repr=False)`` are never shown. Subclasses need ``repr=False``.
    """
    from dataclasses import MISSING, fields

    pairs: list[tuple[str, Any]] = []
    first = fields(self)[0]
    for one in fields(self):
        value = getattr(self, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        is_default = value is default or value == default
        if one.repr and (not is_default or (one is first and value is not None)):
            pairs.append((one.name, value))
    return brief(type(self).__name__, pairs)


def shown(value: Any, length: int = 80) -> str:
    """Return the ``repr`` of a value, shortened to a number of characters. Never raises."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign object's __repr__ may do anything, and long integers have none
        text = f"that {type(value).__name__}"
    return clip(text, length)


def printable(text: str) -> str:
    """Return a text whose control characters are replaced, so that it can neither control a terminal nor hide text."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def escape_controls(text: str) -> str:
    """Return a JSON text in which control characters are escaped. The data it represents does not change."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def is_boundary(text: str, index: int) -> bool:
    """Whether a text can be cut before an index without splitting a character from its marks.

    Marks are accents, variation selectors, skin tones, joined emoji, and the second letter of a flag.
    """
    if not 0 < index < len(text):
        return True
    before, after = text[index - 1], text[index]
    if after in _JOINERS or before in _JOINERS or unicodedata.category(after).startswith("M"):
        return False
    if "\U0001f3fb" <= after <= "\U0001f3ff":  # skin tones
        return False
    if after in _FLAG_LETTERS:
        letters = len(text[:index]) - len(text[:index].rstrip(_FLAG_LETTERS))
        return letters % 2 == 0
    return True
