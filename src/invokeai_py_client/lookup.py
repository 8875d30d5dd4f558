"""Boards, models, workflows, presets and images by object, id or name: the one resolver for all of them.

A string is compared with exact names first, then with ids, and finally with names in another case. This takes one
request, which lists everything of that kind, and a second one if nothing in the list matches a string in the form of an
id. Objects and records are used as they are, without a request.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast

from invokeai_py_client._names import ExactId, ambiguous, matching, unknown
from invokeai_py_client.api.boards import AsyncBoardsApi
from invokeai_py_client.api.images import AsyncImagesApi
from invokeai_py_client.api.models import AsyncModelsApi
from invokeai_py_client.errors import (
    ModelNotFoundError,
    NotFoundError,
    ServerTooOldError,
    UnknownNameError,
    UsageError,
)
from invokeai_py_client.models import UNCATEGORIZED, IvkBoard, IvkDnnModel
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.json_shape import ListOf

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import IvkStylePreset, IvkSystemPrompt

T = TypeVar("T")
R = TypeVar("R")

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LATEST = 1000


class BoardLike(Protocol):
    """An object that stands for a board: a record or a handle."""

    @property
    def board_id(self) -> str:
        """The board's id."""
        ...

    @property
    def board_name(self) -> str:
        """The board's name."""
        ...


class ModelRecord(Protocol):
    """An object that stands for a model: a record, or another object with a key and a name."""

    @property
    def key(self) -> str:
        """The model's key."""
        ...

    @property
    def name(self) -> str:
        """The model's name."""
        ...


class NamedRecord(Protocol):
    """A record with an id and a name: a style preset, or a system prompt."""

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...


BoardRef: TypeAlias = str | BoardLike
"""A board: a record or handle, a name, or an id. ``"none"`` means the uncategorized images."""

ModelRef: TypeAlias = str | ModelRecord
"""A model: a record, a name, or a key."""


StylePresetRef: TypeAlias = str | NamedRecord
"""A style preset: a record, a name, or an id."""

SystemPromptRef: TypeAlias = str | NamedRecord
"""A system prompt: a record, a name, or an id."""


