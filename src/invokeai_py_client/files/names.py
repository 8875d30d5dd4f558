"""File names for images and videos: built from a template, valid on any file system, and unique."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, Protocol

from invokeai_py_client._paths import is_folder, user_path
from invokeai_py_client._text import is_boundary
from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.formats import FORMATS, OTHER_IMAGES, VIDEO
from invokeai_py_client.files.labels import label_of

if TYPE_CHECKING:
    from invokeai_py_client.models.media import MediaRecord

# File systems allow 255 bytes. A number, the extension and the mark of a temporary file are added to these.
_MOST_BYTES = 200
_MOST_OF_A_VALUE = 120
_WIDEST = 100
_SEPARATORS = re.compile(r"[/\\]" if Path("a\\b").name == "b" else "/")
_FORBIDDEN = frozenset('<>:"/\\|?*')
_JOINERS = frozenset("\u200c\u200d")  # parts of letters and emoji
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
_ENDINGS = (*FORMATS, *OTHER_IMAGES, ".json", ".txt")
_WITHOUT_RECORDS = frozenset({"image", "video", "index"})


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
    name: str = "",
    kind: Literal["image", "video"] = "image",
    fixed: bool = False,
) -> Path:
    """Return the file that a template names for a run.

    - ``{name}`` is the input of that name, written as its label or as an identifier.
    - ``{index}`` is the run's index in the sweep, ``{item}`` its queue item, and ``{image}`` the name of the image or
      video on the server (also ``{video}`` for a video). They take precedence over inputs of the same name.
    - Python's format specifications work: ``{index:04}``, ``{cfg_scale:.1f}``.

    Folders before the first ``{}`` are used unchanged. After it, the path cannot leave its folder, and characters that
    some file systems do not allow are replaced.

    Args:
        template: The template, for example ``out/{prompt}-{seed}.png``. If it ends in a slash, it is a folder for
            images with their names on the server.
        values: The run's inputs.
        index: The run's index.
        image: The name of the image or video on the server. Defaults to "".
        suffix: The extension to add if the template has none. Defaults to ``.png``.
        item: The run's queue item. Defaults to none.
        name: The name of the run's row in its table. Defaults to "": ``{name}`` is not known.
        kind: Whether the file is an image or a video. Defaults to ``"image"``.
        fixed: Whether ``suffix`` replaces the extension of the template. Defaults to False.

    Raises:
        UsageError: The template is invalid, or contains an unknown name.
    """
    folders, components = _parsed(template)
    known: dict[str, Any] = {"index": index, "image": PurePosixPath(image).stem}
    if kind == "video":
        known["video"] = known["image"]
    if item is not None:
        known["item"] = item
    if name:
        known["name"] = name
    path = user_path("/".join((*folders, "")))
    for parts in components[:-1]:
        path /= _safe("".join(_text(template, part, values, known) for part in parts))
    last = components[-1]
    tail = last[-1] if isinstance(last[-1], str) else ""
    ending = next((one for one in _ENDINGS if tail.casefold().endswith(one)), "")
    if ending:
        last = (*last[:-1], tail[: -len(ending)])
        suffix = suffix if fixed else tail[-len(ending) :]
    return path / _safe("".join(_text(template, part, values, known) for part in last), suffix)


class UniquePaths:
    """Paths that were used, and numbers for paths that are used again."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, path: Path) -> Path:
        """Return the path, with a number if it was used before."""
        free, key = path, _folded(path)
        number = self._numbers.get(key, 1)
        while _folded(free) in self._taken:
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        self._numbers[key] = number
        self._taken.add(_folded(free))
        return free


def unique(paths: Iterable[Path]) -> Iterator[Path]:
    """Make paths unique by adding numbers: ``fox.png``, ``fox-2.png``, ``fox-3.png``.

    Paths that differ only in case count as the same, as on Windows and macOS.
    """
    names = UniquePaths()
    yield from map(names.take, paths)


