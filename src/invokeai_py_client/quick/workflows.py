"""The workflow of the quick client that no model is needed for."""

from __future__ import annotations

from collections.abc import Mapping

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.recipes.document import Draft
from invokeai_py_client.schema.template import NodeTemplate


def copy_image(schema: Mapping[str, NodeTemplate]) -> WorkflowDefinition:
    """Return a workflow that saves an image again. Its node has the id ``save``."""
    draft = Draft(schema)
    draft.add("save", "save_image")
    return WorkflowDefinition.from_dict(draft.document("Copy an image", final="save"))
