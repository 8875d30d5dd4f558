"""Workflows: handles to run them, and the server's workflow library."""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._given import refuse_empty
from invokeai_py_client._names import ExactId
from invokeai_py_client._paths import is_file
from invokeai_py_client._text import shown
from invokeai_py_client.connection import Resource
from invokeai_py_client.engine.definition import WorkflowDefinition, is_document
from invokeai_py_client.engine.png import is_image
from invokeai_py_client.errors import WorkflowFormatError, WorkflowNotFoundError
from invokeai_py_client.lookup import WORKFLOWS, fetch_workflow, fetch_workflows
from invokeai_py_client.v1.workflows import V1WorkflowMethods

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.responses import NamedImage
    from invokeai_py_client.lookup import ModelRef, WorkflowRef
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

_FILE_ENDINGS = frozenset({".json", ".png", ".jpg", ".jpeg", ".webp", ".avif"})


class AsyncWorkflowRepository(V1WorkflowMethods, Resource):
    """The workflows on a server."""

    async def create_workflow(
        self,
        source: WorkflowDefinition
        | str
        | bytes
        | os.PathLike[str]
        | Mapping[str, Any]
        | AsyncImage
        | NamedImage,
    ) -> AsyncWorkflowHandle:
        """Return a handle to run a workflow on this server.

        Args:
            source: A definition, a file (JSON exported by the web UI, or a PNG with an embedded workflow), a dict,
                JSON text, the content of a file, an image on the server, or the id or name of a workflow in the
                server's library.

        Returns:
            A handle with the workflow's inputs, typed according to the server's schema.

        Raises:
            WorkflowFormatError: The source is not a workflow.
            WorkflowNotFoundError: No file or library workflow has this name.
            ServerUnreachableError: No server responds at the address, or it is not InvokeAI.
        """
        from invokeai_py_client.engine.load import load_workflow
        from invokeai_py_client.engine.subworkflow import callee_ids
        from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

        definition = await self.get_definition(source)
        schema = await self.connection.schema()
        if any(kind not in schema for kind in definition.node_types):
            # Nodes may have been installed since the schema was cached.
            schema = await self.connection.schema(refresh=True)
        callees: dict[str, WorkflowDefinition | None] = {}
        for workflow_id in callee_ids(definition):
            try:
                callees[workflow_id] = await self.get_workflow(ExactId(workflow_id))
            except WorkflowNotFoundError:
                callees[workflow_id] = None  # the workflow can be inspected; running it reports the node
        return AsyncWorkflowHandle(
            self.connection, definition, load_workflow(definition, schema, callees), schema
        )

    async def image_workflow(
        self,
        model: ModelRef | None = None,
        *,
        image: bool | str | bytes | os.PathLike[str] | AsyncImage | NamedImage | PILImage = False,
        mask: bool | str | bytes | os.PathLike[str] | AsyncImage | NamedImage | PILImage = False,
    ) -> AsyncWorkflowHandle:
        """Return a workflow that makes images with a model, built from the server's node types.

        It is a workflow like any other: run it, sweep it, save it to the library. Its inputs have the same names for
        all models: ``positive_prompt``, ``negative_prompt``, ``image``, ``mask``, ``model``, ``width``, ``height``,
        ``steps``, ``cfg_scale``, ``guidance``, ``scheduler``, ``seed``, ``denoising_start``, ``board``, and the models
        that the main model needs. Models do not have all of them. The values are the defaults of the model.

        Args:
            model: The main model: a record, a key or a name. Defaults to the only one on the server.
            image: Whether to start from an image; or the image, which also determines the size. It can be a file,
                bytes, a Pillow image, or an image on the server. Defaults to False.
            mask: Whether to change only a part of the image; or the mask. Its transparent parts are changed, or its
                black parts if it has no transparent ones. Defaults to False.

        Raises:
            ModelNotFoundError: No model has this name, the model needs others that the server does not have, or the
                server has several models and ``model`` is missing.
            UsageError: The model cannot make such images, or there is a mask but no image.
            UnknownNodeError: The server lacks node types for the model.
        """
        from invokeai_py_client.recipes.start import new_recipe, picture_values
        from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

        refuse_empty(model=model, image=image, mask=mask)
        recipe, schema = await new_recipe(
            self.connection, model, image=image is not False, mask=mask is not False
        )
        handle = AsyncWorkflowHandle(
            self.connection, recipe.definition, recipe.load(schema), schema, note_seeds=False
        )
        handle.set(await picture_values(self.connection, handle.inputs, image, mask))
        return handle

    async def get_definition(
        self,
        source: WorkflowDefinition
        | str
        | bytes
        | os.PathLike[str]
        | Mapping[str, Any]
        | AsyncImage
        | NamedImage,
    ) -> WorkflowDefinition:
        """Load a workflow from any source that ``create_workflow()`` accepts.

        Raises:
            WorkflowFormatError: The source is not a workflow.
            WorkflowNotFoundError: No file or library workflow has this name.
        """
        from invokeai_py_client.image.image import AsyncImage
        from invokeai_py_client.image.responses import name_of

        if isinstance(source, WorkflowDefinition):
            return source
        if isinstance(source, Mapping):
            if "workflow_id" in source and "nodes" not in source:
                return await self.get_workflow(source)
            return WorkflowDefinition.from_dict(source)
        if hasattr(source, "image_name"):
            image = source if isinstance(source, AsyncImage) else AsyncImage(self.connection, name_of(source))
            data = await image.workflow()
            if data is None:
                raise WorkflowFormatError(f"Image {image.name!r} has no embedded workflow.")
            return WorkflowDefinition.from_dict(data)
        content: Any = source
        if isinstance(content, bytes):
            read = WorkflowDefinition.from_png if is_image(content) else WorkflowDefinition.from_json
            return read(content)
        if not isinstance(content, str | os.PathLike):
            raise WorkflowFormatError(
                f"{shown(content)} is not a workflow; expected a file, a dict, JSON text, an image, or the name or id"
                " of a workflow in the library."
            )
        if not isinstance(content, str):
            return WorkflowDefinition.from_file(cast("os.PathLike[str]", content))
        if is_document(content):
            return WorkflowDefinition.from_json(content)
        if PurePath(content).suffix.lower() in _FILE_ENDINGS or await to_thread(is_file, content):
            return WorkflowDefinition.from_file(content)
        return await self.get_workflow(content)

    async def list_workflows(
        self, query: str | None = None, *, categories: Sequence[str] = ("user", "default")
    ) -> list[dict[str, Any]]:
        """List the workflows in the server's library, sorted by name.

        Args:
            query: Only workflows whose name, description or tags contain this text. Defaults to all.
            categories: ``user`` for saved workflows, ``default`` for those that come with the server. Defaults to
                both.

        Returns:
            A record for each workflow, with ``workflow_id``, ``name``, ``description``, ``category`` and more.

        Raises:
            UsageError: The query or the categories are empty.
        """
        refuse_empty(query=query, categories=categories)
        return await fetch_workflows(self.connection, categories=categories, query=query)

    async def get_workflow(self, name_or_id: WorkflowRef) -> WorkflowDefinition:
        """Return a workflow from the server's library.

        Args:
            name_or_id: A record of ``list_workflows()``, a name, or an id. An exact name takes precedence over an id,
                and an id over a name in another case. A string costs one request more than a record.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
        """
        return await self._definition(await WORKFLOWS.get(self.connection, name_or_id))

    async def find_workflow(self, name_or_id: WorkflowRef) -> WorkflowDefinition | None:
        """Return a workflow from the server's library, as ``get_workflow()`` does, or None if it is not there.

        Raises:
            WorkflowNotFoundError: Several workflows have this name.
        """
        record = await WORKFLOWS.find(self.connection, name_or_id)
        return None if record is None else await self._definition(record)

    async def _definition(self, record: Mapping[str, Any]) -> WorkflowDefinition:
        if "workflow" not in record:  # a record of a list
            record = await fetch_workflow(self.connection, record["workflow_id"])
        return WorkflowDefinition.from_dict(record["workflow"])
