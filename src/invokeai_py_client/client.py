"""The client: one server, one connection, and the repositories for each of its areas."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._lazy import old_names
from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import APIRequestError, NotFoundError, RunError, UsageError
from invokeai_py_client.transport.payload import id_number
from invokeai_py_client.transport.settings import complete_url
from invokeai_py_client.v1.client import V1ClientMethods

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

    import socketio
    from PIL.Image import Image as PILImage

    from invokeai_py_client.administration.nodes import AsyncNodeRepository
    from invokeai_py_client.administration.server import AsyncServerRepository
    from invokeai_py_client.api.all import AsyncApi
    from invokeai_py_client.board.repository import AsyncBoardRepository
    from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
    from invokeai_py_client.engine.definition import WorkflowDefinition
    from invokeai_py_client.gallery.repository import AsyncGalleryRepository
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.image.repository import AsyncImageRepository
    from invokeai_py_client.image.responses import NamedImage
    from invokeai_py_client.lookup import BoardRef, ModelRef
    from invokeai_py_client.models import IvkAuthStatus, IvkJob, IvkUser
    from invokeai_py_client.presets.repository import AsyncPresetRepository
    from invokeai_py_client.prompts.repository import AsyncPromptRepository
    from invokeai_py_client.queue.repository import AsyncQueueRepository
    from invokeai_py_client.run.events import RunEvent, ServerEvent
    from invokeai_py_client.run.run import AsyncRun
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.responses import Response
    from invokeai_py_client.transport.settings import ConnectionSettings, Credentials
    from invokeai_py_client.user.repository import AsyncUserRepository
    from invokeai_py_client.video.repository import AsyncVideoRepository
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle
    from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

logger = logging.getLogger("invokeai_py_client")

_HEALTH_PATIENCE = 10.0


class AsyncInvokeAIClient(V1ClientMethods, AsyncObject):
    """A client for one InvokeAI server.

    No request is sent until one is needed. Close the client when you are done, or use it in an ``async with`` block.

    Attributes:
        connection: The connection that repositories and handles share. Meant for extensions.

    Example:
        ```python
        async with AsyncInvokeAIClient.from_url("http://localhost:9090") as client:
            wf = await client.workflow("portrait.json")
            run = await wf.run(positive_prompt="a lighthouse at dusk")
            await run.images[0].save("lighthouse.png")
        ```
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        base_url: str | None = None,
        use_https: bool = False,
        timeout: float = 60.0,
        api_key: str | None = None,
        base_path: str = "",
        verify_ssl: bool = True,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        outage_timeout: float | None = None,
    ) -> None:
        """Create a client. This sends no request.

        Args:
            host: The server's host (``"gpu"``, ``"192.168.1.5"``), host and port (``"gpu:9090"``) or full URL. Defaults
                to the URL that ``from_url()`` finds.
            port: The server's port. Defaults to 9090, or for a full URL to the port in it.
            base_url: The server's URL, instead of ``host`` and ``port``. Kept for older code: see ``from_url()``.
            use_https: Whether to use HTTPS if ``host`` is not a URL. Defaults to False.
            timeout: Timeout for one request, in seconds. Defaults to 60.
            api_key: A token for a multi-user server (6.12+), as ``POST /api/v1/auth/login`` returns it. Defaults to
                ``INVOKEAI_TOKEN`` if that belongs to this server, or to the token in the configuration file for this
                server. ``INVOKEAI_TOKEN`` belongs to the server in ``INVOKEAI_URL``, if that is set.
            base_path: The path prefix of a reverse proxy. Defaults to "": no prefix.
            verify_ssl: Whether to verify certificates. Defaults to True.
            max_retries: How often to repeat a failed request if repeating it is safe. Defaults to 3.
            outage_timeout: How long the server may be unreachable during a wait, and during everything that follows a
                run, such as downloads of its images, in seconds. Defaults to ``INVOKEAI_OUTAGE_TIMEOUT``, or to 300.
            headers: Additional headers for every request, for example for a proxy.
            email: The email address to sign in with if the server requires it. Defaults to ``INVOKEAI_EMAIL``.
            password: The password to sign in with. Defaults to ``INVOKEAI_PASSWORD``.
            profile: The name of a profile in the configuration file.

        Raises:
            UsageError: The address is not valid, or a number is out of range.
        """
        url = base_url
        if base_url is not None and (host is not None or port is not None):
            raise UsageError("Pass either base_url, or host and port.")
        if host is not None or port is not None:
            scheme = "https" if use_https else "http"
            url = complete_url("localhost" if host is None else host, scheme=scheme, port=port)
        self.connection: Connection = Connection.to(
            url,
            base_path=base_path,
            timeout=timeout,
            api_key=api_key,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            headers=headers,
            email=email,
            password=password,
            profile=profile,
            outage_timeout=outage_timeout,
        )
        self._sockets: list[tuple[asyncio.AbstractEventLoop, socketio.AsyncClient]] = []

    @classmethod
    def from_url(
        cls,
        url: str | None = None,
        *,
        timeout: float = 60.0,
        api_key: str | None = None,
        verify_ssl: bool = True,
        max_retries: int = 3,
        headers: Mapping[str, str] | None = None,
        base_path: str = "",
        email: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        outage_timeout: float | None = None,
    ) -> Self:
        """Return a client for the server at a URL. This sends no request.

        Args:
            url: The server's URL, including the path prefix of a reverse proxy. Without a scheme, ``http://`` and port
                9090 are used: ``"gpu"`` is ``http://gpu:9090``. Defaults to the first of these that is set: the URL of
                ``profile``, ``INVOKEAI_URL``, the URL of the default profile in the configuration file,
                ``http://localhost:9090``.
            timeout: Timeout for one request, in seconds. Defaults to 60.
            api_key: A token for a multi-user server. Defaults to ``INVOKEAI_TOKEN`` if that belongs to this server, or
                to the token in the configuration file for this server.
            verify_ssl: Whether to verify certificates. Defaults to True.
            max_retries: How often to repeat a failed request if repeating it is safe. Defaults to 3.
            outage_timeout: How long the server may be unreachable during a wait, and during everything that follows a
                run, such as downloads of its images, in seconds. Defaults to ``INVOKEAI_OUTAGE_TIMEOUT``, or to 300.
            headers: Additional headers for every request, for example for a proxy.
            base_path: A path prefix, if it is not part of the URL.
            email: The email address to sign in with if the server requires it. Defaults to ``INVOKEAI_EMAIL``.
            password: The password to sign in with. Defaults to ``INVOKEAI_PASSWORD``.
            profile: The name of a profile in the configuration file.

        Raises:
            UsageError: The URL is not valid, or a number is out of range.
        """
        return cls(
            url,
            timeout=timeout,
            api_key=api_key,
            base_path=base_path,
            verify_ssl=verify_ssl,
            max_retries=max_retries,
            headers=headers,
            email=email,
            password=password,
            profile=profile,
            outage_timeout=outage_timeout,
        )

    # ------------------------------------------------------------------ the server

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return a client that uses an existing connection. Meant for extensions.

        Args:
            connection: The connection. Closing the client closes it.
        """
        self = cls.__new__(cls)
        self.__setstate__({"connection": connection})
        return self

    @property
    def settings(self) -> ConnectionSettings:
        """The settings of the connection."""
        return self.connection.settings

    @property
    def url(self) -> str:
        """The server's URL, without a password."""
        return self.connection.url

    async def version(self) -> str:
        """Return the server's version, such as ``6.14.2``.

        Raises:
            ServerUnreachableError: No server responds at the address, or it is not InvokeAI.
        """
        from invokeai_py_client.schema.source import server_version

        return await server_version(self.connection.http)

    async def health_check(self) -> bool:
        """Return whether an InvokeAI server responds at the address. Never raises."""
        from invokeai_py_client.schema.source import server_version

        try:
            await server_version(
                self.connection.http, timeout=min(self.settings.timeout, _HEALTH_PATIENCE), once=True
            )
        except APIRequestError:
            return False
        return True

    async def schema(self, *, refresh: bool = False) -> Schema:
        """Return the server's node types, read from its OpenAPI document.

        The document is read once for each client, and again after the event connection was lost, because the server may
        have been restarted. What was parsed is cached on disk for each content of the document.

        Args:
            refresh: Whether to read the document again and ignore the cache, for example after installing custom nodes.
                Defaults to False.

        Raises:
            ServerUnreachableError: No server responds at the address, or it is not InvokeAI.
        """
        return await self.connection.schema(refresh=refresh)

    async def run(self, item_id: int, *, queue_id: str = "default", batch_id: str | None = None) -> AsyncRun:
        """Return the run of a queue item, including runs that other programs started.

        Args:
            item_id: The id of the queue item.
            queue_id: The queue. Defaults to "default".
            batch_id: The id of the item's batch (``run.batch_id``). Pass it if you stored the id of the item: after
                the server's database was recreated, the ids of queue items start from 1 again. Defaults to None: any
                batch.

        Raises:
            RunError: The queue item does not exist, or belongs to another batch.
        """
        from invokeai_py_client.run.run import run_of_item

        return await run_of_item(self.connection, item_id, queue_id=queue_id, batch_id=batch_id)

    async def get_job(self, job_id: str | int, *, queue_id: str = "default") -> IvkJob:
        """Return a queue item as a typed record.

        Args:
            job_id: The id of the queue item.
            queue_id: The queue. Defaults to "default".

        Raises:
            RunError: The queue item does not exist.
            UsageError: The id is not a whole number.
        """
        from invokeai_py_client.models import IvkJob
        from invokeai_py_client.run.queue_items import read_item

        item_id = id_number(job_id, "queue item")
        try:
            item = await read_item(self.connection, queue_id, item_id)
        except NotFoundError:
            raise RunError(f"The server has no queue item {item_id}.", item_id=item_id) from None
        return IvkJob.from_api_response(item)

    # ------------------------------------------------------------------ areas of the server

    async def workflow(
        self, source: WorkflowDefinition | str | bytes | os.PathLike[str] | Mapping[str, Any] | AsyncImage
    ) -> AsyncWorkflowHandle:
        """Return a handle to run a workflow on this server. Short for ``client.workflows.create_workflow(source)``.

        Args:
            source: A definition, a file (JSON exported by the web UI, or a PNG with an embedded workflow), a dict,
                JSON text, an image on the server, or the id or name of a workflow in the server's library.

        Raises:
            WorkflowFormatError: The source is not a workflow.
            WorkflowNotFoundError: No file or library workflow has this name.
        """
        return await self.workflows.create_workflow(source)

    async def generate(
        self,
        prompt: str,
        *,
        model: ModelRef | None = None,
        n: int = 1,
        size: str | tuple[int, int] | None = None,
        seed: int | str | None = None,
        negative_prompt: str | None = None,
        image: str | bytes | os.PathLike[str] | AsyncImage | NamedImage | PILImage | None = None,
        mask: str | bytes | os.PathLike[str] | AsyncImage | NamedImage | PILImage | None = None,
        strength: float = 0.7,
        board: BoardRef | None = None,
        timeout: float | None = None,
        progress: bool | Callable[[RunEvent], object] | None = None,
        preview: bool | None = None,
        **inputs: Any,
    ) -> list[AsyncImage]:
        """Make images of a prompt, without a workflow.

        Several images are enqueued in one request and differ in their seeds. The same seed makes the same picture,
        alone or with others. If the call is interrupted, the runs are canceled.

        Args:
            prompt: The prompt.
            model: The main model: a record, a key or a name. Defaults to the only one on the server.
            n: The number of images. Defaults to 1.
            size: The width and height in pixels, such as ``"1024x768"`` or ``(1024, 768)``, rounded to what the model
                supports. Defaults to the size of ``image``, or else to the model's default, as ``"auto"`` does.
            seed: The seed of the first image, from 0 to 4,294,967,295. The next image has the next seed. Defaults to a
                random one. The seeds are in the metadata of the images.
            negative_prompt: What the image should not show. Defaults to None.
            image: An image to start from: a file, bytes, a Pillow image, or an image on the server.
            mask: The part of ``image`` to change: where the mask is transparent, or black if it has no transparent
                parts. The rest of the image is kept exactly, except for a narrow border.
            strength: How much to change ``image`` if there is no mask, up to 1 for a new image. Defaults to 0.7.
            board: The board for the images: an object, an id or a name. Defaults to none.
            timeout: Seconds to wait. The runs continue afterwards. Defaults to no limit.
            progress: Whether to show live progress. Defaults to True in a terminal or notebook, False elsewhere. If it
                is a function, it is called with each event.
            preview: Whether to show a live preview, if ``n`` is 1; see ``WorkflowHandle.run()``.
            **inputs: More inputs of ``image_workflow()``, such as ``steps`` and ``cfg_scale``. Their defaults are those
                of the model.

        Returns:
            The images, in the order of their seeds.

        Raises:
            ModelNotFoundError: No model has this name, the model needs others that the server does not have, or the
                server has several models and ``model`` is missing. Nothing was sent.
            UsageError: A value is not valid, or the model cannot make such images. Nothing was sent.
            RunFailedError: A run failed. ``error.images`` has the images of the others.
            RunCanceledError: Someone canceled a run.
            RunTimeoutError: The runs were not finished in time.

        Example:
            ```python
            images = await client.generate("a lighthouse", model="Dreamshaper 8", n=2, size="256x256", steps=8)
            await images[0].save("lighthouse.png")
            ```
        """
        from invokeai_py_client.recipes.start import make_images
        from invokeai_py_client.recipes.values import (
            check_prompt,
            first_seed,
            image_values,
            joined_values,
            parse_size,
        )

        check_prompt(prompt)
        refuse_empty(model=model, board=board, image=image, mask=mask)
        first = first_seed(seed, n)
        parse_size(size)  # before any request
        wf = await self.workflows.image_workflow(
            model, image=False if image is None else image, mask=False if mask is None else mask
        )
        values = image_values(
            wf.inputs,
            prompt,
            negative_prompt=negative_prompt,
            size=size,
            strength=strength,
            board=board,
            image=image is not None,
            mask=mask is not None,
        )
        return await make_images(
            wf,
            joined_values(wf.inputs, values, inputs),
            count=n,
            seed=first,
            timeout=timeout,
            progress=progress,
            preview=preview,
        )

    @property
    def workflows(self) -> AsyncWorkflowRepository:
        """Workflows to run, and the server's workflow library."""
        from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

        return self.connection.part(AsyncWorkflowRepository)

    @property
    def images(self) -> AsyncImageRepository:
        """Images: list, upload, download, star, move and delete them."""
        from invokeai_py_client.image.repository import AsyncImageRepository

        return self.connection.part(AsyncImageRepository)

    @property
    def videos(self) -> AsyncVideoRepository:
        """Videos: list, upload, download, star, move and delete them (InvokeAI 6.14+)."""
        from invokeai_py_client.video.repository import AsyncVideoRepository

        return self.connection.part(AsyncVideoRepository)

    @property
    def boards(self) -> AsyncBoardRepository:
        """Boards and the images on them."""
        from invokeai_py_client.board.repository import AsyncBoardRepository

        return self.connection.part(AsyncBoardRepository)

    @property
    def models(self) -> AsyncDnnModelRepository:
        """Models: list, install, convert and delete them."""
        from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository

        return self.connection.part(AsyncDnnModelRepository)

    @property
    def gallery(self) -> AsyncGalleryRepository:
        """The gallery: images and videos in one list, and days (InvokeAI 6.14+)."""
        from invokeai_py_client.gallery.repository import AsyncGalleryRepository

        return self.connection.part(AsyncGalleryRepository)

    @property
    def prompts(self) -> AsyncPromptRepository:
        """Prompts: alternatives, language models on the server, and saved system prompts."""
        from invokeai_py_client.prompts.repository import AsyncPromptRepository

        return self.connection.part(AsyncPromptRepository)

    @property
    def presets(self) -> AsyncPresetRepository:
        """Style presets: texts around prompts."""
        from invokeai_py_client.presets.repository import AsyncPresetRepository

        return self.connection.part(AsyncPresetRepository)

    @property
    def queue(self) -> AsyncQueueRepository:
        """The queue of runs."""
        from invokeai_py_client.queue.repository import AsyncQueueRepository

        return self.connection.part(AsyncQueueRepository)

    @property
    def api(self) -> AsyncApi:
        """Every operation of the server's API, as a method with plain JSON data. See "Every operation" in the docs."""
        from invokeai_py_client.api.all import AsyncApi

        return self.connection.part(AsyncApi)

    @property
    def users(self) -> AsyncUserRepository:
        """User accounts: list, create, change and delete them. Administrator only (InvokeAI 6.12+)."""
        from invokeai_py_client.user.repository import AsyncUserRepository

        return self.connection.part(AsyncUserRepository)

    @property
    def server(self) -> AsyncServerRepository:
        """The server itself: devices, configuration, caches, log level, image storage, external providers."""
        from invokeai_py_client.administration.server import AsyncServerRepository

        return self.connection.part(AsyncServerRepository)

    @property
    def nodes(self) -> AsyncNodeRepository:
        """Node types, and packs of custom nodes."""
        from invokeai_py_client.administration.nodes import AsyncNodeRepository

        return self.connection.part(AsyncNodeRepository)

    # ------------------------------------------------------------------ events

    async def watch(self, *kinds: type[ServerEvent], queue_id: str = "default") -> AsyncIterator[ServerEvent]:
        """Yield the server's events, until you leave the loop or the client is closed.

        The server sends you the events that concern you. On multi-user servers, these are the events of your own runs
        and workflows, and of others' shared workflows. Changes of other users' queue items arrive without details:
        ``event.redacted`` is True, and hidden values have the value None. Only administrators receive others' events,
        and events about downloads and installations.

        ``EventsConnected`` is yielded first, when events arrive. It is yielded again whenever events may have been
        missed, for example after a lost connection. Events that this client does not know are yielded as
        ``OtherEvent``. Copies of an event within one second are left out, because servers send some events twice.

        To follow one run, use ``run.events()``. To follow a queue, use ``queue.watch()``.

        Args:
            *kinds: The classes of the events to yield, such as ``BatchEnqueued``, or base classes such as
                ``LibraryChanged``, ``DownloadEvent``, ``ModelInstallEvent``, ``QueueEvent``, ``LLMTaskEvent`` and
                ``RunEvent``. Defaults to all events.
            queue_id: The queue whose events to yield. Defaults to the queue that the web UI shows.

        Raises:
            UsageError: A kind is not a class of events, or is one that only ``run.events()`` yields. Or the server is
                reached through a Dask worker, which does not pass events on.
            ServerUnreachableError: Events do not arrive, or have not arrived for five minutes.
        """
        from invokeai_py_client.events.watch import Watches

        async with aclosing(self.connection.part(Watches).events(kinds, queue_id)) as events:
            async for event in events:
                yield event

    # ------------------------------------------------------------------ the open web UI

    async def recall(
        self,
        *,
        positive_prompt: str | None = None,
        negative_prompt: str | None = None,
        model: ModelRef | None = None,
        seed: int | None = None,
        steps: int | None = None,
        cfg_scale: float | None = None,
        cfg_rescale_multiplier: float | None = None,
        guidance: float | None = None,
        scheduler: str | None = None,
        width: int | None = None,
        height: int | None = None,
        denoise_strength: float | None = None,
        clip_skip: int | None = None,
        seamless_x: bool | None = None,
        seamless_y: bool | None = None,
        vae_model: ModelRef | None = None,
        loras: Mapping[str, float] | Sequence[ModelRef | Mapping[str, Any]] | None = None,
        control_layers: Sequence[Mapping[str, Any]] | None = None,
        ip_adapters: Sequence[Mapping[str, Any]] | None = None,
        reference_images: Sequence[str | NamedImage] | None = None,
        refiner_model: ModelRef | None = None,
        refiner_steps: int | None = None,
        refiner_cfg_scale: float | None = None,
        refiner_denoise_start: float | None = None,
        refiner_positive_aesthetic_score: float | None = None,
        refiner_negative_aesthetic_score: float | None = None,
        strict: bool = False,
        append: bool = False,
        queue_id: str = "default",
    ) -> dict[str, Any]:
        """Put values into the open web UI: into the fields with which its user makes images.

        Omitted values stay as they are there. Any signed-in user may call this, for the web UI of the same user
        (InvokeAI 6.12+). ``image.recall()`` takes the values from an image.

        Args:
            positive_prompt: The prompt.
            negative_prompt: The negative prompt.
            model: The main model: a record, a key or a name.
            seed: The seed.
            steps: The number of steps.
            cfg_scale: The CFG scale.
            cfg_rescale_multiplier: The CFG rescale multiplier.
            guidance: The guidance of FLUX models.
            scheduler: The scheduler, such as ``"euler_a"``.
            width: The width in pixels, 64 or more.
            height: The height in pixels, 64 or more.
            denoise_strength: The strength of the change, from 0 to 1, for images made from images.
            clip_skip: The number of layers of the text encoder to skip.
            seamless_x: Whether the image tiles horizontally.
            seamless_y: Whether the image tiles vertically.
            vae_model: The VAE: a record, a key or a name.
            loras: The LoRAs, as ``{"Detail": 0.6}`` or a list of models. An item may also be a dict with a ``model``,
                a ``weight`` and ``is_enabled``.
            control_layers: Control adapters, each a dict with a ``model``, an ``image``, a ``weight``,
                ``begin_step_percent``, ``end_step_percent`` and ``control_mode``. All but the model are optional.
            ip_adapters: IP adapters, each a dict with a ``model``, an ``image``, a ``weight``,
                ``begin_step_percent``, ``end_step_percent``, ``method`` and ``image_influence``. All but the model are
                optional.
            reference_images: Images that the main model uses directly, as FLUX Kontext does.
            refiner_model: The refiner of SDXL: a record, a key or a name.
            refiner_steps: The number of steps of the refiner.
            refiner_cfg_scale: The CFG scale of the refiner.
            refiner_denoise_start: When the refiner starts, from 0 to 1.
            refiner_positive_aesthetic_score: The positive aesthetic score of the refiner.
            refiner_negative_aesthetic_score: The negative aesthetic score of the refiner.
            strict: Whether to clear everything that is omitted. Defaults to False.
            append: Whether to add IP adapters and reference images to those in the web UI (InvokeAI 6.14+). Defaults
                to False, which replaces them.
            queue_id: The queue that the web UI shows. Defaults to "default".

        Returns:
            The values as the server passed them to the web UI, with the keys of models.

        Raises:
            UsageError: No value was passed, or both ``strict`` and ``append``.
            UnprocessableError: A value is out of range.
            ModelNotFoundError: A model is not on the server, or has another type. Nothing was changed.
            UnknownNameError: An image is not on the server. Nothing was changed.

        Example:
            ```python
            await client.recall(positive_prompt="a lighthouse at dusk", model="Dreamshaper 8", seed=7)
            ```
        """
        from invokeai_py_client.recall.parameters import send_recall

        values = {
            "positive_prompt": positive_prompt,
            "negative_prompt": negative_prompt,
            "model": model,
            "seed": seed,
            "steps": steps,
            "cfg_scale": cfg_scale,
            "cfg_rescale_multiplier": cfg_rescale_multiplier,
            "guidance": guidance,
            "scheduler": scheduler,
            "width": width,
            "height": height,
            "denoise_strength": denoise_strength,
            "clip_skip": clip_skip,
            "seamless_x": seamless_x,
            "seamless_y": seamless_y,
            "vae_model": vae_model,
            "loras": loras,
            "control_layers": control_layers,
            "ip_adapters": ip_adapters,
            "reference_images": reference_images,
            "refiner_model": refiner_model,
            "refiner_steps": refiner_steps,
            "refiner_cfg_scale": refiner_cfg_scale,
            "refiner_denoise_start": refiner_denoise_start,
            "refiner_positive_aesthetic_score": refiner_positive_aesthetic_score,
            "refiner_negative_aesthetic_score": refiner_negative_aesthetic_score,
        }
        return await send_recall(self.connection, values, strict=strict, append=append, queue_id=queue_id)

    async def recalled(self) -> dict[str, Any]:
        """Return the values that were last put into the web UI of this user, by name, with the names of models.

        Any signed-in user may call this (InvokeAI 6.12+). What the user has changed in the web UI since then is not
        included.
        """
        from invokeai_py_client.recall.parameters import fetch_recalled

        return await fetch_recalled(self.connection)

    # ------------------------------------------------------------------ raw events

    @face(same=True)
    async def connect_socketio(self) -> socketio.AsyncClient:
        """Return a new, connected ``socketio.AsyncClient`` that the caller owns, in the running event loop.

        It is subscribed to the default queue. Disconnect it with ``disconnect_socketio()``. You do not need this to
        follow a run: runs receive their events by themselves.

        Raises:
            ServerUnreachableError: No connection could be made.
        """
        from invokeai_py_client.transport.socket import connect, join_room, new_socket, queue_room

        await self.connection.http.auth.ensure_signed_in()
        socket = new_socket(self.settings)
        await connect(socket, self.settings)
        await join_room(socket, queue_room("default"))
        self._sockets.append((asyncio.get_running_loop(), socket))
        return socket

    @face(same=True)
    async def disconnect_socketio(self) -> None:
        """Disconnect the clients that ``connect_socketio()`` returned in the running event loop."""
        loop = asyncio.get_running_loop()
        mine = [entry for entry in self._sockets if entry[0] is loop]
        for entry in mine:
            self._sockets.remove(entry)
            await entry[1].shutdown()

    @face(same=True)
    @asynccontextmanager
    async def socketio_session(self) -> AsyncGenerator[socketio.AsyncClient]:
        """Return a context manager that yields a connected ``socketio.AsyncClient`` and disconnects it at the end.

        Raises:
            ServerUnreachableError: No connection could be made.
        """
        socket = await self.connect_socketio()
        try:
            yield socket
        finally:
            self._sockets = [entry for entry in self._sockets if entry[1] is not socket]
            await socket.shutdown()

    # ------------------------------------------------------------------ other requests

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idempotent: bool | None = None,
        save_to: str | os.PathLike[str] | None = None,
        on_progress: Callable[[int, int | None], object] | None = None,
    ) -> Response:
        """Send a request that this client has no method for.

        It is sent like all others: with the client's token, with retries if they are safe, and with its errors.

        Args:
            method: The HTTP method, such as ``"GET"`` or ``"POST"``.
            endpoint: The path below ``/api/v1``, a full path (``/api/v2/models/stats``), or ``/openapi.json``.
            params: Query parameters. None values are omitted, and lists are repeated.
            json: The body, as JSON data.
            form: The fields of a form, instead of JSON. None values are omitted, and lists are repeated.
            files: The files of a form: a path, bytes, or a tuple of the file name to send, a path or bytes, and the
                content type (optional). A list sends several files in one field. Files on disk are read while they
                are sent, so they may be large.
            headers: Additional headers. They replace those of the client.
            timeout: Timeout for the request and its response, in seconds. With ``save_to`` or files on disk, how long
                nothing may be received or sent. Defaults to the client's timeout.
            idempotent: Whether the request may be sent again if its outcome is unknown. Defaults to True for all
                methods except POST and PATCH.
            save_to: A file to write the body to, as it arrives. It appears when it is complete. A GET that breaks
                continues where it stopped, if the server supports that. Defaults to None: the body is held in memory,
                at most 256 MB.
            on_progress: Called while a file is saved, with the number of bytes so far, and the size of the file or
                None if the server does not send it.

        Returns:
            The response, with its status, headers and body.

        Raises:
            UsageError: An argument is not valid, or a file cannot be read or written.
            APIRequestError: The server rejected the request or failed, or could not be reached.

        Example:
            ```python
            response = await client.request("GET", "/app/version")
            print(response.status_code, response.json()["version"])
            ```
        """
        from invokeai_py_client.files.atomic import file_target
        from invokeai_py_client.files.download import save_to_disk
        from invokeai_py_client.files.form import form_of_sources
        from invokeai_py_client.transport.payload import check_headers, check_method, endpoint_path
        from invokeai_py_client.transport.secrets import Hidden

        if json is not None and (form is not None or files is not None):
            raise UsageError("Pass either json, or form and files: a request has one body.")
        method, path = check_method(method), endpoint_path(endpoint)
        sent: dict[str, Any] = {
            "params": params,
            "json": json,
            "form": form_of_sources(form, files),
            "headers": Hidden(check_headers(headers or {})),
            "timeout": timeout,
            "idempotent": idempotent,
        }
        if save_to is None:
            return await self.connection.http.raw(method, path, **sent)
        target = file_target(save_to)
        return await save_to_disk(
            self.connection, path, target, method=method, on_progress=on_progress, **sent
        )

    # ------------------------------------------------------------------ users (InvokeAI 6.12+)

    async def login(self, email: str, password: str, *, remember_me: bool = False) -> IvkUser:
        """Sign in to a multi-user server. Later requests are sent as this user.

        The client keeps the email and password in memory only. When the token expires, it signs in again, repeats
        the request, and continues waiting for runs.

        Args:
            email: The user's email address.
            password: The password.
            remember_me: Whether to request a token that is valid for 7 days instead of one (as of 6.14). Defaults to
                False.

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The email or password is wrong.
            PermissionDeniedError: The account is disabled, or the server has no users (single-user mode).
            UsageError: The email or the password is missing.
            APIRequestError: The server failed, has no users (before 6.12), or could not be reached.
        """
        from invokeai_py_client.models import IvkUser
        from invokeai_py_client.transport.settings import credentials_of

        credentials = credentials_of(email, password, remember_me)
        del password  # keep it out of tracebacks that show variables
        if credentials is None:
            raise UsageError("Cannot sign in without an email and a password. Pass both to login().")
        changes = self.settings.token is not None
        user = IvkUser.from_api_response(await self.connection.http.auth.sign_in(credentials))
        self.connection.profile = None
        if changes:
            await self.connection.renew_events()  # until now, the previous user's events were received
        return user

    async def logout(self) -> None:
        """Sign out: forget the token, email and password.

        The server keeps no list of tokens (6.14). A copy of the token remains valid until it expires or the password
        is changed.
        """
        from invokeai_py_client.api.auth import AsyncAuthApi

        self.connection.profile = None
        if self.settings.token is not None:
            try:
                self.settings.credentials = None  # do not sign in again if the token has expired
                await self.connection.part(AsyncAuthApi).logout(idempotent=False, explain=False)
            except APIRequestError as error:
                logger.info("could not sign out on the server: %s", error)
        self.settings.use_token(None)
        await self.connection.renew_events()

    async def has_users(self) -> bool:
        """Return whether the server has user accounts and requires signing in.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.transport.auth import auth_status

        return (await auth_status(self.connection.http))["multiuser_enabled"]

    async def auth_status(self) -> IvkAuthStatus:
        """Return whether the server has user accounts, and whether it needs its first administrator.

        Anyone may call this, even without signing in. Servers before InvokeAI 6.12 have no user accounts.

        Raises:
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.models import IvkAuthStatus
        from invokeai_py_client.transport.auth import auth_status

        return IvkAuthStatus.from_api_response(await auth_status(self.connection.http))

    @property
    def token_expires_at(self) -> datetime | None:
        """The time when the token expires, or None if the client is not signed in or the token does not say.

        A client that has an email and a password then signs in again. The server renews tokens as it is used.
        """
        from invokeai_py_client.transport.auth import expiry_of

        return expiry_of(self.settings.token)

    async def me(self) -> IvkUser | None:
        """Return the user that this client is signed in as, or None if the server has no users.

        Raises:
            AuthenticationError: The client is not signed in, or the token has expired.
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.transport.auth import current_user

        return await current_user(self.connection.http)

    async def update_me(self, *, display_name: str) -> IvkUser:
        """Change the display name of the user that this client is signed in as. Needs InvokeAI 6.12.

        Any signed-in user may call this.

        Args:
            display_name: The new name.

        Returns:
            The user's record.

        Raises:
            AuthenticationError: The client is not signed in.
            UsageError: The name is empty, or the server has no users.
            APIRequestError: The server rejected the request or failed, or could not be reached.
        """
        from invokeai_py_client.api.auth import AsyncAuthApi
        from invokeai_py_client.models import IvkUser

        require("the name to display", display_name=display_name)
        await self._account()
        record = await self.connection.part(AsyncAuthApi).update_current_user(
            display_name=display_name, expect={"user_id": str, "email": str}
        )
        return IvkUser.from_api_response(record)

    async def change_password(self, old_password: str, new_password: str) -> None:
        """Change the password of the user that this client is signed in as. Needs InvokeAI 6.12.

        Any signed-in user may call this. The server rejects all older tokens of the user from then on (6.14), so that
        other programs have to sign in again. This client goes on: it keeps the new password in memory, and waits for
        runs continue. If its token comes from a profile in the configuration file, the new token is saved there.

        Args:
            old_password: The current password.
            new_password: The new password.

        Raises:
            BadRequestError: The old password is wrong, or the new one is too weak.
            AuthenticationError: The client is not signed in.
            UsageError: A password is empty, or the server has no users.
            APIRequestError: The server failed, or could not be reached. The password was not changed, unless the error
                is a ``ConnectionLostError`` or a ``RequestTimeoutError`` and the server does not respond any more.
        """
        from invokeai_py_client.api.auth import AsyncAuthApi
        from invokeai_py_client.transport.secrets import hidden
        from invokeai_py_client.transport.settings import Credentials

        require("a password", old_password=old_password, new_password=new_password)
        old, new = hidden(old_password), hidden(new_password)
        del old_password, new_password  # keep them out of tracebacks that show variables
        user = await self._account()
        auth = self.connection.http.auth
        async with auth.changing_password():
            had = self.settings.credentials
            try:
                await self.connection.part(AsyncAuthApi).update_current_user(
                    current_password=old, new_password=new
                )
            except APIRequestError as error:
                remember_me = had is not None and had.remember_me
                if not await self._is_accepted(error, Credentials(user.email, str(new), remember_me)):
                    raise
                if had is None:
                    self.settings.credentials = None  # as before
            self.settings.use_password(str(new))
        self._keep_token()

    async def set_up(self, email: str, password: str, *, display_name: str | None = None) -> IvkUser:
        """Create the first administrator of a server with users, and sign in. Needs InvokeAI 6.12.

        Anyone may call this, as long as the server has no administrator.

        Args:
            email: The email address.
            password: The password.
            display_name: The name to display. Defaults to None.

        Returns:
            The administrator's record.

        Raises:
            BadRequestError: The server already has an administrator, or the password is too weak.
            PermissionDeniedError: The server has no users (single-user mode).
            UsageError: The email or the password is missing.
            APIRequestError: The server failed, or could not be reached.
        """
        from invokeai_py_client.api.auth import AsyncAuthApi
        from invokeai_py_client.transport.settings import credentials_of

        refuse_empty(display_name=display_name)
        credentials = credentials_of(email, password)
        del password
        if credentials is None:
            raise UsageError("Cannot create an administrator without an email and a password. Pass both.")
        try:
            await self.connection.part(AsyncAuthApi).setup_admin(
                email=credentials.email, password=credentials.password, display_name=display_name
            )
        except APIRequestError as error:
            if not await self._is_accepted(error, credentials):
                raise
        return await self.login(credentials.email, credentials.password)

    async def _account(self) -> IvkUser:
        """Return the user that this client is signed in as.

        Raises:
            UsageError: The server has no users.
        """
        user = await self.me()
        if user is None:
            raise UsageError(f"{self.url} has no user accounts: it runs in single-user mode.")
        return user

    async def _is_accepted(self, error: APIRequestError, credentials: Credentials) -> bool:
        """Return whether the server has carried out a request whose response was lost: it accepts the credentials."""
        from invokeai_py_client.transport.retry import is_unclear

        if not is_unclear(error):
            return False
        try:
            await self.connection.http.auth.sign_in(credentials)
        except APIRequestError as other:
            logger.info("could not sign in after a lost response: %s", other)
            return False
        return True

    def _keep_token(self) -> None:
        """Save a token that the server has renewed to the profile that the old token came from."""
        from invokeai_py_client.config import Profile, renew_profile

        known, token = self.connection.profile, self.settings.token
        if known is None or token is None or token == known.token:
            return
        renewed = Profile(known.name, known.url, token, known.email)
        try:
            if renew_profile(known, renewed):
                self.connection.profile = renewed
        except UsageError as error:
            logger.warning("The renewed token could not be saved: %s", error)

    # ------------------------------------------------------------------ opening and closing

    @face(ends_loop=True)
    async def close(self) -> None:
        """Close the connections. Does nothing if they are closed. If the client is used again, it opens new ones."""
        await self.disconnect_socketio()
        await self.connection.close()
        self._keep_token()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"connection": self.connection}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "settings" in state:  # pickled by a version without Connection
            connection = Connection.__new__(Connection)
            connection.__setstate__(state)
            state = {"connection": connection}
        self.connection = state["connection"]
        self._sockets = []

    def __repr__(self) -> str:
        return f"<AsyncInvokeAIClient of {self.url}>"


__getattr__ = old_names(__name__)  # InvokeAIClient
