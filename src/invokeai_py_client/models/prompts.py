"""Records about prompts: style presets, system prompts, and prompts that the server's language models write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from invokeai_py_client.models.base import IvkModel, Timestamp


class IvkStylePreset(IvkModel):
    """A style preset (a "prompt template" in the web UI): texts around a prompt (InvokeAI 5.15 to 6.14).

    >>> preset = IvkStylePreset(id="1", name="Sketch", positive_prompt="{prompt}, pencil sketch")
    >>> preset.apply("a cat")
    ('a cat, pencil sketch', '')

    Attributes:
        id: The preset's id. Presets that come with the server get a new one whenever the server starts.
        name: The preset's name. Several presets may have the same name.
        positive_prompt: The text around the positive prompt, which replaces ``{prompt}`` in it.
        negative_prompt: The text around the negative prompt, which replaces ``{prompt}`` in it.
        type: ``"user"``, or ``"default"`` for presets that come with the server.
        is_public: Whether all users see it (InvokeAI 6.12+).
        user_id: The id of its owner, on servers with user accounts (InvokeAI 6.12+).
        image: The URL of its picture, or None if it has none.
    """

    _brief: ClassVar[tuple[str, ...]] = ("id", "name", "type")

    id: str
    name: str = ""
    positive_prompt: str = ""
    negative_prompt: str = ""
    type: str = "user"
    is_public: bool = False
    user_id: str | None = None
    image: str | None = None

    @property
    def style_preset_id(self) -> str:
        """The id, under the name that workflows have for it."""
        return self.id

    @property
    def is_default(self) -> bool:
        """Whether it comes with the server."""
        return self.type == "default"

    def apply(self, positive_prompt: str = "", negative_prompt: str = "") -> tuple[str, str]:
        """Return the positive and the negative prompt with the preset's texts, as the node "Prompt Template" does.

        Args:
            positive_prompt: The prompt. Defaults to "".
            negative_prompt: The negative prompt. Defaults to "".
        """
        return (
            self.positive_prompt.replace("{prompt}", positive_prompt),
            self.negative_prompt.replace("{prompt}", negative_prompt),
        )

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        texts = data.pop("preset_data", None)  # the server nests the prompts
        if isinstance(texts, Mapping):
            data |= {
                name: text for name, text in cast("Mapping[str, Any]", texts).items() if name not in data
            }
        return data


class IvkSystemPrompt(IvkModel):
    """An instruction for language models, saved on the server (InvokeAI 6.14+).

    Attributes:
        id: The id.
        name: The name. Several system prompts may have the same name.
        content: The instruction.
        user_id: The id of its owner; ``"system"`` for those that come with the server, and on servers without users.
        is_public: Whether all users see it.
    """

    _brief: ClassVar[tuple[str, ...]] = ("id", "name")

    id: str
    name: str = ""
    content: str = ""
    user_id: str | None = None
    is_public: bool = False
    created_at: Timestamp = None
    updated_at: Timestamp = None

    @property
    def system_prompt_id(self) -> str:
        """The id, under the name that workflows have for it."""
        return self.id


class ExpandedPrompt(IvkModel):
    """A prompt that a language model on the server wrote (InvokeAI 6.13+).

    Attributes:
        prompt: The detailed prompt.
        seed: The seed that it was written with, or None before InvokeAI 6.14.
    """

    prompt: str
    seed: int | None = None

    def __str__(self) -> str:
        return self.prompt
