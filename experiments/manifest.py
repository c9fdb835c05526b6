"""The manifest: what ran, from what, on what machine, so that anybody can tell two runs apart."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.errors import DataError, UserError
from rehearse.record.scope import Scope
from rehearse.scenario.model import Scenario

SCHEMA_VERSION = 1
NAMED_PACKAGES = ("rehearse", "mesa", "numpy", "networkx", "pydantic", "structlog", "scipy", "duckdb")


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file; raises DataError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        problem = f"{str(path)!r} could not be read: {error.strerror}."
        raise DataError(problem, "Check the path and its permissions.") from error


def environment() -> dict[str, Any]:
    """Return packages, code and machine: what a result may depend on besides its scenario."""
    frozen = _installed()
    versions = dict(line.split("==", 1) for line in frozen)
    return {
        "packages": {name: versions[name] for name in NAMED_PACKAGES if name in versions},
        "environment_digest": hashlib.sha256("\n".join(frozen).encode()).hexdigest(),
        "code": _code(),
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
            "processor": platform.machine(),
            "cores": os.cpu_count(),
        },
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


@cache
def _installed() -> list[str]:
    """Return all packages with their versions; reading what each says of itself takes a tenth of a second."""
    return sorted({f"{d.metadata['Name']}=={d.version}".lower() for d in distributions()})


def inputs(scenario: Scenario, data: Path | None) -> dict[str, str]:
    """Return the SHA-256 of every file that a run reads, by its absolute path."""
    source = scenario.people.source
    rules = [rule.name for rule in scenario.people.society.rules]
    code = (scenario.world.name, scenario.people.model, *rules)
    paths = [
        data,
        Path(source.table) if source and source.table != "world" else None,
        *(Path(graph.path) for graph in scenario.people.society.graphs.values() if graph.path),
        *(Path(name.rpartition(":")[0]) for name in code if ":" in name),
        policy_file(scenario),
    ]
    return {str(p.resolve()): file_digest(p) for p in paths if p is not None and p.is_file()}


def policy_file(scenario: Scenario) -> Path:
    """Return where the policy lies, if its name is that of a file."""
    return Path(scenario.policy.name.partition("?")[0].partition(":")[0])


def people_digest(scenario: Scenario, files: Mapping[str, str]) -> str:
    """Return a digest that two runs share when the same people meet the same luck.

    It leaves out the policy, what is judged, and the words: everything else must be equal.
    """
    whole = scenario.model_dump(mode="json")
    for name in (
        "policy",
        "criteria",
        "monitors",
        "title",
        "description",
        "name",
        "version",
        "extends",
        "about",
    ):
        whole.pop(name)
    for name in ("assumptions", "limitations", "latency", "faults", "guards", "sandbox", "bounds"):
        whole.pop(name)
    of_policy = str(policy_file(scenario).resolve())
    whole["inputs"] = sorted(digest for path, digest in files.items() if path != of_policy)
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def scope_of(scenario: Scenario, asked: str) -> dict[str, str]:
    """Return what is kept of the turns, as it is written down; raises UserError where that is nobody's."""
    scope = Scope.of(asked, scenario.seed)
    if scope.kind == "sample" and not scope.chooses(np.arange(scenario.people.count)).any():
        problem = f"--record {asked}: of {scenario.people.count:,} people this chooses nobody."
        raise UserError(problem, "Ask for a larger share, or for all.")
    return {"record": str(scope)}


def kept_every(every: int | None) -> dict[str, int]:
    """Return how often the state is kept for forks; raises UserError for less than a tick."""
    if every is not None and every < 1:
        problem = f"checkpoints are to be kept every {every} ticks."
        raise UserError(problem, "Give a whole number from 1.")
    return {} if every is None else {"keep_checkpoints": every}


def _code() -> dict[str, Any]:
    here = Path.cwd()  # the project that rehearses its model
    commit = _git(here, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(_git(here, "status", "--porcelain"))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", "-C", str(folder), *words],  # noqa: S607 - whichever git the user has
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
