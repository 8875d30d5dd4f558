"""The code in README and docs runs on the real server, and their tables match the code."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import pty
import re
import subprocess
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages
import pytest
import shown

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.cli import output as cli_output

if TYPE_CHECKING:
    from tests.conftest import RealServer

ADDRESS = "http://localhost:9090"
"""The address of the server on all pages. The tests replace it with the address of the real server."""

BLOCKS = pages.all_blocks()
RUN = [block for block in BLOCKS if block.reason is None]
PYTHON = {
    page: [block for block in RUN if block.page == page and block.language == "python"]
    for page in dict.fromkeys(block.page for block in RUN if block.language == "python")
}
CONSOLE = [block for block in RUN if block.language == "console"]
COMPATIBILITY = pages.REPOSITORY / "docs" / "compatibility.md"
ERRORS = pages.REPOSITORY / "docs" / "errors.md"


@pytest.mark.parametrize("page", PYTHON)
def test_python_blocks_run(page: str, reader: Path, server: RealServer) -> None:
    """The blocks of a page run in order, as in one session, and print the text blocks directly below them."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    output_of = {block.output_of: block for block in RUN if block.output_of is not None}
    try:
        for block in PYTHON[page]:
            # Empty lines before the code make a traceback name the line of the page.
            text = "\n" * (block.line - 1) + block.text.replace(ADDRESS, server.url)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(text, block.page, "exec", dont_inherit=True), namespace)
            if block in output_of:
                text_block = output_of[block]
                command = pages.Command("", tuple(text_block.text.splitlines()))
                compare(text_block, [command], [as_readers_see(printed.getvalue(), reader, server)])
    finally:
        for value in list(namespace.values()):
            if isinstance(value, InvokeAIClient):
                value.close()
    if page == "README.md":
        assert {"lighthouse.png", "grid.png", "lighthouse"} <= {path.name for path in reader.iterdir()}


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_console_blocks_run(block: pages.Block, reader: Path, server: RealServer) -> None:
    """Each command of a block succeeds and prints the output shown below it."""
    commands = pages.commands_of(block)
    mark = "end of command, exit code"
    script = "".join(
        f"{command.text.replace(ADDRESS, server.url)}\ncode=$?\necho\necho {mark} $code\n"
        for command in commands
    )
    printed = (run_in_terminal if block.terminal else run_in_pipe)(script, reader)
    outputs = re.split(rf"\n{mark} (\d+)\n", printed)
    assert len(outputs) == 2 * len(commands) + 1, printed
    for command, output, code in zip(commands, outputs[::2], outputs[1::2], strict=False):
        assert code == "0", f"{block}: {command.text}\n{output}"
    compare(block, commands, [as_readers_see(output, reader, server) for output in outputs[:-1:2]])


def run_in_pipe(script: str, folder: Path) -> str:
    """Run a shell script in a folder and return its output and errors."""
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout


def run_in_terminal(script: str, folder: Path) -> str:
    """Run a shell script in a terminal of 80 columns and return the text that it shows."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        termios.tcsetwinsize(theirs, (40, 80))
        process = subprocess.Popen(
            ["sh", "-c", script],
            cwd=folder,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        data = bytearray()
        # Reading fails once the last process has closed the terminal.
        with contextlib.suppress(OSError):
            while part := screen.read(65536):
                data += part
        process.wait(timeout=300)
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", data.decode()).replace("\r\n", "\n")


def as_readers_see(output: str, reader: Path, server: RealServer) -> str:
    """Return output with the address and the folders that pages show in place of those of the test."""
    for actual, shown_as in {
        server.url: ADDRESS,
        str(reader): "/home/ann/pictures",
        str(reader.parent): "/home/ann",
    }.items():
        output = output.replace(actual, shown_as)
    return output


def compare(block: pages.Block, commands: list[pages.Command], outputs: list[str]) -> None:
    """Assert that a block shows the real outputs. With $UPDATE_DOCS, write them into the page instead."""
    problems = [
        f"{command.text}: {problem}\nIt printed:\n{output}"
        for command, output in zip(commands, outputs, strict=True)
        if (problem := shown.difference(command.shown, output, block.varies))
    ]
    if problems and os.environ.get("UPDATE_DOCS"):
        pages.replace_output(block, commands, outputs)
    elif problems:
        pytest.fail(
            "\n".join([f"{block} shows other output. $UPDATE_DOCS=1 writes the real output.", *problems])
        )


def test_shown_output_is_complete() -> None:
    # Blocks that run are compared in full, so nothing can be left out of them.
    for block in BLOCKS:
        if block.language == "console" and block.reason is not None:
            for command in pages.commands_of(block):
                assert not any("..." in line for line in command.shown), f"{block}: show the real output"


def test_almost_every_block_runs() -> None:
    # Deployments on other machines cannot run here.
    here = [block for block in BLOCKS if block.page != "docs/clusters.md"]
    code = [block for block in here if block.language in ("python", "console")]
    left_out = [block for block in code if block.reason is not None]
    assert len(left_out) <= 8, left_out  # tests/browser runs one of them
    assert len(code) - len(left_out) >= 10


def test_blocks_have_known_languages() -> None:
    # A block of code with another language (py, bash, sh) would silently not be run.
    data = {"text", "json", "html", "toml", "yaml", "ini", ""}
    assert {block.language for block in BLOCKS} <= {"python", "console", *data}


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_links_work(page: Path) -> None:
    for link in pages.links_of(page):
        if not link.startswith(("https://", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


def test_every_error_is_listed_with_its_code() -> None:
    found: dict[str, str] = {}
    classes = [errors.InvokeAIClientError]
    for error in classes:
        found[error.__name__] = error.code
        classes.extend(error.__subclasses__())
    listed = {cells[0].strip("`"): cells[1].strip("`") for cells in pages.table_rows(ERRORS, r"`\w+`")}
    assert listed == found
    assert len(set(found.values())) == len(found)


def test_every_exit_code_is_listed() -> None:
    rows = {int(cells[0]) for cells in pages.table_rows(ERRORS, r"\d+")}
    assert rows == {
        cli_output.OK,
        cli_output.FAILED,
        cli_output.WRONG_USE,
        cli_output.UNREACHABLE,
        cli_output.INTERRUPTED,
    }


def test_every_row_of_the_contract_has_a_state_and_a_test() -> None:
    rows = pages.table_rows(COMPATIBILITY, r"S\d\d")
    assert [cells[0] for cells in rows] == [f"S{number:02}" for number in range(1, 37)]
    for number, _, where, state, proof in rows:
        assert state in ("done", "partly", "not yet"), number
        assert (proof == "-") <= (state != "done"), f"{number} is done, but names no test"
        for path in re.findall(r"`([\w/]+(?:\.py|/))`", where):
            assert (pages.REPOSITORY / "src" / "invokeai_py_client" / path).exists(), f"{number}: {path}"
        if proof != "-":
            tests = re.findall(r"`(\w+/\w+\.py)`((?: `\w+`,?)*)", proof)
            assert tests, f"{number} names no test"
            for file, names in tests:
                assert_has_tests(pages.REPOSITORY / "tests" / file, re.findall(r"`(\w+)`", names))


def assert_has_tests(file: Path, names: list[str]) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)}
    assert names, f"{file.name}: name its tests"
    for name in names:
        assert any(test.startswith(name) for test in defined), f"{file.name} has no test {name}"
