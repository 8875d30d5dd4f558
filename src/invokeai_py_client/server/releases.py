"""Requirements of the InvokeAI releases that this package can install."""

from __future__ import annotations

import re
from dataclasses import dataclass

from invokeai_py_client.errors import UsageError

DEFAULT_VERSION = "6.14.2"
"""The release that this package is tested against."""


@dataclass(frozen=True, slots=True)
class Release:
    """An InvokeAI release and its requirements.

    Attributes:
        version: InvokeAI version.
        torch: Version of torch to install by default.
        overrides: Requirements that replace InvokeAI's own, which no longer resolve to a working server.
        pythons: Supported Python versions.
    """

    version: str
    torch: str
    overrides: tuple[str, ...] = ()
    pythons: tuple[tuple[int, int], ...] = ((3, 11), (3, 12))


# InvokeAI before 6.14 does not limit the version of transformers, but uses names that transformers 5 removed. Its
# dependency clip_anytorch imports pkg_resources, which setuptools 81 removed.
_OLD_OVERRIDES = ("transformers<5", "setuptools<81")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def release(version: str = DEFAULT_VERSION) -> Release:
    """Return the requirements of a release.

    Raises:
        UsageError: The text is not a version number.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+([.-]?(a|b|rc|post|dev)\.?\d+)?", version):
        raise UsageError(
            f"Invalid InvokeAI version {version!r}: expected a release such as {DEFAULT_VERSION}."
        )
    if _parts(version) >= (6, 14):
        return Release(version, torch="2.13.0")
    return Release(version, torch="2.7.1", overrides=_OLD_OVERRIDES)


def torchvision_for(torch: str) -> str:
    """Return the torchvision requirement for a torch version: 0.22 for 2.7, 0.28 for 2.13.

    Without it, pip installs the newest torchvision, which then replaces torch with the newest CUDA build.
    """
    minor = _parts(torch)[1]
    return f"torchvision==0.{minor + 15}.*"
