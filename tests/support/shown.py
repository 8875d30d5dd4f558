"""Compares output shown on a page with real output. Values that differ from run to run count as equal.

Pages show output as a reader sees it, with real-looking image names, item numbers, durations and sizes. ``VOLATILE``
lists which values may differ. ``<!-- varies: PATTERN -->`` before a block excepts whole lines from the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

_UNIT = r"(?:ms|s|min|h|seconds?|minutes?|hours?)"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

VOLATILE: tuple[tuple[str, str], ...] = (
    (r"\b[a-z][a-z0-9+]*://(?:localhost|127\.0\.0\.1):\d+", "URL"),
    (r"\b(?:localhost|127\.0\.0\.1):\d+", "ADDRESS"),
    (rf"{_UUID}|\b[0-9a-f]{{2,}}…", "UUID"),  # also abbreviated by hand: a1b2….png
    (r"\b(?:blake3|sha256):[0-9a-f]{8,}", "HASH"),
    (
        r"\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?",
        "DATE",
    ),
    (r"\b\d\d?:\d\d(?::\d\d)?\b", "DURATION"),
    (rf"\b\d[\d,.]* ?{_UNIT}\b(?:,? (?:and )?\d[\d,.]* ?{_UNIT}\b)*", "DURATION"),
    (r"\b\d[\d,.]* ?(?:[kKMGT]i?B|B|bytes?)\b", "SIZE"),
    (r"\b(items?|runs?|pid|process) \d+\b", r"\1 NUMBER"),
    (r'("(?:item|item_id|id|pid|session_id)": )\d+', r"\1NUMBER"),
    (r'("(?:seconds|timestamp)": )\d[\d.]*', r"\1NUMBER"),
    (r"(?<![\w./:-])(?:/[\w.@+-]+)+/(?=[\w.@+-])", "FOLDER/"),  # absolute paths: a temporary folder in tests
    (r"-{3,}|─{2,}|━{2,}", "LINE"),
)
"""Patterns of values that differ from run to run, and what takes their place in the comparison."""

NEVER_COMPARED = (
    re.compile(r"\S.*: loading \S.*"),  # whether a model is loaded depends on what the server did before
    re.compile(r"There is no event connection to \S+ after \d+ s\. .*"),  # a busy machine connects slowly
)
"""Lines that depend on more than the command."""

MORE = re.compile(r"# (\d[\d,]*) more lines?")
"""The last shown line of a command may stand for a number of lines that are left out."""

_COMPILED = [(re.compile(pattern), replacement) for pattern, replacement in VOLATILE]


def normalize(line: str) -> str:
    """Return a line without volatile values and extra spaces."""
    for pattern, replacement in _COMPILED:
        line = pattern.sub(replacement, line)
    return _squeeze(line)


def difference(shown: Sequence[str], output: str, varies: Sequence[str] = ()) -> str | None:
    """Explain how shown output differs from real output, or return None if it does not.

    Args:
        shown: The lines that a page shows. With no lines, any output is right.
        output: The real output.
        varies: Patterns of whole lines. Matching lines are not compared and may be left out of ``shown``. But if
            one is shown, the real output must have a matching line as well.
    """
    patterns = [re.compile(pattern) for pattern in varies]
    expected, printed = _lines(shown), _lines(output.splitlines())
    if not expected:
        return None
    for pattern in patterns:
        if any(map(pattern.fullmatch, expected)) and not any(map(pattern.fullmatch, printed)):
            return f"no printed line matches {pattern.pattern!r}"
    patterns += NEVER_COMPARED
    expected, printed = (
        [line for line in lines if not any(pattern.fullmatch(line) for pattern in patterns)]
        for lines in (expected, printed)
    )
    more = MORE.fullmatch(expected[-1]) if expected else None
    if more:
        expected.pop()
        left_out = len(printed) - len(expected)
        if left_out != int(more[1].replace(",", "")):
            return f"the number of lines left out is {left_out}, not {more[1]}"
        printed = printed[: len(expected)]
    for shown_line, printed_line in zip_longest(expected, printed):
        if shown_line is None:
            return f"{printed_line!r} is printed but not shown"
        if printed_line is None:
            return f"{shown_line!r} is shown but not printed"
        if normalize(shown_line) != normalize(printed_line):
            return f"{printed_line!r} is printed, not {shown_line!r}"
    return None


def updated(shown: Sequence[str], output: str, varies: Sequence[str] = ()) -> list[str]:
    """Return the lines to show for an output: real lines, but with the image names, times and so on shown so far."""
    patterns = [re.compile(pattern) for pattern in varies]
    printed = [line.rstrip() for line in output.strip("\n").splitlines()]
    same = {_squeeze(line) for line in printed}
    known = {normalize(line): line for line in shown if _squeeze(line) not in same}
    excepted = list(shown)  # the lines that vary and are still to be placed
    lines: list[str] = []
    for line in printed:
        matching = [pattern for pattern in patterns if pattern.fullmatch(_squeeze(line))]
        if not matching:
            lines.append(known.get(normalize(line), line))
            continue
        for kept in excepted:
            if matching[0].fullmatch(_squeeze(kept)):
                lines.append(kept)
                excepted.remove(kept)
                break
    if shown and MORE.fullmatch(shown[-1]):
        first = len(shown) - 1
        left_out = len(_lines(lines[first:]))
        lines[first:] = [f"# {left_out} more line{'s' * (left_out != 1)}"]
    return lines


def _lines(lines: Iterable[str]) -> list[str]:
    return [squeezed for line in lines if (squeezed := _squeeze(line))]


def _squeeze(line: str) -> str:
    return " ".join(line.split())
