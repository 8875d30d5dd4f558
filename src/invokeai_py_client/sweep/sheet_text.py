"""Text on contact sheets: choosing fonts that have the characters, breaking lines, and drawing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from invokeai_py_client._text import is_boundary

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# Pillow's built-in font has only Latin letters. Most systems have some of these fonts.
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
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoEmoji-Regular.ttf",
    "seguiemj.ttf",
    "seguisym.ttf",
    "Symbola.ttf",
)
_BASIC = f"{ascii_letters}{digits}=,.…"  # for states and headlines
_NO_CHARACTER = "\U0010ffff"
_JOINERS = frozenset("\u200c\u200d")  # parts of letters and emoji
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def single_line(text: str) -> str:
    """Return a text on one line, without characters that fonts cannot draw.

    Line breaks and other white space become single spaces. Control characters become replacement characters, and
    invisible formatting characters are removed.
    """
    kept: list[str] = []
    for char in " ".join(text.split()):
        category = unicodedata.category(char)
        if category in ("Cc", "Cs"):
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif category != "Cf" or char in _JOINERS:
            kept.append(char)
    return "".join(kept)


class Lettering:
    """Fonts that can measure, break and draw text. Line breaks in a text count as spaces.

    Args:
        size: The font size in pixels.
        texts: The texts that will be written, which decide the fonts.
    """

    def __init__(self, size: int, texts: Iterable[str] = ()) -> None:
        characters = {char for text in (_BASIC, *texts) for char in single_line(text) if not char.isspace()}
        fonts = _fonts(size, characters)
        self.font = fonts[0][0]
        self.line = round(size * 1.3)
        self._font_of = {char: font for font, mine in fonts[1:] for char in mine}
        self._wrapped: dict[tuple[str, int, int], list[str]] = {}

    def width(self, text: str) -> int:
        """Return the width in pixels of a text on one line."""
        return int(sum(font.getlength(part) for part, font in self._parts(text))) + 1

    def draw(self, draw: ImageDraw, x: int, y: int, text: str, color: tuple[int, int, int]) -> None:
        """Draw a text on one line.

        Args:
            draw: The sheet.
            x: The left edge in pixels.
            y: The upper edge in pixels.
            text: The text.
            color: Red, green and blue, from 0 to 255.
        """
        left, baseline = float(x), y + self.font.getmetrics()[0]
        for part, font in self._parts(text):
            draw.text((left, baseline), part, fill=color, font=font, anchor="ls")
            left += font.getlength(part)

    def wrap(self, text: str, width: int, most: int) -> list[str]:
        """Break a text into at most ``most`` lines. If it does not fit, the last line ends in an ellipsis."""
        key = (text, width, most)
        if key not in self._wrapped:
            self._wrapped[key] = self._wrap(single_line(text), width, most)
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
            last = last[: _boundary(last, len(last) - 1)].rstrip()
        return [*lines[: most - 1], f"{last}…"]

    def _fitting(self, word: str, width: int) -> int:
        """Return the number of code points of a word that fit, at least one whole character."""
        low, high = 0, len(word)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(word[:middle]) <= width:
                low = middle
            else:
                high = middle - 1
        return _boundary(word, low) or next(
            (place for place in range(1, len(word)) if is_boundary(word, place)), len(word)
        )

    def _parts(self, text: str) -> Iterator[tuple[str, FreeTypeFont]]:
        """Split a text into parts that use the same font.

        A text with letters that are written from right to left is one part, because only the layout of a whole line
        can order such letters.
        """
        line, main = single_line(text), self.font
        if not self._font_of:
            yield line, main
            return
        first = next((char for char in line if unicodedata.bidirectional(char) in _RIGHT_TO_LEFT), None)
        if first is not None:
            yield line, self._font_of.get(first, main)
            return
        start, current = 0, main
        for place, char in enumerate(line):
            font = current if char == " " else self._font_of.get(char, main)
            if font is not current and is_boundary(line, place):
                if place > start:
                    yield line[start:place], current
                start, current = place, font
        yield line[start:], current


def _boundary(text: str, place: int) -> int:
    """Return the last place up to this one where the text can be cut, or 0."""
    while place > 0 and not is_boundary(text, place):
        place -= 1
    return max(place, 0)


def _fonts(size: int, characters: set[str]) -> list[tuple[FreeTypeFont, set[str]]]:
    """Return the font that has most of the characters, and fonts for the rest, each with the characters it draws."""
    from PIL import ImageFont

    fonts: list[Any] = [ImageFont.load_default(size=size)]
    drawn = [_available(fonts[0], characters)]
    for name in _WIDER_FONTS if drawn[0] < characters else ():
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue  # not installed on this system
        drawn.append(_available(fonts[-1], characters))
    chosen: list[tuple[FreeTypeFont, set[str]]] = []
    rest = characters
    while rest or not chosen:
        best = max(range(len(fonts)), key=lambda place: len(drawn[place] & rest))
        mine = drawn[best] & rest
        if chosen and not mine:
            break  # no font has these characters
        chosen.append((fonts[best], mine))
        rest = rest - mine
    return chosen


def _available(font: FreeTypeFont, characters: set[str]) -> set[str]:
    """Return the characters for which a font does not draw its symbol for a missing character."""
    missing = _drawn(font, _NO_CHARACTER)
    return {char for char in characters if _drawn(font, char) != missing}


def _drawn(font: FreeTypeFont, char: str) -> bytes:
    mask: Any = font.getmask(char)
    return bytes(mask)
