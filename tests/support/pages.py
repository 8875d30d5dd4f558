"""The Markdown pages of the repository as the tests see them: fenced blocks, tables, links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("**/*.md")])
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its page, from the repository's root.
        line: The line of its first line of text, from 1.
        heading: The heading that it stands under.
        language: What the fence says.
        text: Its text.
        reason: Why it is not run, where a comment before it says so.
    """

    page: str
    line: int
    heading: str
    language: str
    text: str = field(repr=False)
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command in a console block, and the lines shown after it."""

    text: str
    shown: tuple[str, ...]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    name = page.relative_to(REPOSITORY).as_posix()
    heading, reason, fence, start, taken = "", None, None, 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if fence is not None:
            if line.strip() == "```":
                found.append(Block(name, start, heading, fence, "\n".join(taken) + "\n", reason))
                fence = reason = None
            else:
                taken.append(line)
        elif line.startswith("```"):
            fence, start, taken = line.removeprefix("```").strip(), number + 1, []
        elif line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.strip():
            left_out = NOT_RUN.fullmatch(line.strip())
            reason = left_out[1] if left_out else None
    if fence is not None:
        raise ValueError(f"{name}:{start}: the block has no end")
    return found


def all_blocks() -> list[Block]:
    """The fenced blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page)]


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block, each with what is shown of its output."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block}: a console block begins with a command ('$ ...')")
    return [Command(text, tuple(shown)) for text, shown in found]


def unmatched(shown: tuple[str, ...], output: str) -> str | None:
    """The first shown line that the output does not have after those before it; None where it has all.

    ``...`` stands for any text, alone on a line for any lines; spaces count once.
    """
    lines = iter(_squeezed(line) for line in output.splitlines())
    for line in shown:
        if not line.strip() or line.strip() == "...":
            continue
        pattern = re.compile(".*".join(map(re.escape, _squeezed(line).split("..."))))
        if not any(pattern.fullmatch(one) for one in lines):
            return line
    return None


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def table_rows(page: Path, first_cell: str) -> list[list[str]]:
    """The cells of the table rows of a page whose first cell matches a pattern."""
    rows: list[list[str]] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells and re.fullmatch(first_cell, cells[0]):
            rows.append(cells)
    return rows


def links_of(page: Path) -> list[str]:
    """The targets of a page's links and pictures, those in code left out."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
