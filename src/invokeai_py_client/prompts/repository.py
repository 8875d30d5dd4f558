"""Prompts: alternatives spelled out, prompts that the server's language models write, and saved system prompts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import InputValueError, ServerError, UsageError
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.lookup import SYSTEM_PROMPTS, ModelRef, SystemPromptRef, fetch_system_prompts
from invokeai_py_client.models import ExpandedPrompt, IvkSystemPrompt
from invokeai_py_client.prompts.language_model import TEXT, VISION, language_model
from invokeai_py_client.prompts.progress import TaskEvents
from invokeai_py_client.run.alternatives import MOST_PROMPTS, spell_out
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.changes import Change
from invokeai_py_client.transport.loop import call_back
from invokeai_py_client.transport.socket import queue_room

if TYPE_CHECKING:
    from invokeai_py_client.events.kinds import LLMTaskProgress
    from invokeai_py_client.image.responses import ImageName
    from invokeai_py_client.image.upload import ImageSource

_MOST_TOKENS = 2048
_LARGEST_SEED = 2**32 - 1
_PATIENCE = 600.0
_DONE = {"prompt": str}


class AsyncPromptRepository(Resource):
    """Prompts, and the system prompts that are saved on the server.

    Example:
        ```python
        colors = await client.prompts.alternatives("a {red|blue} house")
        ```
    """

    async def alternatives(
        self, prompt: str, *, most: int = 100, combinatorial: bool = True, seed: int | None = None
    ) -> list[str]:
        """Return the prompts that a prompt with alternatives stands for, such as ``{red|blue} house``.

        The server spells them out. All users may call this.

        Args:
            prompt: The prompt, in the syntax of the web UI's dynamic prompts.
            most: The largest number of prompts, from 1 to 10,000. Defaults to 100.
            combinatorial: Whether to use all combinations, in order. If False, prompts are drawn at random, and
                ``most`` is their number. Defaults to True.
            seed: The seed for drawing prompts. Defaults to a random seed.

        Raises:
            InputValueError: The server cannot read the prompt: it has an unknown wildcard or an unclosed brace.
            UsageError: ``most`` is out of range.
        """
        _check_whole("most", most, 1, MOST_PROMPTS)
        found, problem = await spell_out(
            self.connection, prompt, most=most, combinatorial=combinatorial, seed=seed
        )
        if problem is not None:
            raise InputValueError(f"Invalid prompt: {problem}")
        return found

    async def expand(
        self,
        prompt: str,
        *,
        model: ModelRef | None = None,
        max_tokens: int = 300,
        system_prompt: str | IvkSystemPrompt | None = None,
        seed: int | None = None,
        timeout: float = _PATIENCE,
        on_progress: Callable[[LLMTaskProgress], object] | None = None,
    ) -> ExpandedPrompt:
        """Have a language model on the server write a detailed prompt from a short one.

        All users may call this (InvokeAI 6.13+).

        Args:
            prompt: The short prompt.
            model: A model of type ``text_llm``: a record, a key or a name. Defaults to the only one on the server.
            max_tokens: The largest number of tokens to write, from 1 to 2,048. Defaults to 300.
            system_prompt: The instruction for the model: a text, or the record of a saved system prompt. Defaults to
                the server's own instruction.
            seed: The seed, from 0 to 4,294,967,295, for the same text again (InvokeAI 6.14+). Defaults to a random
                one, which the result has.
            timeout: Seconds to wait for the text, including the time to load the model. Defaults to 600.
            on_progress: Called with the progress (InvokeAI 6.14+).

        Raises:
            ModelNotFoundError: The server has no such model, or several and ``model`` is missing.
            UsageError: A number is out of range, or the prompt is empty.
            ServerError: The model failed.
        """
        require("a short prompt", prompt=prompt)
        refuse_empty(system_prompt=system_prompt)
        _check_whole("max_tokens", max_tokens, 1, _MOST_TOKENS)
        if seed is not None:
            _check_whole("seed", seed, 0, _LARGEST_SEED)
        instruction = system_prompt.content if isinstance(system_prompt, IvkSystemPrompt) else system_prompt
        key = await language_model(self.connection, model, TEXT)

        async def write(task_id: str) -> Mapping[str, Any]:
            from invokeai_py_client.api.utilities import AsyncUtilitiesApi

            return await self.connection.part(AsyncUtilitiesApi).expand_prompt(
                prompt=prompt,
                model_key=key,
                max_tokens=max_tokens,
                system_prompt=instruction,
                seed=seed,
                task_id=task_id,
                timeout=timeout,
                expect={"expanded_prompt": str},
            )

        response = await self._follow(write, on_progress)
        return ExpandedPrompt(prompt=response["expanded_prompt"], seed=response.get("seed"))

    async def describe(
        self,
        image: ImageName | ImageSource,
        *,
        model: ModelRef | None = None,
        instruction: str | None = None,
        timeout: float = _PATIENCE,
        on_progress: Callable[[LLMTaskProgress], object] | None = None,
    ) -> str:
        """Have a vision model on the server describe an image, as a prompt for similar images.

        All users may call this (InvokeAI 6.13+).

        Args:
            image: An image on the server: its name, its record or an image of a run. Or a file, bytes or a Pillow
                image, which is uploaded as an intermediate image and deleted afterwards.
            model: A model of type ``llava_onevision``: a record, a key or a name. Defaults to the only one on the
                server.
            instruction: The instruction for the model. Defaults to the server's own: to describe the image in detail.
            timeout: Seconds to wait for the text, including the time to load the model. Defaults to 600.
            on_progress: Called with the progress (InvokeAI 6.14+).

        Raises:
            ModelNotFoundError: The server has no such model, or several and ``model`` is missing.
            UnknownNameError: The image is not on the server.
            InputValueError: The file does not exist, or is not an image.
            ServerError: The model failed.
        """
        from invokeai_py_client.files.images import read_local
        from invokeai_py_client.ivk_fields import IvkImageField
        from invokeai_py_client.ivk_fields.pending import LocalImage

        refuse_empty(instruction=instruction)
        field = IvkImageField(label="image")
        field.value = image
        given: Any = field.value
        key = await language_model(self.connection, model, VISION)
        if not isinstance(given, LocalImage):
            return await self._describe(given["image_name"], key, instruction, timeout, on_progress)
        images = self.connection.part(AsyncImageRepository)
        data = await asyncio.to_thread(read_local, given)
        record = await images.upload(data, filename=given.name, is_intermediate=True)
        try:
            return await self._describe(record.image_name, key, instruction, timeout, on_progress)
        finally:
            await images.delete(record.image_name)

    async def _describe(
        self,
        image_name: str,
        key: str,
        instruction: str | None,
        timeout: float,
        on_progress: Callable[[LLMTaskProgress], object] | None,
    ) -> str:
        async def write(task_id: str) -> Mapping[str, Any]:
            from invokeai_py_client.api.utilities import AsyncUtilitiesApi

            return await self.connection.part(AsyncUtilitiesApi).image_to_prompt(
                image_name=image_name,
                model_key=key,
                instruction=instruction,
                task_id=task_id,
                timeout=timeout,
                expect=_DONE,
            )

        try:
            return (await self._follow(write, on_progress))["prompt"]
        except ServerError:  # the server's response if it does not have the image (6.14.2)
            await self.connection.part(AsyncImageRepository).get_image(image_name)
            raise

    async def _follow(
        self,
        write: Callable[[str], Awaitable[Mapping[str, Any]]],
        on_progress: Callable[[LLMTaskProgress], object] | None,
    ) -> Mapping[str, Any]:
        """Send a request to a language model and report its progress until the response arrives.

        The client chooses the id of the task, so that its events can be recognized before the response.
        """
        task_id = str(uuid.uuid4())
        if on_progress is None:
            return await write(task_id)
        events = TaskEvents(task_id)
        responses: list[Mapping[str, Any]] = []
        room = self.connection.hub.changes(
            queue_room("default"), events.listen, lambda: timing.SILENCE, tolerant=False
        )
        async with room as changes:
            async for change in changes:
                if change is Change.START:  # events arrive from now on
                    changes.read(lambda: write(task_id), responses.append)
                for progress in events.take():
                    await call_back(on_progress, progress)
                if responses:
                    break
        return responses[0]

    # ------------------------------------------------------------------ system prompts

    async def list_system_prompts(self) -> list[IvkSystemPrompt]:
        """List the system prompts: your own and those that are public; for administrators, those of all users.

        System prompts are instructions for language models, for ``expand()`` and for workflows. All users may call
        this (InvokeAI 6.14+).
        """
        return await fetch_system_prompts(self.connection)

    async def get_system_prompt(self, prompt: SystemPromptRef) -> IvkSystemPrompt:
        """Return a system prompt by its name or id. All users may call this (InvokeAI 6.14+).

        Raises:
            UnknownNameError: No system prompt has this name or id.
            UsageError: Several system prompts have this name.
        """
        return await SYSTEM_PROMPTS.get(self.connection, prompt)

    async def create_system_prompt(self, name: str, content: str) -> IvkSystemPrompt:
        """Save a system prompt. All users may call this (InvokeAI 6.14+).

        On servers with user accounts, it is private until ``update_system_prompt(..., shared=True)``.

        Args:
            name: The name.
            content: The instruction.
        """
        from invokeai_py_client.api.system_prompts import AsyncSystemPromptsApi

        require("a name for the system prompt", name=name)
        require("the instruction for the language model", content=content)
        record = await self.connection.part(AsyncSystemPromptsApi).create_system_prompt(
            name=name, content=content
        )
        return IvkSystemPrompt.from_api_response(record)

    async def update_system_prompt(
        self,
        prompt: SystemPromptRef,
        *,
        name: str | None = None,
        content: str | None = None,
        shared: bool | None = None,
    ) -> IvkSystemPrompt:
        """Change a system prompt. Omitted arguments keep their values.

        Its owner and administrators may call this (InvokeAI 6.14+).

        Args:
            prompt: The system prompt: its name, id or record.
            name: The new name.
            content: The new instruction.
            shared: Whether all users see it.

        Raises:
            UnknownNameError: No system prompt has this name or id.
            PermissionDeniedError: It belongs to another user.
        """
        from invokeai_py_client.api.system_prompts import AsyncSystemPromptsApi

        refuse_empty(name=name, content=content)
        api = self.connection.part(AsyncSystemPromptsApi)
        record = await SYSTEM_PROMPTS.call(
            self.connection,
            prompt,
            lambda prompt_id: api.update_system_prompt(
                prompt_id, name=name, content=content, is_public=shared
            ),
        )
        return IvkSystemPrompt.from_api_response(record)

    async def delete_system_prompt(self, prompt: SystemPromptRef) -> bool:
        """Delete a system prompt permanently. Its owner and administrators may call this (InvokeAI 6.14+).

        Returns:
            Whether it was deleted. False if the server does not have it.

        Raises:
            PermissionDeniedError: It belongs to another user.
            UsageError: Several system prompts have this name.
        """
        from invokeai_py_client.api.system_prompts import AsyncSystemPromptsApi

        api = self.connection.part(AsyncSystemPromptsApi)
        return await SYSTEM_PROMPTS.call_if_found(self.connection, prompt, api.delete_system_prompt)


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    """Check that a number is whole and in range.

    Raises:
        UsageError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(
            f"{name}: {value!r} is not valid; expected a whole number from {least:,} to {most:,}."
        )
