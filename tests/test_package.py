"""The house as it is delivered: what the wheel installs, where, and how quickly it starts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, requires
from importlib.resources import files
from pathlib import Path

import pytest

import rehearse

ROOT = Path(__file__).parents[1]
ROOMS = ("agents", "environments", "policies", "experiments")

LIST_IMPORTS = """
import json, sys
before = set(sys.modules)
sys.argv = ["rehearse", "--help"]
from rehearse.experiments.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print()
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""

LIST_HEAVY = """
import json, sys
from rehearse.experiments.cli import main
asked = "list|show travel|run no|run ./wrong.yaml|check ./wrong.yaml|fork no --tick 3|resume no"
codes = [main(line.split()) for line in asked.split("|")]
heavy = {"mesa", "networkx", "numba", "pandas", "pyarrow", "scipy", "sklearn"}
print()
print(json.dumps({"codes": codes, "heavy": sorted(heavy & set(sys.modules))}))
"""


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a child to its end, which must be a good one."""
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)


def family(name: str) -> set[str]:
    """Return the distributions that one needs, directly or not, and itself."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in found:
            continue
        try:
            needed = requires(current) or []
        except PackageNotFoundError:
            continue
        found.add(current)
        waiting += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed if "extra ==" not in line]
    return found


def test_the_wheel_is_tested_and_not_the_tree():
    """The rehearse that the tests meet lies in site-packages."""
    where = Path(rehearse.__file__)
    assert "site-packages" in where.parts, f"tests ran against {where}: use `make test`"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_in_the_wheel(room):
    """Each of the four folders is installed inside rehearse, with every module of the tree."""
    installed = {str(path) for path in distribution("rehearse").files or ()}
    modules = [path.relative_to(ROOT) for path in (ROOT / room).rglob("*.py")]
    assert modules
    assert not [m for m in modules if f"rehearse/{m.as_posix()}" not in installed]


def test_nothing_but_rehearse_is_installed():
    """No top-level name besides rehearse is taken: `agents` and its like belong to others."""
    tops = {path.parts[0] for path in distribution("rehearse").files or ()}
    assert {top for top in tops if not top.endswith(".dist-info")} - {".."} == {"rehearse"}


def test_the_catalogue_is_found():
    """The shipped scenarios are read through importlib.resources, wherever rehearse is installed."""
    shipped = {entry.name for entry in files("rehearse").joinpath("catalogue").iterdir()}
    assert {"travel.yaml", "feed.yaml"} <= shipped


def test_the_types_are_delivered():
    """The marker that tells type checkers to read our annotations is in the wheel."""
    assert files("rehearse").joinpath("py.typed").is_file()


def test_help_imports_only_the_standard_library_and_typer(tmp_path):
    """`rehearse --help` loads nothing but the standard library, typer and what it needs, and rehearse."""
    child = run(sys.executable, "-c", LIST_IMPORTS, cwd=tmp_path)
    loaded = set(json.loads(child.stdout.splitlines()[-1]))
    owners = packages_distributions()
    allowed = family("typer") | {"rehearse"}
    foreign = {
        name: owners[name]
        for name in loaded - sys.stdlib_module_names
        if name in owners and not {re.sub(r"[-_.]+", "-", o).lower() for o in owners[name]} & allowed
    }
    assert not foreign


def test_a_mistake_is_told_before_anything_heavy_is_loaded(tmp_path):
    """Neither mistakes nor what is merely shown load Mesa, networkx, numba, pandas or pyarrow."""
    world = {"name": "pricing-v1", "settings": {"stock": {"levels": 3}}}
    wrong = {"extends": "pricing", "name": "wrong", "world": world}
    (tmp_path / "wrong.yaml").write_text(json.dumps(wrong))
    child = run(sys.executable, "-c", LIST_HEAVY, cwd=tmp_path)
    assert json.loads(child.stdout.splitlines()[-1]) == {"codes": [0, 0, 2, 2, 2, 2, 2], "heavy": []}


def cpu_of_help(cwd: Path) -> float:
    """Return the CPU seconds of one `rehearse --help`."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = run(str(Path(sys.executable).with_name("rehearse")), "--help", cwd=cwd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "journey" in shown.stdout
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick(tmp_path):
    """`rehearse --help` takes under 0.4 s of CPU, in one of ten attempts (others may be busy)."""
    assert any(cpu_of_help(tmp_path) < 0.4 for _ in range(10))
