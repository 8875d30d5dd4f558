"""``python <this folder> serve|models ...`` in the server's Python."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Load this folder as a package named ``ivk_inside``, and run one of its parts.

    Running a folder puts it first on ``sys.path``, so that its files would shadow other modules.
    """
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    name = "ivk_inside"
    spec = importlib.util.spec_from_file_location(
        name, here / "__init__.py", submodule_search_locations=[str(here)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    part = sys.argv.pop(1)
    importlib.import_module({"serve": f"{name}.serve", "models": f"{name}.tiny.make"}[part]).main()


main()
