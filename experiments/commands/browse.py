"""What there is: the catalogue, the worlds and policies, a scenario, the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from rehearse.experiments.commands.options import AsJson, Sets
from rehearse.experiments.commands.printing import lines_of, print_json, wrapped
from rehearse.registry import Kind

if TYPE_CHECKING:
    from rehearse.scenario.about import About
    from rehearse.scenario.model import Scenario


HEADINGS: dict[Kind, str] = {
    "worlds": "Worlds (world.name)",
    "people": "Models of people (people.model)",
    "rules": "Social rules (people.society.rules)",
    "policies": "Policies (--policy NAME)",
    "clients": "Language models that lend words (world.settings.client)",
}


def list_all(
    *,
    as_json: AsJson = False,
) -> None:
    """List the scenarios of the catalogue, and what scenarios can use: worlds, people, rules, policies."""
    from rehearse.registry import entries
    from rehearse.scenario.load import catalogue

    listed = catalogue()
    scenarios = [
        {"name": s.name, "version": s.version, "title": s.title, **s.about.model_dump(mode="json")}
        for s in listed
    ]
    known = {kind: [(e.name, e.summary) for e in entries(kind).values()] for kind in HEADINGS}
    if as_json:
        named = {k: [{"name": n, "summary": s} for n, s in found] for k, found in known.items()}
        print_json({"scenarios": scenarios} | named)
        return
    titled = [
        (f"{s.name}@{s.version}", f"{s.title} ({s.about.layer})" if s.about.layer else s.title)
        for s in listed
    ]
    sections = {"Scenarios (rehearse run NAME)": titled}
    sections |= {heading: known[kind] for kind, heading in HEADINGS.items()}
    for heading, rows in sections.items():
        typer.echo(heading)
        typer.echo("\n".join(lines_of(rows)) + "\n")


def show(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A scenario: a name of the catalogue, or a YAML file. Or a part: lending-v1."
        ),
    ],
    *,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the whole scenario as YAML, with its defaults.")
    ] = False,
    as_json: AsJson = False,
    sets: Sets = None,
) -> None:
    """Show a scenario (who, where, which model, judged how), or a world or policy with its settings."""
    from rehearse.experiments.commands import parts
    from rehearse.scenario.load import load, to_yaml
    from rehearse.scenario.resolved import data_of

    named = parts.parts_named(scenario, get_args(Kind))
    for entry in named:
        typer.echo("\n".join(parts.told(entry)) + "\n")
    if named:
        return
    found = load(scenario, sets=sets or ())
    if as_json:
        print_json(data_of(found))
    elif resolved:
        typer.echo(to_yaml(found), nl=False)
    else:
        typer.echo("\n".join(_told(found)))


def schema() -> None:
    """Print the JSON Schema of scenario files, with which an editor completes and checks them."""
    from rehearse.scenario.schema import json_schema

    print_json(json_schema(), indent=2)


def _told(scenario: Scenario) -> list[str]:
    from rehearse.experiments.composition import parts_of

    people, time = scenario.people, scenario.time
    rows = [
        ("world", scenario.world.name),
        ("people", f"{people.count:,} in each of {scenario.replicas:,} independent societies"),
        ("goals", ", ".join(goal.name for goal in people.goals)),
        ("graph", people.society.graph.kind),
        ("policy", scenario.policy.name),
        *(("", f"{where}: {name}") for where, name in parts_of(**scenario.policy.model_dump())),
        ("time", f"{time.ticks:,} ticks (a tick is a {time.unit}), at most {time.max_turns} turns a session"),
        ("seed", str(scenario.seed)),
    ]
    rows += [("drift", d.note or f"{d.what} from tick {d.tick}") for d in scenario.drift]
    rows += [("latency", x.note or f"{x.median_ms:g} ms from tick {x.start}") for x in scenario.latency]
    rows += [
        ("fault", x.note or f"{x.kind}, {x.rate:.2%} of calls from tick {x.start}") for x in scenario.faults
    ]
    rows += [("guard", g.name) for g in scenario.guards]
    rows += [("criterion", _claim(c)) for c in scenario.criteria]
    rows += [("assumed", text) for text in scenario.assumptions]
    rows += [("limit", text) for text in scenario.limitations]
    rows += [] if scenario.about is None else _kept(scenario.about)
    head = [f"{scenario.name}@{scenario.version}  {scenario.title}".rstrip(), ""]
    text = [*wrapped(scenario.description), ""] if scenario.description else []
    return [*head, *text, *lines_of(rows)]


def _kept(about: About) -> list[tuple[str, str]]:
    """Return what the catalogue says about a scenario."""
    from rehearse.scenario.about import LAYERS, RISKS

    expected = ", ".join(f"{policy}: {word}" for policy, word in about.references.items())
    told = [
        ("category", about.category),
        ("layer", f"{about.layer}: {LAYERS[about.layer]}" if about.layer else ""),
        *(("risk", f"{name}: {RISKS[name]}") for name in about.risk),
        ("rationale", about.rationale),
        ("expected", expected),
        ("suites", ", ".join(about.suites)),
        ("owner", about.owner),
        ("audited", str(about.last_audited or "")),
        ("retired", about.retired),
    ]
    return [(name, text) for name, text in told if text]


def _claim(criterion: Any) -> str:
    bound = (
        f"at least {criterion.at_least:g}"
        if criterion.at_least is not None
        else f"at most {criterion.at_most:g}"
    )
    group = f" for {criterion.group}" if criterion.group else ""
    return f"{criterion.metric}{group} {bound}, with {criterion.confidence:.0%} confidence"
