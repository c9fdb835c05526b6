"""From a reference to a policy.

    greedy-v1                    a registered name
    epsilon-v1?epsilon=0.2&k=3   the same with settings
    mymodel.py:decide            a function, class or object in a file
    package.module:object        the same in an installed module
    model.skops                  a saved scikit-learn model
    model.onnx                   a model for ONNX Runtime
    model.pkl, model.joblib      the same as a pickle, only with trust
    http://host/v2/models/NAME   a model behind HTTP (`policies.http`)
    exec:./assistant --flag      a program that is asked in lines of JSON (`policies.program`)
    models:/NAME@ALIAS           a model in an MLflow registry (`policies.mlflow`)

In Python the function, class or object itself may be given, or `Shadow(live, candidate)` and its like.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from rehearse import registry
from rehearse.contract import Policy, Stage
from rehearse.errors import NotFoundError, PolicyLoadError, did_you_mean
from rehearse.policies import estimator, files, function, http, mlflow, onnx, program
from rehearse.policies.complaints import told
from rehearse.policies.composed import Composition
from rehearse.policies.isolate import isolated
from rehearse.policies.replicas import LearningPolicy, ObjectPolicy
from rehearse.policies.sandbox import current, loading
from rehearse.policies.settings import checked
from rehearse.scenario.model import Part

FORMS = (
    "A model is a registered name, file.py:function, package.module:object, file.skops, file.onnx, http://…, "
    "exec:program or models:/NAME@ALIAS."
)
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
FACTORY = ({"settings", "stage"}, {"stage"})
"""The parameters by which a function is known to make a policy, and not to be one."""


def load(
    ref: str | Callable[..., Any] | object,
    stage: Stage,
    settings: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> Policy:
    """Return the policy that a reference names, or the object given as one.

    Settings in the reference go before `settings`. `trust` allows pickles, and skops files with
    types of their own. Raises PolicyLoadError for whatever cannot be used, PolicyHungError where
    loading does not end.
    """
    given = dict(settings or {})
    if isinstance(ref, Composition):
        return composed(ref, stage, trust=trust)
    walls = current()
    if walls is not None and walls.spec.isolate and not _is_ours(ref):
        text = ref if isinstance(ref, str) else ""
        return isolated(text, ref, stage, given, walls, trust=trust)
    if not isinstance(ref, str):
        return _policy(ref, stage, given, _name_of(ref), _version_of(ref))
    text, _, query = ref.strip().partition("?")
    given |= _settings_in(query)
    apart = _apart(text, stage, given, trust=trust)
    if apart is not None:
        return apart
    found = _in_python(text, trust=trust)
    if found is None:
        return _registered(text.removesuffix(":"), stage, given, trust=trust)
    thing, name, version = found
    return _policy(thing, stage, given, name, version)


def _is_ours(ref: object) -> bool:
    """Tell whether a model is one of Rehearse, a server or a program: there is nothing to isolate."""
    if not isinstance(ref, str):
        return type(ref).__module__.startswith("rehearse.policies.")
    name = ref.strip().partition("?")[0].removesuffix(":")
    entry = registry.entries("policies").get(name)
    named = not (Path(name).suffix or ":" in name)
    return name.startswith((*http.SCHEMES, program.SCHEME)) or (
        named and (entry is None or entry.target.startswith("rehearse.policies."))
    )


def _apart(text: str, stage: Stage, settings: Mapping[str, Any], *, trust: bool) -> Policy | None:
    """Return the model of a reference that names no Python object; None for any other reference."""
    if text.startswith(http.SCHEMES):
        return http.from_address(text, stage, settings)
    if text.startswith(program.SCHEME):
        return program.ProgramPolicy(text, stage, settings)
    if text.startswith(mlflow.SCHEME):
        return mlflow.from_registry(text, stage, settings, trust=trust)
    if text.endswith(onnx.SUFFIX):
        return onnx.from_file(Path(text).expanduser(), stage, settings)
    return None


def pinned(part: Part) -> Part:
    """Return a policy as written, where an alias of a registry is the version that it means now."""
    written = _pinned({"name": part.name, "settings": part.settings})
    return part if written == {"name": part.name, "settings": part.settings} else Part(**written)


def _pinned(value: Any, registry: str | None = None) -> Any:
    if isinstance(value, str):
        return mlflow.pinned(value, registry) if value.startswith(mlflow.SCHEME) else value
    if isinstance(value, Mapping):
        settings = value.get("settings")
        where = settings.get("registry") if isinstance(settings, Mapping) else None
        return {key: _pinned(part, where if key == "name" else None) for key, part in value.items()}
    return [_pinned(part) for part in value] if isinstance(value, list | tuple) else value


def _in_python(text: str, *, trust: bool) -> tuple[object, str, str] | None:
    """Return the object that a file or module holds, its name and version; None for any other reference."""
    left, colon, attribute = text.rpartition(":")
    path = Path(left or text).expanduser()
    if path.suffix == ".py":
        thing, version = files.from_file(path, attribute if colon else "")
        return thing, f"{path.stem}:{attribute}", version
    if not colon and path.suffix in files.SAVED:
        thing, version = files.from_saved(path, trust=trust)
        return thing, path.name, version
    if colon and attribute and DOTTED.fullmatch(left):
        thing, version = files.from_module(left, attribute)
        return thing, text, version
    return None


def composed(plan: Composition, stage: Stage, where: str = "", *, trust: bool = False) -> Policy:
    """Return a policy made of others, each loaded from a reference, `{name, settings}` or a model."""

    def part(spec: object, word: str) -> Policy:
        place = f"{where}/{word}"
        if isinstance(spec, Mapping):
            written = checked(Part, spec, f"{plan.registered}, {place}")
            spec, settings = written.name, written.settings
        else:
            settings = {}
        kind = kind_of(spec) if isinstance(spec, str) else None
        if kind is not None:
            spec = checked(kind, settings, kind.registered)
        if isinstance(spec, Composition):
            return composed(spec, stage, place, trust=trust)
        named = f"{place[1:].replace('/', '.')} of {plan.registered}"
        if spec is None:
            problem = f"{named} is null, where a model belongs."
            raise PolicyLoadError(problem, "Name one, such as random-v1, or take it out of the policy.")
        try:
            return load(spec, stage, settings, trust=trust)
        except PolicyLoadError as error:
            problem = f"{named}: {error.problem}"
            raise PolicyLoadError(problem, error.remedy) from error

    return plan.made(stage, part, where)


def kind_of(name: str) -> type[Composition] | None:
    """Return the kind of policies made of others that is registered under a name; None: it is none."""
    entry = registry.built_in("policies", name)
    if entry is None or not entry.target.startswith("rehearse.policies."):
        return None
    made: Any = entry.load()
    return made if isinstance(made, type) and issubclass(made, Composition) else None


def _settings_in(query: str) -> dict[str, Any]:
    """Read `key=value&key=value`; a value is JSON where it can be, else text."""
    found: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not (key and equals):
            problem = f"the reference holds {pair!r} where a setting was expected."
            raise PolicyLoadError(problem, "Write name?key=value&key=value.")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found


def _registered(name: str, stage: Stage, settings: Mapping[str, Any], *, trust: bool) -> Policy:
    try:
        entry = registry.find("policies", name)
    except NotFoundError:
        _refuse(name)
    try:
        factory = entry.load()
    except Exception as error:
        problem = f"the policy {name!r} ({entry.target}) cannot be imported: it {told(error)}."
        raise PolicyLoadError(problem, "Reinstall or mend the package that it comes from.") from error
    kind = kind_of(name)
    if kind is not None:
        return composed(checked(kind, settings, name), stage, trust=trust)
    if entry.target.startswith("rehearse.policies."):
        made: Policy = factory(settings, stage)
        return made
    return _policy(factory, stage, settings, name, "unknown")


def _refuse(name: str) -> NoReturn:
    path = Path(name).expanduser()
    if name and (path.is_dir() or "/" in name or path.suffix):
        files.content_of(path)
        problem = f"{name!r} is not a kind of file that holds a model."
        raise PolicyLoadError(problem, FORMS) from None
    problem = f"there is no policy named {name!r}."
    raise PolicyLoadError(problem, f"{did_you_mean(name, registry.entries('policies'))} {FORMS}") from None


def _policy(thing: Any, stage: Stage, settings: Mapping[str, Any], name: str, version: str) -> Policy:
    """Return any object as a policy: itself if it is ours, else through the adapter that fits it."""
    make: Callable[[], Any] | None = None
    if isinstance(thing, type) or _is_factory(thing):
        make = partial(_construct, thing, stage, settings, name)
    made = thing if make is None else make()
    left = settings if make is None else {}
    if type(made).__module__.startswith("rehearse.policies."):
        ours: Policy = made
        return ours
    name, version = _said(made, "name", name), _said(made, "version", version)
    if hasattr(made, "decide"):
        if left:
            problem = f"policy.settings.{next(iter(left))}: {name} is an object, which is ready as it is."
            raise PolicyLoadError(problem, "Name its class to have it made with settings.")
        if callable(getattr(made, "learn", None)):
            return LearningPolicy(make or _copier(made, name), stage, name, version)
        return ObjectPolicy(made, name, version)
    if hasattr(made, "predict_proba") or hasattr(made, "predict"):
        return estimator.adapt(made, stage, left, name, version)
    if callable(made):
        return function.adapt(made, left, name, version)
    problem = f"{name} is a {type(made).__name__}, which cannot be asked."
    remedy = "A model is a function, or an object with `decide`, `predict_proba` or `predict`."
    raise PolicyLoadError(problem, remedy)


def _is_factory(thing: object) -> bool:
    if not inspect.isfunction(thing):
        return False
    return set(inspect.signature(thing).parameters) in FACTORY


def _construct(thing: Callable[..., Any], stage: Stage, settings: Mapping[str, Any], name: str) -> Any:
    """Call a class or factory with what it takes of `stage`, `settings`, and the settings one by one."""
    try:
        parameters = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    given: dict[str, Any] = {"stage": stage} if "stage" in parameters else {}
    if "settings" in parameters:
        given["settings"] = dict(settings)
    else:
        known = [n for n, p in parameters.items() if n != "stage" and p.kind is not p.VAR_KEYWORD]
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            function.check_settings(settings, known, name)
        given |= settings
    try:
        with loading():
            return thing(**given)
    except PolicyLoadError:
        raise
    except (Exception, SystemExit) as error:
        problem = f"{name} could not be made: it {told(error)}."
        raise PolicyLoadError(problem, "Mend it, or give what it needs in policy.settings.") from error


def _copier(made: object, name: str) -> Callable[[], Any]:
    def another() -> Any:
        try:
            return copy.deepcopy(made)
        except Exception as error:
            problem = f"{name} learns, so each society needs a copy, and copying it {told(error)}."
            raise PolicyLoadError(problem, "Name its class instead of an object.") from error

    return another


def _said(thing: object, what: str, otherwise: str) -> str:
    found = getattr(thing, what, None)
    return found if isinstance(found, str) and found else otherwise


def _name_of(thing: object) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _version_of(thing: object) -> str:
    """Return a digest of the source of a function, or of the class of an object."""
    source_of: Any = thing if inspect.isroutine(thing) or isinstance(thing, type) else type(thing)
    try:
        return files.digest(inspect.getsource(source_of).encode())
    except (OSError, TypeError):
        return "unknown"
