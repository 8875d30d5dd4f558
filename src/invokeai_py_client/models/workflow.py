"""A workflow in a server's library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from invokeai_py_client.models.base import IvkModel, Timestamp, as_mapping, jsonable


class IvkWorkflowRecord(IvkModel, Mapping[str, Any]):
    """The record of a workflow in a server's library, without the workflow itself.

    The fields are attributes, and items as of a dict: ``record["workflow_id"]`` is JSON data.

    Attributes:
        workflow_id: The workflow's id.
        name: The workflow's name. Several workflows may have the same name.
        description: The description.
        category: ``"user"`` for saved workflows, ``"default"`` for those that come with the server.
        tags: The tags, separated by commas. ``tag_list`` has them as a list.
        opened_at: The time when the workflow was last opened in the web UI, or None if it was never opened.
        user_id: The id of its owner, on servers with user accounts (InvokeAI 6.12+).
        is_public: Whether all users can see and run it (InvokeAI 6.13+). True on servers without user accounts.
        thumbnail_url: The URL of its picture, or None if it has none.
        call_saved_workflow_compatibility: Whether other workflows can call it, and why not (InvokeAI 6.13+).
    """

    _brief: ClassVar[tuple[str, ...]] = ("workflow_id", "name", "category", "is_public")

    workflow_id: str
    name: str = ""
    description: str = ""
    category: str = ""
    tags: str = ""
    created_at: Timestamp = None
    updated_at: Timestamp = None
    opened_at: Timestamp = None
    user_id: str | None = None
    is_public: bool | None = None
    thumbnail_url: str | None = None
    call_saved_workflow_compatibility: dict[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def tag_list(self) -> list[str]:
        """The tags, without empty ones."""
        return [tag for part in self.tags.split(",") if (tag := part.strip())]

    @property
    def is_default(self) -> bool:
        """Whether it comes with the server. Such a workflow cannot be changed or deleted."""
        return self.category == "default"

    @property
    def is_callable(self) -> bool | None:
        """Whether other workflows can call it, or None if the server does not say (before InvokeAI 6.13)."""
        known = self.call_saved_workflow_compatibility.get("is_callable")
        return known if isinstance(known, bool) else None

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        # Records with the workflow lack what records of lists have of it.
        workflow = as_mapping(data.get("workflow"))
        known = {
            "description": workflow.get("description"),
            "tags": workflow.get("tags"),
            "category": as_mapping(workflow.get("meta")).get("category"),
        }
        return {**{key: value for key, value in known.items() if isinstance(value, str)}, **data}

    def __getitem__(self, key: str) -> Any:
        if key in type(self).model_fields:
            return jsonable(self.__dict__[key])
        return (self.model_extra or {})[key]

    def __iter__(self) -> Iterator[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - keys, as of a dict
        yield from type(self).model_fields
        yield from self.model_extra or ()

    def __len__(self) -> int:
        return len(type(self).model_fields) + len(self.model_extra or ())
