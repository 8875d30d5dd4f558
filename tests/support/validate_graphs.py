"""Check graphs with InvokeAI's own classes. Run by the server's Python: ``validate_graphs.py OPERATORS < graphs.json``.

The output is a JSON object with an error for each graph that the server would reject.
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import importlib.util
import json
import sys


def main() -> None:
    """Read graphs by name, and write errors by name."""
    spec = importlib.util.spec_from_file_location("operators", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    operators = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(operators)
    operators.declare_missing_operators()  # else a CPU build of torch cannot be imported

    from invokeai.app.services.shared.graph import Graph

    found: dict[str, str] = {}
    for name, graph in json.load(sys.stdin).items():
        try:
            Graph.model_validate(graph).validate_self()
        except Exception as error:  # noqa: BLE001 - pydantic's errors, and those of the server
            found[name] = f"{type(error).__name__}: {error}"
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
