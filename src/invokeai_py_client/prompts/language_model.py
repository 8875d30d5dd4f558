"""The server's language models: which one to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invokeai_py_client._names import matching
from invokeai_py_client._text import listed
from invokeai_py_client.errors import ModelNotFoundError
from invokeai_py_client.lookup import MODELS, ModelRef, fetch_models

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.models import IvkDnnModel

TEXT = "text_llm"
VISION = "llava_onevision"
_WORDS = {TEXT: "text model (such as Qwen2.5)", VISION: "vision model (LLaVA OneVision)"}
_MOST = 8


async def language_model(connection: Connection, ref: ModelRef | None, kind: str) -> str:
    """Return the key of a language model.

    Args:
        connection: The server.
        ref: The model: a record, a key or a name. Defaults to the only model of its kind.
        kind: ``TEXT`` or ``VISION``.

    Raises:
        ModelNotFoundError: No model has this name, it is of another kind, or the model has to be named.
    """
    text = None if ref is None else MODELS.text(ref)
    models = await fetch_models(connection)
    fitting = [model for model in models if model.type == kind]
    if text is None:
        return _only(fitting, kind)
    if not matching(text, fitting, lambda model: model.key, lambda model: model.name):
        other = MODELS.pick(text, models)  # raises the error for names that no model has
        raise ModelNotFoundError(
            f"The model {other.name!r} is of type {str(other.type)!r}; expected a {_WORDS[kind]}.{_choices(fitting)}",
            text,
            [model.name for model in fitting],
        )
    return MODELS.pick(text, fitting).key


def _only(fitting: Sequence[IvkDnnModel], kind: str) -> str:
    if len(fitting) == 1:
        return fitting[0].key
    if not fitting:
        raise ModelNotFoundError(f"The server has no {_WORDS[kind]}.{_choices(fitting)}")
    names = [model.name for model in fitting]
    message = f"Say which model: the server has {len(fitting)} of them: {listed(names, _MOST)}."
    raise ModelNotFoundError(message, "", names)


def _choices(fitting: Sequence[IvkDnnModel]) -> str:
    if fitting:
        return f" The server has {listed([model.name for model in fitting], _MOST)}."
    return " Install one with `ivk models install`, or in the web UI's model manager."
