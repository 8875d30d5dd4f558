"""Measure a pool of servers.

    .venv/bin/python benchmarks/pool.py scale --servers 2 100 500 --runs 100000 --plot benchmarks/pool.svg
    .venv/bin/python benchmarks/pool.py speed [--rounds N]
    .venv/bin/python benchmarks/pool.py --faults [--only ROW ...]
    .venv/bin/python benchmarks/pool.py gpu --model NAME_OR_FILE

``scale`` uses simulated servers, the others start up to two real ones (``gpu``: four). The parts are in ``pooling``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "support")]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a pool of servers.")
    parser.add_argument("--faults", action="store_true", help="reproduce the failure matrix")
    parser.add_argument(
        "--only",
        metavar="ROW",
        nargs="+",
        default=[""],
        help="only the rows of the failure matrix whose engine and name have one of these texts",
    )
    commands = parser.add_subparsers(dest="command")
    scale = commands.add_parser("scale", help="hundreds of simulated servers")
    scale.add_argument("--servers", type=int, nargs="+", default=[2, 100, 500])
    scale.add_argument(
        "--detect", type=int, nargs="*", default=[2, 100, 500], help="servers, one of which dies"
    )
    scale.add_argument("--runs", type=int, default=100_000)
    scale.add_argument(
        "--rate", type=float, default=200, help="runs per second that all servers can do together"
    )
    scale.add_argument("--processes", type=int, default=2, help="the processes of the simulated servers")
    scale.add_argument("--workflow", choices=["sum", "image"], default="sum", help="4 or 30 events per run")
    scale.add_argument("--plot", metavar="FILE", help="write an SVG")
    scale.add_argument("--profile", action="store_true", help="print the most expensive functions")
    scale.add_argument("--here", choices=["sweep", "detect"], help=argparse.SUPPRESS)
    speed = commands.add_parser("speed", help="one and two real servers in turns")
    speed.add_argument("--rounds", type=int, default=2)
    speed.add_argument("--runs", type=int, default=40)
    speed.add_argument("--only", choices=["waiting", "images", "idle"])
    gpu = commands.add_parser("gpu", help="several real servers on one graphics card")
    gpu.add_argument("--model", required=True, help="the model to install from a file, folder or repository")
    gpu.add_argument("--runs", type=int, default=24)
    options = parser.parse_args()
    if options.faults == bool(options.command):
        parser.error("expected either a command or --faults")
    importlib.import_module(f"pooling.{options.command or 'faults'}").main(options)


if __name__ == "__main__":
    main()
