"""Parcels: what passes between the processes of one machine; large arrays lie in shared memory."""

from __future__ import annotations

import mmap
import pickle
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from rehearse.errors import OutputError

SMALL = 1 << 15
"""Arrays of fewer bytes travel with the words."""
ALIGNED = 64


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something pickled, its large arrays apart in a file that every process can map."""

    words: bytes
    path: str | None = None
    places: tuple[tuple[int, int], ...] = ()
    """Where each array begins in the file, and how many bytes it has."""

    def open(self) -> Any:
        """Return what was packed; large arrays are views of the file and cannot be written to."""
        if self.path is None:
            return pickle.loads(self.words)  # noqa: S301 - our own processes wrote it
        with Path(self.path).open("rb") as file:
            shared = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        arrays = [shared[start : start + size] for start, size in self.places]
        return pickle.loads(self.words, buffers=arrays)  # noqa: S301 - our own processes wrote it

    def free(self) -> None:
        """Give the memory back once nobody looks at it any more."""
        if self.path is not None:
            Path(self.path).unlink(missing_ok=True)


def pack(thing: object, folder: Path) -> Parcel:
    """Pickle something, with large arrays in a file in `folder`; raises OutputError where that is full."""
    large: list[memoryview] = []

    def apart(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes >= SMALL:
            large.append(view)
        return view.nbytes < SMALL

    words = pickle.dumps(thing, protocol=5, buffer_callback=apart)
    if not large:
        return Parcel(words)
    try:
        name, places = _written(large, folder)
    except OSError as error:
        problem = f"what shards tell one another cannot be written in {str(folder)!r}: {error.strerror}."
        raise OutputError(
            problem, "Make room there (TMPDIR names another place), or use fewer --shards."
        ) from error
    return Parcel(words, name, places)


def _written(arrays: list[memoryview], folder: Path) -> tuple[str, tuple[tuple[int, int], ...]]:
    places = []
    with NamedTemporaryFile(dir=folder, delete=False) as file:
        for view in arrays:
            file.seek(-file.tell() % ALIGNED, 1)
            places.append((file.tell(), view.nbytes))
            file.write(view)
    return file.name, tuple(places)