class Lookup(Generic[T]):
    """The resolver for one kind of thing.

    Args:
        kind: The kind, for messages, such as ``"board"``.
        id_key: The attribute or key of an object that has its id.
        name_key: The attribute or key of an object that has its name.
        fetch: Fetches the record with an id.
        fetch_all: Fetches all records.
        error: The error for unknown names.
        describe: Returns an id with details, for messages about several things. Defaults to the id.
        ambiguous_error: The error for names that several things have.
    """

    def __init__(
        self,
        kind: str,
        id_key: str,
        name_key: str,
        fetch: Callable[[Connection, str], Awaitable[T]],
        fetch_all: Callable[[Connection], Awaitable[list[T]]],
        *,
        describe: Callable[[T], str] | None = None,
        error: type[UnknownNameError] = UnknownNameError,
        ambiguous_error: type[UsageError] = UsageError,
    ) -> None:
        self.kind = kind
        self._id_key = id_key
        self._name_key = name_key
        self._fetch = fetch
        self._fetch_all = fetch_all
        self._describe = describe or self._id_of
        self._error = error
        self._ambiguous_error = ambiguous_error

    def text(self, ref: Any) -> str:
        """Return the id of an object, as an ``ExactId``, or the string itself.

        Raises:
            UsageError: The argument is neither, or it is an empty string.
        """
        if isinstance(ref, str):
            if not ref.strip():
                raise UsageError(f"The {self.kind} is an empty string: expected a name or an id.")
            return ref
        found = self._part(ref, self._id_key)
        if not isinstance(found, str) or not isinstance(self._part(ref, self._name_key), str):
            raise UsageError(
                f"Invalid {self.kind} of type {type(ref).__name__}: expected a {self.kind}, its id or its name."
            )
        return ExactId(found)

    @staticmethod
    def is_id(text: str) -> bool:
        """Return whether a text has the form of an id. It may be a name nevertheless."""
        return _ID.fullmatch(text) is not None

    def pick(self, text: str, records: Sequence[T]) -> T:
        """Return the record that a text refers to.

        Raises:
            UnknownNameError: No record has this name or id. For models and workflows, a subclass is raised.
            UsageError: Several records have this name.
        """
        found = self._only(text, records)
        if found is None:
            raise self._unknown(text, records)
        return found

    async def find(self, connection: Connection, ref: Any) -> T | None:
        """Return the record of an object, name or id, or None if there is no such thing.

        Raises:
            UsageError: Several things have this name.
        """
        return (await self._find(connection, self.text(ref)))[0]

    async def get(self, connection: Connection, ref: Any) -> T:
        """Return the record of an object, name or id.

        Raises:
            UnknownNameError: No record has this name or id. For models and workflows, a subclass is raised.
            UsageError: Several things have this name.
        """
        text = self.text(ref)
        record, records = await self._find(connection, text)
        if record is None:
            raise self._unknown(text, await self._fetch_all(connection) if records is None else records)
        return record

    async def id_of(self, connection: Connection, ref: Any) -> str:
        """Return the id of an object, name or id. Objects are not looked up.

        Raises:
            UnknownNameError: Nothing has this name or id. For models and workflows, a subclass is raised.
            UsageError: Several things have this name.
        """
        text = self.text(ref)
        return text if _is_exact(text) else self._id_of(await self.get(connection, text))

    async def call(self, connection: Connection, ref: Any, action: Callable[[str], Awaitable[R]]) -> R:
        """Call a function with the id of an object, name or id.

        Args:
            connection: The server.
            ref: The object, name or id.
            action: Raises ``NotFoundError`` if nothing has the id.

        Raises:
            UnknownNameError: Nothing has this name or id. For models and workflows, a subclass is raised.
            UsageError: Several things have this name.
        """
        known = await self.id_of(connection, ref)
        try:
            return await action(known)
        except ServerTooOldError:
            raise
        except NotFoundError:
            await self.checked_id(connection, ExactId(known))
            raise  # something else was not found

    async def call_if_found(
        self, connection: Connection, ref: Any, action: Callable[[str], Awaitable[object]]
    ) -> bool:
        """Call a function with the id of an object, name or id, and return whether there is such a thing.

        Args:
            connection: The server.
            ref: The object, name or id.
            action: Raises ``NotFoundError`` if nothing has the id.

        Raises:
            UsageError: Several things have this name.
        """
        text = self.text(ref)
        if not _is_exact(text):
            record = (await self._find(connection, text))[0]
            if record is None:
                return False
            text = self._id_of(record)
        try:
            await action(text)
        except ServerTooOldError:
            raise
        except NotFoundError:
            return False
        return True

    async def checked_id(self, connection: Connection, ref: Any) -> str:
        """Return the id of an object, name or id that exists.

        Raises:
            UnknownNameError: Nothing has this name or id. For models and workflows, a subclass is raised.
            UsageError: Several things have this name.
        """
        text = self.text(ref)
        return text if text == UNCATEGORIZED else self._id_of(await self.get(connection, text))

    async def _find(self, connection: Connection, text: str) -> tuple[T | None, list[T] | None]:
        """Return the record that a text refers to, or None, and all records if they were fetched."""
        if _is_exact(text):
            return await self._by_id(connection, text), None
        records = await self._fetch_all(connection)
        found = self._only(text, records)
        if self.is_id(text) and (found is None or text not in (self._name_of(found), self._id_of(found))):
            # Lists omit what other users share, but it can be fetched. An id takes precedence over another case.
            found = await self._by_id(connection, text) or found
        return found, records

    async def _by_id(self, connection: Connection, text: str) -> T | None:
        try:
            return await self._fetch(connection, text)
        except ServerTooOldError:
            raise
        except NotFoundError:
            return None

    def _unknown(self, text: str, records: Sequence[T]) -> UnknownNameError:
        names = [self._name_of(record) for record in records]
        is_id = isinstance(text, ExactId) or self.is_id(text)
        message, close = unknown(self.kind, text, names, is_id=is_id)
        return self._error(message, text, close)

    def _only(self, text: str, records: Sequence[T]) -> T | None:
        if isinstance(text, ExactId):
            return next((record for record in records if self._id_of(record) == text), None)
        found = matching(text, records, self._id_of, self._name_of)
        if len(found) > 1:
            ids = [self._describe(record) for record in found]
            raise self._ambiguous_error(ambiguous(self.kind, text, ids))
        return found[0] if found else None

    def _id_of(self, record: T) -> str:
        return cast("str", self._part(record, self._id_key))

    def _name_of(self, record: T) -> str:
        return cast("str", self._part(record, self._name_key))

    def _part(self, record: Any, key: str) -> Any:
        if isinstance(record, Mapping):
            return cast("Mapping[str, Any]", record).get(key)
        return getattr(record, key, None)


