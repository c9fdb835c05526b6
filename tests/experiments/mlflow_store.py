"""MLflow for the tests: a store in SQLite that is there at once, and a real server on loopback."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
INSTALLED = all(map(find_spec, ("mlflow", "sqlalchemy", "alembic")))
WHY = "MLflow is not installed (extra mlflow)"
STARTS_WITHIN_S = 300.0


def is_server_installed():
    """Tell whether the full mlflow is there: the extra is its client alone."""
    try:
        version("mlflow")
    except PackageNotFoundError:
        return False
    return INSTALLED


def fresh(factory, folder):
    """Return the address of an empty store in a folder, copied: making one takes MLflow five seconds."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # all workers share one
    template = root / "mlflow.db"
    with (root / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            import mlflow

            aside = root / "mlflow-aside.db"
            mlflow.MlflowClient(tracking_uri=f"sqlite:///{aside}").search_experiments()
            aside.rename(template)
    shutil.copy(template, folder / "store.db")
    return f"sqlite:///{folder}/store.db"


@contextmanager
def served(folder, *words, health="/health"):
    """Run `mlflow WORDS` as a server on a free port of loopback until the block ends; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)]
    more = QUIET | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / f"server-{port}.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=os.environ | more)
        try:
            _wait(server, f"http://127.0.0.1:{port}{health}", folder / f"server-{port}.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait(server, url, log):
    end = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own on loopback
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
