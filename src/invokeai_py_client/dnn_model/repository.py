"""Models on the server, by its model manager (``/api/v2/models``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.connection import Resource
from invokeai_py_client.dnn_model.install import ended_or_error, raise_first
from invokeai_py_client.dnn_model.start import (
    already_installed,
    looks_like_repository,
    source_text,
    start,
    start_each,
)
from invokeai_py_client.dnn_model.starters import installed_starter, starter, starter_config
from invokeai_py_client.errors import (
    APIRequestError,
    ConnectionLostError,
    NotFoundError,
    UsageError,
)
from invokeai_py_client.models import (
    BaseModelEnum,
    FoundModel,
    IvkDnnModel,
    ModelCacheStats,
    ModelInstJobInfo,
    StarterModel,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.payload import path_part
from invokeai_py_client.transport.secrets import Hidden

if TYPE_CHECKING:
    import os

    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

_MODELS = "/api/v2/models"
# Converting and scanning answer only when done.
_LONG = 1800.0


class AsyncDnnModelRepository(Resource):
    """The models of a server. Nothing is kept here: every call asks the server.

    Example:
        ```python
        job = await client.dnn_model_repo.install_model("models/watercolor.safetensors")
        info = await job.wait_until()
        model = await client.dnn_model_repo.get_model_by_key(info.model_key)
        ```
    """

    async def list_models(
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
        params = {
            "base_models": None if base is None else str(BaseModelEnum.parse(base)),
            "model_type": type,
            "model_name": name,
            "model_format": format,
        }
        answer = as_mapping(await self._json("GET", f"{_MODELS}/", params=params))
        return [IvkDnnModel.from_api_response(record) for record in answer.get("models") or ()]

    async def get_model_by_key(self, key: str) -> IvkDnnModel | None:
        """A model's record; None where the server has no such model."""
        try:
            return IvkDnnModel.from_api_response(await self._json("GET", _path(key)))
        except NotFoundError:
            return None

    # ------------------------------------------------------------------ installing

    async def install_model(
        self,
        source: str | os.PathLike[str],
        *,
        config: Mapping[str, Any] | None = None,
        inplace: bool | None = None,
        access_token: str | None = None,
    ) -> AsyncModelInstJobHandle:
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
        text = source_text(source)
        return await self._install(text, config, inplace, access_token, await self.list_models())

    async def install_models(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        inplace: bool | None = None,
        access_token: str | None = None,
    ) -> list[AsyncModelInstJobHandle]:
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
        texts = [source_text(source) for source in sources]
        known = await self.list_models() if texts else []
        infos = await start_each(self, texts, inplace, access_token, known)
        return [self._handle(info) for info in infos]

    async def wait_all(
        self,
        jobs: Sequence[AsyncModelInstJobHandle],
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
        ended = await gather_or_cancel(
            ended_or_error(job, timeout, poll_interval, on_progress=on_progress) for job in jobs
        )
        raise_first(ended, check=check)
        return [job.info for job in jobs]

    async def install_huggingface(
        self,
        repo_id: str,
        *,
        config: Mapping[str, Any] | None = None,
        access_token: str | None = None,
    ) -> AsyncModelInstJobHandle:
        """Start the installation of a model from Hugging Face.

        Args:
            repo_id: ``owner/name``, with a variant and a subfolder or not (``owner/name:fp16:vae``).
            config: What to say of the model instead of what the server finds.
            access_token: For repositories that want one.

        Raises:
            UsageError: That is not the id of a repository.
            ModelInstallStartError: The server did not start it.
        """
        if not looks_like_repository(repo_id):
            raise UsageError(f"{repo_id!r} is not a repository on Hugging Face; it should be owner/name.")
        return await self.install_model(repo_id, config=config, access_token=access_token)

    # ------------------------------------------------------------------ models to begin with

    async def list_starter_models(
        self, *, base: BaseModelEnum | str | None = None, type: str | None = None
    ) -> list[StarterModel]:
        """The models that the server's version of InvokeAI proposes, and whether it has them.

        Args:
            base: Only those of this architecture.
            type: Only those of this type: ``main``, ``lora``...
        """
        answer = await self._json("GET", f"{_MODELS}/starter_models", expect={"starter_models": list})
        models = [StarterModel.from_api_response(one) for one in answer["starter_models"]]
        wanted = None if base is None else BaseModelEnum.parse(base)
        return [one for one in models if wanted in (None, one.base) and type in (None, one.type)]

    async def install_starter_model(
        self, name: str | StarterModel, *, access_token: str | None = None
    ) -> list[AsyncModelInstJobHandle]:
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
        model = name if isinstance(name, StarterModel) else starter(await self.list_starter_models(), name)
        known = await self.list_models()
        jobs: list[AsyncModelInstJobHandle] = []
        for one in (*model.dependencies, model):
            there = installed_starter(one, known)
            if there is not None:
                jobs.append(self._handle(already_installed(one.source, there)))
                continue
            jobs.append(await self._install(one.source, starter_config(one), None, access_token, known))
        return jobs

    # ------------------------------------------------------------------ installations

    async def list_install_jobs(self) -> list[AsyncModelInstJobHandle]:
        """The installations since the server started, pruned ones left out, oldest first."""
        answer = await self._json("GET", f"{_MODELS}/install", expect=list)
        return [self._handle(ModelInstJobInfo.from_api_response(job)) for job in answer]

    async def get_install_job(self, id: int) -> AsyncModelInstJobHandle | None:
        """One installation; None where the server knows no such job."""
        try:
            answer = await self._json("GET", f"{_MODELS}/install/{int(id)}")
        except NotFoundError:
            return None
        return self._handle(ModelInstJobInfo.from_api_response(answer))

    async def prune_install_jobs(self) -> bool:
        """Have the server forget installations that have ended.

        Returns:
            True; whatever hinders it raises.
        """
        await self._json("DELETE", f"{_MODELS}/install")
        return True

    # ------------------------------------------------------------------ changing

    async def convert_model(self, key: str) -> IvkDnnModel:
        """Convert a checkpoint to the diffusers format, for good. SD-1, SD-2 and SDXL main models only.

        Returns:
            The converted model. Its key is a new one.

        Raises:
            BadRequestError: The model is not of a kind that can be converted.
            ConflictError: The server is at another conversion, or the model is in use.
            NotFoundError: The server has no such model.
        """
        try:
            answer = await self._json(
                "PUT", f"{_MODELS}/convert/{path_part(key, 'a model')}", timeout=_LONG, idempotent=False
            )
        except APIRequestError as error:
            if error.status_code == 424:  # what the server says of a model that it does not have
                raise NotFoundError(
                    424, error.payload, str(error), method=error.method, path=error.path
                ) from None
            raise
        return IvkDnnModel.from_api_response(answer)

    async def delete_model(self, key: str) -> bool:
        """Remove a model. Its files go too where they are in the server's own folder.

        Returns:
            Whether there was such a model.
        """
        try:
            await self._delete(key)
        except NotFoundError:
            return False
        return True

    async def delete_all_models(self) -> dict[str, Any]:
        """Remove all models, as far as that goes.

        Returns:
            ``total``, how many there were; ``deleted``, the keys of those removed; ``failed``, key and error
            of the others.
        """
        keys = [model.key for model in await self.list_models()]
        deleted: list[str] = []
        failed: list[dict[str, str]] = []
        for key in keys:
            try:
                await self._delete(key)
            except NotFoundError:
                pass  # somebody else removed it meanwhile: it is gone, as it should be
            except APIRequestError as error:
                if error.status_code is None:
                    raise
                failed.append({"key": key, "error": str(error)})
                continue
            deleted.append(key)
        return {"total": len(keys), "deleted": deleted, "failed": failed}

    # ------------------------------------------------------------------ looking around

    async def scan_folder(self, scan_path: str | os.PathLike[str]) -> list[FoundModel]:
        """The models in a folder on the server's machine.

        Raises:
            BadRequestError: The server has no such folder.
        """
        answer = await self._json(
            "GET", f"{_MODELS}/scan_folder", params={"scan_path": str(scan_path)}, timeout=_LONG, expect=list
        )
        return [FoundModel.from_api_response(found) for found in answer]

    async def empty_model_cache(self) -> bool:
        """Have the server drop models from memory, those in use excepted.

        Returns:
            True; whatever hinders it raises.
        """
        await self._json("POST", f"{_MODELS}/empty_model_cache", idempotent=True)
        return True

    async def get_stats(self) -> ModelCacheStats | None:
        """What the server's model cache did; None where it has nothing to tell."""
        answer = await self._json("GET", f"{_MODELS}/stats")
        return None if answer is None else ModelCacheStats.from_api_response(answer)

    # ------------------------------------------------------------------ Hugging Face

    async def hf_status(self) -> str:
        """The state of the server's token for Hugging Face: ``valid``, ``invalid`` (or none), ``unknown``."""
        return str(await self._json("GET", f"{_MODELS}/hf_login"))

    async def hf_login(self, token: str) -> str:
        """Give the server a token for Hugging Face.

        Returns:
            What has become of it: ``valid``, ``invalid``, or ``unknown`` where it could not be checked.
        """
        return str(await self._json("POST", f"{_MODELS}/hf_login", json=Hidden(token=token), idempotent=True))

    async def hf_logout(self) -> str:
        """Have the server forget its token for Hugging Face.

        Returns:
            As ``hf_status()``.
        """
        return str(await self._json("DELETE", f"{_MODELS}/hf_login"))

    # ------------------------------------------------------------------ inside

    async def _install(
        self,
        source: str,
        config: Mapping[str, Any] | None,
        inplace: bool | None,
        access_token: str | None,
        known: Iterable[IvkDnnModel],
    ) -> AsyncModelInstJobHandle:
        return self._handle(await start(self, source, config, inplace, access_token, known))

    async def _delete(self, key: str) -> None:
        try:
            await self._json("DELETE", _path(key), idempotent=False)
        except ConnectionLostError:
            # After an error of its own (a record that it cannot read) the server closes the connection, which
            # shows when the next request uses it. Whether that one was heard, the model's record tells.
            if await self.get_model_by_key(key) is not None:
                await self._json("DELETE", _path(key), idempotent=False)

    def _handle(self, info: ModelInstJobInfo) -> AsyncModelInstJobHandle:
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        return AsyncModelInstJobHandle(self, info)


def _path(key: str) -> str:
    return f"{_MODELS}/i/{path_part(key, 'a model')}"
