"""Records about the server itself: devices, configuration, caches, fonts, image storage, providers and node packs."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from pydantic import Field

from invokeai_py_client.models.base import IvkModel, as_mapping

REDACTED = "**********"
"""Shown instead of a secret, as in the responses of InvokeAI 6.14."""


class IvkDevice(IvkModel):
    """A device that the server can generate images on.

    Attributes:
        device: Its identifier, such as ``cuda:0``, ``mps`` or ``cpu``.
        name: Its name, such as ``NVIDIA GeForce RTX 4090``.
        in_use: Whether the server uses it. None means unknown, because only administrators can read the
            configuration.
    """

    device: str
    name: str = ""
    in_use: bool | None = None

    @property
    def is_gpu(self) -> bool:
        """Whether it is not the CPU."""
        return self.device != "cpu"


class IvkServerConfig(IvkModel):
    """The server's configuration. Settings that are not listed here are attributes, too.

    API keys and tokens are replaced by asterisks.

    Attributes:
        set_fields: The names of the settings that are not left at their defaults.
        host: The address that the server listens on.
        port: The port that the server listens on.
        device: The preferred device, or ``auto``.
        generation_devices: The devices to generate on at the same time (6.14+): ``auto``, or a list such as
            ``["cuda:0", "cuda:1"]``.
        precision: ``auto``, ``float16``, ``bfloat16`` or ``float32``.
        attention_type: The implementation of attention, or ``auto``.
        max_cache_ram_gb: The size of the model cache in RAM, in gigabytes. None means automatic.
        max_cache_vram_gb: The size of the model cache in VRAM, in gigabytes. None means automatic.
        node_cache_size: The number of results in the invocation cache. 0 means that there is no cache.
        max_queue_size: The maximum number of queue items.
        max_queue_history: The number of finished queue items to keep when the server starts. None means all.
        image_subfolder_strategy: How image files are organized in folders: ``flat``, ``date``, ``type`` or ``hash``
            (6.13+).
        log_level: The log level when the server starts.
        multiuser: Whether the server has user accounts (6.12+).
    """

    _brief: ClassVar[tuple[str, ...]] = ("host", "port", "device", "multiuser")

    set_fields: list[str] = Field(default_factory=list[str])
    host: str = ""
    port: int = 9090
    device: str = "auto"
    generation_devices: str | list[str] = "auto"
    precision: str = "auto"
    attention_type: str = "auto"
    max_cache_ram_gb: float | None = None
    max_cache_vram_gb: float | None = None
    node_cache_size: int = 0
    max_queue_size: int = 0
    max_queue_history: int | None = None
    image_subfolder_strategy: str = "flat"
    log_level: str = "info"
    multiuser: bool = False

    @classmethod
    def _shape(cls, data: dict[str, Any]) -> dict[str, Any]:
        if isinstance(data.get("config"), dict):
            names = data.get("set_fields")
            data = {
                **cast("dict[str, Any]", data["config"]),
                "set_fields": sorted(map(str, cast("list[Any]", names))) if isinstance(names, list) else [],
            }
        # Servers before 6.13 send secrets as they are.
        for name, value in data.items():
            if name.endswith("_api_key") and value:
                data[name] = REDACTED
        tokens = data.get("remote_api_tokens")
        if isinstance(tokens, list):
            data["remote_api_tokens"] = [
                {**as_mapping(one), "token": REDACTED} for one in cast("list[Any]", tokens)
            ]
        proxy = data.get("download_proxy")
        if isinstance(proxy, str) and "@" in proxy:
            data["download_proxy"] = REDACTED
        return data


class InvocationCacheStatus(IvkModel):
    """The status of the invocation cache, which keeps results of nodes for later runs.

    Attributes:
        enabled: Whether nodes use it.
        size: The number of results in it.
        max_size: The maximum number of results.
        hits: The number of times that a result was in the cache.
        misses: The number of times that a node had to run.
    """

    enabled: bool = False
    size: int = 0
    max_size: int = 0
    hits: int = 0
    misses: int = 0


class FontFace(IvkModel):
    """A file of a font.

    Attributes:
        path: Its path in the server's folder of fonts.
        weight: Its weight, from 1 to 1000. 400 is regular, and 700 is bold.
        style: ``normal`` or ``italic``.
    """

    path: str
    weight: int = 400
    style: str = "normal"


class IvkFont(IvkModel):
    """A font family that was added to the server.

    Attributes:
        family: Its name.
        path: The path of its regular face in the server's folder of fonts.
        label: Its name for display.
        faces: Its files.
    """

    _brief: ClassVar[tuple[str, ...]] = ("family", "path")

    family: str
    path: str
    label: str = ""
    faces: list[FontFace] = Field(default_factory=list[FontFace])


class ImageMoveStatus(IvkModel):
    """The status of moving image files to the folders of ``image_subfolder_strategy``.

    Attributes:
        is_running: Whether files are being moved. Until that ends, the server rejects uploads, downloads and runs.
        operation: ``move_all`` or ``recovery`` while files are being moved.
        needs_move_count: The number of images whose files are in another folder.
        last_error: The error that stopped the last move.
        active_job_id: The id of the unfinished part of a move, if there is one.
        latest_job: The id, state and error of the latest part of a move.
    """

    _brief: ClassVar[tuple[str, ...]] = ("is_running", "operation", "needs_move_count", "last_error")

    is_running: bool = False
    operation: str | None = None
    needs_move_count: int = 0
    last_error: str | None = None
    active_job_id: int | None = None
    latest_job: dict[str, Any] | None = None


class IvkProvider(IvkModel):
    """A service that generates images for the server, such as OpenAI (6.13+).

    Attributes:
        provider_id: Its name, such as ``openai``.
        configured: Whether it can be used.
        message: Why it cannot be used.
    """

    provider_id: str
    configured: bool = False
    message: str | None = None


class IvkProviderSettings(IvkModel):
    """The settings of a service that generates images for the server. The API key itself is never returned.

    Attributes:
        provider_id: Its name, such as ``openai``.
        api_key_configured: Whether it has an API key.
        base_url: The URL that replaces the service's own.
    """

    _brief: ClassVar[tuple[str, ...]] = ("provider_id", "api_key_configured")

    provider_id: str
    api_key_configured: bool = False
    base_url: str | None = None


class IvkNodePack(IvkModel):
    """A pack of custom nodes on the server.

    Attributes:
        name: Its name, which is that of its folder.
        path: Its folder on the server's machine.
        node_types: The types of its nodes. A pack without any could not be loaded: see the server's log.
        workflows_imported: The number of workflows that its installation added to the library. Only in the result of
            ``install_pack()``.
        dependency_file: The file that lists Python packages to install by hand, if the pack has one. Only in the
            result of ``install_pack()``.
    """

    _brief: ClassVar[tuple[str, ...]] = ("name", "node_types")

    name: str
    path: str = ""
    node_types: list[str] = Field(default_factory=list[str])
    workflows_imported: int | None = None
    dependency_file: str | None = None
