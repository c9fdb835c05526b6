"""A room on this machine: a process a shard, pipes for words, shared memory for arrays.

Workers come from a fork server that has imported what they need, so that one begins in some tens of
milliseconds; each does its arithmetic in one thread. They leave Ctrl-C to whoever leads the run, and
end with it, however it ends: a thread of theirs waits for the other end of a pipe to close.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rehearse.errors import UserError
from rehearse.experiments.processes import begun, server
from rehearse.experiments.shards.parcels import Parcel, pack
from rehearse.experiments.shards.rooms import LostError
from rehearse.experiments.shards.sayings import FAILED, Task
from rehearse.experiments.shards.work import serve

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
PRELOADED = ["rehearse.experiments.shards.local", "rehearse.agents.crowd", "duckdb", "scipy.sparse"]
ROOMY = 1 << 30
"""Bytes free in shared memory from which on it is used."""
IN_ORDER = b"."
PATIENCE = 2.0
"""Seconds that a worker has to end by itself."""


@dataclass(slots=True)
class Worker:
    """A process and the two pipes to it."""

    process: Any
    words: Connection
    life: Connection
    """Closed when we end, which ends the worker."""

    def release(self) -> None:
        """Let the worker end, with a word that all is in order."""
        with contextlib.suppress(OSError):
            self.life.send_bytes(IN_ORDER)
        self.life.close()


class LocalRoom:
    """Shards as processes of this machine."""

    name = "local"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"rehearse-{os.getpid()}-", dir=_place()))
        self._workers: dict[int, Worker] = {}
        self._context = server(PRELOADED)

    def begin(self, task: Task) -> None:
        """Begin a worker, in place of one that is lost."""
        self._end(task.shard)
        ours, theirs = self._context.Pipe()
        listening, life = self._context.Pipe(duplex=False)
        name = f"rehearse-shard-{task.shard}"
        process = begun(self._context, name, _work, (theirs, listening, self._folder))
        self._workers[task.shard] = Worker(process, ours, life)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # lost at once: `hear` says so
                ours.send(pickle.dumps(task))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _cannot_travel(error) from error

    def hold(self, thing: object) -> Parcel:
        """Put something where workers can see it."""
        return pack(thing, self._folder)

    def tell(self, shard: int, verb: str, handles: tuple[Any, ...]) -> None:
        """Send a verb with its handles."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._workers[shard].words.send((verb, handles))

    def hear(self, shard: int) -> tuple[str, Any]:
        """Wait for a worker's next words."""
        try:
            kind, parcel = self._workers[shard].words.recv()
        except (EOFError, OSError) as error:
            problem = f"the process of shard {shard} has gone."
            raise LostError(problem) from error
        return kind, parcel

    def open(self, handle: Parcel) -> Any:
        """Return what a worker packed."""
        return handle.open()

    def free(self, handles: list[Parcel]) -> None:
        """Remove what lies in shared memory."""
        for handle in handles:
            handle.free()

    def processes(self) -> dict[int, int]:
        """Return the process id of each shard."""
        return {shard: worker.process.pid for shard, worker in self._workers.items()}

    def close(self) -> None:
        """End the workers and remove what lies in shared memory."""
        for worker in self._workers.values():
            worker.release()
        for shard in list(self._workers):
            self._end(shard)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, shard: int) -> None:
        worker = self._workers.pop(shard, None)
        if worker is None:
            return
        worker.release()
        worker.words.close()
        worker.process.join(PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


class _Pipe:
    """A worker's link to whoever leads the run."""

    def __init__(self, words: Connection, folder: Path) -> None:
        self._words = words
        self._folder = folder

    def ask(self, kind: str, thing: object) -> tuple[str, tuple[Any, ...]]:
        """Say something and wait for the answer."""
        self._words.send((kind, pack(thing, self._folder)))
        verb, handles = self._words.recv()
        return verb, tuple(handle.open() for handle in handles)


def _work(words: Connection, life: Connection, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watching = threading.Thread(target=_die_with, args=(life, folder), daemon=True)
    watching.start()
    link = _Pipe(words, folder)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve(_unpacked(words.recv(), link), link)
    watching.join()  # it ends the process, once it has tidied up


def _unpacked(task: bytes, link: _Pipe) -> Task:
    try:
        unpacked: Task = pickle.loads(task)  # noqa: S301 - whoever leads the run made it
    except (ImportError, AttributeError) as error:
        link.ask(FAILED, _cannot_travel(error))
        raise EOFError from error
    return unpacked


def _cannot_travel(error: Exception) -> UserError:
    problem = f"what shards need cannot be sent to other processes: {error}."
    return UserError(problem, "Give the policy by reference, such as model.py:decide, or drop --shards.")


def _die_with(life: Connection, folder: Path) -> None:
    """End this process with whoever leads the run; tidy up if that one had no time to."""
    try:
        life.recv_bytes()
    except (EOFError, OSError):
        deadline = time.monotonic() + PATIENCE
        while folder.exists() and time.monotonic() < deadline:  # another worker may still be writing
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.01)
    os._exit(0)


def _place() -> Path | None:
    """Return where files lie in memory, or None for the usual place of temporary files.

    Containers often have a shared memory of 64 MiB, which columns fill at once.
    """
    if not (SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)):
        return None
    return SHARED_MEMORY if shutil.disk_usage(SHARED_MEMORY).free >= ROOMY else None
