"""A room in a Ray cluster: an actor a shard; what passes lies in the object store. The one door to Ray.

What shards say belongs to the process that leads the run, so it outlives them. A cluster that is begun
here asks for a token that only this run knows, and is gone with the run; of one that was there
already nothing is changed. Turns are written by the actors: on several machines the run's folder must
lie where all of them see it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from rehearse.errors import NotCompletedError, UserError
from rehearse.experiments.shards.rooms import LostError, one_thread_each, with_environment
from rehearse.experiments.shards.sayings import Task
from rehearse.experiments.shards.work import serve

RESTORED = ("RAY_AUTH_MODE", "RAY_CLIENT_MODE")
"""Environment variables that Ray sets and does not take back."""


class Actor:
    """A shard in an actor: its work goes on in a thread, and what it says waits to be fetched."""

    def __init__(self, task: Task) -> None:
        self._said: SimpleQueue[tuple[str, object]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[str, tuple[Any, ...]]] = SimpleQueue()
        threading.Thread(target=serve, args=(task, self), daemon=True).start()

    def ask(self, kind: str, thing: object) -> tuple[str, tuple[Any, ...]]:
        """Say something, and wait for the answer (this is the shard's link)."""
        self._said.put((kind, thing))
        return self._answers.get()

    def hear(self) -> tuple[str, object]:
        """Return what the shard says next."""
        return self._said.get()

    def tell(self, verb: str, *given: object) -> tuple[str, object]:
        """Answer the shard; return what it says next."""
        self._answers.put((verb, given))
        return self.hear()


class RayRoom:
    """Shards as actors of a Ray cluster."""

    name = "ray"

    def __init__(self, shards: int, address: str = "local") -> None:
        self._end = contextlib.ExitStack()
        self._actors: dict[int, Any] = {}
        self._said: dict[int, tuple[Any, Any]] = {}
        try:
            self._ray = self._end.enter_context(connected(shards, address))
            self._check(shards)
        except BaseException:
            self._end.close()
            raise

    def begin(self, task: Task) -> None:
        """Begin an actor, in place of one that is lost."""
        self.kill(task.shard)
        kind = self._ray.remote(num_cpus=1, max_restarts=0)(Actor)
        actor = self._actors[task.shard] = kind.remote(task)
        self._said[task.shard] = actor.hear.options(num_returns=2).remote()

    def hold(self, thing: object) -> Any:
        """Put something into the object store."""
        return self._ray.put(thing)

    def tell(self, shard: int, verb: str, handles: tuple[Any, ...]) -> None:
        """Send a verb with its handles."""
        self._said[shard] = self._actors[shard].tell.options(num_returns=2).remote(verb, *handles)

    def hear(self, shard: int) -> tuple[str, Any]:
        """Wait for what an actor says next."""
        kind, thing = self._said[shard]
        try:
            return str(self._ray.get(kind)), thing
        except self._ray.exceptions.RayActorError as error:
            problem = f"the actor of shard {shard} has gone."
            raise LostError(problem) from error
        except self._ray.exceptions.RayError as error:
            problem = f"Ray gave up on shard {shard}: {error}."
            raise NotCompletedError(problem, "Go on with `rehearse resume`.") from error

    def open(self, handle: Any) -> Any:
        """Return what lies in the object store; arrays in it are read only."""
        return self._ray.get(handle)

    def free(self, handles: list[Any]) -> None:
        """Do nothing: Ray counts who still refers to what."""

    def kill(self, shard: int) -> None:
        """Kill the actor of a shard, if it has one."""
        if shard in self._actors:
            self._ray.kill(self._actors[shard])

    def close(self) -> None:
        """End the actors, and the cluster if it was begun here."""
        for shard in list(self._actors):
            self.kill(shard)
        self._end.close()

    def _check(self, shards: int) -> None:
        cores = self._ray.cluster_resources().get("CPU", 0.0)
        if cores < shards:
            problem = f"the Ray cluster has {cores:g} CPUs for {shards} shards."
            raise UserError(problem, f"Give --shards {int(cores)} at most, or add machines to the cluster.")


@contextlib.contextmanager
def connected(processes: int, address: str) -> Iterator[Any]:
    """Connect to a cluster, or begin one on this machine with so many CPUs; leave everything as it was."""
    with with_environment(_settings(address), RESTORED), one_thread_each():
        ray = _imported()
        if ray.is_initialized():  # by the program that we are called from: it is its cluster
            yield ray
            return
        folder = Path(tempfile.mkdtemp(prefix="rehearse-ray-"))
        try:
            _begin(ray, processes, address, folder)
            yield ray
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
    _forget_token()


def _settings(address: str) -> dict[str, str]:
    """Return the environment of Ray: it reports nothing home, and a cluster of ours knows our token."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0"}
    return quiet | ({"RAY_AUTH_TOKEN": secrets.token_hex(32)} if address == "local" else {})


def _imported() -> Any:
    try:
        import ray
    except ImportError:
        problem = "this was to be done on Ray, which is not installed."
        raise UserError(problem, "Run `pip install 'rehearse[ray]'`, or use --on local.") from None
    _forget_token()
    return ray


def _forget_token() -> None:
    """Let Ray look for its token again: it remembers the one that it saw first."""
    with contextlib.suppress(ImportError, AttributeError):  # versions without tokens
        from ray._raylet import AuthenticationTokenLoader

        AuthenticationTokenLoader.instance().reset_cache()


def _begin(ray: Any, shards: int, address: str, folder: Path) -> None:
    told: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    if address == "local":
        told |= {"num_cpus": max(shards, os.cpu_count() or 1), "include_dashboard": False}
        told |= {"_temp_dir": str(folder)}
    log = logging.getLogger("ray")
    before = log.level
    log.setLevel(logging.ERROR)  # it would tell of tokens and dashboards
    try:
        ray.init(address=address, **told)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        problem = f"there is no way to the Ray cluster {address!r}: {error}."
        raise UserError(problem, "Check the address, or use --on ray for one of its own.") from error
    finally:
        log.setLevel(before)
