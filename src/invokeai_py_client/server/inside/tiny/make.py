"""Make tiny models: ``models {"out": folder, "only": [names] or null}``; prints a JSON line for each model."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ..operators import declare_missing_operators


def main() -> None:
    """Make the models."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    os.environ["HF_HUB_OFFLINE"] = "1"  # everything is made locally
    declare_missing_operators()

    import torch

    from .common import Unsupported
    from .recipes import RECIPES

    torch.set_num_threads(1)  # the order of additions, and so the last bit, depends on the number of threads
    out = Path(order["out"])
    out.mkdir(parents=True, exist_ok=True)
    wanted: list[str] | None = order["only"]
    for recipe in RECIPES:
        if wanted is not None and recipe.name not in wanted:
            continue
        target = out / recipe.file
        line: dict[str, Any] = {"name": recipe.name, "file": recipe.file}
        try:
            recipe.make(target)
        except (Unsupported, ImportError, AttributeError) as reason:
            # (older versions of InvokeAI lack names or define sizes elsewhere)
            shutil.rmtree(target, ignore_errors=True)
            line["skipped"] = f"{type(reason).__name__}: {reason}"
        else:
            line |= {"base": recipe.base, "type": recipe.type}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
