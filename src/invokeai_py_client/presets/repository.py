"""Style presets on the server: list, create, change, share, export and import them.

Facts about the server (6.14.2):

- A change replaces everything, the picture included: a request without one deletes it.
- Presets that come with the server are written again whenever it starts, with new ids. Their pictures are files of the
  installation, and deleting such a preset deletes that file for good.
- Pictures are stored as WEBP of at most 256 pixels per side.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._paths import user_path
from invokeai_py_client._text import shown
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import NotFoundError, UsageError
from invokeai_py_client.lookup import STYLE_PRESETS, StylePresetRef, fetch_style_presets
from invokeai_py_client.models import IvkStylePreset
from invokeai_py_client.transport.payload import FormFile

if TYPE_CHECKING:
    from invokeai_py_client.image.upload import ImageSource

_FILE = "style-presets.csv"
_TYPES = {".csv": "text/csv", ".json": "application/json"}


class AsyncPresetRepository(Resource):
    """The style presets on a server. Methods take a preset as its name, its id or its record.

    Example:
        ```python
        preset = await client.presets.create_preset("Sketch", positive="{prompt}, pencil sketch")
        await client.presets.delete_preset(preset)
        ```
    """

    async def list_presets(self, *, include_default: bool = True) -> list[IvkStylePreset]:
        """List the style presets: your own, those that others share, and those that come with the server.

        All users may call this. Administrators see the presets of all users.

        Args:
            include_default: Whether to include the presets that come with the server. Defaults to True.
        """
        presets = await fetch_style_presets(self.connection)
        return [preset for preset in presets if include_default or not preset.is_default]

    async def get_preset(self, preset: StylePresetRef) -> IvkStylePreset:
        """Return a style preset by its name or id. All users may call this.

        Raises:
            UnknownNameError: No style preset has this name or id.
            UsageError: Several style presets have this name.
            PermissionDeniedError: It belongs to another user.
        """
        return await STYLE_PRESETS.get(self.connection, preset)

    async def create_preset(
        self,
        name: str,
        positive: str = "",
        negative: str = "",
        *,
        image: ImageSource | None = None,
        shared: bool = False,
    ) -> IvkStylePreset:
        """Create a style preset. All users may call this.

        Args:
            name: The name.
            positive: The text around positive prompts; ``{prompt}`` in it stands for the prompt. Defaults to "".
            negative: The text around negative prompts. Defaults to "".
            image: A picture: a path, the bytes of an image file, or a Pillow image. Defaults to none.
            shared: Whether all users see it (InvokeAI 6.12+). Defaults to False.

        Raises:
            InputValueError: The file does not exist, or is not an image.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi

        require("a name for the style preset", name=name)
        record = IvkStylePreset(
            id="", name=name, positive_prompt=positive, negative_prompt=negative, is_public=shared
        )
        response = await self.connection.part(AsyncStylePresetsApi).create_style_preset(
            data=_form(record), image=await _picture(image)
        )
        return IvkStylePreset.from_api_response(response)

    async def update_preset(
        self,
        preset: StylePresetRef,
        *,
        name: str | None = None,
        positive: str | None = None,
        negative: str | None = None,
        image: ImageSource | None = None,
        remove_image: bool = False,
        shared: bool | None = None,
    ) -> IvkStylePreset:
        """Change a style preset. Omitted arguments keep their values.

        Its owner and administrators may call this. The server encodes the picture again at each change.

        Args:
            preset: The preset: its name, id or record.
            name: The new name.
            positive: The new text around positive prompts.
            negative: The new text around negative prompts.
            image: The new picture.
            remove_image: Whether to remove the picture. Defaults to False.
            shared: Whether all users see it (InvokeAI 6.12+).

        Raises:
            UnknownNameError: No style preset has this name or id.
            UsageError: Both a new picture and ``remove_image`` were passed, or the preset comes with the server.
            PermissionDeniedError: It belongs to another user.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi

        refuse_empty(name=name)
        if image is not None and remove_image:
            raise UsageError("Pass either image or remove_image=True, not both.")
        picture = await _picture(image)
        before = await self.get_preset(preset)
        _refuse_default(before, "changed")
        if picture is None and not remove_image:
            picture = await _picture(await self.get_picture(before))
        changes = {
            "name": name,
            "positive_prompt": positive,
            "negative_prompt": negative,
            "is_public": shared,
        }
        given = {key: value for key, value in changes.items() if value is not None}
        after = before.model_copy(update=given)
        response = await self.connection.part(AsyncStylePresetsApi).update_style_preset(
            before.id, data=_form(after), image=picture
        )
        return IvkStylePreset.from_api_response(response)

    async def delete_preset(self, preset: StylePresetRef) -> bool:
        """Delete a style preset permanently. Its owner and administrators may call this.

        Returns:
            Whether it was deleted. False if the server does not have it.

        Raises:
            UsageError: Several style presets have this name, or the preset comes with the server.
            PermissionDeniedError: It belongs to another user.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi

        found = await STYLE_PRESETS.find(self.connection, preset)
        if found is None:
            return False
        _refuse_default(found, "deleted")
        try:
            await self.connection.part(AsyncStylePresetsApi).delete_style_preset(found.id)
        except NotFoundError:
            return False
        return True

    async def get_picture(self, preset: StylePresetRef) -> bytes | None:
        """Return the picture of a style preset (WEBP, or PNG if the preset comes with the server).

        All users may call this.

        Returns:
            The picture, or None if the preset has none.

        Raises:
            UnknownNameError: No style preset has this name or id.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi

        found = await self.get_preset(preset)
        if found.image is None:
            return None
        return await self.connection.part(AsyncStylePresetsApi).get_style_preset_image(found.id)

    async def export_to(self, path: str | os.PathLike[str]) -> Path:
        """Write the style presets of all users to a CSV file, without pictures and those that come with the server.

        Only administrators may call this. Servers without users have no other users.

        Args:
            path: A file, or a folder: an existing folder or a path that ends in ``/``. In a folder, the file is named
                ``style-presets.csv``.

        Returns:
            The file's path.

        Raises:
            UsageError: The file cannot be written.
            PermissionDeniedError: You are not an administrator.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi
        from invokeai_py_client.files.atomic import write_atomically
        from invokeai_py_client.files.names import target_path

        target = target_path(path, _FILE)
        data = await self.connection.part(AsyncStylePresetsApi).export_style_presets()
        await asyncio.to_thread(write_atomically, target, data)
        return target

    async def import_from(self, path: str | os.PathLike[str]) -> list[IvkStylePreset]:
        """Create style presets from a file. They belong to you and are not shared.

        Only administrators may call this.

        Args:
            path: A CSV file with the columns ``name``, ``prompt`` and ``negative_prompt``, as ``export_to()`` writes
                it, or a JSON file with a list of objects with these keys.

        Returns:
            The new presets, sorted by name.

        Raises:
            UsageError: The file cannot be read, or its name ends in neither ``.csv`` nor ``.json``.
            BadRequestError: The file has other columns, or a name is empty. Nothing was imported.
            PermissionDeniedError: You are not an administrator.
        """
        from invokeai_py_client.api.style_presets import AsyncStylePresetsApi

        file = user_path(path)
        kind = _TYPES.get(file.suffix.lower())
        if kind is None:
            raise UsageError(f"Cannot import {shown(str(file))}: expected a file that ends in .csv or .json.")
        try:
            data = await asyncio.to_thread(file.read_bytes)
        except OSError as error:
            raise UsageError(f"Cannot read the file {file}: {error.strerror or error}.") from None
        before = {preset.id for preset in await self.list_presets()}
        await self.connection.part(AsyncStylePresetsApi).import_style_presets(
            file=FormFile(data, file.name, kind)
        )
        return [preset for preset in await self.list_presets() if preset.id not in before]


def _refuse_default(preset: IvkStylePreset, done: str) -> None:
    """Check that a preset does not come with the server.

    Raises:
        UsageError: It does.
    """
    if preset.is_default:
        raise UsageError(
            f"The style preset {preset.name!r} comes with the server and cannot be {done}: the server writes it again"
            " when it starts. Create your own preset instead."
        )


def _form(record: IvkStylePreset) -> str:
    names = ("name", "positive_prompt", "negative_prompt", "type", "is_public")
    return json.dumps({name: getattr(record, name) for name in names})


async def _picture(image: ImageSource | None) -> FormFile | None:
    """Return a picture to send, or None without a picture."""
    from invokeai_py_client.image.upload import form_file, read_photo

    return None if image is None else form_file(await asyncio.to_thread(read_photo, image))
