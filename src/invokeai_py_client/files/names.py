"""Names of files for images: from a template, safe on any file system, never the same name twice."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from string import Formatter
from typing import TYPE_CHECKING, Any

from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.labels import label_of

if TYPE_CHECKING:
    from invokeai_py_client.models import IvkImage

# File systems take 255 bytes; number, ending and the mark of an unfinished file come on top of these.
_MOST_BYTES = 200
_MOST_OF_A_VALUE = 120
_WIDEST = 100
_SEPARATORS = re.compile(r"[/\\]" if Path("a\\b").name == "b" else "/")
_FORBIDDEN = frozenset('<>:"/\\|?*')
_JOINERS = frozenset("\u200c\u200d")  # parts of letters and emoji
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".mp4", ".webm", ".json", ".txt")
_WITHOUT_RECORDS = frozenset({"image", "index"})


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    spec: str


_Part = str | _Field


def file_name(
    template: str,
    values: Mapping[str, Any],
    index: int,
    image: str = "",
    suffix: str = ".png",
    *,
    item: int | None = None,
) -> Path:
    """The file that a template names for a run.

    ``{name}`` stands for the input of that name, in the template as an identifier or as it is written; ``{index}`` for
    the run's number in the sweep, ``{item}`` for its queue item, ``{image}`` for the image's name on the server, even
    where an input is called so, too. What Python's formats can do works: ``{index:04}``, ``{cfg_scale:.1f}``. Folders
    before the first ``{}`` are taken as they are; from there on nothing leads out of them, and every character is one
    that all file systems take.

    Args:
        template: Such as ``out/{prompt}-{seed}.png``; one that ends in a slash is a folder for the images under their
            own names.
        values: The run's inputs.
        index: The run's number.
        image: The image's name on the server.
        suffix: What is added where the template ends in no suffix of a file.
        item: The run's queue item.

    Raises:
        UsageError: The template names what there is not, or cannot be read.
    """
    folders, components = _parsed(template)
    known: dict[str, Any] = {"index": index, "image": PurePosixPath(image).stem}
    if item is not None:
        known["item"] = item
    path = Path("/".join((*folders, "")))
    for parts in components[:-1]:
        path /= _safe("".join(_text(template, part, values, known) for part in parts))
    last = components[-1]
    tail = last[-1] if isinstance(last[-1], str) else ""
    ending = next((one for one in _ENDINGS if tail.casefold().endswith(one)), "")
    if ending:
        suffix, last = tail[-len(ending) :], (*last[:-1], tail[: -len(ending)])
    return path / _safe("".join(_text(template, part, values, known) for part in last), suffix)


def unique(paths: Iterable[Path]) -> Iterator[Path]:
    """The same paths, but each one new: ``fox.png``, ``fox-2.png``, ``fox-3.png``.

    Upper and lower case count as the same, as they do on Windows and macOS.
    """
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    for path in paths:
        free, key = path, _folded(path)
        number = numbers.get(key, 1)
        while _folded(free) in taken:
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        numbers[key] = number
        taken.add(_folded(free))
        yield free


def target_path(path: str | os.PathLike[str], name: str) -> Path:
    """Return the file to write: ``path`` itself, or ``name`` in the folder that ``path`` is.

    The name comes from a server, so only its last part is taken: it cannot lead out of the folder.
    """
    text = os.fspath(path)
    target = Path(text)
    if target.is_dir() or text.endswith(("/", os.sep)):
        return target / safe_name(name)
    return target


def safe_name(name: str) -> str:
    """Return a server's name for a file as one that stays in its folder."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return last if last not in ("", ".", "..") else "image"


# --------------------------------------------------------------------------- images of runs


@dataclass(frozen=True, slots=True)
class RunImage:
    """An image that a run made, with what its file can be named after; see ``file_name()``."""

    image: str
    values: Mapping[str, Any]
    number: int
    item: int


def paths_of_run_images(template: str | os.PathLike[str], images: Iterable[RunImage]) -> list[Path]:
    """Return the file for each image, no two the same.

    Args:
        template: As ``file_name()`` takes it. A folder that exists is one for the images under their own names.
        images: The images.

    Raises:
        UsageError: The template names something that a run does not have, or is invalid.
    """
    text = os.fspath(template)
    if "{" not in text and Path(text).is_dir():
        text = literal_folder(text)
    return list(
        unique(file_name(text, made.values, made.number, made.image, item=made.item) for made in images)
    )


def literal_folder(folder: str | os.PathLike[str]) -> str:
    """Return the beginning of a template that stands for a folder, whatever characters its name has."""
    return os.path.join(folder, "").replace("{", "{{").replace("}", "}}")  # noqa: PTH118 - it keeps the last slash


# --------------------------------------------------------------------------- images of the server


