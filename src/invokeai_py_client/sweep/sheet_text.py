"""Text on contact sheets: choosing a font that has the characters, and breaking lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Pillow's own font has only Latin letters. Most systems have at least one of these fonts.
_WIDER_FONTS = (
    "DejaVuSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "PingFang.ttc",
    "segoeui.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "malgun.ttf",
)
_NO_CHARACTER = "\U0010ffff"


class Lettering:
    """A font that can break text into lines.

    Args:
        size: The font size in pixels.
        texts: The texts that will be written, which decide the font.
    """

    def __init__(self, size: int, texts: Iterable[str] = ()) -> None:
        self.font = _font(size, {char for text in texts for char in text if not char.isspace()})
        self.line = round(size * 1.3)
        self._wrapped: dict[tuple[str, int, int], list[str]] = {}

    def width(self, text: str) -> int:
        """Return the width in pixels of a text on one line."""
        return int(self.font.getlength(text)) + 1

    def wrap(self, text: str, width: int, most: int) -> list[str]:
        """Break a text into at most ``most`` lines. If it does not fit, the last line ends in an ellipsis."""
        key = (text, width, most)
        if key not in self._wrapped:
            self._wrapped[key] = self._wrap(text, width, most)
        return self._wrapped[key]

    def _wrap(self, text: str, width: int, most: int) -> list[str]:
        lines: list[str] = []
        line = ""
        for word in text.split():
            wider = f"{line} {word}" if line else word
            if self.width(wider) <= width:
                line = wider
                continue
            if line:
                lines.append(line)
            line = word
            while len(lines) <= most and (fits := self._fitting(line, width)) < len(line):
                lines.append(line[:fits])
                line = line[fits:]
            if len(lines) > most:
                break
        lines.append(line)
        if len(lines) <= most:
            return [one for one in lines if one]
        last = lines[most - 1]
        while last and self.width(f"{last}…") > width:
            last = last[:-1].rstrip()
        return [*lines[: most - 1], f"{last}…"]

    def _fitting(self, word: str, width: int) -> int:
        """Return the number of characters of a word that fit, at least 1."""
        low, high = 1, len(word)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(word[:middle]) <= width:
                low = middle
            else:
                high = middle - 1
        return low


def _font(size: int, characters: set[str]) -> FreeTypeFont:
    from PIL import ImageFont

    best: Any = ImageFont.load_default(size=size)
    lacking = _lacking(best, characters)
    for name in _WIDER_FONTS if lacking else ():
        try:
            font = ImageFont.truetype(name, size)
        except OSError:
            continue  # not installed on this system
        its = _lacking(font, characters)
        if its < lacking:
            best, lacking = font, its
    return best


def _lacking(font: FreeTypeFont, characters: set[str]) -> int:
    """Return the number of characters that the font draws as its symbol for a missing character."""
    missing = _drawn(font, _NO_CHARACTER)
    return sum(_drawn(font, char) == missing for char in characters)


def _drawn(font: FreeTypeFont, char: str) -> bytes:
    mask: Any = font.getmask(char)
    return bytes(mask)
