"""Models on the server, by its model manager (``/api/v2/models``)."""

# Written by tools/generate_sync.py from src/invokeai_py_client/dnn_model/repository.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, unwrap, wrap
from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from invokeai_py_client._sync.dnn_model_install import ModelInstJobHandle
    from invokeai_py_client.models import (
        BaseModelEnum,
        FoundModel,
        IvkDnnModel,
        ModelCacheStats,
        ModelInstJobInfo,
        StarterModel,
    )


class DnnModelRepository(Face[AsyncDnnModelRepository]):
    """The models of a server. Nothing is kept here: every call asks the server.

    Example:
        ```python
        job = client.dnn_model_repo.install_model("models/watercolor.safetensors")
        info = job.wait_until()
        model = client.dnn_model_repo.get_model_by_key(info.model_key)
        ```
    """

    def list_models(
        self,
        *,
        base: BaseModelEnum | str | None = None,
        type: str | None = None,
        name: str | None = None,
        format: str | None = None,
    ) -> list[IvkDnnModel]:
        """The records of all models.

        Args:
            base: Only those of this architecture.
            type: Only those of this type: ``main``, ``lora``...
            name: Only those of exactly this name.
            format: Only those of this format: ``diffusers``, ``checkpoint``...
        """
        return self._call(self._impl.list_models(base=base, type=type, name=name, format=format))

    def get_model_by_key(self, key: str) -> IvkDnnModel | None:
        """A model's record; None where the server has no such model."""
        return self._call(self._impl.get_model_by_key(key))

    def install_model(
        self,
        source: str | os.PathLike[str],
        *,
        config: Mapping[str, Any] | None = None,
        inplace: bool | None = None,
        access_token: str | None = None,
    ) -> ModelInstJobHandle:
        """Start the installation of a model.

        A source that is installed already is left alone: the handle says completed at once, with
        ``info.extra["reason"] == "already_installed"``.

        Args:
            source: A file or folder on the server's machine, a URL, or a repository on Hugging Face
                (``owner/name``, ``owner/name:fp16``, ``owner/name:fp16:subfolder``).
            config: What to say of the model instead of what the server finds: ``name``, ``description``...
            inplace: Whether a file or folder stays where it is; by default it does. **With False the server
                moves it** into its own folder, where deleting the model deletes the file too.
            access_token: For sources that want one.

        Raises:
            ModelInstallStartError: The server did not start it: it cannot make out the source, say.
        """
        return wrap(
            self._call(
                self._impl.install_model(source, config=config, inplace=inplace, access_token=access_token)
            )
        )

    def install_models(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        inplace: bool | None = None,
        access_token: str | None = None,
    ) -> list[ModelInstJobHandle]:
        """Start the installation of several models, as ``install_model()`` does for each.

        One bad source does not keep the others from being installed: where the server refuses to start, the
        handle is one of a job that failed.

        Args:
            sources: What to install.
            inplace: As for one model: files stay where they are, unless this is False.
            access_token: For sources that want one.

        Returns:
            A handle for each source, in their order. ``wait_all()`` waits for them.
        """
        return wrap(
            self._call(self._impl.install_models(sources, inplace=inplace, access_token=access_token))
        )

    def wait_all(
        self,
        jobs: Sequence[ModelInstJobHandle],
        timeout: float | None = None,
        poll_interval: float = 2.0,
        *,
        check: bool = True,
        on_progress: Callable[[ModelInstJobInfo], object] | None = None,
    ) -> list[ModelInstJobInfo]:
        """Wait until several installations have ended.

        Args:
            jobs: Handles, of ``install_models()`` or of several calls.
            timeout: Seconds to wait at most for all of them; for ever by default.
            poll_interval: As for one installation.
            check: Whether failed ones raise, once all have ended. With False their infos say it.
            on_progress: Called with a job's info whenever it got further, in the caller's thread or event loop.

        Returns:
            What became of each, in the order of the handles.

        Raises:
            ModelInstallJobFailed: At least one ended without a model; the error is about the first of these.
            ModelInstallTimeout: Some go on after ``timeout`` seconds; the error is about the first of these.
        """
        return self._call(
            self._impl.wait_all(unwrap(jobs), timeout, poll_interval, check=check, on_progress=on_progress)
        )

    def install_huggingface(
        self, repo_id: str, *, config: Mapping[str, Any] | None = None, access_token: str | None = None
    ) -> ModelInstJobHandle:
        """Start the installation of a model from Hugging Face.

        Args:
            repo_id: ``owner/name``, with a variant and a subfolder or not (``owner/name:fp16:vae``).
            config: What to say of the model instead of what the server finds.
            access_token: For repositories that want one.

        Raises:
            UsageError: That is not the id of a repository.
            ModelInstallStartError: The server did not start it.
        """
        return wrap(
            self._call(self._impl.install_huggingface(repo_id, config=config, access_token=access_token))
        )

    def list_starter_models(
        self, *, base: BaseModelEnum | str | None = None, type: str | None = None
    ) -> list[StarterModel]:
        """The models that the server's version of InvokeAI proposes, and whether it has them.

        Args:
            base: Only those of this architecture.
            type: Only those of this type: ``main``, ``lora``...
        """
        return self._call(self._impl.list_starter_models(base=base, type=type))

    def install_starter_model(
        self, name: str | StarterModel, *, access_token: str | None = None
    ) -> list[ModelInstJobHandle]:
        """Start the installation of a proposed model, and of what it needs besides.

        Args:
            name: Its name or its source, or an element of ``list_starter_models()``.
            access_token: For models that their owners give only to those who agreed to something.

        Returns:
            A handle for each model: those it needs first, itself last. ``wait_all()`` waits for them.
            What the server has already counts as completed.

        Raises:
            ModelNotFoundError: InvokeAI proposes no such model, or several of that name.
            ModelInstallStartError: The server did not start one of them.
        """
        return wrap(self._call(self._impl.install_starter_model(name, access_token=access_token)))

    def list_install_jobs(self) -> list[ModelInstJobHandle]:
        """The installations since the server started, pruned ones left out, oldest first."""
        return wrap(self._call(self._impl.list_install_jobs()))

    def get_install_job(self, id: int) -> ModelInstJobHandle | None:
        """One installation; None where the server knows no such job."""
        return wrap(self._call(self._impl.get_install_job(id)))

    def prune_install_jobs(self) -> bool:
        """Have the server forget installations that have ended.

        Returns:
            True; whatever hinders it raises.
        """
        return self._call(self._impl.prune_install_jobs())

    def convert_model(self, key: str) -> IvkDnnModel:
        """Convert a checkpoint to the diffusers format, for good. SD-1, SD-2 and SDXL main models only.

        Returns:
            The converted model. Its key is a new one.

        Raises:
            BadRequestError: The model is not of a kind that can be converted.
            ConflictError: The server is at another conversion, or the model is in use.
            NotFoundError: The server has no such model.
        """
        return self._call(self._impl.convert_model(key))

    def delete_model(self, key: str) -> bool:
        """Remove a model. Its files go too where they are in the server's own folder.

        Returns:
            Whether there was such a model.
        """
        return self._call(self._impl.delete_model(key))

    def delete_all_models(self) -> dict[str, Any]:
        """Remove all models, as far as that goes.

        Returns:
            ``total``, how many there were; ``deleted``, the keys of those removed; ``failed``, key and error
            of the others.
        """
        return self._call(self._impl.delete_all_models())

    def scan_folder(self, scan_path: str | os.PathLike[str]) -> list[FoundModel]:
        """The models in a folder on the server's machine.

        Raises:
            BadRequestError: The server has no such folder.
        """
        return self._call(self._impl.scan_folder(scan_path))

    def empty_model_cache(self) -> bool:
        """Have the server drop models from memory, those in use excepted.

        Returns:
            True; whatever hinders it raises.
        """
        return self._call(self._impl.empty_model_cache())

    def get_stats(self) -> ModelCacheStats | None:
        """What the server's model cache did; None where it has nothing to tell."""
        return self._call(self._impl.get_stats())

    def hf_status(self) -> str:
        """The state of the server's token for Hugging Face: ``valid``, ``invalid`` (or none), ``unknown``."""
        return self._call(self._impl.hf_status())

    def hf_login(self, token: str) -> str:
        """Give the server a token for Hugging Face.

        Returns:
            What has become of it: ``valid``, ``invalid``, or ``unknown`` where it could not be checked.
        """
        return self._call(self._impl.hf_login(token))

    def hf_logout(self) -> str:
        """Have the server forget its token for Hugging Face.

        Returns:
            As ``hf_status()``.
        """
        return self._call(self._impl.hf_logout())
