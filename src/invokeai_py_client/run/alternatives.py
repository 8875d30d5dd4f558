"""Prompts with alternatives such as ``{red|blue} house``, which the server spells out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client.engine.dynamic_prompts import expansion_problem, wildcard_problem
from invokeai_py_client.transport.json_shape import ListOf

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

MOST_PROMPTS = 10_000
"""The largest number of prompts that the server spells out."""


async def spell_out(
    connection: Connection, prompt: str, *, most: int, combinatorial: bool, seed: int | None
) -> tuple[list[str], str | None]:
    """Return the prompts that a prompt with alternatives stands for, and the problem if the server could not read it.

    Args:
        connection: The server.
        prompt: The prompt with its alternatives.
        most: The largest number of prompts.
        combinatorial: Whether to use all combinations, in order. If False, prompts are drawn at random.
        seed: The seed for drawing prompts.
    """
    from invokeai_py_client.api.utilities import AsyncUtilitiesApi

    problem = wildcard_problem(prompt) if combinatorial else None
    if problem is not None:
        return [prompt], problem
    response = await connection.part(AsyncUtilitiesApi).parse_dynamicprompts(
        prompt=prompt,
        max_prompts=most,
        combinatorial=combinatorial,
        seed=seed,
        expect={"prompts": ListOf(str), "error": str | None},
        raise_failure=False,
    )
    prompts = response["prompts"]
    return prompts, expansion_problem(prompt, prompts, response.get("error"))
