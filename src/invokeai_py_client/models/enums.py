"""The words that servers use for states, categories and kinds of model, as open enums.

Open means: whatever spelling a document or a server of 5.15 to 6.14 uses resolves to one member, and a
word that nobody knew when this was written stays what it is (``OpenEnum.parse()`` hands it back).
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Self


class OpenEnum(StrEnum):
    """A set of known words that does not claim to be complete."""

    @classmethod
    def parse(cls, word: str) -> Self | str:
        """The member that a word stands for, or the word itself where there is none.

        >>> JobStatus.parse("in_progress")
        <JobStatus.RUNNING: 'running'>
        >>> JobStatus.parse("dreaming")
        'dreaming'
        """
        known = cls._value2member_map_.get(word)
        if known is None:
            known = _spellings(cls).get(_plain(word))
        return known if isinstance(known, cls) else word

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return _spellings(cls).get(_plain(value)) if isinstance(value, str) else None  # pyright: ignore[reportReturnType]


def _plain(word: str) -> str:
    """A word without what spellings differ in: ``IN_PROGRESS``, ``in-progress``, ``In Progress``."""
    return word.strip().casefold().replace("-", "").replace("_", "").replace(" ", "")


@cache
def _spellings(enum: type[OpenEnum]) -> dict[str, OpenEnum]:
    # Names cover the aliases. Values come last, and so win over another member's name.
    by_name = {_plain(name): member for name, member in enum.__members__.items()}
    return by_name | {_plain(member.value): member for member in enum}


class JobStatus(OpenEnum):
    """How far a queue item is.

    The values are this client's words; ``wire`` is the queue's own.
    """

    PENDING = "pending"
    """In the queue, not started."""
    RUNNING = "running"
    """Being worked on; the queue says ``in_progress``."""
    WAITING = "waiting"
    """Held up until a workflow that it called is done (InvokeAI 6.14+); it goes on afterwards."""
    COMPLETED = "completed"
    """Ended; its results are there."""
    FAILED = "failed"
    """Ended by an error."""
    CANCELLED = "cancelled"
    """Ended by somebody; the queue says ``canceled``."""

    IN_PROGRESS = RUNNING
    CANCELED = CANCELLED

    @property
    def wire(self) -> str:
        """The queue's spelling, which is what goes to a server."""
        return _WIRE.get(self.value, self.value)

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to such an item."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


_WIRE = {"running": "in_progress", "cancelled": "canceled"}


class InstallStatus(OpenEnum):
    """How far the installation of a model is."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    DOWNLOADS_DONE = "downloads_done"
    RUNNING = "running"
    PAUSED = "paused"
    """InvokeAI 6.12+."""
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"

    CANCELED = CANCELLED
    FAILED = ERROR

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to such a job."""
        return self in (InstallStatus.COMPLETED, InstallStatus.ERROR, InstallStatus.CANCELLED)


class HFLoginStatus(OpenEnum):
    """What the server thinks of its token for Hugging Face."""

    VALID = "valid"
    INVALID = "invalid"
    """Refused, or there is none."""
    UNKNOWN = "unknown"
    """Hugging Face could not be asked."""


class ImageCategory(OpenEnum):
    """What an image is for.

    The gallery shows GENERAL under "images" and the others under "assets".
    """

    USER = "user"
    """Brought by a user."""
    GENERAL = "general"
    """RunImage by a model."""
    CONTROL = "control"
    """Guides a generation: edges, depth, poses."""
    MASK = "mask"
    """Marks a region."""
    OTHER = "other"


class ImageOrigin(OpenEnum):
    """Where an image comes from."""

    INTERNAL = "internal"
    """RunImage by the server."""
    EXTERNAL = "external"
    """Uploaded."""


class BoardVisibility(OpenEnum):
    """Who sees a board, on a server with several users (InvokeAI 6.13+)."""

    PRIVATE = "private"
    SHARED = "shared"
    PUBLIC = "public"


class BaseModelEnum(OpenEnum):
    """The architecture that a model is made for."""

    SD1 = "sd-1"
    SD2 = "sd-2"
    SD3 = "sd-3"
    SDXL = "sdxl"
    SDXL_REFINER = "sdxl-refiner"
    FLUX = "flux"
    FLUX_SCHNELL = "flux-schnell"
    """Not a base on any server, where Schnell is a variant of FLUX; kept because documents name it."""
    FLUX2 = "flux2"
    COGVIEW4 = "cogview4"
    Z_IMAGE = "z-image"
    ERNIE_IMAGE = "ernie-image"
    IDEOGRAM_4 = "ideogram-4"
    QWEN_IMAGE = "qwen-image"
    ANIMA = "anima"
    KREA_2 = "krea-2"
    WAN = "wan"
    EXTERNAL = "external"
    ANY = "any"
    """Belongs to no architecture, as CLIP and T5 encoders do."""
    UNKNOWN = "unknown"

    # Until InvokeAI 6.8: models behind other companies' interfaces.
    IMAGEN3 = "imagen3"
    IMAGEN4 = "imagen4"
    CHATGPT_4O = "chatgpt-4o"
    FLUX_KONTEXT = "flux-kontext"
    VEO3 = "veo3"
    RUNWAY = "runway"

    SD_1 = SD1
    SD_2 = SD2
    SD_3 = SD3

    # As version 1's BaseDnnModelType spelled them, and InvokeAI's own code does.
    Any = ANY
    StableDiffusion1 = SD1
    StableDiffusion2 = SD2
    StableDiffusion3 = SD3
    StableDiffusionXL = SDXL
    StableDiffusionXLRefiner = SDXL_REFINER
    Flux = FLUX
    CogView4 = COGVIEW4
    Imagen3 = IMAGEN3
    Imagen4 = IMAGEN4
    ChatGPT4o = CHATGPT_4O
    FluxKontext = FLUX_KONTEXT