def target_path(path: str | os.PathLike[str], name: str) -> Path:
    """Return the file to write: ``path`` itself, or the file ``name`` in it if ``path`` is a folder.

    The name comes from a server, so only its last part is used. The file is always in the folder.
    """
    target = user_path(path)
    if is_folder(target) or os.fspath(path).endswith(("/", os.sep)):
        return target / safe_name(name)
    return target


def safe_name(name: str) -> str:
    """Return the last part of a server's file name, so that the file stays in its folder."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return last if last not in ("", ".", "..") else "image"


# --------------------------------------------------------------------------- images of runs


@dataclass(frozen=True, slots=True)
class RunFile:
    """An image or a video of a run, with the values for its file name; see ``file_name()``."""

    file: str
    values: Mapping[str, Any]
    number: int
    item: int
    name: str = ""
    kind: Literal["image", "video"] = "image"


class NamedFile(Protocol):
    """An image or a video of a run."""

    @property
    def name(self) -> str:
        """The name on the server."""
        ...


class RunWithFiles(Protocol):
    """A run, of the synchronous or the asynchronous client."""

    @property
    def images(self) -> Sequence[NamedFile]:
        """The images that it made."""
        ...

    @property
    def videos(self) -> Sequence[NamedFile]:
        """The videos that it made."""
        ...


def files_of(run: RunWithFiles) -> Iterator[tuple[Literal["image", "video"], list[str]]]:
    """Yield the names of the images of a run, and those of its videos."""
    yield "image", [image.name for image in run.images]
    yield "video", [video.name for video in run.videos]


def naming_values(inputs: Mapping[str, Any], seed: int | None) -> Mapping[str, Any]:
    """Return the values for the file names of a run: its inputs, and its seed if no input is named so."""
    return inputs if seed is None else ChainMap(dict(inputs), {"seed": seed})


def paths_of_run_files(
    template: str | os.PathLike[str], files: Iterable[RunFile], taken: UniquePaths | None = None
) -> list[Path]:
    """Return a unique file for each image and video of runs.

    The template's extension is for images. Videos have the extension ``.mp4``. If that is the template's extension,
    the images beside them are PNG files.

    Args:
        template: A template as in ``file_name()``, or an existing folder for files with their names on the server.
        files: The images and videos.
        taken: Paths that other files use. The new paths are added. Defaults to none.

    Raises:
        UsageError: The template is invalid, or contains a name that a run does not have.
    """
    text = os.fspath(template)
    if "{" not in text and is_folder(text):
        text = literal_folder(text)
    names = UniquePaths() if taken is None else taken
    made = list(files)
    beside_videos = text.casefold().endswith(VIDEO) and any(one.kind == "video" for one in made)
    return [
        names.take(
            file_name(
                text,
                one.values,
                one.number,
                one.file,
                VIDEO if one.kind == "video" else ".png",
                item=one.item,
                name=one.name,
                kind=one.kind,
                fixed=one.kind == "video" or beside_videos,
            )
        )
        for one in made
    ]


def literal_folder(folder: str | os.PathLike[str]) -> str:
    """Return a template for files in a folder. Braces in the folder's name are escaped."""
    return literal(os.path.join(folder, ""))  # noqa: PTH118 - it keeps the last slash


