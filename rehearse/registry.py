"""Names of worlds, people, policies and checks: built-in and plugged in through the same door.

    thing-vN                  a registered name
    things.py:thing           what stands under a name in a Python file
    package.module:thing      the same in an installed module

A plug-in declares an entry point in the group `rehearse.worlds`, `rehearse.people`, `rehearse.policies`,
`rehearse.checks`, `rehearse.rules` (social rules) or `rehearse.clients` (language models), named `thing-vN`,
that points at a factory.
Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from rehearse.errors import NotFoundError, UserError, did_you_mean

Kind = Literal["worlds", "people", "policies", "checks", "rules", "clients"]


SINGULAR: dict[Kind, str] = {
    "worlds": "world",
    "people": "model of people",
    "policies": "policy",
    "checks": "check",
    "rules": "social rule",
    "clients": "language model",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name: where its factory is, and what it is in a line."""

    name: str
    target: str
    """`package.module:attribute`"""
    summary: str = ""

    def load(self) -> Callable[..., Any]:
        """Import and return the factory."""
        module, _, attribute = self.target.partition(":")
        factory: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        return factory


_RULES = "rehearse.agents.social"
_BUILT_IN: dict[Kind, tuple[Entry, ...]] = {
    "worlds": (
        Entry(
            "recommend-v1",
            "rehearse.environments.recommend:build",
            "items with attributes, people with tastes over them",
        ),
        Entry(
            "lending-v1",
            "rehearse.environments.lending:build",
            "applicants with a score and a group, loans that some repay",
        ),
        Entry(
            "assist-v1",
            "rehearse.environments.assist.world:build",
            "a dialogue: an assistant with a database",
        ),
        Entry("workload-v1", "rehearse.environments.workload:build", "items of the common workload"),
        Entry("triage-v1", "rehearse.environments.triage:build", "queues, sites to look at, treatments"),
        Entry("pricing-v1", "rehearse.environments.pricing.world:build", "prices, buyers, rivals and stock"),
        Entry("bandit-v1", "rehearse.environments.bandit:build", "arms that pay or not, in contexts"),
    ),
    "people": (
        Entry("crowd-v1", "rehearse.agents.crowd:build", "personas with goals, memory, patience and friends"),
        Entry("callers-v1", "rehearse.agents.dialogue.callers:build", "people with a goal and an agenda"),
        Entry("workload-v1", "rehearse.agents.workload:build", "the lean people of the common workload"),
        Entry("cases-v1", "rehearse.agents.cases:build", "cases of a queue, who come once and wait"),
    ),
    "policies": (
        Entry("random-v1", "rehearse.policies.baselines:Random", "any available item, all as likely"),
        Entry("constant-v1", "rehearse.policies.baselines:Constant", "always the same slate"),
        Entry("popular-v1", "rehearse.policies.learners:Popular", "what was taken most so far"),
        Entry("exposure-v1", "rehearse.policies.exposure:Exposure", "what was shown often, to some power"),
        Entry("greedy-v1", "rehearse.policies.baselines:Greedy", "the truly best item: an oracle"),
        Entry("epsilon-v1", "rehearse.policies.learners:EpsilonGreedy", "learns from outcomes between ticks"),
        Entry("ucb-v1", "rehearse.policies.bandits:UpperConfidence", "UCB1: the best that may yet be"),
        Entry("linucb-v1", "rehearse.policies.contextual:LinUCB", "UCB by what is seen of the person"),
        Entry(
            "online-logistic-v1",
            "rehearse.policies.contextual:OnlineLogistic",
            "a logistic regression for each item, a step a turn",
        ),
        Entry("refitted-v1", "rehearse.policies.refitted:Refitted", "an estimator, fitted on what it caused"),
        Entry("thompson-v1", "rehearse.policies.bandits:Thompson", "as often as it may be the best"),
        Entry(
            "threshold-v1", "rehearse.policies.cuts:Threshold", "yes from a value of a feature on, by group"
        ),
        Entry("content-v1", "rehearse.policies.content:Content", "what fits what the person took"),
        Entry("social-v1", "rehearse.policies.social:Social", "what friends took"),
        Entry("factors-v1", "rehearse.policies.factors:Factors", "a factorisation of what was taken"),
        Entry(
            "interleaved-v1", "rehearse.policies.interleaving:build", "another model, other items mixed in"
        ),
        Entry("max-utility-v1", "rehearse.policies.fair:MaxUtility", "the cuts worth most"),
        Entry(
            "equal-opportunity-v1",
            "rehearse.policies.fair:EqualOpportunity",
            "cuts with equal true positive rates",
        ),
        Entry(
            "demographic-parity-v1",
            "rehearse.policies.fair:DemographicParity",
            "cuts with equal selection rates",
        ),
        Entry(
            "logistic-v1", "rehearse.policies.logistic:Logistic", "logistic regression, trained every tick"
        ),
        Entry(
            "slot-filling-v1", "rehearse.policies.assistants:SlotFilling", "asks for slots, then recommends"
        ),
        Entry("forgetful-v1", "rehearse.policies.assistants:Forgetful", "recommends by what was said last"),
        Entry("linear-v1", "rehearse.policies.linear:Linear", "a linear score of what it may see"),
        Entry(
            "table-v1", "rehearse.policies.table:Table", "an item by chances written down for each context"
        ),
        Entry("allocation-v1", "rehearse.policies.allocation:Allocation", "where to look, by what was found"),
        Entry("bands-v1", "rehearse.policies.bands:Bands", "an item by the band in which a feature lies"),
        Entry("posted-price-v1", "rehearse.policies.prices:PostedPrice", "one price, or one for each group"),
        Entry("markup-v1", "rehearse.policies.prices:Markup", "cost and so much on top"),
        Entry("group-epsilon-v1", "rehearse.policies.prices:GroupEpsilon", "epsilon-v1 for each group apart"),
        Entry("split-v1", "rehearse.policies.split:Split", "a challenger for a share of the people"),
        Entry("rollback-v1", "rehearse.policies.rollback:Rollback", "back to the previous version in time"),
        Entry("guard-v1", "rehearse.policies.guard:Guard", "a model within a rule: veto, replace or stop"),
        Entry("fallback-v1", "rehearse.policies.fallback:Fallback", "another model where the first fails"),
        Entry(
            "circuit-breaker-v1",
            "rehearse.policies.breaker:CircuitBreaker",
            "a model that fails too often is left alone for a while",
        ),
        Entry("cache-v1", "rehearse.policies.cache:Cache", "answers that are given again for some ticks"),
        Entry("faulty-v1", "rehearse.policies.faults:Faults", "a model whose calls go wrong, in twelve ways"),
        Entry("delayed-v1", "rehearse.policies.delay:Delay", "a model that takes its time"),
        Entry("load-v1", "rehearse.policies.workers:Load", "a queue with finite workers before a model"),
        Entry("rate-limit-v1", "rehearse.policies.workers:RateLimit", "so many requests a tick and no more"),
        Entry("shadow-v1", "rehearse.policies.shadow:Shadow", "a candidate asked too and never shown"),
        Entry("q-learning-v1", "rehearse.policies.qlearning:QLearning", "learns a price tick by tick"),
    ),
    "checks": (),
    "rules": (
        Entry("degroot-v1", f"{_RULES}.averaging:DeGroot", "move towards the mean of friends"),
        Entry(
            "friedkin-johnsen-v1", f"{_RULES}.averaging:FriedkinJohnsen", "averaging, attached to the start"
        ),
        Entry("hegselmann-krause-v1", f"{_RULES}.confidence:HegselmannKrause", "bounded confidence"),
        Entry("deffuant-weisbuch-v1", f"{_RULES}.confidence:DeffuantWeisbuch", "random pairs come closer"),
        Entry("voter-v1", f"{_RULES}.voter:Voter", "a random person copies a random friend"),
        Entry("threshold-v1", f"{_RULES}.adoption:Threshold", "adopt once enough friends have"),
        Entry("independent-cascade-v1", f"{_RULES}.adoption:IndependentCascade", "one chance each"),
        Entry("bass-v1", f"{_RULES}.adoption:Bass", "innovation and imitation"),
        Entry("sir-v1", f"{_RULES}.epidemic:SIR", "contagion with lasting immunity"),
        Entry("sis-v1", f"{_RULES}.epidemic:SIS", "contagion that comes back"),
        Entry("seir-v1", f"{_RULES}.epidemic:SEIR", "contagion with a time of incubation"),
        Entry("reed-frost-v1", f"{_RULES}.epidemic:ReedFrost", "generations of an epidemic"),
        Entry("centrality-v1", f"{_RULES}.standing:Centrality", "how many friends, how central"),
        Entry("friends-v1", f"{_RULES}.standing:Friends", "how many friends are of a kind"),
        Entry("rewiring-v1", f"{_RULES}.rewiring:Rewiring", "swap a dissimilar friend for a similar one"),
        Entry("word-of-mouth-v1", f"{_RULES}.mouth:WordOfMouth", "tell friends how the model served"),
    ),
    "clients": (Entry("chat-v1", "rehearse.policies.http.client:ChatClient", "a chat model at an address"),),
}


