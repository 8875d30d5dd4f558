"""``ivk`` in odd environments: no home directory, unknown users, full disks, closed streams, encodings and terminals.

Each environment runs some of the commands. With ``INVOKEAI_TEST_ALL_ENVIRONMENTS=1``, it runs all of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import workflows
from environments import CASES, ENVIRONMENTS, Case, Environment, run_in

from invokeai_py_client import InvokeAIClient

if TYPE_CHECKING:
    from tests.conftest import RealServer

ALL = bool(os.environ.get("INVOKEAI_TEST_ALL_ENVIRONMENTS"))
SOME = 2


def chosen() -> list[tuple[Environment, list[Case]]]:
    """Return the environments with the commands to run in them. Together, they use each command at least twice."""
    count = len(CASES)
    return [
        (environment, list(CASES) if ALL else [CASES[(SOME * number + one) % count] for one in range(SOME)])
        for number, environment in enumerate(ENVIRONMENTS)
    ]


@pytest.fixture(scope="module")
def board(server: RealServer) -> Iterator[str]:
    """A board with one image."""
    with InvokeAIClient.from_url(server.url) as client:
        handle = client.board_repo.create_board("夜 × environments")
        document = workflows.picture()
        run = client.workflow(document).run(auto_board=handle.board.board_id)
        client.image_repo.move([image.name for image in run.images], handle.board.board_id)
        yield handle.board.board_id
        client.board_repo.delete_board(handle.board.board_id, delete_images=True)


@pytest.mark.parametrize(("environment", "cases"), chosen(), ids=[one.name for one in ENVIRONMENTS])
def test_commands_end_with_the_right_exit_code_and_without_a_traceback(
    environment: Environment,
    cases: list[Case],
    server: RealServer,
    board: str,
    tmp_path: Path,
    nothing_left: None,
) -> None:
    wrong: list[str] = []
    for case in cases:
        folder = tmp_path / f"{case.words[0]}-{len(list(tmp_path.iterdir()))}"
        (folder / "place").mkdir(parents=True)
        (folder / "workflow.json").write_text(json.dumps(workflows.picture()), encoding="utf-8")
        for place in (folder, *folder.parents):
            if place.stat().st_uid == os.getuid() and place.is_relative_to(tmp_path):
                place.chmod(0o755)
        words = [word.format(folder=folder, board=board, url=server.url) for word in case.words]
        done = run_in(environment, words, folder, server.url)
        said = f"{words}: exit code {done.code}, {done.out[-1500:]!r} {done.err[-1500:]!r}"
        text = done.out + done.err
        if done.code not in case.codes(environment):
            wrong.append(f"expected {case.codes(environment)}: {said}")
        for sign in (
            "Traceback",
            "Exception ignored",
            "unexpected error",
            "ResourceWarning",
            "never awaited",
        ):
            if sign in text:
                wrong.append(f"{sign}: {said}")
        if "--json" in words and not environment.terminal:
            for line in done.out.splitlines():
                json.loads(line)
        if strange := [str(one) for one in folder.rglob("*") if one.name.startswith("~")]:
            wrong.append(f"creates {strange}: {said}")
    assert not wrong, "\n".join(wrong)
