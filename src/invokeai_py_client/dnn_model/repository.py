"""Models on the server, through its model manager (``/api/v2/models``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._given import refuse_empty
from invokeai_py_client.connection import Resource
from invokeai_py_client.dnn_model.install import ended_or_error, raise_first
from invokeai_py_client.dnn_model.start import (
    already_installed,
    looks_like_repository,
    server_path,
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
from invokeai_py_client.lookup import MODELS
from invokeai_py_client.models import (
    BaseModelEnum,
    FoundModel,
    IvkDnnModel,
    ModelCacheStats,
    ModelInstJobInfo,
    StarterModel,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.transport.payload import id_number, route
from invokeai_py_client.transport.secrets import Hidden

if TYPE_CHECKING:
    import os

    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
    from invokeai_py_client.lookup import ModelRef

_MODELS = "/api/v2/models"
# The server responds to conversions and scans only when they are done.
_LONG = 1800.0


class AsyncDnnModelRepository(Resource):
    """The models on a server. Nothing is cached: every call sends a request.

    Example:
        ```python
        job = await client.models.install_model("models/watercolor.safetensors")
        info = await job.wait_until()
        model = await client.models.get_model_by_key(info.model_key)
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
        """List the records of all models.

        Args:
            base: Only models of this architecture. Defaults to all.
            type: Only models of this type: ``main``, ``lora``... Defaults to all.
            name: Only models with exactly this name. Defaults to all.
            format: Only models of this format: ``diffusers``, ``checkpoint``... Defaults to all.

        Raises:
            UsageError: A filter is an empty text.
        """
        refuse_empty(base=base, type=type, name=name, format=format)
        params = {
            "base_models": None if base is None else str(BaseModelEnum.parse(base)),
            "model_type": type,
            "model_name": name,
            "model_format": format,
        }
        response = as_mapping(await self._json("GET", f"{_MODELS}/", params=params))
        return [IvkDnnModel.from_api_response(record) for record in response.get("models") or ()]

    async def get_model(self, model: ModelRef) -> IvkDnnModel:
        """Return a model's record.

        Args:
            model: A record, a name, or a key. An exact name takes precedence over a key, and a key over a name in
                another case.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
        """
        return await MODELS.get(self.connection, model)

    async def find_model(self, model: ModelRef) -> IvkDnnModel | None:
        """Return a model's record, as ``get_model()`` does, or None if it is not on the server.

        Raises:
            ModelNotFoundError: Several models have this name.
        """
        return await MODELS.find(self.connection, model)

    async def get_model_by_key(self, key: str) -> IvkDnnModel | None:
        """Return a model's record, or None if no model has this key."""
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

        If the source is already installed, nothing is installed. The returned handle is completed, with
        ``info.extra["reason"] == "already_installed"``.

        Args:
            source: A file or folder on the server's machine, a URL, or a repository on Hugging Face
                (``owner/name``, ``owner/name:fp16``, ``owner/name:fp16:subfolder``).
            config: Properties that override those that the server detects: ``name``, ``description``...
            inplace: Whether to leave a file or folder in its place. Defaults to True. **If False, the server moves
                it** into its models folder, and deletes it when the model is deleted.
            access_token: The token for sources that require one.

        Raises:
            ModelInstallStartError: The server did not start the installation, for example because it cannot
                identify the source.
        """
        refuse_empty(access_token=access_token)
        text = source_text(source)
        return await self._install(text, config, inplace, access_token, await self.list_models())

    async def install_models(
        self,
        sources: Iterable[str | os.PathLike[str]],
        *,
        inplace: bool | None = None,
        access_token: str | None = None,
    ) -> list[AsyncModelInstJobHandle]:
        """Start the installation of several models, as ``install_model()`` does for one.

        A source that cannot be installed does not affect the others: if the server does not start an
        installation, its handle has a failed job.

        Args:
            sources: Files, folders, URLs or repositories.
            inplace: Whether to leave files in their place. Defaults to True; see ``install_model()``.
            access_token: The token for sources that require one.

        Returns:
            A handle for each source, in their order. Pass them to ``wait_all()`` to wait for them.
        """
        refuse_empty(access_token=access_token)
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
        """Wait until several installations are complete.

        Args:
            jobs: Handles, such as those returned by ``install_models()``.
            timeout: Seconds to wait for all of them. Defaults to no limit.
            poll_interval: Seconds between two polls if no events arrive. Defaults to 2.
            check: Whether to raise an error if an installation failed, once all are complete. If False, the
                returned jobs have the errors. Defaults to True.
            on_progress: Called with a job after each change, in the caller's thread or event loop.

        Returns:
            The jobs, in the order of the handles.

        Raises:
            ModelInstallJobFailed: At least one installation failed or was canceled. The error describes the first.
            ModelInstallTimeout: Some installations are still running after ``timeout`` seconds. The error describes
                the first.
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
            repo_id: ``owner/name``, with an optional variant and subfolder (``owner/name:fp16:vae``).
            config: Properties that override those that the server detects.
            access_token: The token for repositories that require one.

        Raises:
            UsageError: The argument is not a repository id.
            ModelInstallStartError: The server did not start the installation.
        """
        if not looks_like_repository(repo_id):
            raise UsageError(f"Invalid Hugging Face repository {repo_id!r}: expected owner/name.")
        return await self.install_model(repo_id, config=config, access_token=access_token)

    # ------------------------------------------------------------------ starter models

    async def list_starter_models(
        self, *, base: BaseModelEnum | str | None = None, type: str | None = None
    ) -> list[StarterModel]:
        """List the starter models of the server's version of InvokeAI, and whether each is installed.

        Args:
            base: Only models of this architecture. Defaults to all.
            type: Only models of this type: ``main``, ``lora``... Defaults to all.

        Raises:
            UsageError: A filter is an empty text.
        """
        refuse_empty(base=base, type=type)
        response = await self._json("GET", f"{_MODELS}/starter_models", expect={"starter_models": list})
        models = [StarterModel.from_api_response(record) for record in response["starter_models"]]
        wanted = None if base is None else BaseModelEnum.parse(base)
        return [model for model in models if wanted in (None, model.base) and type in (None, model.type)]

    async def install_starter_model(
        self, name: str | StarterModel, *, access_token: str | None = None
    ) -> list[AsyncModelInstJobHandle]:
        """Start the installation of a starter model and the models that it depends on.

        Args:
            name: The model's name or source, or an element of ``list_starter_models()``.
            access_token: The token for models that require their users to accept a license.

        Returns:
            A handle for each model: dependencies first, the model itself last. Models that are already installed
            have completed jobs. Pass the handles to ``wait_all()`` to wait for them.

        Raises:
            ModelNotFoundError: No starter model has this name, or several do.
            ModelInstallStartError: The server did not start an installation.
        """
        refuse_empty(name=name, access_token=access_token)
        model = name if isinstance(name, StarterModel) else starter(await self.list_starter_models(), name)
        known = await self.list_models()
        jobs: list[AsyncModelInstJobHandle] = []
        for item in (*model.dependencies, model):
            installed = installed_starter(item, known)
            if installed is not None:
                jobs.append(self._handle(already_installed(item.source, installed)))
                continue
            jobs.append(await self._install(item.source, starter_config(item), None, access_token, known))
        return jobs

    # ------------------------------------------------------------------ installation jobs

    async def list_install_jobs(self) -> list[AsyncModelInstJobHandle]:
        """List the installation jobs since the server started, oldest first, without those that were pruned."""
        response = await self._json("GET", f"{_MODELS}/install", expect=list)
        return [self._handle(ModelInstJobInfo.from_api_response(job)) for job in response]

    async def get_install_job(self, id: int) -> AsyncModelInstJobHandle | None:
        """Return an installation job, or None if the server has no job with this id.

        Raises:
            UsageError: The id is not a whole number.
        """
        number = id_number(id, "installation")
        try:
            response = await self._json(
                "GET", route("/api/v2/models/install/{installation}", installation=number)
            )
        except NotFoundError:
            return None
        return self._handle(ModelInstJobInfo.from_api_response(response))

    async def prune_install_jobs(self) -> bool:
        """Remove completed, failed and canceled jobs from the server's list of installations.

        Returns:
            Always True. Failures raise an error.
        """
        await self._json("DELETE", f"{_MODELS}/install")
        return True

    # ------------------------------------------------------------------ changing

    async def convert_model(self, key: ModelRef) -> IvkDnnModel:
        """Permanently convert a checkpoint to the diffusers format. Only for SD-1, SD-2 and SDXL main models.

        Args:
            key: The model: a record, a key, or a name.

        Returns:
            The converted model. It has a new key.

        Raises:
            BadRequestError: The model cannot be converted.
            ConflictError: Another conversion is running, or the model is in use.
            ModelNotFoundError: The model is not on the server, or several models have this name.
        """

        async def convert(key: str) -> IvkDnnModel:
            try:
                response = await self._json(
                    "PUT", route("/api/v2/models/convert/{model}", model=key), timeout=_LONG, idempotent=False
                )
            except APIRequestError as error:
                if error.status_code == 424:  # the server's response if the model does not exist
                    raise NotFoundError(
                        424, error.payload, str(error), method=error.method, path=error.path
                    ) from None
                raise
            return IvkDnnModel.from_api_response(response)

        return await MODELS.call(self.connection, key, convert)

    async def delete_model(self, key: ModelRef) -> bool:
        """Uninstall a model. Its files are deleted as well if they are in the server's models folder.

        Args:
            key: The model: a record, a key, or a name.

        Returns:
            Whether the model existed.

        Raises:
            ModelNotFoundError: Several models have this name.
        """
        return await MODELS.call_if_found(self.connection, key, self._delete)

    async def delete_all_models(self) -> dict[str, Any]:
        """Uninstall all models. A failure does not stop the others.

        Returns:
            A dict with ``total`` (the number of models), ``deleted`` (the keys of the deleted models) and ``failed``
            (key and error of the others).
        """
        keys = [model.key for model in await self.list_models()]
        deleted: list[str] = []
        failed: list[dict[str, str]] = []
        for key in keys:
            try:
                await self._delete(key)
            except NotFoundError:
                pass  # someone else deleted it in the meantime
            except APIRequestError as error:
                if error.status_code is None:
                    raise
                failed.append({"key": key, "error": str(error)})
                continue
            deleted.append(key)
        return {"total": len(keys), "deleted": deleted, "failed": failed}

    # ------------------------------------------------------------------ folders and cache

    async def scan_folder(self, scan_path: str | os.PathLike[str]) -> list[FoundModel]:
        """List the models in a folder on the server's machine.

        Args:
            scan_path: The folder. ``~`` and paths that exist on this machine are made absolute.

        Raises:
            UsageError: The path is empty, or starts with ``~`` and the home directory is unknown.
            BadRequestError: The folder does not exist on the server's machine.
        """
        refuse_empty(scan_path=scan_path)
        params = {"scan_path": server_path(scan_path)}
        response = await self._json(
            "GET", f"{_MODELS}/scan_folder", params=params, timeout=_LONG, expect=list
        )
        return [FoundModel.from_api_response(found) for found in response]

    async def empty_model_cache(self) -> bool:
        """Remove models that are not in use from the server's memory.

        Returns:
            Always True. Failures raise an error.
        """
        await self._json("POST", f"{_MODELS}/empty_model_cache", idempotent=True)
        return True

    async def get_stats(self) -> ModelCacheStats | None:
        """Return statistics of the server's model cache, or None if no model was loaded yet."""
        response = await self._json("GET", f"{_MODELS}/stats")
        return None if response is None else ModelCacheStats.from_api_response(response)

    # ------------------------------------------------------------------ Hugging Face

    async def hf_status(self) -> str:
        """Return the state of the server's Hugging Face token: ``valid``, ``invalid`` (or not set), or ``unknown``."""
        return str(await self._json("GET", f"{_MODELS}/hf_login"))

    async def hf_login(self, token: str) -> str:
        """Set the server's Hugging Face token.

        Returns:
            The token's state: ``valid``, ``invalid``, or ``unknown`` if it could not be checked.
        """
        refuse_empty(token=token)
        return str(await self._json("POST", f"{_MODELS}/hf_login", json=Hidden(token=token), idempotent=True))

    async def hf_logout(self) -> str:
        """Remove the server's Hugging Face token.

        Returns:
            The state, as in ``hf_status()``.
        """
        return str(await self._json("DELETE", f"{_MODELS}/hf_login"))

    # ------------------------------------------------------------------ internals

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
            # After an internal error (a record that it cannot read) the server closes the connection, and the next
            # request on it fails. Check the model's record to see whether the server has processed the request.
            if await self.get_model_by_key(key) is not None:
                await self._json("DELETE", _path(key), idempotent=False)

    def _handle(self, info: ModelInstJobInfo) -> AsyncModelInstJobHandle:
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        return AsyncModelInstJobHandle(self, info)


def _path(key: str) -> str:
    return route("/api/v2/models/i/{model}", model=key)
