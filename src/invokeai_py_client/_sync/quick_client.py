"""The commonest tasks in one call each."""

# Written by tools/generate_sync.py from src/invokeai_py_client/quick/client.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._sync.face import Face, unwrap
from invokeai_py_client.quick.client import AsyncQuickClient

if TYPE_CHECKING:
    from invokeai_py_client._sync.client import InvokeAIClient
    from invokeai_py_client.models import IvkImage


class QuickClient(Face[AsyncQuickClient]):
    """Whole tasks: the workflow, its inputs, the wait and the result.

    Whatever goes wrong is a ``ValueError``, too.

    Example:
        ```python
        quick = QuickClient(client)
        image = quick.generate_image_sdxl_t2i("a lighthouse at dusk", "blurry", 512, 512)
        print(image.image_name)
        ```
    """

    def __init__(self, client: InvokeAIClient) -> None:
        """Say whose server does the work.

        Args:
            client: A client.
        """
        self._impl = AsyncQuickClient(unwrap(client))
        self._impl.__dict__["_face"] = self

    def copy_image_to_board(self, image_name: str, target_board_id: str) -> IvkImage | None:
        """Make another image of an image, on a board.

        The server does it; nothing is downloaded. The copy has the image's pixels, its metadata and its
        workflow, and is of category GENERAL.

        Args:
            image_name: The image.
            target_board_id: The board's id; ``"none"`` for no board. The image may be on it already.

        Returns:
            The new image; None where somebody canceled it.

        Raises:
            UsageError: There is no such image, or no such board.
            QuickTaskError: The server failed, or could not be reached.
        """
        return self._call(self._impl.copy_image_to_board(image_name, target_board_id))

    def generate_image_sdxl_t2i(
        self,
        positive_prompt: str,
        negative_prompt: str,
        width: int,
        height: int,
        steps: int | None = None,
        model_name: str | None = None,
        scheduler: str | None = None,
        board_id: str | None = None,
    ) -> IvkImage | None:
        """Make an image of a text with an SDXL model, with a seed that nobody chose.

        Args:
            positive_prompt: What to see.
            negative_prompt: What not to see.
            width: In pixels; rounded to the nearest multiple of 8, as is the height.
            height: In pixels.
            steps: Of denoising; 30 by default.
            model_name: A part of the model's name, in any case. Where no name has it, and by default, the first
                SDXL model is taken.
            scheduler: The scheduler, by InvokeAI's name or another program's; ``dpmpp_3m_k`` by default.
            board_id: The board's id; no board by default.

        Returns:
            The image; None where somebody canceled the run.

        Raises:
            UsageError: A value that no server takes, a board that there is not, or no SDXL model.
            QuickTaskError: The server failed, or could not be reached.
        """
        return self._call(
            self._impl.generate_image_sdxl_t2i(
                positive_prompt, negative_prompt, width, height, steps, model_name, scheduler, board_id
            )
        )