def entries(kind: Kind) -> dict[str, Entry]:
    """Return everything registered of a kind, by name; plug-ins cannot replace built-ins."""
    found = {
        point.name: Entry(point.name, point.value, f"from {point.dist.name if point.dist else 'a plug-in'}")
        for point in entry_points(group=f"rehearse.{kind}")
    }
    return found | {entry.name: entry for entry in _BUILT_IN[kind]}


def built_in(kind: Kind, name: str) -> Entry | None:
    """Return what comes with Rehearse under a name; None where it is a plug-in's, or nobody's."""
    return next((entry for entry in _BUILT_IN[kind] if entry.name == name), None)


def find(kind: Kind, name: str) -> Entry:
    """Return the entry of a name, or raise NotFoundError that names the nearest ones."""
    there = built_in(kind, name)
    if there is not None:  # plug-ins cannot replace it, and to look for them takes time
        return there
    known = entries(kind)
    if name not in known:
        singular = SINGULAR[kind]
        problem = f"there is no {singular} named {name!r}."
        raise NotFoundError(problem, did_you_mean(name, known))
    return known[name]


def load(kind: Kind, ref: str) -> Any:
    """Return what a reference names: of a registered name its factory, else what stands there.

    Raises NotFoundError where there is no such name or file, UserError where it cannot be imported.
    """
    left, colon, attribute = ref.rpartition(":")
    if not colon:
        return _registered(kind, ref)
    path = Path(left)
    module = _from_file(kind, path) if path.suffix == ".py" else _imported(kind, left)
    if not hasattr(module, attribute):
        problem = f"{left} has no {attribute!r}."
        raise UserError(problem, did_you_mean(attribute, [n for n in vars(module) if not n.startswith("_")]))
    return getattr(module, attribute)


