"""Processes that begin within milliseconds: forked from a server that has imported what they need."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from rehearse.experiments.shards.rooms import one_thread_each


def server(preloaded: Sequence[str]) -> ForkServerContext:
    """Return where processes are begun; what is preloaded, the first who asks in this process says."""
    # Named here, for importing mesa makes `spawn` the default of the process.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preloaded))
    return context


def begun(
    context: ForkServerContext, name: str, target: Callable[..., None], given: tuple[Any, ...]
) -> BaseProcess:
    """Begin a process that does its arithmetic in one thread and ends with this one at the latest."""
    process = context.Process(target=target, args=given, name=name, daemon=True)
    with one_thread_each(), _no_main_module():
        process.start()
    for end in given:
        if isinstance(end, Connection):
            end.close()
    return process


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Begin a process that does not import the program once more, which would begin the run once more."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program
