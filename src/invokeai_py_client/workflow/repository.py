"""Workflows: handles to run them, and the server's workflow library."""

from __future__ import annotations

import os
from asyncio import to_thread
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, cast

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._names import ExactId
from invokeai_py_client._paths import is_file
from invokeai_py_client._text import shown
from invokeai_py_client.api.workflows import AsyncWorkflowsApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.engine.definition import WorkflowDefinition, is_document
from invokeai_py_client.engine.png import is_image
from invokeai_py_client.errors import (
    APIRequestError,
    NotFoundError,
    WorkflowFormatError,
    WorkflowNotFoundError,
)
from invokeai_py_client.library import (
    CATEGORIES,
    WORKFLOWS,
    belongs_to,
    fetch_listed,
    fetch_visible,
    fetch_workflow,
)
from invokeai_py_client.models.workflow import IvkWorkflowRecord
from invokeai_py_client.transport.auth import current_user
from invokeai_py_client.transport.json_shape import ListOf
from invokeai_py_client.transport.payload import FormFile
from invokeai_py_client.v1.workflows import V1WorkflowMethods

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.responses import NamedImage
    from invokeai_py_client.image.upload import ImageSource
    from invokeai_py_client.library import WorkflowOrder, WorkflowRef
    from invokeai_py_client.lookup import ModelRef
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle

_FILE_ENDINGS = frozenset({".json", ".png", ".jpg", ".jpeg", ".webp", ".avif"})
_CATEGORY_VALUES = "at least one value, such as 'user' or 'default'"