def literal(name: str) -> str:
    """Return a template for exactly this name. Braces are escaped."""
    return name.replace("{", "{{").replace("}", "}}")


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path is meant as the file of an image or a video, and not as a folder: it has such an extension."""
    text = os.fspath(path)
    suffix = Path(text).suffix.casefold()
    return suffix in (*FORMATS, *OTHER_IMAGES) and not text.endswith(("/", os.sep)) and not is_folder(text)


# --------------------------------------------------------------------------- images of the server


def needs_records(template: str) -> bool:
    """Whether a template contains more than the name and index of an image or a video.

    Raises:
        UsageError: The template is invalid.
    """
    try:
        names = {name.strip() for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise UsageError(f"Invalid template {template!r}: {error}.") from None
    return not names <= _WITHOUT_RECORDS


def paths_for(
    names: Sequence[str],
    records: Mapping[str, MediaRecord],
    folder: str | os.PathLike[str],
    template: str,
    suffix: str,
    kind: Literal["image", "video"] = "image",
) -> dict[str, Path]:
    """Return a unique file for each image or video. Values from the server cannot lead out of the folder.

    Raises:
        UsageError: The template is invalid, or contains an unknown name.
    """
    base = user_path(folder)
    needed = needs_records(template)
    ending = ".thumbnail" if suffix == ".webp" and not template.endswith(suffix) else ""
    paths: list[Path] = []
    for index, name in enumerate(names):
        record = records.get(name)
        # It was deleted. The download will report that.
        its_own = f"{{{kind}}}" if needed and record is None else f"{template}{ending}"
        values: dict[str, Any] = {} if record is None else dict(record)
        paths.append(base / file_name(its_own, values, index, name, suffix, kind=kind))
    return dict(zip(names, unique(paths), strict=True))


# --------------------------------------------------------------------------- the template


@lru_cache(maxsize=64)
def _parsed(template: str) -> tuple[tuple[str, ...], tuple[tuple[_Part, ...], ...]]:
    """Return the literal folders at the beginning, and the parts of each name after them."""
    components: list[list[_Part]] = [[]]
    try:
        for literal, name, spec, conversion in Formatter().parse(template):
            first, *others = _SEPARATORS.split(literal)
            components[-1].append(first)
            components.extend([one] for one in others)
            if name is not None:
                components[-1].append(_field(template, name, spec or "", conversion))
    except ValueError as error:
        raise UsageError(f"Invalid template {template!r}: {error}.") from None
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
                f"Invalid template {template!r}: {parts[0]!r} is not allowed after a name in braces, because the path"
                " could leave its folder."
            )
    kept = [tuple(part for part in parts if part) for parts in components[front:]]
    return tuple(folders), tuple(parts for parts in kept if parts)


def _field(template: str, name: str, spec: str, conversion: str | None) -> _Field:
    if conversion:
        raise UsageError(
            f"Invalid template {template!r}: the conversion !{conversion} is not supported. Remove it."
        )
    if any(int(digits) > _WIDEST for digits in re.findall(r"\d{1,9}", spec)):
        raise UsageError(
            f"Invalid template {template!r}: the width of {{{name}}} exceeds {_WIDEST} characters."
        )
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
            f"Invalid template {template!r}: the format {{{part.name}:{part.spec}}} does not work for the value"
            f" {value!r}."
        ) from None


def _without_ending(label: str) -> str:
    """Return the label of an image file without its folders and extension. Other labels are unchanged."""
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
        raise UsageError(
            f"{{{name}}} in the template {template!r} is ambiguous: use one of {_listed(found)}."
        )
    words = dict.fromkeys([*(plain(one) or one for one in values), *known])
    raise UsageError(
        f"Unknown name {{{name}}} in the template {template!r}: expected one of {_listed(list(words))}."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


# --------------------------------------------------------------------------- safe names


def _clean(text: str) -> str:
    """Replace or remove characters that are not allowed in file names on all file systems."""
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
    """Return a valid name for a file or folder."""
    cleaned = _cut(_clean(name), _MOST_BYTES, name).rstrip(" .")
    if cleaned.startswith("."):
        cleaned = f"_{cleaned[1:]}"  # not hidden, and never the folder above
    if _RESERVED.match(f"{cleaned}{suffix}"):
        cleaned = f"_{cleaned}"
    return f"{cleaned or '_'}{suffix}"


def _cut(text: str, most: int, whole: str) -> str:
    """Shorten a text to at most ``most`` bytes. A shortened text ends in a hash of the whole text."""
    if len(text.encode()) <= most:
        return text
    mark = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = text.encode()[: most - len(mark) - 1].decode(errors="ignore")
    place = len(kept)
    while place > 1 and not is_boundary(text, place):
        place -= 1
    return f"{kept[:place].rstrip(' ._-,')}~{mark}"


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
