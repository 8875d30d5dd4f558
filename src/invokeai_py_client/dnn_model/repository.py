"""Models on the server, by its model manager (``/api/v2/models``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._base import AsyncObject
from invokeai_py_client.dnn_model.installed import already_installed, looks_like_repository, model_of_source
from invokeai_py_client.errors import (
    APIRequestError,
    AuthenticationError,
    ModelInstallStartError,
    NotFoundError,
    PermissionDeniedError,
    UsageError,
)
from invokeai_py_client.models import (
    BaseModelEnum,
    FoundModel,
    IvkDnnModel,
    ModelCacheStats,
    ModelInstJobInfo,
)
from invokeai_py_client.models.base import as_mapping
from invokeai_py_client.routes import path_part

if TYPE_CHECKING:
    import os

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

_MODELS = "/api/v2/models"
# Converting and scanning answer only when done.
_LONG = 1800.0


class AsyncDnnModelRepository(AsyncObject):
    """The models of a server. Nothing is kept here: every call asks the server.

    Example:
        job = await client.dnn_model_repo.install_huggingface("owner/name")
        info = await job.wait_until()
        model = await client.dnn_model_repo.get_model_by_key(info.model_key)
    """

    def __init__(self, client: AsyncInvokeAIClient) -> None:
        self._client = client

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
            inplace: Whether a local model stays where it is. **By default the server moves it** into its
                own folder.
            access_token: For sources that want one.

        Raises:
            ModelInstallStartError: The server did not start it: it cannot make out the source, say.
        """
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        text = str(source)
        if not text.strip():
            raise UsageError("install_model: the source is empty; give a path, a URL or owner/name.")
        known = model_of_source(await self.list_models(), text)
        if known is not None:
            return AsyncModelInstJobHandle(self._client, already_installed(text, known))
        params = {"source": text, "inplace": inplace, "access_token": access_token}
        try:
            # The body is required even when it says nothing.
            answer = await self._json(
                "POST", f"{_MODELS}/install", params=params, json=dict(config or {}), timeout=_LONG
            )
        except (AuthenticationError, PermissionDeniedError):
            raise
        except APIRequestError as error:
            if error.status_code is None:
                raise
            # Servers older than those this was written for say 409 of what is there; they tell no job.
            model = model_of_source(await self.list_models(), text) if error.status_code == 409 else None
            if model is not None:
                return AsyncModelInstJobHandle(self._client, already_installed(text, model))
            raise ModelInstallStartError(
                error.status_code,
                error.payload,
                f"The installation of {text} was not started. {error}",
                method=error.method,
                path=error.path,
                request_id=error.request_id,
            ) from None
        return AsyncModelInstJobHandle(self._client, ModelInstJobInfo.from_api_response(answer))

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

    async def list_install_jobs(self) -> list[AsyncModelInstJobHandle]:
        """The installations since the server started, pruned ones left out, oldest first."""
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        answer: list[Any] = await self._json("GET", f"{_MODELS}/install")
        return [
            AsyncModelInstJobHandle(self._client, ModelInstJobInfo.from_api_response(job)) for job in answer
        ]

    async def get_install_job(self, id: int) -> AsyncModelInstJobHandle | None:
        """One installation; None where the server knows no such job."""
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        try:
            answer = await self._json("GET", f"{_MODELS}/install/{int(id)}")
        except NotFoundError:
            return None
        return AsyncModelInstJobHandle(self._client, ModelInstJobInfo.from_api_response(answer))

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
                "PUT", f"{_MODELS}/convert/{path_part(key, 'a model')}", timeout=_LONG, repeatable=False
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
            await self._json("DELETE", _path(key), repeatable=False)
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
                await self._json("DELETE", _path(key), repeatable=False)
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
        answer: list[Any] = await self._json(
            "GET", f"{_MODELS}/scan_folder", params={"scan_path": str(scan_path)}, timeout=_LONG
        )
        return [FoundModel.from_api_response(found) for found in answer]

    async def empty_model_cache(self) -> bool:
        """Have the server drop models from memory, those in use excepted.

        Returns:
            True; whatever hinders it raises.
        """
        await self._json("POST", f"{_MODELS}/empty_model_cache", repeatable=True)
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
        return str(await self._json("POST", f"{_MODELS}/hf_login", json={"token": token}, repeatable=True))

    async def hf_logout(self) -> str:
        """Have the server forget its token for Hugging Face.

        Returns:
            As :meth:`hf_status`.
        """
        return str(await self._json("DELETE", f"{_MODELS}/hf_login"))

    # ------------------------------------------------------------------ inside

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        return await self._client._http.json(method, path, **options)  # pyright: ignore[reportPrivateUsage]


def _path(key: str) -> str:
    return f"{_MODELS}/i/{path_part(key, 'a model')}"
