"""The server itself: devices, configuration, caches, log level, fonts, image storage and external providers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._names import unknown
from invokeai_py_client.administration.cache import AsyncCacheOff
from invokeai_py_client.administration.image_move import finished_move
from invokeai_py_client.administration.values import base_url_of, config_changes, log_level_of
from invokeai_py_client.api.app import AsyncAppApi
from invokeai_py_client.api.image_moves import AsyncImageMovesApi
from invokeai_py_client.api.utilities import AsyncUtilitiesApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import NotFoundError, PermissionDeniedError, UnknownNameError, UsageError
from invokeai_py_client.models.administration import (
    ImageMoveStatus,
    InvocationCacheStatus,
    IvkDevice,
    IvkFont,
    IvkProvider,
    IvkProviderSettings,
    IvkServerConfig,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.models.enums import LogLevel
from invokeai_py_client.transport.secrets import HiddenText

if TYPE_CHECKING:
    from invokeai_py_client.administration.state import AsyncStateRepository


class AsyncServerRepository(Resource):
    """The server itself: its devices, configuration, caches, log level, fonts, image storage and providers.

    On a server with user accounts, most of it is for administrators. Each method says who may call it.

    Example:
        ```python
        async with client.server.cache_off():
            run = await wf.run(seed=7)  # every node runs, although the seed was used before
        ```
    """

    @property
    def state(self) -> AsyncStateRepository:
        """Small values that a program keeps on the server."""
        from invokeai_py_client.administration.state import AsyncStateRepository

        return self.connection.part(AsyncStateRepository)

    # ------------------------------------------------------------------ devices and versions

    async def devices(self) -> list[IvkDevice]:
        """List the devices that the server can generate images on. For every user. InvokeAI 6.14+.

        Returns:
            The devices. ``in_use`` says whether the server uses a device, or has no value if the user is not an
            administrator, who alone can read the configuration.
        """
        found = await self.connection.part(AsyncAppApi).get_generation_device_options(expect=list)
        try:
            config = await self.config()
        except PermissionDeniedError:
            config = None
        devices = [IvkDevice.from_api_response(one) for one in found]
        return devices if config is None else _with_use(devices, config)

    async def dependencies(self) -> dict[str, str]:
        """Return the versions of the Python packages on the server and of CUDA, for bug reports. For every user."""
        return dict(await self.connection.part(AsyncAppApi).get_app_deps(expect=dict))

    async def has_patchmatch(self) -> bool:
        """Return whether the server can fill areas with PatchMatch. For every user. InvokeAI 6.9+."""
        return await self.connection.part(AsyncAppApi).get_patchmatch_status(expect=bool)

    # ------------------------------------------------------------------ configuration

    async def config(self) -> IvkServerConfig:
        """Return the server's configuration. For administrators.

        API keys and tokens are replaced by asterisks.
        """
        return IvkServerConfig.from_api_response(await self.connection.part(AsyncAppApi).get_runtime_config())

    async def update_config(
        self,
        *,
        image_subfolder_strategy: str | None = None,
        max_queue_history: int | str | None = None,
        generation_devices: str | Sequence[str] | None = None,
    ) -> IvkServerConfig:
        """Change settings and save them in the server's ``invokeai.yaml``. For administrators. InvokeAI 6.13+.

        Settings that are not given keep their values. Servers can change no other settings while they run: edit
        ``invokeai.yaml`` and restart the server.

        Args:
            image_subfolder_strategy: How to organize the files of new images: ``flat``, ``date``, ``type`` or ``hash``.
                ``move_images()`` moves the others.
            max_queue_history: The number of finished queue items to keep when the server starts, or ``"all"``.
            generation_devices: The devices to generate on at the same time, from the next start of the server (6.14+):
                ``"auto"`` for all GPUs, or a device or list of devices, such as ``["cuda:0", "cuda:1"]``.

        Returns:
            The new configuration.

        Raises:
            UsageError: Nothing is given, or a value is invalid. Nothing was sent.
            UnprocessableError: The server has no such device.
        """
        refuse_empty(
            image_subfolder_strategy=image_subfolder_strategy,
            max_queue_history=max_queue_history,
            generation_devices=generation_devices,
        )
        changes = config_changes(image_subfolder_strategy, max_queue_history, generation_devices)
        # The server takes null for the number of items only, so null cannot be an argument of the operation.
        response = await self.connection.part(AsyncAppApi).update_runtime_config(extra=changes)
        return IvkServerConfig.from_api_response(response)

    # ------------------------------------------------------------------ invocation cache

    async def cache_status(self) -> InvocationCacheStatus:
        """Return the status of the invocation cache, which keeps results of nodes. For administrators."""
        response = await self.connection.part(AsyncAppApi).get_invocation_cache_status()
        return InvocationCacheStatus.from_api_response(response)

    async def clear_cache(self) -> None:
        """Remove all results from the invocation cache. For administrators."""
        await self.connection.part(AsyncAppApi).clear_invocation_cache()

    async def enable_cache(self) -> None:
        """Switch the invocation cache on, for all users. For administrators.

        If the cache has no room (``max_size`` is 0), it stays off.
        """
        await self.connection.part(AsyncAppApi).enable_invocation_cache()

    async def disable_cache(self) -> None:
        """Switch the invocation cache off, for all users, until the server restarts. For administrators.

        The results in it are kept.
        """
        await self.connection.part(AsyncAppApi).disable_invocation_cache()

    def cache_off(self) -> AsyncCacheOff:
        """Return a context manager that switches the invocation cache off for the duration of a block.

        Every node runs inside the block, even if its inputs are those of an earlier run. Afterwards, also after an
        error, the cache is as it was before. The switch affects all users of the server. For administrators.

        Example:
            ```python
            async with client.server.cache_off():
                run = await wf.run(seed=7)
            ```
        """
        return AsyncCacheOff(self)

    # ------------------------------------------------------------------ log level

    async def log_level(self) -> LogLevel | str:
        """Return the lowest level of the messages in the server's log. For administrators."""
        return LogLevel.of_number(await self.connection.part(AsyncAppApi).get_log_level(expect=int))

    async def set_log_level(self, level: LogLevel | str | int) -> LogLevel | str:
        """Set the lowest level of the messages in the server's log, until the server restarts. For administrators.

        Args:
            level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``, or a number of Python's ``logging``.

        Returns:
            The new level.

        Raises:
            UsageError: It is not a log level. Nothing was sent.
        """
        number = log_level_of(level).number
        return LogLevel.of_number(
            await self.connection.part(AsyncAppApi).set_log_level(body=number, expect=int)
        )

    # ------------------------------------------------------------------ fonts

    async def fonts(self) -> list[IvkFont]:
        """List the fonts in the server's folder of fonts, for text in images. For every user. InvokeAI 6.14.2+."""
        response = as_mapping(await self.connection.part(AsyncUtilitiesApi).list_user_fonts())
        return [IvkFont.from_api_response(one) for one in response.get("fonts") or ()]

    async def get_font(self, font: IvkFont | str) -> bytes:
        """Return the content of a font file. For every user. InvokeAI 6.14.2+.

        Args:
            font: A font, or the path of one of its files, as ``fonts()`` returns it.

        Raises:
            UnknownNameError: The server has no such file.
        """
        path = font.path if isinstance(font, IvkFont) else font
        require("the path of a font file, as fonts() returns it", font=path)
        try:
            return await self.connection.part(AsyncUtilitiesApi).get_user_font_file(path)
        except NotFoundError:
            paths = [face.path for one in await self.fonts() for face in one.faces]
            message, close = unknown("font", path, paths)
            raise UnknownNameError(message, path, close) from None

    # ------------------------------------------------------------------ image storage

    async def image_move_status(self) -> ImageMoveStatus:
        """Return how many image files are in another folder than they should be, and whether they are being moved.

        For administrators. InvokeAI 6.14+.
        """
        response = await self.connection.part(AsyncImageMovesApi).get_image_move_status()
        return ImageMoveStatus.from_api_response(response)

    async def move_images(self, *, wait: bool = True, timeout: float | None = None) -> ImageMoveStatus:
        """Move image files to the folders of the setting ``image_subfolder_strategy``. For administrators.

        Until that ends, the server rejects uploads, downloads, runs and other changes of images. InvokeAI 6.14+.
        InvokeAI 6.14.2 cannot delete images whose files were moved: its record of the move refers to them.

        Args:
            wait: Whether to wait until all files are moved. Defaults to True.
            timeout: Seconds to wait. The server continues afterwards. Defaults to no limit.

        Returns:
            The status.

        Raises:
            ConflictError: Files are already being moved, or the queue has unfinished items.
            RequestTimeoutError: The files were not moved in time.
            TransferError: Some files could not be moved.
        """
        response = await self.connection.part(AsyncImageMovesApi).start_image_move()
        status = ImageMoveStatus.from_api_response(response)
        return await finished_move(self, timeout) if wait else status

    async def recover_image_move(self, *, wait: bool = True, timeout: float | None = None) -> ImageMoveStatus:
        """Finish or undo a move of image files that was interrupted. For administrators. InvokeAI 6.14+.

        Servers also do this when they start.

        Args:
            wait: Whether to wait for the end. Defaults to True.
            timeout: Seconds to wait. The server continues afterwards. Defaults to no limit.

        Returns:
            The status. ``needs_move_count`` is the number of files that are still to be moved.

        Raises:
            ConflictError: Files are being moved.
            RequestTimeoutError: The recovery did not end in time.
            TransferError: Some files could not be moved.
        """
        response = await self.connection.part(AsyncImageMovesApi).start_image_move_recovery()
        status = ImageMoveStatus.from_api_response(response)
        return await finished_move(self, timeout, all_moved=False) if wait else status

    # ------------------------------------------------------------------ external providers

    async def providers(self) -> list[IvkProvider]:
        """List the services that can generate images for the server. For every user. InvokeAI 6.13+."""
        found = await self.connection.part(AsyncAppApi).get_external_provider_statuses(expect=list)
        return [IvkProvider.from_api_response(one) for one in found]

    async def provider_settings(self) -> list[IvkProviderSettings]:
        """List the settings of these services. For administrators. InvokeAI 6.13+.

        Servers never return API keys.
        """
        found = await self.connection.part(AsyncAppApi).get_external_provider_configs(expect=list)
        return [IvkProviderSettings.from_api_response(one) for one in found]

    async def set_provider(
        self,
        provider: IvkProvider | IvkProviderSettings | str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
    ) -> IvkProviderSettings:
        """Set the API key or the URL of a service that generates images. For administrators. InvokeAI 6.13+.

        The server saves the key in its file ``api_keys.yaml``.

        Args:
            provider: The service, such as ``"openai"``.
            api_key: The API key. Defaults to None: keep the current one.
            base_url: The URL to send requests to, or ``"default"`` for the service's own. Defaults to None: keep the
                current one.

        Returns:
            The new settings.

        Raises:
            UsageError: Nothing is given, or the URL is invalid. Nothing was sent.
            UnknownNameError: The server does not know this service.
        """
        refuse_empty(api_key=HiddenText(api_key) if api_key else api_key, base_url=base_url)
        changes: dict[str, Any] = {}
        if api_key is not None:
            changes["api_key"] = HiddenText(api_key.strip())
        del api_key  # keep it out of tracebacks that show variables
        if base_url is not None:
            changes["base_url"] = base_url_of(base_url)
        if not changes:
            raise UsageError("set_provider() got nothing to change. Pass api_key or base_url.")
        name = _provider_id(provider)
        try:
            response = await self.connection.part(AsyncAppApi).set_external_provider_config(name, **changes)
        except NotFoundError as error:
            raise await self._unknown_provider(name) from error
        return IvkProviderSettings.from_api_response(response)

    async def reset_provider(self, provider: IvkProvider | IvkProviderSettings | str) -> IvkProviderSettings:
        """Remove the API key and the URL of a service that generates images. For administrators. InvokeAI 6.13+.

        The server also uninstalls the models of this service.

        Args:
            provider: The service, such as ``"openai"``.

        Returns:
            The new settings.

        Raises:
            UnknownNameError: The server does not know this service.
        """
        name = _provider_id(provider)
        try:
            response = await self.connection.part(AsyncAppApi).reset_external_provider_config(name)
        except NotFoundError as error:
            raise await self._unknown_provider(name) from error
        return IvkProviderSettings.from_api_response(response)

    # ------------------------------------------------------------------ internals

    async def _unknown_provider(self, name: str) -> UnknownNameError:
        names = [one.provider_id for one in await self.provider_settings()]
        message, close = unknown("provider", name, names)
        return UnknownNameError(f"{message} The server has {', '.join(names)}.", name, close)


def _with_use(devices: Sequence[IvkDevice], config: IvkServerConfig) -> list[IvkDevice]:
    """Return the devices with ``in_use``, and those that the configuration chooses in addition, such as ``cpu``.

    ``auto`` means the preferred device if one is set, and otherwise all (6.14.2).
    """
    chosen = config.device if config.generation_devices == "auto" else config.generation_devices
    if chosen == "auto":
        return [one.model_copy(update={"in_use": True}) for one in devices]
    names = {name if name in ("cpu", "mps") or ":" in name else f"{name}:0" for name in _listed(chosen)}
    known = {one.device for one in devices}
    used = [one.model_copy(update={"in_use": one.device in names}) for one in devices]
    return used + [IvkDevice(device=name, name=name, in_use=True) for name in sorted(names - known)]


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _provider_id(provider: IvkProvider | IvkProviderSettings | str) -> str:
    name = provider if isinstance(provider, str) else provider.provider_id
    require("the id of a provider, such as 'openai'", provider=name)
    return name