class AsyncWorkflowRepository(V1WorkflowMethods, Resource):
    """The workflows on a server.

    On servers with user accounts, any signed-in user may call all methods, for their own workflows, those that others
    share, and those that come with the server. Administrators may call them for all workflows.
    """

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

        refuse_empty(model=model)
        require("True, False, or an image", image=image, mask=mask)
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

    # ------------------------------------------------------------------ the library

    async def list_workflows(
        self,
        query: str | None = None,
        *,
        categories: Sequence[str] = CATEGORIES,
        tags: Sequence[str] | None = None,
        shared: bool | None = None,
        callable: bool | None = None,
        opened: bool | None = None,
        mine: bool = False,
        order_by: WorkflowOrder = "name",
        direction: Literal["ASC", "DESC"] = "ASC",
    ) -> list[IvkWorkflowRecord]:
        """List the workflows in the server's library, sorted by name.

        On servers with user accounts these are your own, those that come with the server, and those that other users
        share. Administrators get the workflows of all users.

        Args:
            query: Only workflows whose name, description or tags contain this text. Defaults to all.
            categories: ``user`` for saved workflows, ``default`` for those that come with the server. Defaults to
                both.
            tags: Only workflows whose tags contain one of these texts, in any case. Defaults to all.
            shared: Whether to list only workflows that are shared with all users. If False, only those that are not
                (InvokeAI 6.13+). Defaults to None: both.
            callable: Whether to list only workflows that other workflows can call. If False, only those that they
                cannot call (InvokeAI 6.13+). Defaults to None: both.
            opened: Whether to list only workflows that were opened in the web UI. If False, only those that were not
                (InvokeAI 6.0+). Defaults to None: both.
            mine: Whether to leave out the workflows of other users. Defaults to False.
            order_by: The field to sort by. Defaults to ``"name"``.
            direction: ``"ASC"`` for A to Z or oldest first, ``"DESC"`` for the reverse. Defaults to ``"ASC"``.

        Returns:
            A record for each workflow.

        Raises:
            UsageError: A filter is empty.
        """
        refuse_empty(query=query, tags=tags)
        require(_CATEGORY_VALUES, categories=categories)
        filters: dict[str, Any] = {
            "query": query,
            "categories": categories,
            "tags": tags,
            "is_public": shared,
            "callable": callable,
            "has_been_opened": opened,
            "order_by": order_by,
            "direction": direction,
        }
        user = (
            await current_user(self.connection.http)
            if mine and self.connection.settings.has_account
            else None
        )
        if shared is None and not mine:
            del filters["is_public"]
            return await fetch_visible(self.connection, **filters)
        found = await fetch_listed(self.connection, **filters)
        return [record for record in found if user is None or belongs_to(record, user)]

    async def get_record(
        self, workflow: WorkflowRef, *, to: str | None = None, mine: bool = True
    ) -> IvkWorkflowRecord:
        """Return the record of a workflow in the server's library.

        Args:
            workflow: A record of ``list_workflows()``, a name, or an id. A name means one of your own workflows, or if
                you have no such workflow, one that another user shares.
            to: A change that you plan, such as ``"delete"``. Checks that you can change the workflow, and names the
                change in errors. Defaults to None: nothing is checked.
            mine: With ``to``, whether to accept only your own workflows. If False, administrators can change those of
                other users. Defaults to True.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            UsageError: You plan a change, and the workflow is a default workflow, or you are an administrator and it
                belongs to another user.
            PermissionDeniedError: You plan a change, and the workflow belongs to another user.
        """
        record = None
        if to is not None:
            record = await WORKFLOWS.to_change(self.connection, workflow, to, mine=mine)
        return await WORKFLOWS.get(self.connection, workflow) if record is None else record

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

    async def upload_workflow(
        self,
        definition: WorkflowDefinition,
        overwrite: bool = False,
        *,
        shared: bool | None = None,
        mine: bool = True,
    ) -> str:
        """Save a workflow in the server's library, as one of your workflows.

        Args:
            definition: The workflow.
            overwrite: Whether to replace the library workflow with the same id, if it exists. Defaults to False, so
                that the workflow gets a new id.
            shared: Whether all users of the server can see and run it (InvokeAI 6.13+). Defaults to None: a new
                workflow is private on servers with user accounts, and a replaced one stays as it is.
            mine: Whether to replace only your own workflow. If False, an administrator can replace that of another
                user. Defaults to True.

        Returns:
            The workflow's id in the library.

        Raises:
            UsageError: You are an administrator, and the workflow to replace belongs to another user.
            PermissionDeniedError: The workflow to replace belongs to another user.
        """
        api = self.connection.part(AsyncWorkflowsApi)
        document = definition.to_dict()
        # The server rejects the default workflows of InvokeAI with status 500 (6.14.2), so change the category.
        if isinstance(meta := document.get("meta"), dict):
            document["meta"] = {**meta, "category": "user"}
        if overwrite and definition.id is not None:
            known = await WORKFLOWS.find(self.connection, ExactId(definition.id))
            if known is not None and not known.is_default:
                known = await WORKFLOWS.to_change(self.connection, known, "replace", mine=mine)
                await api.update_workflow(definition.id, workflow=document, idempotent=True)
                if shared is not None:
                    await api.update_workflow_is_public(definition.id, is_public=shared, idempotent=True)
                return definition.id
        document.pop("id", None)
        created = await api.create_workflow(workflow=document, expect={"workflow_id": str}, idempotent=False)
        record = IvkWorkflowRecord.from_api_response(created)
        if shared is not None and shared is not record.is_public:
            try:
                await api.update_workflow_is_public(record.workflow_id, is_public=shared, idempotent=True)
            except APIRequestError:
                await api.delete_workflow(record.workflow_id)
                raise
        return record.workflow_id

    async def delete_workflow(self, workflow_id: WorkflowRef, *, mine: bool = True) -> bool:
        """Delete a workflow from the server's library. Default workflows cannot be deleted.

        Args:
            workflow_id: A record of ``list_workflows()``, an id, or a name. A name means your own workflow.
            mine: Whether to delete only your own workflow. If False, an administrator can delete that of another
                user. Defaults to True.

        Returns:
            Whether the workflow existed.

        Raises:
            UsageError: The workflow is a default workflow, several workflows have this name, or you are an
                administrator and the workflow belongs to another user.
            PermissionDeniedError: The workflow belongs to another user.
        """
        record = await WORKFLOWS.to_change(self.connection, workflow_id, "delete", mine=mine)
        if record is None:
            return False
        try:
            await self.connection.part(AsyncWorkflowsApi).delete_workflow(
                record.workflow_id, idempotent=False
            )
        except NotFoundError:
            return False
        return True

    async def share(self, workflow: WorkflowRef, *, mine: bool = True) -> IvkWorkflowRecord:
        """Let all users of the server see and run a workflow (InvokeAI 6.13+). Only its owner can change it.

        The server also adds the tag ``shared``, and ``unshare()`` removes it.

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name. A name means your own workflow.
            mine: Whether to share only your own workflow. If False, an administrator can share that of another user.
                Defaults to True.

        Returns:
            The changed record.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            UsageError: The workflow is a default workflow, or you are an administrator and it belongs to another user.
            PermissionDeniedError: The workflow belongs to another user.
        """
        return await self._set_shared(workflow, True, mine)

    async def unshare(self, workflow: WorkflowRef, *, mine: bool = True) -> IvkWorkflowRecord:
        """Hide a workflow from other users again (InvokeAI 6.13+). The arguments and errors are those of ``share()``.

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name. A name means your own workflow.
            mine: Whether to change only your own workflow. If False, an administrator can change that of another user.
                Defaults to True.

        Returns:
            The changed record.
        """
        return await self._set_shared(workflow, False, mine)

    async def mark_opened(self, workflow: WorkflowRef) -> None:
        """Set the time when a workflow was last opened to now, as the web UI does when it opens one (InvokeAI 6.0+).

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            PermissionDeniedError: The workflow is not your own.
        """
        api = self.connection.part(AsyncWorkflowsApi)
        await WORKFLOWS.call(self.connection, workflow, partial(api.update_opened_at, idempotent=True))

    # ------------------------------------------------------------------ tags and counts

    async def list_tags(
        self, *, categories: Sequence[str] = CATEGORIES, shared: bool | None = None
    ) -> list[str]:
        """Return the tags of the workflows in the library, sorted (InvokeAI 6.10+).

        Args:
            categories: The categories, as in ``list_workflows()``. Defaults to both.
            shared: Whether to use only workflows that are shared with all users. If False, only those that are not
                (InvokeAI 6.13+). Defaults to None: your own and those that come with the server.
        """
        require(_CATEGORY_VALUES, categories=categories)
        api = self.connection.part(AsyncWorkflowsApi)
        return await api.get_all_tags(categories=categories, is_public=shared, expect=ListOf(str))

    async def count_by_tag(
        self,
        tags: Sequence[str] | None = None,
        *,
        categories: Sequence[str] = CATEGORIES,
        opened: bool | None = None,
        shared: bool | None = None,
    ) -> dict[str, int]:
        """Return the number of workflows with each tag.

        The server counts a workflow for a tag if the text of its tags contains the tag, in any case.

        Args:
            tags: The tags. Defaults to all (InvokeAI 6.10+).
            categories: The categories, as in ``list_workflows()``. Defaults to both.
            opened: As in ``list_workflows()``.
            shared: As in ``list_tags()``.
        """
        refuse_empty(tags=tags)
        require(_CATEGORY_VALUES, categories=categories)
        if tags is None:
            tags = await self.list_tags(categories=categories, shared=shared)
        if not tags:
            return {}
        return await self.connection.part(AsyncWorkflowsApi).get_counts_by_tag(
            tags=tags, categories=categories, has_been_opened=opened, is_public=shared, expect=dict
        )

    async def count_by_category(
        self,
        categories: Sequence[str] = CATEGORIES,
        *,
        opened: bool | None = None,
        shared: bool | None = None,
    ) -> dict[str, int]:
        """Return the number of workflows in each category.

        Args:
            categories: The categories, as in ``list_workflows()``. Defaults to both.
            opened: As in ``list_workflows()``.
            shared: As in ``list_tags()``.
        """
        require(_CATEGORY_VALUES, categories=categories)
        return await self.connection.part(AsyncWorkflowsApi).counts_by_category(
            categories=categories, has_been_opened=opened, is_public=shared, expect=dict
        )

    # ------------------------------------------------------------------ pictures

    async def get_picture(self, workflow: WorkflowRef) -> bytes:
        """Return the picture of a workflow in the library: the content of an image file, at most 256 pixels wide.

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            NotFoundError: The workflow has no picture.
        """
        record = await WORKFLOWS.get(self.connection, workflow)
        if record.thumbnail_url is None:
            raise NotFoundError(404, None, f"The workflow {shown(record.name)} has no picture.")
        return await self.connection.part(AsyncWorkflowsApi).get_workflow_thumbnail(record.workflow_id)

    async def set_picture(self, workflow: WorkflowRef, image: ImageSource, *, mine: bool = True) -> None:
        """Set the picture that the web UI's library shows for a workflow. The server reduces it to 256 pixels.

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name. A name means your own workflow.
            image: A path, the bytes of an image file, or a Pillow image.
            mine: Whether to change only your own workflow. If False, an administrator can change that of another user.
                Defaults to True.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            InputValueError: The file does not exist or is not an image.
            UsageError: The workflow is a default workflow, or you are an administrator and it belongs to another user.
            PermissionDeniedError: The workflow belongs to another user.
        """
        from invokeai_py_client.image.upload import content_type, read_photo

        require("a path, the bytes of an image file, or a Pillow image", image=image)
        photo = await to_thread(read_photo, image)
        record = await self.get_record(workflow, to="change the picture of", mine=mine)
        file = FormFile(photo.data, "picture.png", content_type(photo.data, "picture.png"))
        await self.connection.part(AsyncWorkflowsApi).set_workflow_thumbnail(
            record.workflow_id, image=file, idempotent=True
        )

    async def delete_picture(self, workflow: WorkflowRef, *, mine: bool = True) -> bool:
        """Remove the picture of a workflow.

        Args:
            workflow: A record of ``list_workflows()``, an id, or a name. A name means your own workflow.
            mine: Whether to change only your own workflow. If False, an administrator can change that of another user.
                Defaults to True.

        Returns:
            Whether the workflow had a picture.

        Raises:
            WorkflowNotFoundError: No workflow has this id or name, or several have this name.
            UsageError: The workflow is a default workflow, or you are an administrator and it belongs to another user.
            PermissionDeniedError: The workflow belongs to another user.
        """
        record = await self.get_record(workflow, to="change the picture of", mine=mine)
        if record.thumbnail_url is None:
            return False
        await self.connection.part(AsyncWorkflowsApi).delete_workflow_thumbnail(record.workflow_id)
        return True

    # ------------------------------------------------------------------ internals

    async def _set_shared(self, workflow: WorkflowRef, shared: bool, mine: bool) -> IvkWorkflowRecord:
        record = await self.get_record(workflow, to="share" if shared else "unshare", mine=mine)
        changed = await self.connection.part(AsyncWorkflowsApi).update_workflow_is_public(
            record.workflow_id, is_public=shared, idempotent=True
        )
        return IvkWorkflowRecord.from_api_response({**changed, "thumbnail_url": record.thumbnail_url})

    async def _definition(self, record: Mapping[str, Any]) -> WorkflowDefinition:
        if "workflow" not in record:  # a record of a list
            record = await fetch_workflow(self.connection, record["workflow_id"])
        return WorkflowDefinition.from_dict(record["workflow"])
