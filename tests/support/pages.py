"""Parses the Markdown pages of the repository: fenced blocks, tables, links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shown import updated

REPOSITORY = Path(__file__).parents[2]
FOLDERS = (REPOSITORY / "docs", REPOSITORY / "examples")
PAGES = sorted([*REPOSITORY.glob("*.md"), *(page for folder in FOLDERS for page in folder.glob("**/*.md"))])
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
TERMINAL = "<!-- in a terminal -->"
VARIES = re.compile(r"<!-- varies: (.+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its page, from the repository's root.
        line: The line of its first line of text, from 1.
        heading: The heading above it.
        language: The word after the fence.
        text: Its text.
        reason: The reason for not running it, from a comment ``<!-- not run: reason -->`` before it.
        varies: Patterns of output lines that are not compared, from comments ``<!-- varies: pattern -->`` before it.
        terminal: Whether its commands run in a terminal, because of a comment ``<!-- in a terminal -->`` before it.
        output_of: The Python block whose printed output a ``text`` block directly below it shows.
    """

    page: str
    line: int
    heading: str
    language: str
    text: str = field(repr=False)
    reason: str | None = None
    varies: tuple[str, ...] = ()
    terminal: bool = False
    output_of: Block | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command in a console block, and the lines shown below it."""

    text: str
    shown: tuple[str, ...]


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found: list[Block] = []
    name = page.relative_to(REPOSITORY).as_posix()
    heading, fence, start, taken = "", None, 0, list[str]()
    reason, varies, terminal, above = None, list[str](), False, None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if fence is not None:
            if line.strip() == "```":
                text = "\n".join(taken) + "\n"
                source = above if fence == "text" and above and above.language == "python" else None
                above = Block(name, start, heading, fence, text, reason, tuple(varies), terminal, source)
                found.append(above)
                fence, reason, varies, terminal = None, None, [], False
            else:
                taken.append(line)
        elif line.startswith("```"):
            fence, start, taken = line.removeprefix("```").strip(), number + 1, []
        elif left_out := NOT_RUN.fullmatch(line.strip()):
            reason = left_out[1]
        elif pattern := VARIES.fullmatch(line.strip()):
            varies.append(pattern[1])
        elif line.strip() == TERMINAL:
            terminal = True
        elif line.strip():
            heading = line.lstrip("# ") if line.startswith("#") else heading
            reason, varies, terminal, above = None, [], False, None
    if fence is not None:
        raise ValueError(f"{name}:{start}: the block has no end")
    return found


def all_blocks() -> list[Block]:
    """Return the fenced blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page)]


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a console block, each with its shown output."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"{block}: a console block begins with a command ('$ ...')")
    return [Command(text, tuple(shown)) for text, shown in found]


def replace_output(block: Block, commands: Sequence[Command], outputs: Sequence[str]) -> None:
    """Write real output into a page, below the commands of a block that show output."""
    lines: list[str] = []
    for command, output in zip(commands, outputs, strict=True):
        lines += [f"$ {command.text}"] if command.text else []
        lines += updated(command.shown, output, block.varies) if command.shown else []
    path = REPOSITORY / block.page
    before = path.read_text(encoding="utf-8")
    start = before.index(f"\n{block.output_of.text}```" if block.output_of else f"\n{block.text}```")
    start = before.index(f"\n{block.text}```", start) + 1
    rest = before[start + len(block.text) :]
    path.write_text(before[:start] + "".join(f"{line}\n" for line in lines) + rest, encoding="utf-8")


def table_rows(page: Path, first_cell: str) -> list[list[str]]:
    """Return the cells of a page's table rows whose first cell matches a pattern."""
    rows: list[list[str]] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if cells and re.fullmatch(first_cell, cells[0]):
            rows.append(cells)
    return rows


def links_of(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures, except those in code."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
