"""Run `measure()` of one module of this folder, and print what it found as a line of JSON.

python benchmarks/piece.py influence [--quick]
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from pathlib import Path


def main() -> int:
    """Measure; exit with the reason where there is no such module or it cannot be quick."""
    module, quick = sys.argv[1], "--quick" in sys.argv[2:]
    if not (Path(__file__).parent / f"{module}.py").is_file():
        return _refused(f"there is no benchmark {module!r} yet")
    measure = importlib.import_module(module).measure
    if not quick:
        print(json.dumps(measure()))
        return 0
    if "quick" not in inspect.signature(measure).parameters:
        return _refused(f"{module} has no quick form")
    print(json.dumps(measure(quick=True)))
    return 0


def _refused(why: str) -> int:
    print(why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
