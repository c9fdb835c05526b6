"""A life in plain words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping

from rehearse.experiments.journey.speech import in_short, spoken
from rehearse.experiments.journey.story import Goal, Influenced, Journey, Moment, Persona, Step, Trait
from rehearse.experiments.report import words

ASIDE = 0.02
"""On a day without a session, friends are mentioned only if they moved somebody at least so far."""
REMEMBERED = 3
"""Memories named after a session."""
INDENT = "  "


def told(journey: Journey, width: int) -> str:
    """Return a whole life: who it is, day after day, and how it ended."""
    person = who(journey.persona, width)
    lines = [*heading(journey), *([""] * bool(person)), *person, *_beginning(journey, width)]
    for tick in range(journey.ticks):
        day = day_of(journey, tick, width)
        lines += ["", *day] if day else []
    return "\n".join([*lines, "", *ending(journey, width), *closing(journey, width)])


def heading(journey: Journey) -> list[str]:
    """Return whose life this is, with which model."""
    person = journey.persona
    segment = f", segment {person.segment}" if person.segment != "base" else ""
    group = f", {person.group}" if person.group != "all" else ""
    changed = [f"Changed: {journey.change}."] if journey.change else []
    return [
        f"User {person.user} of replica {person.replica}{group}{segment}",
        f"with {journey.model}, in {journey.scenario}",
        *changed,
    ]


def who(persona: Persona, width: int) -> list[str]:
    """Return the persona: traits with what they mean, what differs between items, tastes, friends."""
    from rehearse.agents.persona import MEANINGS

    entries = [(t.name, f"{_trait(t)}{_meaning(MEANINGS.get(t.name, ''))}") for t in persona.traits]
    entries += [(name, _facts(by)) for name, by in persona.facts.items()]
    if persona.tastes:
        entries.append(("tastes", "; ".join(f"{t.name} {_trait(t)}" for t in persona.tastes)))
    if persona.friends:
        entries.append(("friends", ", ".join(f"user {u}" for u in persona.friends)))
    column = max((len(name) for name, _ in entries), default=0) + 2
    return [line for name, text in entries for line in _hanging(f"{name:<{column}}", text, width)]


def _beginning(journey: Journey, width: int) -> list[str]:
    if journey.life is None:
        return []
    start = journey.life.start
    goals = words.listed(_goal(goal, journey.unit) for goal in start.goals) or "none yet"
    absent = "" if start.alive else "not here yet; "
    text = (
        f"{absent}trust {words.fixed(start.trust)}, satisfaction {words.fixed(start.satisfaction)}, opinion "
        f"{words.fixed(start.opinion)}, habit {words.fixed(start.habit)}; goal: {goals}"
    )
    return ["", *_hanging("At first: ", f"{text}.", width)]


def _trait(trait: Trait) -> str:
    return f"{words.number(trait.value)} ({_rank(trait.rank)})"


def _rank(rank: float) -> str:
    hundredth = round(100.0 * rank)
    if 40 <= hundredth <= 60:
        return "about the middle"
    if hundredth > 60:
        return f"more than {min(hundredth, 99)} in 100"
    return f"less than {min(100 - hundredth, 99)} in 100"


def _meaning(meaning: str) -> str:
    return f": {meaning}" if meaning else ""


def _facts(by_item: Mapping[str, float]) -> str:
    return ", ".join(f"{item} {words.number(value)}" for item, value in by_item.items())


def day_of(journey: Journey, tick: int, width: int) -> list[str]:
    """Return a tick as lines: its session and what it left behind; nothing where nothing happened."""
    session = journey.session(tick)
    unit = words.title(journey.unit)
    came, after = _coming(journey, tick), list(_afterwards(journey, tick, came=bool(session)))
    if not session:
        told_of = [*came, *after]
        return _hanging(f"{unit} {tick}: ", "; ".join(told_of), width) if told_of else []
    lines = [f"{unit} {tick}, session {session[0].session}{_wish(journey, tick)}"]
    lines += [f"{INDENT}before  {_capital(each)}." for each in came]
    for step in session:
        lines += _hanging(f"{INDENT}turn {step.turn}  ", sentence(step, journey.max_turns), width)
    return lines + (_hanging(f"{INDENT}after   ", _capital("; ".join(after)) + ".", width) if after else [])


def _coming(journey: Journey, tick: int) -> list[str]:
    """Return how the person came to be here in a tick, where he or she was not before."""
    now = None if journey.life is None else journey.life.at(tick)
    told_of = [("arrives", now.arrived), ("comes back", now.returned)] if now else []
    return [f"{verb} {words.COMINGS[why]}" for verb, why in told_of if why in words.COMINGS]


def _wish(journey: Journey, tick: int) -> str:
    said = next((step.words for step in journey.session(tick) if step.words), {})
    if said:
        return f", wants {in_short(said['goal'])}"
    goals = journey.life.at(tick - 1).goals if journey.life else ()
    return f", goal: {_goal(goals[0], journey.unit)}" if goals else ""


def _goal(goal: Goal, unit: str) -> str:
    got = f", {words.number(goal.got)} got" if goal.got else ""
    strength = f"strength {words.fixed(goal.strength)}, " if goal.strength else ""
    return f"{words.plain(goal.name)} ({strength}until {unit} {goal.deadline}{got})"


def sentence(step: Step, max_turns: int = 0) -> str:
    """Return a turn in words: what was asked, answered, done, what came of it, and how it felt."""
    if step.words:
        parts = list(spoken(step))
    else:
        parts = [f"{_capital(words.INTENTS[step.intent])}; {_answer(step)}."]
        parts += [_response(step), _truth(step)] if step.answer else []
    parts.append(_feelings(step))
    if step.end != "none":
        parts.append(f"The session is over: {words.ended(step.end, max_turns)}.")
    return " ".join(part for part in parts if part)


def _answer(step: Step) -> str:
    if step.fault != "none":
        return f"{words.FAULTS[step.fault]} (after {words.milliseconds(step.wait_ms)})"
    if not step.answer:
        return "it gave no answer"
    proposed = words.listed(step.slate)
    reason = f" ({step.rationale})" if step.rationale else ""
    guard = f", after guard {step.guard!r} stepped in" if step.guard else ""
    waited = f" after {words.milliseconds(step.wait_ms)}" if step.wait_ms > 0.0 else ""
    return f"it answered {proposed}{reason}{waited}{guard}"


def _response(step: Step) -> str:
    details = _folded({words.plain(name): words.number(v) for name, v in step.detail.items() if v})
    detail = f" ({details})" if details else ""
    if not step.took:
        wanted = "it" if len(step.slate) == 1 else "something"
        return f"Wanted {wanted}, which was gone{detail}." if step.missed else f"Took nothing{detail}."
    taken = "it" if step.slate == (step.took,) else step.took
    came = f" {_outcome(step.experience)}" if math.isfinite(step.experience) else ""
    return f"Took {taken}{detail}{came}."


def _folded(details: Mapping[str, str]) -> str:
    """Return details as a list; what begins alike (`seen harbour`, `seen park`) is named once."""
    together: dict[str, list[str]] = {}
    for name, value in details.items():
        stem, _, rest = name.partition(" ")
        together.setdefault(stem, []).append(f"{rest} {value}".strip())
    return "; ".join(f"{stem} {', '.join(values)}" for stem, values in together.items())


def _outcome(experience: float) -> str:
    levels = ((0.3, "much worse than"), (0.45, "worse than"), (0.55, "as"), (0.7, "better than"))
    level = next((word for bound, word in levels if experience < bound), "much better than")
    return f"and found it {level} expected ({words.fixed(experience)} of 1)"


def _truth(step: Step) -> str:
    if step.right < 0 or not step.ideal:
        return ""
    if step.answer == step.ideal:
        return "It was the best there was."
    worth = f"{step.ideal} would have been better by {words.number(step.regret, 2)}"
    return f"{_capital(worth)}{', too little to matter' if step.right == 1 else ''}."


def _feelings(step: Step) -> str:
    told_of = (("patience", step.patience), ("satisfaction", step.satisfaction))
    moved = [
        f"{name} {words.fixed(before)} → {words.fixed(after)}"
        for name, (before, after) in told_of
        if words.fixed(before) != words.fixed(after)
    ]
    if step.progress[0] != step.progress[1]:
        moved.append(f"progress {words.number(step.progress[0])} → {words.number(step.progress[1])}")
    return f"{_capital(', '.join(moved))}." if moved else ""


def _afterwards(journey: Journey, tick: int, *, came: bool) -> Iterator[str]:
    if journey.life is None:
        return
    before, now = journey.life.at(tick - 1), journey.life.at(tick)
    yield from _goals(before, now, journey.unit)
    if came and now.memories:
        kept = [f"{m.item} ({words.fixed(m.experience)})" for m in now.memories[:REMEMBERED]]
        more = f" and {len(now.memories) - REMEMBERED} more" if len(now.memories) > REMEMBERED else ""
        yield f"remembers {', '.join(kept)}{more}"
    if came and words.fixed(before.trust) != words.fixed(now.trust):
        yield f"trust {words.fixed(before.trust)} → {words.fixed(now.trust)}"
    yield from (_influence(each) for each in now.influenced if _worth_telling(each, came=came))
    if now.left:
        yield f"leaves {words.LEAVINGS[now.left]}"


def _worth_telling(influence: Influenced, *, came: bool) -> bool:
    moved = abs(influence.after - influence.before)
    return words.fixed(influence.before) != words.fixed(influence.after) and (came or moved >= ASIDE)


def _goals(before: Moment, now: Moment, unit: str) -> Iterator[str]:
    kept = {(g.name, g.deadline) for g in now.goals}
    gone = [words.plain(g.name) for g in before.goals if (g.name, g.deadline) not in kept]
    met, given_up = now.goals_met - before.goals_met, now.goals_given_up - before.goals_given_up
    if met:
        yield f"goal met: {words.listed(gone[:met])}" if gone else f"{words.plural(met, 'goal')} met"
    if given_up:
        yield f"goal given up: {words.listed(gone[met : met + given_up]) or given_up}"
    had = {(g.name, g.deadline) for g in before.goals}
    for goal in now.goals:
        if (goal.name, goal.deadline) not in had:
            yield f"a goal arises: {_goal(goal, unit)}"


def _influence(influence: Influenced) -> str:
    moved = f"friends move {influence.what} {words.fixed(influence.before)} → {words.fixed(influence.after)}"
    if influence.what == "adoption":
        moved = "adopts, as enough friends have"
    most = [f"user {f.user} ({words.fixed(f.value)})" for f in influence.friends]
    return f"{moved}, most of all {words.listed(most)}" if most else moved


def ending(journey: Journey, width: int) -> list[str]:
    """Return what it came to."""
    ended = [step for step in journey.steps if step.end != "none"]
    if not ended:
        return ["In the end: no session was ever opened."]
    met = sum(step.end == "goal_met" for step in ended)
    right = [step.right for step in journey.steps if step.right >= 0]
    lost = [step.regret for step in journey.steps if math.isfinite(step.regret)]
    first, last = journey.steps[0].satisfaction[0], ended[-1].satisfaction[1]
    held = f"{words.plural(len(ended), 'session')} of {words.plural(len(journey.steps), 'turn')}"
    text = (
        f"{held}, {met} with the goal met; {sum(right)} of {words.plural(len(right), 'answer')} right, "
        f"mean regret {words.fixed(sum(lost) / len(lost)) if lost else words.MISSING}; "
        f"satisfaction {words.fixed(first)} → {words.fixed(last)}"
    )
    if journey.life is not None:
        final = journey.life.at(journey.ticks - 1)
        text += f"; trust {words.fixed(journey.life.start.trust)} → {words.fixed(final.trust)}"
        text += "" if final.alive else "; not here any more"
    return _hanging("In the end: ", f"{text}.", width)


def closing(journey: Journey, width: int) -> list[str]:
    """Return what the reader should know."""
    count = f"{words.title(words.several(journey.unit))} are counted from 0, sessions and turns from 1."
    return ["", *textwrap.wrap(f"{journey.note} {count}".strip(), width)]


def _hanging(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head)) or [
        head.rstrip()
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