def _is_exact(text: str) -> bool:
    """Return whether a text is an id for certain."""
    return isinstance(text, ExactId) or text == UNCATEGORIZED


# --------------------------------------------------------------------------- the kinds


async def fetch_board(connection: Connection, board_id: str) -> IvkBoard:
    """Fetch a board's record. ``"none"`` returns a record for the uncategorized images.

    Raises:
        NotFoundError: The board is not on the server.
    """
    if board_id == UNCATEGORIZED:
        return IvkBoard.uncategorized()
    return IvkBoard.from_api_response(await connection.part(AsyncBoardsApi).get_board(board_id))


async def fetch_boards(connection: Connection, **params: Any) -> list[IvkBoard]:
    """Fetch the records of all boards, including archived boards.

    Args:
        connection: The server.
        **params: Query parameters that override these defaults.
    """
    options: dict[str, Any] = {"all": True, "include_archived": True, **params}
    shape = ListOf({"board_id": str, "board_name": str})
    response: Any = await connection.part(AsyncBoardsApi).list_boards(**options, expect=shape)
    return [IvkBoard.from_api_response(record) for record in response]


async def _fetch_model(connection: Connection, key: str) -> IvkDnnModel:
    return IvkDnnModel.from_api_response(await connection.part(AsyncModelsApi).get_model_record(key))


async def fetch_models(connection: Connection) -> list[IvkDnnModel]:
    """Fetch the records of all models."""
    response = await connection.part(AsyncModelsApi).list_model_records(expect={"models": list})
    return [IvkDnnModel.from_api_response(record) for record in response["models"]]


BOARDS = Lookup("board", "board_id", "board_name", fetch_board, fetch_boards)
MODELS = Lookup(
    "model",
    "key",
    "name",
    _fetch_model,
    fetch_models,
    describe=lambda model: f"{model.key} ({model.base} {model.type})",
    error=ModelNotFoundError,
    ambiguous_error=ModelNotFoundError,
)


async def fetch_style_presets(connection: Connection) -> list[IvkStylePreset]:
    """Fetch the records of the style presets that the user can see, sorted by name."""
    from invokeai_py_client.api.style_presets import AsyncStylePresetsApi
    from invokeai_py_client.models import IvkStylePreset

    records = await connection.part(AsyncStylePresetsApi).list_style_presets(expect=ListOf({"id": str}))
    return [IvkStylePreset.from_api_response(record) for record in records]


async def _fetch_style_preset(connection: Connection, preset_id: str) -> IvkStylePreset:
    from invokeai_py_client.api.style_presets import AsyncStylePresetsApi
    from invokeai_py_client.models import IvkStylePreset

    record = await connection.part(AsyncStylePresetsApi).get_style_preset(preset_id)
    return IvkStylePreset.from_api_response(record)


async def fetch_system_prompts(connection: Connection) -> list[IvkSystemPrompt]:
    """Fetch the records of the system prompts that the user can see (6.14+)."""
    from invokeai_py_client.api.system_prompts import AsyncSystemPromptsApi
    from invokeai_py_client.models import IvkSystemPrompt

    records = await connection.part(AsyncSystemPromptsApi).list_system_prompts(expect=ListOf({"id": str}))
    return [IvkSystemPrompt.from_api_response(record) for record in records]


async def _fetch_system_prompt(connection: Connection, prompt_id: str) -> IvkSystemPrompt:
    from invokeai_py_client.api.system_prompts import AsyncSystemPromptsApi
    from invokeai_py_client.models import IvkSystemPrompt

    record = await connection.part(AsyncSystemPromptsApi).get_system_prompt(prompt_id)
    return IvkSystemPrompt.from_api_response(record)


STYLE_PRESETS = Lookup("style preset", "id", "name", _fetch_style_preset, fetch_style_presets)
SYSTEM_PROMPTS = Lookup("system prompt", "id", "name", _fetch_system_prompt, fetch_system_prompts)


async def unknown_image(connection: Connection, name: str) -> UnknownNameError:
    """Return the error for an image that is not on the server, with similar names among the latest images."""
    api = connection.part(AsyncImagesApi)
    response = await api.list_image_dtos(limit=_LATEST, order_dir="DESC", expect={"items": list})
    latest = [str(as_mapping(record).get("image_name")) for record in response["items"]]
    message, close = unknown("image", name, latest)
    return UnknownNameError(message, name, close)
