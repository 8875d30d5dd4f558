"""Lookups on the server that are needed to build a request: models, boards, images and prompts.

A workflow made elsewhere contains another server's model keys. Users specify models and boards by name, and images by
file. Some generators need the server to compute their values.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.api.boards import AsyncBoardsApi
from invokeai_py_client.api.images import AsyncImagesApi
from invokeai_py_client.api.models import AsyncModelsApi
from invokeai_py_client.engine.batch import ServerGenerator
from invokeai_py_client.errors import NotFoundError, NotReadyError, UsageError
from invokeai_py_client.library import WORKFLOWS
from invokeai_py_client.lookup import (
    BOARDS,
    STYLE_PRESETS,
    SYSTEM_PROMPTS,
    Lookup,
    fetch_boards,
    fetch_style_presets,
    fetch_system_prompts,
)
from invokeai_py_client.run.alternatives import spell_out
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import is_path_part

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.files.photos import Photo
    from invokeai_py_client.ivk_fields.pending import LocalImage
    from invokeai_py_client.models import IvkBoard, IvkStylePreset, IvkSystemPrompt

T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MODELS = {"models": ListOf({"key": str, "hash": str, "name": str, "base": str, "type": str})}
_READ_AT_ONCE = 4
_CATEGORIES = {"images": ("general",), "assets": ("control", "mask", "user", "other")}


class UploadCache:
    """The images that a connection has uploaded: ``connection.part(UploadCache)``.

    Attributes:
        names: The images' names on the server, keyed by the ``digest()`` of their contents.
    """

    def __init__(self, connection: Connection) -> None:
        del connection  # each connection has its own cache
        self.names: dict[str, str] = {}


class ServerSide:
    """Server lookups for one request, each made at most once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._models: list[dict[str, Any]] | None = None
        self._boards: list[IvkBoard] | None = None
        self._style_presets: list[IvkStylePreset] | None = None
        self._system_prompts: list[IvkSystemPrompt] | None = None
        self._there: dict[tuple[str, str], bool] = {}
        self._workflow_ids: dict[str, str] = {}
        self._uploading: dict[str, asyncio.Lock] = {}
        self._problems: dict[LocalImage, str | None] = {}
        self._changed: list[Photo] = []
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._asking = asyncio.Lock()  # concurrent lookups of the same list share one request

    async def models(self) -> list[dict[str, Any]]:
        """Return all model records."""
        async with self._asking:
            if self._models is None:
                response = await self._connection.part(AsyncModelsApi).list_model_records(expect=_MODELS)
                self._models = cast("list[dict[str, Any]]", response["models"])
            return self._models

    async def boards(self) -> list[IvkBoard]:
        """Return all board records."""
        async with self._asking:
            if self._boards is None:
                self._boards = await fetch_boards(self._connection)
            return self._boards

    async def style_presets(self) -> list[IvkStylePreset]:
        """Return the records of all style presets."""
        async with self._asking:
            if self._style_presets is None:
                self._style_presets = await fetch_style_presets(self._connection)
            return self._style_presets

    async def system_prompts(self) -> list[IvkSystemPrompt]:
        """Return the records of all system prompts (6.14+)."""
        async with self._asking:
            if self._system_prompts is None:
                self._system_prompts = await fetch_system_prompts(self._connection)
            return self._system_prompts

    async def has_image(self, name: str) -> bool:
        """Return whether an image with this name exists."""
        return await self._exists("image", self._connection.part(AsyncImagesApi).get_image_dto, name)

    async def has_video(self, name: str) -> bool:
        """Return whether a video with this name exists (6.14+)."""
        from invokeai_py_client.api.videos import AsyncVideosApi

        return await self._exists("video", self._connection.part(AsyncVideosApi).get_video_dto, name)

    async def has_workflow(self, workflow_id: str) -> bool:
        """Return whether the library has a workflow with this id."""
        from invokeai_py_client.api.workflows import AsyncWorkflowsApi

        return await self._exists(
            "workflow", self._connection.part(AsyncWorkflowsApi).get_workflow, workflow_id
        )

    async def workflow_id(self, name_or_id: str) -> str:
        """Return the id of a workflow in the library.

        Raises:
            WorkflowNotFoundError: No workflow has this name or id, or several workflows have this name.
        """
        if name_or_id not in self._workflow_ids:
            found = await WORKFLOWS.checked_id(self._connection, name_or_id)
            self._workflow_ids[name_or_id] = str(found)
        return self._workflow_ids[name_or_id]

    async def has_board(self, board_id: str) -> bool:
        """Return whether a board with this id exists."""
        return any(board.board_id == board_id for board in await self.boards())

    async def has_style_preset(self, preset_id: str) -> bool:
        """Return whether a style preset with this id exists."""
        return any(preset.id == preset_id for preset in await self.style_presets())

    async def has_system_prompt(self, prompt_id: str) -> bool:
        """Return whether a system prompt with this id exists (6.14+)."""
        return any(prompt.id == prompt_id for prompt in await self.system_prompts())

    async def image_problem(self, image: LocalImage) -> str | None:
        """Return what prevents the upload of a local image, or None. Each image is read once."""
        from invokeai_py_client.files.images import read_local
        from invokeai_py_client.files.photos import check_photo

        def check() -> None:
            check_photo(read_local(image), image.path or image.name)

        if image not in self._problems:
            async with self._reading:
                try:
                    await asyncio.to_thread(check)
                except UsageError as error:
                    self._problems[image] = str(error)
                else:
                    self._problems[image] = None
        return self._problems[image]

    def note_changes(self) -> None:
        """Log how images were changed for their upload."""
        from invokeai_py_client.files.photos import note_changes

        note_changes(self._changed)
        self._changed.clear()

    async def upload(self, image: LocalImage) -> str:
        """Return the server's name of a local image, uploading it unless this client has done so before."""
        from invokeai_py_client.files.images import digest, read_local
        from invokeai_py_client.files.photos import prepare_photo
        from invokeai_py_client.image.repository import AsyncImageRepository

        data = await asyncio.to_thread(read_local, image)
        mark = digest(data)
        uploads = self._connection.part(UploadCache).names
        async with self._uploading.setdefault(mark, asyncio.Lock()):
            known = uploads.get(mark)
            if known is None or not await self.has_image(known):
                photo = await asyncio.to_thread(prepare_photo, data, image.path or image.name)
                if photo.changes:
                    self._changed.append(replace(photo, data=b""))
                images = self._connection.part(AsyncImageRepository)
                record = await images.upload(photo.data, filename=image.name)
                known = uploads[mark] = record.image_name
                self._there.pop(("image", known), None)
            return known

    async def board_id(self, name_or_id: str, place: str, *, trust: bool = False) -> str:
        """Return the id of a board.

        Args:
            name_or_id: The board's name or id.
            place: The place in the workflow, for error messages.
            trust: Whether to accept anything in the form of an id as an id, without a request. Defaults to False.

        Raises:
            NotReadyError: No board has this name or id, or several boards have this name.
        """
        if trust and _ID.fullmatch(name_or_id):
            return name_or_id
        return _pick(BOARDS, name_or_id, await self.boards(), place).board_id

    async def style_preset_id(self, name_or_id: str, place: str, *, trust: bool = False) -> str:
        """Return the id of a style preset. The arguments are those of ``board_id()``.

        Raises:
            NotReadyError: No style preset has this name or id, or several have this name.
        """
        if trust and _ID.fullmatch(name_or_id):
            return name_or_id
        return _pick(STYLE_PRESETS, name_or_id, await self.style_presets(), place).id

    async def system_prompt_id(self, name_or_id: str, place: str, *, trust: bool = False) -> str:
        """Return the id of a system prompt (6.14+). The arguments are those of ``board_id()``.

        Raises:
            NotReadyError: No system prompt has this name or id, or several have this name.
        """
        if trust and _ID.fullmatch(name_or_id):
            return name_or_id
        return _pick(SYSTEM_PROMPTS, name_or_id, await self.system_prompts(), place).id

    async def generated(
        self, generators: Sequence[ServerGenerator], places: Mapping[str, str]
    ) -> dict[str, list[Any]]:
        """Return the values of generators that only the server can compute, keyed by node id.

        Args:
            generators: The generators.
            places: The name of each generator's node in error messages, keyed by node id.

        Raises:
            NotReadyError: The server cannot expand some of the dynamic prompts. The error lists all of them.
        """
        values = await gather_or_cancel(self._generate(generator) for generator in generators)
        findings = [
            f"{places.get(generator.node_id, generator.node_id)}: {found}"
            for generator, found in zip(generators, values, strict=True)
            if isinstance(found, str)
        ]
        if findings:
            raise NotReadyError("\n".join(findings), findings)
        return {
            generator.node_id: found
            for generator, found in zip(generators, values, strict=True)
            if not isinstance(found, str)
        }

    async def _generate(self, generator: ServerGenerator) -> list[Any] | str:
        """Return the values of a generator, or a sentence about the problem."""
        if generator.kind == "dynamic_prompts":
            return await self._expand(generator)
        if generator.board_id is None:
            return []
        try:
            names = await self._connection.part(AsyncBoardsApi).list_all_board_image_names(
                generator.board_id,
                categories=_CATEGORIES[generator.category],
                is_intermediate=False,
                expect=ListOf(str),
            )
        except NotFoundError:
            return []  # the board no longer exists; the later checks decide whether that matters
        return [{"image_name": name} for name in names]

    async def _expand(self, generator: ServerGenerator) -> list[Any] | str:
        prompts, problem = await spell_out(
            self._connection,
            generator.prompt,
            most=generator.max_prompts,
            combinatorial=generator.combinatorial,
            seed=generator.seed,
        )
        return prompts if problem is None else problem

    async def _exists(self, kind: str, read: Callable[..., Awaitable[Any]], name: str) -> bool:
        if not is_path_part(name):
            return False
        key = (kind, name)
        if key not in self._there:
            try:
                await read(name, explain=False)
            except NotFoundError:
                self._there[key] = False
            else:
                self._there[key] = True
        return self._there[key]


def _pick(lookup: Lookup[T], text: str, records: Sequence[T], place: str) -> T:
    try:
        return lookup.pick(text, records)
    except UsageError as error:
        finding = f"{place}: {error}"
        raise NotReadyError(finding, [finding]) from None
