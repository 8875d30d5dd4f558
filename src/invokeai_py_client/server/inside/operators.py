"""Make a torchvision for CUDA importable with a CPU build of torch."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path

_keep: list[object] = []  # a torch Library removes its operators when it is collected


def declare_missing_operators() -> bool:
    """Declare the operators that the import of torchvision needs if its library cannot be loaded.

    A CPU build of torch is often installed without the CPU build of torchvision. The build from PyPI then fails on
    import ("operator torchvision::nms does not exist"), because its compiled library requires CUDA. InvokeAI only
    imports torchvision and uses none of these operators.

    Returns:
        Whether any operators were missing.
    """
    try:
        torch_version, vision_version = metadata.version("torch"), metadata.version("torchvision")
    except metadata.PackageNotFoundError:
        return False
    if "+cpu" not in torch_version or "+cpu" in vision_version:
        # The builds match. Do not import torch here: with CUDA, InvokeAI sets up the memory allocator before the
        # first import of torch.
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