def _registered(kind: Kind, name: str) -> Callable[..., Any]:
    try:
        entry = find(kind, name)
    except NotFoundError as error:
        hint = f"Or name one of your own: {kind}.py:name."
        raise NotFoundError(error.problem, f"{error.remedy} {hint}") from None
    try:
        return entry.load()
    except Exception as error:
        problem = f"the {SINGULAR[kind]} {name!r} ({entry.target}) cannot be imported: {error}."
        raise UserError(problem, "Reinstall or mend the package that it comes from.") from error


def _imported(kind: Kind, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
        problem = f"the module {name!r} of a {SINGULAR[kind]} cannot be imported: {found}."
        raise UserError(problem, f"Install or mend it, or name a file: {kind}.py:name.") from error


def _from_file(kind: Kind, path: Path) -> ModuleType:
    if not path.is_file():
        problem = f"there is no file {str(path)!r}, which was to hold a {SINGULAR[kind]}."
        raise NotFoundError(problem, f"Check the path; it is written as {kind}.py:name.")
    name = f"rehearse_{kind}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        problem = f"{str(path)!r} cannot be imported."
        raise UserError(problem, "Name a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        found = f"{type(error).__name__}: {error}"
        problem = f"{str(path)!r}, which holds a {SINGULAR[kind]}, cannot be run: {found}."
        raise UserError(problem, "Mend the file.") from error
    return module
