"""What is known about the InvokeAI releases this package can install."""

from __future__ import annotations

import re
from dataclasses import dataclass

from invokeai_py_client.errors import UsageError

DEFAULT_VERSION = "6.14.2"
"""The release everything here is proved against."""


@dataclass(frozen=True, slots=True)
class Release:
    """One InvokeAI release and what it needs to run.

    Attributes:
        version: The release.
        torch: The torch to install, where none is chosen for another reason.
        overrides: Requirements put over InvokeAI's own, which no longer resolve to a server that runs.
        pythons: The Python versions it runs on.
    """

    version: str
    torch: str
    overrides: tuple[str, ...] = ()
    pythons: tuple[tuple[int, int], ...] = ((3, 11), (3, 12))


# InvokeAI before 6.14 leaves transformers open, but uses names that transformers 5 removed; its dependency
# clip_anytorch imports pkg_resources, which setuptools 81 removed.
_OLD_OVERRIDES = ("transformers<5", "setuptools<81")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def release(version: str = DEFAULT_VERSION) -> Release:
    """Return what a release needs.

    Raises:
        UsageError: The text is not a version number.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+([.-]?(a|b|rc|post|dev)\.?\d+)?", version):
        raise UsageError(f"{version!r} is not an InvokeAI version; one looks like {DEFAULT_VERSION!r}")
    if _parts(version) >= (6, 14):
        return Release(version, torch="2.13.0")
    return Release(version, torch="2.7.1", overrides=_OLD_OVERRIDES)


def torchvision_for(torch: str) -> str:
    """Return the requirement for the torchvision that belongs to a torch: 2.7 goes with 0.22, 2.13 with 0.28.

    Left open, pip takes the newest torchvision, which then replaces torch by the newest (CUDA) one.
    """
    minor = _parts(torch)[1]
    return f"torchvision==0.{minor + 15}.*"