def needs_records(template: str) -> bool:
    """Whether a template names more than an image's name and number.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        names = {name.strip() for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise UsageError(f"The template {template!r} cannot be read: {error}.") from None
    return not names <= _WITHOUT_RECORDS


def paths_for(
    names: Sequence[str],
    records: Mapping[str, IvkImage],
    folder: str | os.PathLike[str],
    template: str,
    suffix: str,
) -> dict[str, Path]:
    """The file for each image, no two the same. None is outside of the folder for what a server says.

    Raises:
        UsageError: The template names what there is not.
    """
    base = Path(folder).expanduser()
    needed = needs_records(template)
    ending = "" if suffix == ".png" or template.endswith(suffix) else ".thumbnail"
    paths: list[Path] = []
    for index, name in enumerate(names):
        record = records.get(name)
        # The server no longer has it: fetching it will say so.
        its_own = "{image}" if needed and record is None else f"{template}{ending}"
        values: dict[str, Any] = {} if record is None else dict(record)
        paths.append(base / file_name(its_own, values, index, name, suffix))
    return dict(zip(names, unique(paths), strict=True))


# --------------------------------------------------------------------------- the template


@lru_cache(maxsize=64)
def _parsed(template: str) -> tuple[tuple[str, ...], tuple[tuple[_Part, ...], ...]]:
    """The folders at the front that are written out, and the parts of each name after them."""
    components: list[list[_Part]] = [[]]
    try:
        for literal, name, spec, conversion in Formatter().parse(template):
            first, *others = _SEPARATORS.split(literal)
            components[-1].append(first)
            components.extend([one] for one in others)
            if name is not None:
                components[-1].append(_field(template, name, spec or "", conversion))
    except ValueError as error:
        raise UsageError(f"The template {template!r} cannot be read: {error}.") from None
    if components[-1] in (["."], [".."]):
        components.append([])
    if not any(components[-1]):
        components[-1] = [_Field("image", "")]
    front = next(
        (place for place, parts in enumerate(components) if any(isinstance(part, _Field) for part in parts)),
        len(components) - 1,
    )
    folders = ["".join(part for part in parts if isinstance(part, str)) for parts in components[:front]]
    for parts in components[front:-1]:
        if parts in (["."], [".."]):
            raise UsageError(
                f"The template {template!r} leads out of its folder: {parts[0]!r} after a name in {{}}."
            )
    kept = [tuple(part for part in parts if part) for parts in components[front:]]
    return tuple(folders), tuple(parts for parts in kept if parts)


def _field(template: str, name: str, spec: str, conversion: str | None) -> _Field:
    if conversion:
        raise UsageError(f"The template {template!r} cannot be read: !{conversion} is not known here.")
    if any(int(digits) > _WIDEST for digits in re.findall(r"\d{1,9}", spec)):
        raise UsageError(f"The template {template!r} makes {{{name}}} wider than {_WIDEST} characters.")
    return _Field(name.strip(), spec)


def _text(template: str, part: _Part, values: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if isinstance(part, str):
        return part
    value = _value(template, part.name, values, known)
    if not part.spec:
        label = _without_ending(label_of(value))
        return _cut(_clean(label), _MOST_OF_A_VALUE, label)
    try:
        return _clean(format(value, part.spec))
    except (TypeError, ValueError):
        raise UsageError(
            f"{{{part.name}:{part.spec}}} in {template!r} does not fit the value {value!r}."
        ) from None


def _without_ending(label: str) -> str:
    """A file is what it is called, wherever it lies: its ending and its folders have no place within another name."""
    ending = next((one for one in _ENDINGS if label.casefold().endswith(one)), "")
    return PurePath(label).name.removesuffix(label[-len(ending) :]) if ending else label


def _value(template: str, name: str, values: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    for table in (known, values):
        if name in table:
            return table[name]
    found = [one for one in values if plain(one) == plain(name)] if plain(name) else []
    if len(found) == 1:
        return values[found[0]]
    if found:
        raise UsageError(f"{{{name}}} in {template!r} could be any of {_listed(found)}.")
    words = dict.fromkeys([*(plain(one) or one for one in values), *known])
    raise UsageError(f"{{{name}}} in {template!r} is not known; there are {_listed(list(words))}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


# --------------------------------------------------------------------------- safe names


def _clean(text: str) -> str:
    """The text without what no file system, or only some, take in a name."""
    kept: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if char.isspace() or category in ("Zl", "Zp"):
            kept.append(" ")
        elif char in _FORBIDDEN or category in ("Cc", "Cs"):
            kept.append("_")
        elif category != "Cf" or char in _JOINERS:
            kept.append(char)
    return re.sub(" {2,}", " ", "".join(kept)).strip()


def _safe(name: str, suffix: str = "") -> str:
    """One name of a file or folder."""
    cleaned = _cut(_clean(name), _MOST_BYTES, name).rstrip(" .")
    if cleaned.startswith("."):
        cleaned = f"_{cleaned[1:]}"  # not hidden, and never the folder above
    if _RESERVED.match(f"{cleaned}{suffix}"):
        cleaned = f"_{cleaned}"
    return f"{cleaned or '_'}{suffix}"


def _cut(text: str, most: int, whole: str) -> str:
    """The text in at most so many bytes; what is cut gets a mark that differs where the whole text does."""
    if len(text.encode()) <= most:
        return text
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = text.encode()[: most - len(mark) - 1].decode(errors="ignore")
    place = len(kept)
    while place > 1 and (_belongs_on(text[place]) or text[place - 1] in _JOINERS):
        place -= 1
    return f"{kept[:place].rstrip(' ._-,')}~{mark}"


def _belongs_on(char: str) -> bool:
    """Whether a character is a mark of the one before it."""
    return char in _JOINERS or unicodedata.category(char).startswith("M")


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
