"""Measuring in processes of their own: one script, one line of JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import runpy
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest.mock import patch

HERE = Path(__file__).parent
SHOWN = ("numpy", "scipy", "numba", "pyarrow", "mesa", "duckdb", "ray")
"""Libraries whose versions are told with the figures."""


IN_THIS_PROCESS = False
"""Whether scripts share this process: then figures mean little, and nothing is loaded twice."""


class NotMeasured(Exception):  # noqa: N818 (it is no error: the figure stays empty, with this as the reason)
    """Something could not be measured here; the message says why."""


def script(
    name: str,
    *arguments: object,
    python: Path | str = sys.executable,
    limit_s: float = 900.0,
    answers: bool = True,
) -> Any:
    """Run a script of this folder to its end; return what its last line says, read as JSON, if it answers.

    Raises NotMeasured where there is no such script, it takes too long, or it fails.
    """
    if not (HERE / name).is_file():
        problem = f"there is no {name} yet"
        raise NotMeasured(problem)
    words = [str(HERE / name), *map(str, arguments)]
    here = IN_THIS_PROCESS and python == sys.executable
    said = _here(words) if here else _run([str(python), *words], limit_s)
    return json.loads(said.splitlines()[-1]) if answers else said


def piece(module: str, *, quick: bool = False, limit_s: float = 900.0) -> dict[str, float]:
    """Run `measure()` of a module of this folder in a process of its own.

    A quick run needs one that can be told so, `measure(quick=True)`; raises NotMeasured as `script` does.
    """
    found: dict[str, float] = script("piece.py", module, *(["--quick"] if quick else []), limit_s=limit_s)
    return found


def written(path: Path, text: str) -> None:
    """Write a file aside, then put it in its place."""
    aside = path.with_suffix(path.suffix + ".new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "load before": os.getloadavg()[0],
    } | {name: _version(name) for name in SHOWN}


def _here(words: list[str]) -> str:
    said = io.StringIO()
    try:
        with patch.object(sys, "argv", words), contextlib.redirect_stdout(said):
            runpy.run_path(words[0], run_name="__main__")
    except ImportError as error:
        raise NotMeasured(str(error)) from error
    except SystemExit as ended:
        if ended.code:
            problem = f"{Path(words[0]).name} failed"
            raise NotMeasured(problem) from ended
    return said.getvalue()


def _run(command: list[str], limit_s: float) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    try:
        with tempfile.TemporaryDirectory() as folder:  # some peers leave a log where they run
            done = subprocess.run(  # noqa: S603 (our own scripts)
                command,
                capture_output=True,
                text=True,
                timeout=limit_s,
                env=environment,
                check=True,
                cwd=folder,
            )
    except subprocess.TimeoutExpired as error:
        problem = f"{Path(command[1]).name} took longer than {limit_s:.0f} seconds"
        raise NotMeasured(problem) from error
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if line.strip()] or ["nothing was said"]
        problem = f"{Path(command[1]).name} failed: {said[-1].strip()[:200]}"
        raise NotMeasured(problem) from error
    return done.stdout


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
