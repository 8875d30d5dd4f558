"""Models in requests, found on another server.

Servers give each model a random key. The hash of a model's files is the same on all servers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from invokeai_py_client.errors import UsageError

_RANDOM = "random:"
"""The start of the hash of a model whose files were not read. It differs on each server."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, as a request or a server's record names it.

    Attributes:
        key: The key, which differs on each server.
        hash: The hash of its files, with the algorithm, such as ``blake3:...``. Empty if it is not known.
        name: The name.
        base: The architecture.
        type: The type.
    """

    key: str
    hash: str
    name: str
    base: str
    type: str

    @property
    def is_hashed(self) -> bool:
        """Whether the hash identifies the files."""
        return bool(self.hash) and not self.hash.startswith(_RANDOM)

    @property
    def identity(self) -> Hashable:
        """A value that is equal for the same model on all servers."""
        return self.hash if self.is_hashed else (self.name, self.base, self.type)

    def __str__(self) -> str:
        return f"{self.name!r} ({self.base}, {self.type})"


def _model(value: dict[str, Any]) -> ModelInfo | None:
    """Return the model that a value names. None if it names none."""
    names = [value.get(name) for name in ("key", "name", "base", "type")]
    if not all(isinstance(name, str) for name in names):
        return None
    key, name, base, kind = cast("list[str]", names)
    hashed = value.get("hash")
    return ModelInfo(key, hashed if isinstance(hashed, str) else "", name, base, kind)


def models_in(value: Any) -> Iterator[ModelInfo]:
    """Yield the models anywhere in a JSON value."""
    if isinstance(value, dict):
        model = _model(cast("dict[str, Any]", value))
        if model is not None:
            yield model
        else:
            for part in cast("dict[str, Any]", value).values():
                yield from models_in(part)
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from models_in(part)


def find_model(model: ModelInfo, models: Sequence[ModelInfo]) -> ModelInfo | None:
    """Return a server's record of a model."""
    found = [
        one
        for one in models
        if (one.base, one.type) == (model.base, model.type)
        and (one.hash == model.hash if one.is_hashed and model.is_hashed else one.name == model.name)
    ]
    # Of several copies of the same file, the one with the same key or name.
    return max(found, key=lambda one: (one.key == model.key, one.name == model.name), default=None)


def explain_missing(model: ModelInfo, models: Sequence[ModelInfo]) -> str:
    """Return why ``find_model()`` finds no record of a model on a server, as a sentence."""
    if model.is_hashed:
        for one in models:
            if one.hash == model.hash:
                return f"The model {model} is recorded on this server as {one}. Correct its record there."
    for one in models:
        if (one.name, one.base, one.type) != (model.name, model.base, model.type):
            continue
        if one.hash.split(":")[0] != model.hash.split(":")[0]:
            return (
                f"The model {model} cannot be compared with that of this server: its hash there is {one.hash}; "
                f"expected {model.hash}. Use the same setting hashing_algorithm on all servers."
            )
        return (
            f"The model {model} is another file on this server: its hash there is {one.hash}; expected "
            f"{model.hash}. Install the same file there."
        )
    return f"The model {model} is not installed on this server. Install it there."


def translate(value: Any, models: Sequence[ModelInfo]) -> Any:
    """Return a JSON value with a server's model keys; the same object if nothing changes.

    Raises:
        UsageError: If the server does not have a model.
    """
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        model = _model(record)
        if model is not None:
            theirs = find_model(model, models)
            if theirs is None:
                raise UsageError(explain_missing(model, models))
            if theirs.key == model.key and theirs.hash == model.hash:
                return record
            return {**record, "key": theirs.key, "hash": theirs.hash}
        changed = {name: translate(part, models) for name, part in record.items()}
        return changed if any(changed[name] is not record[name] for name in record) else record
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        translated = [translate(part, models) for part in parts]
        return (
            translated if any(new is not old for new, old in zip(translated, parts, strict=True)) else parts
        )
    return value
