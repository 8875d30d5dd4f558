"""Models on the server, through its model manager (``/api/v2/models``)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._partial import is_hopeless, partial_failure
from invokeai_py_client.api.model_relationships import AsyncModelRelationshipsApi
from invokeai_py_client.api.models import AsyncModelsApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.dnn_model.changes import changes_of
from invokeai_py_client.dnn_model.install import ended_or_error, raise_first
from invokeai_py_client.dnn_model.order import (
    ON_SERVER,
    ON_SERVER_SINCE,
    Direction,
    ModelOrder,
    check_order,
    sorted_models,
    sorts_on_server,
)
from invokeai_py_client.dnn_model.start import (
    already_installed,
    looks_like_repository,
    server_path,
    source_text,
    start,
    start_each,
)
from invokeai_py_client.dnn_model.starters import (
    bundle,
    installed_starter,
    starter,
    starter_bundles,
    starter_config,
)
from invokeai_py_client.errors import (
    APIRequestError,
    BadRequestError,
    ConflictError,
    ConnectionLostError,
    InvokeAIClientError,
    NotFoundError,
    ServerError,
    ServerTooOldError,
    UsageError,
)
from invokeai_py_client.lookup import MODELS
from invokeai_py_client.models import (
    BaseModelEnum,
    FoundModel,
    HuggingFaceModels,
    IvkDnnModel,
    ModelCacheStats,
    ModelInstJobInfo,
    OrphanedModel,
    StarterBundle,
    StarterModel,
)
from invokeai_py_client.transport.payload import ROUTE_MISSING, id_number

if TYPE_CHECKING:
    from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle
    from invokeai_py_client.image.upload import ImageSource
    from invokeai_py_client.lookup import ModelRef

    ModelRefs: TypeAlias = ModelRef | Iterable[ModelRef]
    """One model or several, each as a record, a name or a key."""

    OrphanedPath: TypeAlias = str | os.PathLike[str] | OrphanedModel
    """A folder that no model uses: an element of ``list_orphaned()``, or its path."""

# The server responds to conversions, scans and deletions only when they are done.
_LONG = 1800.0
_GONE = "model not found"
"""The reason that servers report for a model that does not exist (6.10 to 6.14.2)."""


class AsyncDnnModelRepository(Resource):
    """The models on a server. Nothing is cached: every call sends a request.

    On servers with user accounts, any signed-in user may list and find models, and call ``list_missing()``,
    ``get_picture()`` and ``related_to()``. All other methods are for administrators.

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
        base: BaseModelEnum | str | Iterable[BaseModelEnum | str] | None = None,
        type: str | None = None,
        name: str | None = None,
        format: str | None = None,
        order_by: ModelOrder | None = None,
        direction: Direction = "ASC",
    ) -> list[IvkDnnModel]:
        """List the records of all models.

        Args:
            base: Only models of this architecture, or of one of several. Defaults to all.
            type: Only models of this type: ``main``, ``lora``... Defaults to all.
            name: Only models with exactly this name. Defaults to all.
            format: Only models of this format: ``diffusers``, ``checkpoint``... Defaults to all.
            order_by: The value to sort by: ``name``, ``type``, ``base``, ``format``, ``size``, ``path``, ``created_at``
                or ``updated_at``, or ``default`` for type, base, name and format. ``created_at`` and ``updated_at``
                need InvokeAI 6.13 or later. Defaults to the order of the server, which is the name since 6.13.
            direction: ``ASC`` or ``DESC``. Defaults to ``ASC``.

        Raises:
            UsageError: A filter is an empty text, or the order is not valid.
            ServerTooOldError: The server cannot sort by this value.
        """
        refuse_empty(base=base, type=type, name=name, format=format)
        word = check_order(order_by, direction)
        several = not isinstance(base, str) and base is not None
        bases = [base] if isinstance(base, str) else list(base or ())
        params: dict[str, Any] = {
            "base_models": [str(BaseModelEnum.parse(one)) for one in bases] or None,
            "model_type": type,
            "model_name": name,
            "model_format": format,
        }
        if order_by in ON_SERVER:
            await self._check_sorts(order_by)
            params |= {"order_by": order_by, "direction": word}
        models = await self._listed(params)
        if order_by in ON_SERVER:
            if len(bases) < 2:
                return models
            # Servers sort the models of each base separately.
            keys = {model.key for model in models}
            everything = await self._listed({**params, "base_models": None})
            return [model for model in everything if model.key in keys]
        if order_by is None and word == "ASC" and not several:
            return models
        return sorted_models(models, order_by or "name", word)

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
            return IvkDnnModel.from_api_response(await self._api.get_model_record(key))
        except NotFoundError:
            return None

    async def get_model_by_hash(self, hash: str) -> IvkDnnModel | None:
        """Return the record of the model with this hash of its weights, or None if the server has no such model.

        The hash is the same on every server, unlike the key. Needs InvokeAI 6.12 or later.

        Args:
            hash: The hash with its algorithm, as in ``model.hash``: ``blake3:1f27...``.

        Raises:
            ServerTooOldError: The server is older.
        """
        require("the hash of a model, such as 'blake3:1f27...'", hash=hash)
        try:
            return IvkDnnModel.from_api_response(await self._api.get_model_records_by_hash(hash=hash))
        except ServerTooOldError:
            raise
        except NotFoundError:
            return None

    async def get_model_by_name(self, name: str, base: BaseModelEnum | str, type: str) -> IvkDnnModel | None:
        """Return a model's record, or None if no model has this name, architecture and type.

        Models of different architectures or types can have the same name, for which ``get_model()`` raises an error.

        Args:
            name: The exact name.
            base: The architecture.
            type: The type: ``main``, ``lora``...
        """
        require("the name, the architecture and the type of a model", name=name, base=base, type=type)
        word = str(BaseModelEnum.parse(base))
        try:
            record = await self._api.get_model_records_by_attrs(name=name, base=word, type=str(type))
        except NotFoundError:
            return None
        return IvkDnnModel.from_api_response(record)

    async def list_missing(self) -> list[IvkDnnModel]:
        """List the records of models whose files the server cannot find, for example because a disk is not mounted.

        Needs InvokeAI 6.12 or later. If the files are elsewhere now, set ``path`` with ``update_model()``.

        Raises:
            ServerTooOldError: The server is older.
        """
        response = await self._api.list_missing_models(expect={"models": list})
        return [IvkDnnModel.from_api_response(record) for record in response["models"]]

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
        response = await self._api.get_starter_models(expect={"starter_models": list})
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
        require("the name or source of a starter model", name=name)
        refuse_empty(access_token=access_token)
        model = name if isinstance(name, StarterModel) else starter(await self.list_starter_models(), name)
        return await self._install_starters([model], access_token)

    async def list_starter_bundles(self) -> list[StarterBundle]:
        """List the bundles of starter models of the server's version of InvokeAI: one for each architecture.

        Only administrators may call this.
        """
        response = await self._api.get_starter_models(expect={"starter_bundles": dict})
        return starter_bundles(response["starter_bundles"])

    async def install_starter_bundle(
        self, name: str | StarterBundle, *, access_token: str | None = None
    ) -> list[AsyncModelInstJobHandle]:
        """Start the installation of all models of a bundle and of the models that they depend on.

        Only administrators may call this.

        Args:
            name: The bundle's id or name, or an element of ``list_starter_bundles()``.
            access_token: The token for models that require their users to accept a license.

        Returns:
            A handle for each model, once per model. Models that are already installed have completed jobs. Pass the
            handles to ``wait_all()`` to wait for them.

        Raises:
            ModelNotFoundError: No bundle has this name.
            ModelInstallStartError: The server did not start an installation. Those before it continue.
        """
        require("the name or id of a starter bundle", name=name)
        refuse_empty(access_token=access_token)
        chosen = name if isinstance(name, StarterBundle) else bundle(await self.list_starter_bundles(), name)
        return await self._install_starters(chosen.models, access_token)

    async def list_hugging_face(self, repo_id: str) -> HuggingFaceModels:
        """List the models in a repository on Hugging Face. The server looks it up, with its own token.

        Only administrators may call this.

        Args:
            repo_id: The repository, as ``owner/name``.

        Raises:
            UsageError: The argument is not a repository id.
            BadRequestError: There is no such repository, or the server's token has no access to it.
            ServerError: The server cannot reach Hugging Face.
        """
        if not looks_like_repository(repo_id) or ":" in repo_id:
            raise UsageError(f"Invalid Hugging Face repository {repo_id!r}: expected owner/name.")
        try:
            response = await self._api.get_hugging_face_models(hugging_face_repo=repo_id, timeout=_LONG)
        except BadRequestError as error:
            raise BadRequestError(
                error.status_code,
                error.payload,
                f"No repository {repo_id!r} on Hugging Face that this server may read. If it is private or requires "
                "you to accept a license, set the server's token with hf_login().",
                method=error.method,
                path=error.path,
            ) from None
        return HuggingFaceModels.from_api_response(response)

    # ------------------------------------------------------------------ installation jobs

    async def list_install_jobs(self) -> list[AsyncModelInstJobHandle]:
        """List the installation jobs since the server started, oldest first, without those that were pruned."""
        response = await self._api.list_model_installs(expect=list)
        return [self._handle(ModelInstJobInfo.from_api_response(job)) for job in response]

    async def get_install_job(self, id: int) -> AsyncModelInstJobHandle | None:
        """Return an installation job, or None if the server has no job with this id.

        Raises:
            UsageError: The id is not a whole number.
        """
        number = id_number(id, "installation")
        try:
            response = await self._api.get_model_install_job(number)
        except NotFoundError:
            return None
        return self._handle(ModelInstJobInfo.from_api_response(response))

    async def prune_install_jobs(self) -> bool:
        """Remove completed, failed and canceled jobs from the server's list of installations.

        Returns:
            Always True. Failures raise an error.
        """
        await self._api.prune_model_install_jobs()
        return True

    # ------------------------------------------------------------------ changing

    async def update_model(
        self,
        model: ModelRef,
        *,
        name: str | None = None,
        description: str | None = None,
        trigger_phrases: str | Iterable[str] | None = None,
        default_settings: Mapping[str, Any] | None = None,
        cpu_only: bool | None = None,
        source_url: str | None = None,
        path: str | None = None,
        base: BaseModelEnum | str | None = None,
        type: str | None = None,
        format: str | None = None,
        variant: str | None = None,
        prediction_type: str | None = None,
        upcast_attention: bool | None = None,
        clear: str | Iterable[str] = (),
    ) -> IvkDnnModel:
        """Change a model's record. Omitted arguments, and None, keep their values. The files do not change.

        Only administrators may call this.

        Args:
            model: The model: a record, a name, or a key.
            name: The new name.
            description: The description.
            trigger_phrases: The trigger phrases of a main model or a LoRA. They replace the previous ones.
            default_settings: Settings to change, by name. The others keep their values, and None removes a setting.
                Main models have ``vae`` (its name or key), ``vae_precision``, ``scheduler``, ``steps``, ``cfg_scale``,
                ``cfg_rescale_multiplier``, ``width``, ``height``, ``guidance``, ``cpu_only`` and ``fp8_storage``. LoRAs
                have ``weight``, ``weight_min`` and ``weight_max``. ControlNets and T2I adapters have ``preprocessor``
                and ``fp8_storage``.
            cpu_only: Whether the model always runs on the CPU. For main models, whether their text encoders do.
            source_url: The web page of the model.
            path: The path of the files on the server's machine, if they were moved.
            base: The architecture, if the server did not recognize it.
            type: The type, if the server did not recognize it.
            format: The format, if the server did not recognize it.
            variant: The variant, such as ``inpaint``.
            prediction_type: The prediction type: ``epsilon``, ``v_prediction`` or ``sample``.
            upcast_attention: Whether to compute attention in 32 bits.
            clear: Values to remove: ``description``, ``trigger_phrases``, ``default_settings``, ``cpu_only`` or
                ``source_url``.

        Returns:
            The changed record.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
            UsageError: There is nothing to change, a value is not valid, or models of this type do not have it.
            ConflictError: The server cannot combine the values, or another operation changes the model.
        """
        given = {
            "name": name,
            "description": description,
            "trigger_phrases": trigger_phrases,
            "cpu_only": cpu_only,
            "source_url": source_url,
            "path": path,
            "base": base,
            "type": type,
            "format": format,
            "variant": variant,
            "prediction_type": prediction_type,
            "upcast_attention": upcast_attention,
        }

        async def update(key: str) -> IvkDnnModel:
            record = await self._api.get_model_record(key, expect={"key": str, "name": str})
            settings = await self._resolved_settings(default_settings)
            body = changes_of(record, {**given, "default_settings": settings}, clear)
            return IvkDnnModel.from_api_response(await self._api.update_model_record(key, body=body))

        return await MODELS.call(self.connection, model, update)

    async def reidentify(self, models: ModelRefs) -> list[IvkDnnModel]:
        """Detect the properties of models again from their files, for example after a file was replaced.

        Names, descriptions, trigger phrases, pictures and sources are kept. Default settings are detected again. Only
        administrators may call this. Needs InvokeAI 6.9 or later.

        Args:
            models: A model or several: records, names or keys.

        Returns:
            The new records, in the order of the models.

        Raises:
            ModelNotFoundError: A model is not on the server. Nothing was changed.
            TransferError: The server did not recognize some of the models. ``done`` has the records of the others by
                key, and ``failed`` the errors by name.
            ServerTooOldError: The server is older.
        """
        done: dict[str, IvkDnnModel] = {}
        failed: dict[str, InvokeAIClientError] = {}
        hopeless: InvokeAIClientError | None = None
        for model in await self._chosen(models):
            # One request at a time: servers refuse simultaneous operations on models (6.14.2).
            try:
                if hopeless is not None:
                    raise hopeless
                record = await self._api.reidentify_model(model.key, timeout=_LONG)
            except ServerTooOldError:
                raise
            except APIRequestError as error:
                failed[_unique(model, failed)] = error
                hopeless = error if is_hopeless(error) else None
            else:
                done[model.key] = IvkDnnModel.from_api_response(record)
        if hopeless is not None and not done:
            raise hopeless
        if failed:
            raise partial_failure("recognized", failed, done, kind="model")
        return list(done.values())

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
                response = await self._api.convert_model(key, timeout=_LONG)
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

    async def delete_models(self, models: ModelRefs) -> list[str]:
        """Uninstall several models, as ``delete_model()`` does for one. A failure does not stop the others.

        Only administrators may call this.

        Args:
            models: A model or several: records, names or keys.

        Returns:
            The keys of the deleted models.

        Raises:
            ModelNotFoundError: A model is not on the server. Nothing was deleted.
            TransferError: The server failed to delete some of the models. ``done`` has the keys of the others, and
                ``failed`` the errors by name.
        """
        chosen = {model.key: model for model in await self._chosen(models)}
        deleted, failed = await self._delete_keys(list(chosen))
        if failed:
            errors: dict[str, InvokeAIClientError] = {}
            for key, error in failed.items():
                errors[_unique(chosen[key], errors)] = error
            raise partial_failure("deleted", errors, {key: chosen[key].name for key in deleted}, kind="model")
        return deleted

    async def delete_all_models(self) -> dict[str, Any]:
        """Uninstall all models. A failure does not stop the others.

        Only administrators may call this.

        Returns:
            A dict with ``total`` (the number of models), ``deleted`` (the keys of the deleted models) and ``failed``
            (key and error of the others).
        """
        keys = [model.key for model in await self.list_models()]
        deleted, failed = await self._delete_keys(keys)
        return {
            "total": len(keys),
            "deleted": deleted,
            "failed": [{"key": key, "error": str(error)} for key, error in failed.items()],
        }

    # ------------------------------------------------------------------ pictures

    async def get_picture(self, model: ModelRef) -> bytes | None:
        """Return the picture that represents a model in the web UI, as a WebP file, or None if it has none.

        Args:
            model: The model: a record, a name, or a key.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
        """

        async def fetch(key: str) -> bytes | None:
            # Servers respond with an internal error if there is no picture (6.14.2).
            record = await self._api.get_model_record(key)
            return await self._api.get_model_image(key) if record.get("cover_image") else None

        return await MODELS.call(self.connection, model, fetch)

    async def set_picture(self, model: ModelRef, image: ImageSource) -> None:
        """Set the picture that represents a model in the web UI. The server reduces it to 256 pixels.

        Only administrators may call this.

        Args:
            model: The model: a record, a name, or a key.
            image: A path, the bytes of an image file, or a Pillow image.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
            InputValueError: The file does not exist, or is not an image.
        """
        from invokeai_py_client.image.upload import form_file, read_photo

        file = form_file(await asyncio.to_thread(read_photo, image))

        async def send(key: str) -> None:
            await self._api.update_model_image(key, image=file)

        await MODELS.call(self.connection, model, send)

    async def delete_picture(self, model: ModelRef) -> bool:
        """Delete the picture that represents a model in the web UI.

        Only administrators may call this.

        Args:
            model: The model: a record, a name, or a key.

        Returns:
            Whether it had a picture.

        Raises:
            ModelNotFoundError: The model is not on the server, or several models have this name.
        """
        key = await MODELS.checked_id(self.connection, model)
        try:
            await self._api.delete_model_image(key)
        except NotFoundError:
            return False
        except ServerError:
            # The response of older servers if there is no picture (6.0.2).
            if (await self._api.get_model_record(key)).get("cover_image"):
                raise
            return False
        return True

    # ------------------------------------------------------------------ relationships

    async def related_to(self, models: ModelRefs) -> list[IvkDnnModel]:
        """List the models that are related to a model, or to at least one of several, sorted by name.

        Relationships are made by administrators: the LoRAs that suit a main model, for example.

        Args:
            models: A model or several: records, names or keys.

        Raises:
            ModelNotFoundError: A model is not on the server, or several models have this name.
        """
        known = await self.list_models()
        chosen = self._picked(models, known)
        keys = [model.key for model in chosen]
        if len(keys) == 1:
            related = await self._relationships.get_related_models(keys[0], expect=list)
        else:
            related = await self._relationships.get_related_models_batch(model_keys=keys, expect=list)
        wanted = set(related)
        return sorted_models([model for model in known if model.key in wanted], "name", "ASC")

    async def relate(self, model: ModelRef, other: ModelRef) -> None:
        """Relate two models to each other. Does nothing if they are related.

        Only administrators may call this.

        Raises:
            ModelNotFoundError: A model is not on the server, or several models have this name.
            UsageError: Both are the same model.
        """
        one, two = await self._pair(model, other)
        await self._relationships.add_model_relationship(model_key_1=one, model_key_2=two, idempotent=True)

    async def unrelate(self, model: ModelRef, other: ModelRef) -> None:
        """End the relationship of two models. Does nothing if they are not related.

        Only administrators may call this.

        Raises:
            ModelNotFoundError: A model is not on the server, or several models have this name.
            UsageError: Both are the same model.
        """
        one, two = await self._pair(model, other)
        await self._relationships.remove_model_relationship(model_key_1=one, model_key_2=two, idempotent=True)

    # ------------------------------------------------------------------ folders and cache

    async def scan_folder(self, scan_path: str | os.PathLike[str]) -> list[FoundModel]:
        """List the models in a folder on the server's machine.

        Args:
            scan_path: The folder. ``~`` and paths that exist on this machine are made absolute.

        Raises:
            UsageError: The path is empty, or starts with ``~`` and the home directory is unknown.
            BadRequestError: The folder does not exist on the server's machine.
        """
        require("a folder on the server's machine", scan_path=scan_path)
        response = await self._api.scan_for_models(
            scan_path=server_path(scan_path), timeout=_LONG, expect=list
        )
        return [FoundModel.from_api_response(found) for found in response]

    async def list_orphaned(self) -> list[OrphanedModel]:
        """List the files and folders in the server's models folder that no model uses.

        The folders of running and paused installations are omitted. Only administrators may call this. Needs InvokeAI
        6.12 or later.

        Raises:
            ServerTooOldError: The server is older.
        """
        response = await self._api.get_orphaned_models(timeout=_LONG, expect=list)
        # Listed second, so that no installation starts in between.
        jobs = [job.info for job in await self.list_install_jobs()]
        busy = [job.local_path for job in jobs if not job.is_complete()]
        found = [OrphanedModel.from_api_response(record) for record in response]
        return sorted((one for one in found if one.absolute_path not in busy), key=lambda one: one.path)

    async def delete_orphaned(self, paths: OrphanedPath | Iterable[OrphanedPath]) -> list[str]:
        """Permanently delete folders in the server's models folder that no model uses.

        Only administrators may call this. Needs InvokeAI 6.12 or later.

        Args:
            paths: Elements of ``list_orphaned()``, or their paths.

        Returns:
            The paths of the deleted folders.

        Raises:
            UsageError: A path is not in the list of orphaned models. Nothing was deleted: servers (6.14.2) delete every
                folder that they are told to, even one of an installed model.
            TransferError: The server failed to delete some of them, such as single files, which it cannot delete
                (6.14.2). ``done`` has the paths of the others, ``failed`` the errors.
            ServerTooOldError: The server is older.
        """
        several = [paths] if isinstance(paths, str | os.PathLike | OrphanedModel) else list(paths)
        wanted = list(
            dict.fromkeys(one.path if isinstance(one, OrphanedModel) else os.fspath(one) for one in several)
        )
        require("one or more paths that list_orphaned() returns", paths=wanted)
        known = {one.path for one in await self.list_orphaned()}
        for path in wanted:
            if path not in known:
                raise UsageError(
                    f"{path!r} is not orphaned: expected a path in list_orphaned(), which has {len(known)} at present. "
                    "Nothing was deleted."
                )
        shape = {"deleted": list, "errors": dict}
        response = await self._api.delete_orphaned_models(
            paths=wanted, timeout=_LONG, idempotent=False, expect=shape
        )
        failed: dict[str, InvokeAIClientError] = {
            path: ServerError(None, response, f"{str(reason).removeprefix('error: ').rstrip('.')}.")
            for path, reason in response["errors"].items()
        }
        if failed:
            done = {path: path for path in response["deleted"]}
            raise partial_failure("deleted", failed, done, kind="folder")
        return list(response["deleted"])

    async def empty_model_cache(self) -> bool:
        """Remove models that are not in use from the server's memory.

        Returns:
            Always True. Failures raise an error.
        """
        await self._api.empty_model_cache()
        return True

    async def get_stats(self) -> ModelCacheStats | None:
        """Return statistics of the server's model cache, or None if no model was loaded yet."""
        response = await self._api.get_stats()
        return None if response is None else ModelCacheStats.from_api_response(response)

    # ------------------------------------------------------------------ Hugging Face

    async def hf_status(self) -> str:
        """Return the state of the server's Hugging Face token: ``valid``, ``invalid`` (or not set), or ``unknown``."""
        return str(await self._api.get_hf_login_status())

    async def hf_login(self, token: str) -> str:
        """Set the server's Hugging Face token.

        Returns:
            The token's state: ``valid``, ``invalid``, or ``unknown`` if it could not be checked.
        """
        require("a token of Hugging Face", token=token)
        return str(await self._api.do_hf_login(token=token))

    async def hf_logout(self) -> str:
        """Remove the server's Hugging Face token.

        Returns:
            The state, as in ``hf_status()``.
        """
        return str(await self._api.reset_hf_token())

    # ------------------------------------------------------------------ internals

    @property
    def _api(self) -> AsyncModelsApi:
        return self.connection.part(AsyncModelsApi)

    @property
    def _relationships(self) -> AsyncModelRelationshipsApi:
        return self.connection.part(AsyncModelRelationshipsApi)

    async def _listed(self, filters: Mapping[str, Any]) -> list[IvkDnnModel]:
        response = await self._api.list_model_records(**filters, expect={"models": list})
        return [IvkDnnModel.from_api_response(record) for record in response["models"]]

    async def _chosen(self, models: ModelRefs) -> list[IvkDnnModel]:
        """Return the records of one or several models, each once.

        Raises:
            ModelNotFoundError: A model is not on the server, or several models have this name.
        """
        return self._picked(models, await self.list_models())

    def _picked(self, models: ModelRefs, known: Sequence[IvkDnnModel]) -> list[IvkDnnModel]:
        if isinstance(models, str) or not isinstance(models, Iterable) or hasattr(models, "key"):
            several: list[Any] = [models]  # a record, although records are iterable
        else:
            several = list(models)
        require("one or more models, by their names or keys", models=several)
        found = [MODELS.pick(MODELS.text(model), known) for model in several]
        return list({model.key: model for model in found}.values())

    async def _pair(self, model: ModelRef, other: ModelRef) -> tuple[str, str]:
        known = await self.list_models()
        one, two = (MODELS.pick(MODELS.text(ref), known) for ref in (model, other))
        if one.key == two.key:
            raise UsageError(f"{one.name!r} and {other!r} are the same model: expected two different models.")
        return one.key, two.key

    async def _resolved_settings(self, settings: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """Return default settings with the key of a VAE instead of its name, and the server's name of a scheduler.

        Raises:
            ModelNotFoundError: The VAE is not on the server.
            UsageError: The model is not a VAE.
        """
        if not isinstance(settings, Mapping):
            return settings
        found = dict(settings)
        if found.get("vae") is not None:
            vae = await MODELS.get(self.connection, found["vae"])
            if vae.type != "vae":
                raise UsageError(
                    f"default_settings['vae']: the model {vae.name!r} is of type {vae.type}; expected a VAE."
                )
            found["vae"] = vae.key
        if isinstance(found.get("scheduler"), str):
            from invokeai_py_client.ivk_fields.enums import SchedulerName, scheduler_on_wire

            words = [member.value for member in SchedulerName]
            found["scheduler"] = scheduler_on_wire(found["scheduler"], words) or found["scheduler"]
        return found

    async def _check_sorts(self, order_by: str) -> None:
        """Raise an error if the server is too old to sort models: it would ignore the parameter."""
        from invokeai_py_client.schema.source import server_version

        version = await server_version(self.connection.http)
        if not sorts_on_server(version):
            raise ServerTooOldError(
                f"Sorting models by {order_by} needs InvokeAI {ON_SERVER_SINCE} or later; this server is {version}.",
                since=ON_SERVER_SINCE,
                version=version,
            )

    async def _install_starters(
        self, models: Sequence[StarterModel], access_token: str | None
    ) -> list[AsyncModelInstJobHandle]:
        """Start the installation of starter models, each after those that it depends on."""
        known = await self.list_models()
        jobs: dict[str, AsyncModelInstJobHandle] = {}
        for item in (one for model in models for one in (*model.dependencies, model)):
            if item.source in jobs:
                continue
            installed = installed_starter(item, known)
            if installed is not None:
                jobs[item.source] = self._handle(already_installed(item.source, installed))
                continue
            jobs[item.source] = await self._install(
                item.source, starter_config(item), None, access_token, known
            )
        return list(jobs.values())

    async def _delete_keys(self, keys: list[str]) -> tuple[list[str], dict[str, InvokeAIClientError]]:
        """Uninstall models. Returns the keys of those that are gone, and the errors of the others by key."""
        if not keys:
            return [], {}
        try:
            response = await self._api.bulk_delete_models(
                keys=keys,
                timeout=_LONG,
                idempotent=False,
                explain=False,
                expect={"deleted": list, "failed": list},
            )
        except ROUTE_MISSING:  # before 6.10
            return await self._delete_each(keys)
        reasons = {str(one.get("key")): str(one.get("error")) for one in response["failed"]}
        failed: dict[str, InvokeAIClientError] = {
            key: ConflictError(409, response, reason)
            if "already in progress" in reason
            else ServerError(None, response, f"The server failed to delete it: {reason.rstrip('.')}.")
            for key, reason in reasons.items()
            if reason != _GONE
        }
        return [key for key in keys if key not in failed], failed

    async def _delete_each(self, keys: list[str]) -> tuple[list[str], dict[str, InvokeAIClientError]]:
        """Uninstall models with a request for each."""
        deleted: list[str] = []
        failed: dict[str, InvokeAIClientError] = {}
        for key in keys:
            try:
                await self._delete(key)
            except NotFoundError:
                pass  # someone else deleted it in the meantime
            except APIRequestError as error:
                if error.status_code is None:
                    raise
                failed[key] = error
                continue
            deleted.append(key)
        return deleted, failed

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
            await self._api.delete_model(key)
        except ConnectionLostError:
            # After an internal error (a record that it cannot read) the server closes the connection, and the next
            # request on it fails. Check the model's record to see whether the server has processed the request.
            if await self.get_model_by_key(key) is not None:
                await self._api.delete_model(key)

    def _handle(self, info: ModelInstJobInfo) -> AsyncModelInstJobHandle:
        from invokeai_py_client.dnn_model.install import AsyncModelInstJobHandle

        return AsyncModelInstJobHandle(self, info)


def _unique(model: IvkDnnModel, taken: Mapping[str, object]) -> str:
    """Return the name of a model, with its key if another model has the same name."""
    return f"{model.name} ({model.key})" if model.name in taken else model.name