class ModelTypeEnum(OpenEnum):
    """What a model does."""

    ONNX = "onnx"
    MAIN = "main"
    VAE = "vae"
    LORA = "lora"
    CONTROL_LORA = "control_lora"
    CONTROLNET = "controlnet"
    EMBEDDING = "embedding"
    IP_ADAPTER = "ip_adapter"
    CLIP_VISION = "clip_vision"
    CLIP_EMBED = "clip_embed"
    T2I_ADAPTER = "t2i_adapter"
    T5_ENCODER = "t5_encoder"
    QWEN3_ENCODER = "qwen3_encoder"
    QWEN_VL_ENCODER = "qwen_vl_encoder"
    QWEN3_VL_ENCODER = "qwen3_vl_encoder"
    MISTRAL_ENCODER = "mistral_encoder"
    WAN_T5_ENCODER = "wan_t5_encoder"
    GEMMA2_ENCODER = "gemma2_encoder"
    SPANDREL_IMAGE_TO_IMAGE = "spandrel_image_to_image"
    SIGLIP = "siglip"
    FLUX_REDUX = "flux_redux"
    LLAVA_ONEVISION = "llava_onevision"
    PROMPT_ENHANCER = "prompt_enhancer"
    TEXT_LLM = "text_llm"
    EXTERNAL_IMAGE_GENERATOR = "external_image_generator"
    PID_DECODER = "pid_decoder"
    UNKNOWN = "unknown"

    VIDEO = "video"
    """InvokeAI 6.6 to 6.8."""

    # As version 1's DnnModelType spelled them.
    Main = MAIN
    LoRA = LORA
    ControlLoRa = CONTROL_LORA
    ControlNet = CONTROLNET
    TextualInversion = EMBEDDING
    IPAdapter = IP_ADAPTER
    CLIPVision = CLIP_VISION
    CLIPEmbed = CLIP_EMBED
    T2IAdapter = T2I_ADAPTER
    T5Encoder = T5_ENCODER
    SpandrelImageToImage = SPANDREL_IMAGE_TO_IMAGE
    SigLIP = SIGLIP
    FluxRedux = FLUX_REDUX
    LlavaOnevision = LLAVA_ONEVISION


class ModelFormatEnum(OpenEnum):
    """How a model is stored."""

    OMI = "omi"
    DIFFUSERS = "diffusers"
    CHECKPOINT = "checkpoint"
    LYCORIS = "lycoris"
    ONNX = "onnx"
    OLIVE = "olive"
    EMBEDDING_FILE = "embedding_file"
    EMBEDDING_FOLDER = "embedding_folder"
    INVOKEAI = "invokeai"
    T5_ENCODER = "t5_encoder"
    QWEN3_ENCODER = "qwen3_encoder"
    QWEN_VL_ENCODER = "qwen_vl_encoder"
    QWEN3_VL_ENCODER = "qwen3_vl_encoder"
    MISTRAL_ENCODER = "mistral_encoder"
    WAN_T5_ENCODER = "wan_t5_encoder"
    GEMMA2_ENCODER = "gemma2_encoder"
    BNB_QUANTIZED_INT8B = "bnb_quantized_int8b"
    BNB_QUANTIZED_NF4B = "bnb_quantized_nf4b"
    GGUF_QUANTIZED = "gguf_quantized"
    EXTERNAL_API = "external_api"
    SDNQ_QUANTIZED = "sdnq_quantized"
    UNKNOWN = "unknown"

    API = "api"
    """Until InvokeAI 6.8."""

    # As version 1's DnnModelFormat spelled them.
    Diffusers = DIFFUSERS
    Checkpoint = CHECKPOINT
    LyCORIS = LYCORIS
    Olive = OLIVE
    EmbeddingFile = EMBEDDING_FILE
    EmbeddingFolder = EMBEDDING_FOLDER
    InvokeAI = INVOKEAI
    T5Encoder = T5_ENCODER
    BnbQuantizedLlmInt8b = BNB_QUANTIZED_INT8B
    BnbQuantizednf4b = BNB_QUANTIZED_NF4B
    GGUFQuantized = GGUF_QUANTIZED
    Api = API
