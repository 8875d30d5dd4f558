"""The HTML report of a sweep: one escaped page, streamed and written atomically."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import tracemalloc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from invokeai_py_client.errors import UsageError
from invokeai_py_client.sweep.report import ReportEntry, make_thumbnail, write_report

HOSTILE = "</script><script>alert(1)</script><!--<b title='\"'>&lt;\u2028]]>"


class Reader(HTMLParser):
    """A parsed page: its elements and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[-1] += data

    def of(self, tag: str, **attributes: str) -> list[str]:
        """Return the text of all elements with these attributes."""
        return [
            text
            for (found, has), text in zip(self.elements, self.texts, strict=True)
            if found == tag and attributes.items() <= has.items()
        ]

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.of("script", **{"class": "run"})]

    def head(self) -> dict[str, Any]:
        return json.loads(self.of("script", id="head")[0])


def written(folder: Path, *entries: ReportEntry, axes: tuple[str, ...] = ("a",), **more: Any) -> Reader:
    path = write_report(folder / "report.html", more.pop("title", "title"), axes, entries, **more)
    return Reader(path.read_text(encoding="utf-8"))


def picture(kind: str = "PNG", size: tuple[int, int] = (30, 20)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, (1, 2, 3)).save(data, kind)
    return data.getvalue()


def test_page_contains_the_data_of_each_run(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        ReportEntry(4, {"a": 1.5, "other": True, "steps": 9}, "failed", 2.5, "OutOfMemoryError: no room"),
        ReportEntry(7, {"a": None}),
        axes=("a", "b"),
        inputs={"steps": 30, "model": {"name": "sdxl", "key": "k"}},
        about="today",
    )
    assert page.runs() == [
        {
            "index": 4,
            "state": "failed",
            "values": [1.5, None],
            "others": {"other": True},
            "seconds": 2.5,
            "error": "OutOfMemoryError: no room",
        },
        {"index": 7, "state": "completed", "values": [None, None]},
    ]
    assert page.head() == {"axes": ["a", "b"], "inputs": {"steps": 30, "model": "sdxl"}}
    assert page.of("p", id="about") == ["today"]


def test_values_that_javascript_would_change_become_text(tmp_path: Path) -> None:
    values = [2**53, 2**53 + 1, math.nan, math.inf, [1, 2], {"name": "m"}, True, "", 0]
    page = written(tmp_path, *(ReportEntry(index, {"a": value}) for index, value in enumerate(values)))
    shown = [2**53, str(2**53 + 1), "nan", "inf", "1, 2", "m", True, "", 0]
    assert [run["values"][0] for run in page.runs()] == shown


@settings(deadline=None)  # each example writes two files
@given(st.text())
@example(HOSTILE)
@example("half \udc80")
def test_text_is_never_markup(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    entry = ReportEntry(0, {text: text, "a": text}, text, error=text)
    page = written(
        tmp_path_factory.mktemp("r"), entry, axes=(text,), inputs={f"{text}!": text}, title=text, about=text
    )
    plain = written(tmp_path_factory.mktemp("r"), ReportEntry(0, {}, "x"))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    as_utf8 = text.encode("utf-8", "replace").decode()
    (run,) = page.runs()
    assert run["values"] == [as_utf8]
    assert run["state"] == as_utf8
    assert run.get("error", "") == as_utf8
    assert page.head()["axes"] == [as_utf8]


def test_page_loads_nothing_from_the_network(tmp_path: Path) -> None:
    page = written(
        tmp_path, ReportEntry(0, {"a": "http://example.org/x.png"}, picture="x.png", thumbnail=picture())
    )
    sources = [
        value for _, has in page.elements for name, value in has.items() if name in ("src", "href", "action")
    ]
    assert sources == ["data:,"]  # the empty icon, without which a browser requests one
    (policy,) = (
        has["content"] for _, has in page.elements if has.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:;")
    for tag, what in (("script", "script-src"), ("style", "style-src")):
        digests = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for (found, has), text in zip(page.elements, page.texts, strict=True)
            if found == tag and not has
        ]
        assert len(digests) == 1
        assert f"{what} 'sha256-{digests[0]}'" in policy


# --------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("kind", "mime"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_images_embedded_in_the_page(tmp_path: Path, kind: str, mime: str) -> None:
    data = picture(kind)
    page = written(tmp_path, ReportEntry(9), ReportEntry(3, thumbnail=data, picture=data))
    run = page.runs()[1]
    assert (run["thumbnail"], run["inline"]) == (mime, mime)
    assert "picture" not in run
    assert [base64.b64decode(text) for text in page.of("script", id="t1") + page.of("script", id="p1")] == [
        data,
        data,
    ]


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("a.png", "./a.png"),
        ("pics/a fox, ü #1?&100%.png", "./pics/a%20fox%2C%20%C3%BC%20%231%3F%26100%25.png"),
        (Path("../all/a.png"), "./../all/a.png"),
        (PureWindowsPath("pics\\a.png"), "./pics/a.png"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("half \udc80.png", "./half%20%80.png"),
    ],
)
def test_images_linked_from_the_page(tmp_path: Path, path: Any, link: str) -> None:
    assert written(tmp_path, ReportEntry(0, picture=path)).runs()[0]["picture"] == link


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        (ReportEntry(5, thumbnail=b"text"), "The image of run 5 has an unknown format"),
        (ReportEntry(5, picture=b""), "The image of run 5 has an unknown format"),
        (
            ReportEntry(5, picture=Path("/tmp/x.png").absolute()),
            "of run 5 is absolute: expected a path relative",
        ),
    ],
)
def test_invalid_images_are_rejected(tmp_path: Path, entry: ReportEntry, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        written(tmp_path, ReportEntry(0), entry)
    assert list(tmp_path.iterdir()) == []  # no incomplete file remains


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "LA", "CMYK", "I;16"])
def test_thumbnails_are_small(mode: str) -> None:
    data = io.BytesIO()
    Image.new(mode, (1000, 500)).save(data, "TIFF")
    small = make_thumbnail(data.getvalue())
    with Image.open(io.BytesIO(small)) as found:
        assert (found.format, found.size) == ("WEBP", (256, 128))
    with Image.open(io.BytesIO(make_thumbnail(data.getvalue(), 64))) as found:
        assert found.size == (64, 32)
    with Image.open(io.BytesIO(make_thumbnail(picture(size=(8, 4))))) as found:
        assert found.size == (8, 4)  # never enlarged


# --------------------------------------------------------------------------- the file


def test_report_is_written_atomically(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"

    def entries(*, existed: bool) -> Iterator[ReportEntry]:
        yield ReportEntry(0)
        assert path.exists() == existed
        raise RuntimeError("the connection broke")

    with pytest.raises(RuntimeError, match="broke"):
        write_report(path, "t", [], entries(existed=False))
    assert list(path.parent.iterdir()) == []
    path.write_text("previous")
    with pytest.raises(RuntimeError, match="broke"):
        write_report(path, "t", [], entries(existed=True))
    assert path.read_text() == "previous"
    assert write_report(path, "t", [], []) == path
    assert list(path.parent.iterdir()) == [path]


def test_memory_use_does_not_grow_with_the_number_of_runs(tmp_path: Path) -> None:
    thumbnail = picture("PNG") + bytes(20_000)
    entries = (ReportEntry(index, {"a": f"{index} {HOSTILE}"}, thumbnail=thumbnail) for index in range(1000))
    tracemalloc.start()
    try:
        path = write_report(tmp_path / "report.html", "t", ["a"], entries)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 25_000_000
    assert peak < 2_000_000
