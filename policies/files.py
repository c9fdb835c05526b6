"""Opening what a reference names: Python files and modules, and saved models."""

from __future__ import annotations

import ast
import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from rehearse.errors import PolicyHungError, PolicyLoadError, did_you_mean
from rehearse.policies.complaints import told
from rehearse.policies.limits import within
from rehearse.policies.sandbox import loading

DIGEST_LENGTH = 12
LOAD_LIMIT_S = 120.0
"""Wall-clock seconds that importing or unpacking a model may take."""
PICKLES = {".pkl", ".pickle", ".joblib"}
TRUST = "say --trust (in Python: trust=True)"
SAVED = {".skops", *PICKLES}
MODELS = {".py", ".onnx", *SAVED}
"""Files that may hold a model."""


def digest(content: bytes) -> str:
    """Return a short digest, which is the version of a model that states none."""
    return hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]


def content_of(path: Path) -> bytes:
    """Return the bytes of a file; PolicyLoadError where there is none, or nothing in it."""
    if path.is_dir():
        problem = f"{path} is a folder, where a file with a model was expected."
        raise PolicyLoadError(problem, "Name the file in it, such as mymodel.py:decide or model.skops.")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problem = f"there is no file {path}."
        raise PolicyLoadError(problem, _beside(path)) from None
    except (OSError, ValueError) as error:
        problem = f"{path} cannot be read: {error}."
        raise PolicyLoadError(problem, "Check the path and its permissions.") from None
    if not content.strip():
        problem = f"{path} is empty."
        raise PolicyLoadError(problem, "Write or save the model first.")
    return content


def _beside(path: Path) -> str:
    folder = path.parent
    names = [p.name for p in folder.iterdir() if p.suffix in MODELS] if folder.is_dir() else []
    return did_you_mean(path.name, names) if names else "Check the path."


def from_file(path: Path, attribute: str) -> tuple[object, str]:
    """Run a Python file and return what one of its names stands for, and the digest of the file."""
    content = content_of(path)
    known = _names_in(content, path)
    if not attribute:
        problem = f"{path} is named without saying what in it is the model."
        raise PolicyLoadError(problem, _say_which(path.as_posix(), known))
    module = safely(f"the file {path}", lambda: _run(path, content))
    return _attribute(module, attribute, str(path), known), digest(content)


def from_module(name: str, attribute: str) -> tuple[object, str]:
    """Import a module and return what one of its names stands for, and the digest of its file."""
    if not attribute:
        problem = f"the module {name} is named without saying what in it is the model."
        raise PolicyLoadError(problem, f"Write {name}:something.")
    try:
        module = safely(f"the module {name}", lambda: importlib.import_module(name))
    except PolicyLoadError as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and name.startswith(error.__cause__.name or "\0"):
            problem = f"there is no module {error.__cause__.name!r}, asked for as {name}:{attribute}."
            file = Path(*name.split(".")).with_suffix(".py")
            hint = f"Did you mean {file}:{attribute}?" if file.is_file() else "Install it, or name a file."
            raise PolicyLoadError(problem, hint) from None
        raise
    source = getattr(module, "__file__", None)
    version = digest(Path(source).read_bytes()) if source else "unknown"
    return _attribute(module, attribute, name, [n for n in vars(module) if not n.startswith("_")]), version


def from_saved(path: Path, *, trust: bool) -> tuple[object, str]:
    """Load a saved model, and return it with the digest of its file.

    A .skops file is read without running code, unless it holds types that need trust; a pickle runs
    whatever is in it, so it is opened only when trust is said.
    """
    content = content_of(path)
    if path.suffix == ".skops":
        return safely(f"the model {path}", lambda: _skops(path, trust=trust)), digest(content)
    if not trust:
        problem = f"{path} is a pickle, which can run any code when it is opened."
        raise PolicyLoadError(problem, f"Save the model with skops, or {TRUST}.")
    return safely(f"the model {path}", lambda: _unpickle(path)), digest(content)


def _skops(path: Path, *, trust: bool) -> object:
    try:
        from skops import io
    except ImportError:
        problem = f"{path} is a skops file, and skops is not installed."
        raise PolicyLoadError(problem, "Run: pip install 'rehearse[sklearn]'.") from None
    strange = io.get_untrusted_types(file=path)
    if strange and not trust:
        problem = f"{path} holds types that skops does not know to be safe: {', '.join(strange[:8])}."
        raise PolicyLoadError(problem, f"If you trust where it comes from, {TRUST}.")
    loaded: object = io.load(path, trusted=strange)
    return loaded


def _unpickle(path: Path) -> object:
    if path.suffix == ".joblib":
        joblib: Any = importlib.import_module("joblib")
        loaded: object = joblib.load(path)
        return loaded
    import pickle

    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - only where trust was said


def _run(path: Path, content: bytes) -> ModuleType:
    """Run a file as a module of its own: its bytes as digested, never a cached compilation."""
    module = ModuleType(f"rehearse_model_{digest(content)}")
    module.__file__ = str(path.resolve())
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # a model may import what lies beside it
    sys.modules[module.__name__] = module
    exec(compile(content, module.__file__, "exec", dont_inherit=True), vars(module))  # noqa: S102 - what the caller asks for
    return module


def safely(what: str, load: Callable[[], Any]) -> Any:
    """Return what `load` gives, within a limit of time; whatever it raises becomes a PolicyLoadError."""
    try:
        with within(LOAD_LIMIT_S, what), loading():
            return load()
    except (PolicyLoadError, PolicyHungError):
        raise
    except SyntaxError as error:
        problem = f"{what} is not valid Python: {error.msg} (line {error.lineno})."
        raise PolicyLoadError(problem, "Correct that line.") from error
    except (Exception, SystemExit) as error:
        problem = f"{what} could not be loaded: it {told(error)}."
        raise PolicyLoadError(problem, "Mend it, or check that it is what you meant.") from error


def _attribute(module: ModuleType, attribute: str, where: str, known: list[str]) -> object:
    found: object = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            problem = f"{where} has nothing called {attribute!r}."
            raise PolicyLoadError(problem, did_you_mean(attribute, known) if known else "It defines nothing.")
        found = getattr(found, part)
    return found


def _names_in(content: bytes, path: Path) -> list[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        problem = f"{path} is not valid Python: {error.args[0]}{f' (line {line})' if line else ''}."
        raise PolicyLoadError(problem, "Correct that line, or name another file.") from None
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [node.name for node in tree.body if isinstance(node, defined)]
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def _say_which(path: str, known: list[str]) -> str:
    if not known:
        return f"Define a function in it, and write {path}:decide."
    return f"Write {path}:{known[0]}. It defines: {', '.join(known[:12])}."
