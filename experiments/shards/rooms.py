"""Rooms: where shards live. Whoever leads a run sees only this."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rehearse.errors import RehearseError
from rehearse.experiments.shards.sayings import Task
from rehearse.threads import BLAS, OWN

THREADS = (*BLAS, OWN)


class LostError(RehearseError):
    """A shard has gone without a word."""


class Room(Protocol):
    """Where shards live and are talked to; what passes is held outside of them, by handle."""

    name: str

    def begin(self, task: Task) -> None:
        """Begin a shard, or begin it again."""
        ...

    def hold(self, thing: object) -> Any:
        """Return a handle of something that shards are to be given."""
        ...

    def tell(self, shard: int, verb: str, handles: tuple[Any, ...]) -> None:
        """Answer a shard; raises nothing where it is lost."""
        ...

    def hear(self, shard: int) -> tuple[str, Any]:
        """Wait for what a shard says: its kind and a handle; raises LostError where it is gone."""
        ...

    def open(self, handle: Any) -> Any:
        """Return what a handle stands for; arrays in it may be read only."""
        ...

    def free(self, handles: list[Any]) -> None:
        """Let go of handles that nobody will be given again."""
        ...

    def close(self) -> None:
        """End all shards and leave nothing behind."""
        ...


@contextmanager
def with_environment(settings: Mapping[str, str], restored: Sequence[str] = ()) -> Iterator[None]:
    """Let this process, and what it begins meanwhile, have these environment variables.

    `restored` are others that something may set meanwhile.
    """
    before = {name: os.environ.get(name) for name in (*settings, *restored)}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let what is begun meanwhile do its arithmetic in one thread, whatever this process does."""
    with with_environment(dict.fromkeys(THREADS, "1")):
        yield
