"""The documentation site builds without warnings, its links work, and its reference lists all public names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pages
import pytest

CONFIGURATION = "zensical.toml"
PUBLIC_API = pages.REPOSITORY / "tests" / "data" / "public-api.txt"


class Page(HTMLParser):
    """The anchors and links of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif value and (name == "src" or (name == "href" and tag in ("a", "link"))):
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site from a copy, because a build leaves a cache next to its configuration."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "src"):
        shutil.copytree(pages.REPOSITORY / name, folder / name)
    shutil.copy(pages.REPOSITORY / CONFIGURATION, folder)
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--config-file",
        str(folder / CONFIGURATION),
    ]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "No issues found" in built.stdout + built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.glob("**/*.html")}


def test_links_work(site: Path, built: dict[Path, Page]) -> None:
    missing: list[str] = []
    checked = 0
    for path, page in built.items():
        if path.name == "404.html":
            continue  # its links are relative to any page
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            checked += 1
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            to = to / "index.html" if to.is_dir() else to
            anchor = unquote(parts.fragment)
            known = built.get(to)
            if not to.exists() or (anchor and known is not None and anchor not in known.anchors):
                missing.append(f"{path.relative_to(site)}: {link}")
    assert not missing
    assert checked > 1000


def test_pages_load_nothing_from_other_hosts(built: dict[Path, Page]) -> None:
    for path, page in built.items():
        text = path.read_text(encoding="utf-8")
        assert not re.findall(
            r"""<(?:script|img|link|iframe)\b[^>]*(?:src|href)=["']?https?://[^>]*""", text
        ), path
        assert page.anchors


def test_the_menu_lists_every_page() -> None:
    menu = tomllib.loads((pages.REPOSITORY / CONFIGURATION).read_text(encoding="utf-8"))["project"]["nav"]
    listed = sorted(entries_of(menu))
    docs = pages.REPOSITORY / "docs"
    assert listed == sorted(path.relative_to(docs).as_posix() for path in docs.glob("**/*.md"))


def entries_of(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [one for part in parts for one in entries_of(part)]


def test_the_reference_lists_all_public_names(built: dict[Path, Page]) -> None:
    anchors = set[str]().union(*(page.anchors for page in built.values()))
    there = {anchor.rpartition(".")[2] for anchor in anchors if anchor.startswith("invokeai_py_client.")}
    names = re.findall(r"^class (\S+?)\(", PUBLIC_API.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(names) > 100
    assert {name.rpartition(".")[2] for name in names} - there == set()
