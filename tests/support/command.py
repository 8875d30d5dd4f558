"""Run ``ivk`` in this process: the same entry point with captured output, optionally in a terminal."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from invokeai_py_client.cli.main import ivk
from invokeai_py_client.cli.output import run_command


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Done:
    """The result of a command.

    Attributes:
        code: Its exit code.
        out: Its standard output.
        err: Its standard error.
    """

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def shown(self) -> list[str]:
        """The lines of standard output without escape sequences."""
        return [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in self.lines]

    @property
    def cells(self) -> list[list[str]]:
        """The lines of a piped list, each split at its tabs."""
        return [line.split("\t") for line in self.lines]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON lines of standard output."""
        return [json.loads(line) for line in self.lines]

    @property
    def said(self) -> str:
        """Standard error as one line."""
        return " ".join(self.err.split())


class Command:
    """A callable that runs ``ivk`` with the given arguments."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, *words: str, stdin: str = "", terminal: bool = False) -> Done:
        """Run a command line.

        Args:
            words: The arguments after ``ivk``.
            stdin: The content of standard input.
            terminal: Whether all three streams are a terminal, 80 columns wide.
        """
        kind = Terminal if terminal else io.StringIO
        out, err = kind(), kind()
        with self._patch.context() as patch:
            patch.setattr(sys, "stdin", kind(stdin))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("COLUMNS", "80")
            patch.setenv("TERM", "xterm-256color")
            code = run_command(ivk, words)
        return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def ivk_command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """``ivk`` in this process, with the server of $INVOKEAI_URL or --url."""
    return Command(monkeypatch)
