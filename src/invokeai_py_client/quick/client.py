"""The most common tasks in one call each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client._given import refuse_empty
from invokeai_py_client.engine.seeds import draw_seed
from invokeai_py_client.errors import InvokeAIClientError, QuickTaskError, RunCanceledError, UsageError
from invokeai_py_client.lookup import BOARDS
from invokeai_py_client.models import UNCATEGORIZED
from invokeai_py_client.quick.workflows import copy_image
from invokeai_py_client.run.batch_ids import new_batch_id
from invokeai_py_client.transport.retry import patient

if TYPE_CHECKING:
    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.image.record import AsyncIvkImage
    from invokeai_py_client.image.responses import ImageName
    from invokeai_py_client.lookup import BoardRef
    from invokeai_py_client.models import IvkDnnModel

_GRID = 8  # each latent of SDXL represents 8 x 8 pixels
_DEFAULTS = {"steps": 30, "cfg_scale": 7.5, "scheduler": "dpmpp_3m_k"}


class AsyncQuickClient(AsyncObject):
    """Complete tasks in one call: workflow, inputs, waiting and result.

    All its errors are also ``ValueError``.

    Example:
        ```python
        quick = AsyncQuickClient(client)
        image = await quick.generate_image_sdxl_t2i("a lighthouse at dusk", "blurry", 512, 512)
        print(image.image_name)
        ```
    """

    def __init__(self, client: AsyncInvokeAIClient) -> None:
        """Create a quick client.

        Args:
            client: The client whose server is used.
        """
        self.connection = client.connection
        self._areas = client

    async def copy_image_to_board(
        self, image_name: ImageName, target_board_id: BoardRef
    ) -> AsyncIvkImage | None:
        """Copy an image to a board.

        The server copies it, so nothing is downloaded. The copy has the same pixels, metadata and workflow, and the
        category GENERAL.

        Args:
            image_name: The image.
            target_board_id: The board, its id or its name; ``"none"`` for no board. The image may already be on this
                board.

        Returns:
            The copy, or None if the run was canceled.

        Raises:
            UsageError: The image or the board is not on the server.
            QuickTaskError: The server failed or was unreachable.
        """
        from invokeai_py_client.image.image import AsyncImage
        from invokeai_py_client.image.responses import name_of
        from invokeai_py_client.run.start import start_runs

        name = name_of(image_name)
        with _as_value_errors(f"Cannot copy image {name!r}"):
            board = await BOARDS.checked_id(self.connection, target_board_id)
            if await self._areas.board_repo.get_image_by_name(name) is None:
                raise UsageError(f"No image named {name!r}.")
            original = AsyncImage(self.connection, name)
            metadata, workflow = await original.metadata(), await original.workflow()
            schema = await self._areas.schema()
            wf = await self._areas.workflow_repo.create_workflow(copy_image(schema))
            body = await wf.enqueue_request({"save.image": name, "save.board": _board_value(board)})
            # The copy's workflow and metadata describe how the image was made, not how it was copied.
            batch: dict[str, Any] = body["batch"]
            batch.update(batch_id=new_batch_id(), workflow=workflow)
            if metadata:
                batch["graph"]["nodes"]["save"]["metadata"] = metadata
            (run,) = await start_runs(self.connection, body, wf.inputs)
            try:
                await run.result()
            except RunCanceledError:
                return None
            return await self._first_image([image.name for image in run.images])

    async def generate_image_sdxl_t2i(
        self,
        positive_prompt: str,
        negative_prompt: str,
        width: int,
        height: int,
        steps: int | None = None,
        model_name: str | None = None,
        scheduler: str | None = None,
        board_id: BoardRef | None = None,
    ) -> AsyncIvkImage | None:
        """Generate an image from a text with an SDXL model and a random seed.

        Args:
            positive_prompt: The prompt.
            negative_prompt: The negative prompt.
            width: Width in pixels, rounded to the nearest multiple of 8.
            height: Height in pixels, rounded to the nearest multiple of 8.
            steps: Number of denoising steps. Defaults to 30.
            model_name: A part of the model's name, ignoring case. Defaults to the first SDXL model, which is also
                used if no name matches.
            scheduler: The scheduler, by InvokeAI's name or that of another program. Defaults to ``"dpmpp_3m_k"``.
            board_id: The board, its id or its name. Defaults to no board.

        Returns:
            The image, or None if the run was canceled.

        Raises:
            UsageError: A value is not valid or empty, the board is not on the server, or the server has no SDXL model.
            QuickTaskError: The server failed or was unreachable.
        """
        refuse_empty(model_name=model_name, scheduler=scheduler)
        with _as_value_errors("Cannot generate the image"):
            board = UNCATEGORIZED if board_id is None else await BOARDS.checked_id(self.connection, board_id)
            wf = await self._areas.workflow_repo.image_workflow(await self._sdxl_model(model_name))
            values = {
                **_DEFAULTS,
                "positive_prompt": positive_prompt,
                "negative_prompt": negative_prompt,
                "width": _on_grid(width),
                "height": _on_grid(height),
                "board": _board_value(board),
                "seed": draw_seed(),
            }
            given = {"steps": steps, "scheduler": scheduler}
            wf.set(values | {name: value for name, value in given.items() if value is not None})
            try:
                run = await wf.run(progress=False)
            except RunCanceledError:
                return None
            return await self._first_image([image.name for image in run.images])

    # ------------------------------------------------------------------ internals

    async def _sdxl_model(self, name: str | None) -> IvkDnnModel:
        models = await self._areas.dnn_model_repo.list_models(base="sdxl", type="main")
        if not models:
            raise UsageError("The server has no SDXL main model. Install one with install_model().")
        wanted = (name or "").casefold()
        return next((model for model in models if wanted in model.name.casefold()), models[0])

    @patient
    async def _first_image(self, names: list[str]) -> AsyncIvkImage | None:
        return await self._areas.image_repo.get_image(names[0]) if names else None

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_areas" not in state:  # pickled by a version without connections
            from invokeai_py_client.client import AsyncInvokeAIClient

            self._areas = AsyncInvokeAIClient.__new__(AsyncInvokeAIClient)
            self._areas.__setstate__({"connection": self.connection})

    def __repr__(self) -> str:
        return f"<AsyncQuickClient of {self.connection.url}>"


def _board_value(board_id: str) -> Any:
    """Return the value of a board field. Only a dict is certain to be an id and not a name."""
    return board_id if board_id == UNCATEGORIZED else {"board_id": board_id}


def _on_grid(pixels: int) -> int:
    try:
        return max(_GRID, round(pixels / _GRID) * _GRID)
    except TypeError:
        raise UsageError(f"Invalid width or height {pixels!r}: expected a whole number of pixels.") from None


@contextmanager
def _as_value_errors(what: str) -> Generator[None]:
    try:
        yield
    except InvokeAIClientError as error:
        if isinstance(error, ValueError):
            raise
        raise QuickTaskError(f"{what}: {error}") from error
