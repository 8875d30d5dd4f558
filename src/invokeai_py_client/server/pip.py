"""Package installers: uv if it is available, and pip with its settings."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from invokeai_py_client._paths import home_folder
from invokeai_py_client.server.processes import output_of


@dataclass(frozen=True, slots=True)
class PipSettings:
    """The package indexes and folders that pip is configured to use.

    Attributes:
        index: Main index, if it is not PyPI.
        extra_indexes: Additional indexes.
        find_links: Folders or pages with wheels.
        cert: Certificate bundle.
    """

    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str | None = None

    def for_uv(self, environ: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return equivalent options and environment variables for uv. The user's settings for uv take precedence."""
        options: list[str] = []
        more: dict[str, str] = {}
        if self.index and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & environ.keys():
            options += ["--default-index", self.index]
        if self.extra_indexes and not {"UV_INDEX", "UV_EXTRA_INDEX_URL"} & environ.keys():
            for index in self.extra_indexes:
                options += ["--index", index]
            # pip takes the best version of all indexes. By default, uv only uses the first index with the package.
            options += ["--index-strategy", "unsafe-best-match"]
        for link in self.find_links:
            options += ["--find-links", link]
        if self.cert and "SSL_CERT_FILE" not in environ:
            more["SSL_CERT_FILE"] = self.cert
        return options, more


def _files(environ: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files in ascending order of precedence."""
    home = home_folder() or Path("~")  # without a home directory, these files do not exist
    chosen = environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    if sys.platform == "win32":
        files = [Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "pip/pip.ini", home / "pip/pip.ini"]
        files.append(Path(environ.get("APPDATA", home)) / "pip/pip.ini")
        files.append(Path(sys.prefix) / "pip.ini")
    else:
        xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf"]
        if sys.platform == "darwin":
            files.append(home / "Library/Application Support/pip/pip.conf")
        files += [xdg / "pip/pip.conf", Path(sys.prefix) / "pip.conf"]
    if chosen:
        files.append(Path(chosen))
    return files


def read_pip_settings(environ: Mapping[str, str], files: Iterable[Path] | None = None) -> PipSettings:
    """Read pip's configuration files and its environment variables."""
    values: dict[str, str] = {}
    for file in _files(environ) if files is None else files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself reports invalid files
        for section in ("global", "install"):
            if parser.has_section(section):
                values.update(parser.items(section))
    for key in ("index-url", "extra-index-url", "find-links", "cert"):
        name = "PIP_" + key.upper().replace("-", "_")
        if environ.get(name):
            values[key] = environ[name]
    return PipSettings(
        index=values.get("index-url"),
        extra_indexes=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        cert=values.get("cert"),
    )


OLDEST = (0, 6, 9)  # the first version with --torch-backend


def _places() -> Iterator[str]:
    beside = Path(sys.executable).parent
    for name in ("uv", "uv.exe"):
        if (beside / name).is_file():
            yield str(beside / name)
    if found := shutil.which("uv"):
        yield found


def works(path: str | Path) -> bool:
    """Whether a uv runs and is new enough."""
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", output_of(path, "--version") or "")
    return match is not None and tuple(map(int, match.groups())) >= OLDEST


def find_uv() -> Path | None:
    """Return the uv next to our Python, or the one on the PATH."""
    return next((Path(place) for place in _places() if works(place)), None)
