"""The peers: other simulators of people, each in an environment of its own beside the project.

They are never dependencies. An environment lies in `.venv-peers/NAME`; `make bench` makes those that
are missing, where the interpreter that the peer needs can be found and its packages can be had.
REHEARSE_PEERS names another folder for them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import HERE, NotMeasured, script

FOLDER = Path(os.environ.get("REHEARSE_PEERS", HERE.parent / ".venv-peers"))
PATIENCE_S = 900.0


@dataclass(frozen=True)
class Peer:
    """Another simulator, and what runs in it."""

    name: str
    script: str
    versions: tuple[str, ...]
    """The Pythons it runs on, the best first."""
    packages: tuple[str, ...]
    module: str
    """What must be importable for it to be there."""
    given: tuple[object, ...]


FRAMES = Peer(
    name="mesa-frames",
    script="peers/frames_w.py",
    versions=("3.12", "3.11"),
    packages=("mesa-frames==0.1.0a0", "scipy"),
    module="mesa_frames",
    given=("--model", "cheap", "--users", 100_000, "--ticks", 5),
)
TRECS = Peer(
    name="T-RECS",
    script="peers/trecs_content.py",
    versions=("3.8",),
    packages=("trecs==0.2.1", "numpy<1.24"),
    module="trecs",
    given=("--users", 2_000, "--ticks", 5),
)
RECSIM = Peer(
    name="RecSim",
    script="peers/recsim_evolution.py",
    versions=("3.7",),
    packages=("recsim==0.2.4",),
    module="recsim.environments.interest_evolution",
    given=("--model", "fixed", "--users", 2_000, "--ticks", 5),
)
PEERS = (FRAMES, TRECS, RECSIM)


def run(peer: Peer, *, make: bool) -> Any:
    """Run a peer once; raises NotMeasured where it cannot be had."""
    python = FOLDER / peer.name / "bin" / "python"
    if not python.is_file():
        if not make:
            problem = f"{peer.name} has no environment; `make bench` makes one"
            raise NotMeasured(problem)
        _install(peer, python.parents[1])
    return script(peer.script, *peer.given, python=python)


def _install(peer: Peer, folder: Path) -> None:
    interpreter = next(_interpreters(peer.versions), None)
    if interpreter is None:
        problem = f"{peer.name} needs Python {' or '.join(peer.versions)}, and there is none here"
        raise NotMeasured(problem)
    aside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    python = str(aside / "bin" / "python")
    found = shutil.which("uv")
    uv = str(Path(found).absolute()) if found else None  # make names its folder as seen from here
    making = [uv, "venv", "--quiet", "--python", interpreter] if uv else [interpreter, "-m", "venv"]
    filling = [uv, "pip", "install", "--quiet", "--prerelease", "allow", "--python", python] if uv else []
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"making an environment for {peer.name} (once)", flush=True)
    _do(peer, [*making, str(aside)])
    _do(peer, [*(filling or [python, "-m", "pip", "install", "--quiet"]), *peer.packages])
    _do(peer, [python, "-W", "ignore", "-c", f"import {peer.module}"])
    aside.rename(folder)


def _do(peer: Peer, command: list[str]) -> None:
    try:
        subprocess.run(  # noqa: S603 (an interpreter, uv and pip)
            command, check=True, capture_output=True, text=True, timeout=PATIENCE_S, cwd=FOLDER
        )
    except subprocess.TimeoutExpired as error:
        problem = f"{peer.name} could not be installed in {PATIENCE_S:.0f} seconds"
        raise NotMeasured(problem) from error
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        problem = f"{peer.name} could not be installed: {said[-1].strip()[:200] if said else error}"
        raise NotMeasured(problem) from error


def _interpreters(versions: tuple[str, ...]) -> Iterator[str]:
    for version in versions:
        installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        for found in (shutil.which(f"python{version}"), *map(str, installed)):
            if found and _is(found, version):
                yield found


def _is(interpreter: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    return done.returncode == 0 and done.stdout.strip() == version
