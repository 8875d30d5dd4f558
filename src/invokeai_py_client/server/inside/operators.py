"""Let a torchvision built for CUDA be imported beside a CPU torch."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path

_keep: list[object] = []  # a torch Library takes its operators with it when it is collected


def declare_missing_operators() -> bool:
    """Declare the torchvision operators that its import needs, where its own library cannot be loaded.

    The CPU build of torch is often had without the CPU build of torchvision. The one from PyPI then fails on
    import ("operator torchvision::nms does not exist"): its compiled library wants CUDA. InvokeAI needs
    none of those operators, only the import.

    Returns:
        Whether anything was missing.
    """
    try:
        torch_version, vision_version = metadata.version("torch"), metadata.version("torchvision")
    except metadata.PackageNotFoundError:
        return False
    if "+cpu" not in torch_version or "+cpu" in vision_version:
        # They belong together. Not importing torch here matters with CUDA: InvokeAI sets up the memory
        # allocator before torch's first import.
        return False
    import torch

    spec = util.find_spec("torchvision")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in [*Path(folder).glob("_C*.so"), *Path(folder).glob("_C*.pyd")]:
            try:
                torch.ops.load_library(str(library))
            except OSError:
                continue
    if hasattr(torch.ops.torchvision, "nms"):
        return False
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _keep.append(library)
    return True
