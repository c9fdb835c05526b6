"""The catalogue: scenarios by name and version, those that come with Rehearse and those of your own.

Your own lie in the folder that REHEARSE_CATALOGUE names, or else in `./catalogue`. A file is called
NAME.yaml, or NAME@VERSION.yaml where it is kept for what was judged by it. What comes with Rehearse cannot be
hidden: the same name and version in your folder is left out.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rehearse.errors import NotFoundError, ScenarioError, did_you_mean
from rehearse.scenario.about import About
from rehearse.scenario.document import parse
from rehearse.scenario.wrong import check

SUFFIXES = frozenset({".yaml", ".yml"})
OWN = "REHEARSE_CATALOGUE"
"""The environment variable that names the folder of your own scenarios."""

NOTHING_SAID = About()


@dataclass(frozen=True, slots=True)
class Listed:
    """A scenario of the catalogue."""

    name: str
    version: int
    title: str
    file: Path
    about: About = NOTHING_SAID

    @property
    def ref(self) -> str:
        """Return how it is called: its name if it comes with Rehearse, else its file."""
        ours = self.file.parent == packaged()
        return f"{self.name}@{self.version}" if ours else str(self.file)


def packaged() -> Path:
    """Return the folder of the scenarios that come with Rehearse."""
    return Path(str(files("rehearse").joinpath("catalogue")))


def own(folder: Path | None = None) -> Path:
    """Return the folder of your own scenarios, which need not be there."""
    return folder or Path(os.environ.get(OWN) or "catalogue")


def catalogue(folder: Path | None = None, *, retired: bool = False) -> list[Listed]:
    """Return the scenarios of the catalogue by name and version: Rehearse's, and those of your folder.

    Those that are retired are left out unless they are asked for.
    """
    found = _listed(_files(folder))
    return [entry for entry in found if retired or not entry.about.retired]


def find(ref: str, folder: Path | None = None) -> Path:
    """Return the file of a scenario by its name, or name@version; raises NotFoundError where there is none.

    One that is retired is found with a warning that says why it is.
    """
    name, at, version = ref.partition("@")
    known = _files(folder)  # reading those of other names would cost every command a quarter of a second
    versions = _listed(file for file in known if named(file) == name)
    if not versions:
        problem = f"there is no scenario {name!r} in the catalogue."
        hint = did_you_mean(name, {named(file) for file in known})
        raise NotFoundError(problem, f"{hint} A file is given by its path, such as ./{name}.yaml.")
    matching = [entry for entry in versions if not at or str(entry.version) == version]
    if not matching:
        problem = f"there is no version {version!r} of scenario {name!r}."
        raise NotFoundError(problem, f"There is {', '.join(f'{name}@{e.version}' for e in versions)}.")
    entry = matching[-1]
    if entry.about.retired:
        why = f"{entry.name}@{entry.version} is retired: {entry.about.retired}"
        warnings.warn(why, stacklevel=4)
    return entry.file


def named(file: Path) -> str:
    """Return the name that a file of the catalogue has."""
    return file.stem.partition("@")[0]


def _files(folder: Path | None) -> list[Path]:
    return [*_in(packaged()), *(_in(own(folder)) if own(folder).is_dir() else [])]


def _in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES)


def _listed(these: Iterable[Path]) -> list[Listed]:
    found: dict[tuple[str, int], Listed] = {}
    for file in these:
        entry = _entry(file)
        if entry is not None:
            found.setdefault((entry.name, entry.version), entry)
    return sorted(found.values(), key=lambda entry: (entry.name, entry.version))


def _entry(file: Path) -> Listed | None:
    """Return what a file says of itself; None where a folder holds YAML of another kind."""
    tree = parse(file.read_bytes(), str(file))
    top: Any = tree.plain()
    if not isinstance(top, dict) or not {"name", "world", "extends"} & top.keys() or "name" not in top:
        return None
    said = tree.child("about")
    about = NOTHING_SAID if said is None else check(About, said.plain(), under="about", tree=said)
    version = top.get("version", 1)
    if not isinstance(version, int):
        problem = f"{file}: version is a whole number, found {version!r}."
        raise ScenarioError(problem, "Write version: 1.")
    return Listed(str(top["name"]), version, str(top.get("title", "")), file, about)
