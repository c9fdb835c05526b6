"""Calls to an assistant as plain Mesa objects: people with an agenda (Schatzmann's), and PyDial's chances.

The scenario `assist` once more, for one person at a time: the agenda is a list whose end is its top. What
the scenario leaves at zero (noise, impossible goals, goals that change by themselves) is not here.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import mesa
from twins.assistant import (
    AFFIRM,
    BOOK,
    BOOKED,
    BYE,
    HELLO,
    INFORM,
    NEGATE,
    NOOFFER,
    REQALTS,
    REQMORE,
    REQUEST,
    THANK,
    Act,
    Assistant,
    Belief,
    does,
    several,
)
from twins.plain import Twin

ANY, TURNS, BREATHS = -2, 20, 4
GOAL_MET, ABANDONED, INFEASIBLE, USER_STOP, POLICY_STOP, TURN_CAP = range(1, 7)
FELT = ((NOOFFER, 0.455), (REQUEST, 0.485), (INFORM, 0.515), (BOOKED, 0.5175))


def scenario(users: int, ticks: int) -> Any:
    """Return the scenario."""
    from rehearse.experiments.api import load

    return load("assist", users=users, ticks=ticks, replicas=1)


class Caller(mesa.Agent):  # type: ignore[misc]
    """Somebody with a goal and an agenda."""

    model: Desk

    def __init__(self, model: Desk) -> None:
        super().__init__(model)
        self.combination = model.random.uniform(0.2, 1.0)
        self.patience = self.patience_max = 5.0
        self.satisfaction, self.session = 0.5, -1

    def step(self) -> None:
        """Call, and talk to the end."""
        self.session += 1
        self.plan()
        belief, success, end, turn = Belief(), False, 0, 0
        desk, assistant = self.model, self.model.assistant
        while not end:
            before = self.satisfaction, self.patience, self.progress()
            self.said = self.speak(first=turn == 0)
            belief.hear(self.said, assistant.informable)
            matches = assistant.fitting(belief.known)
            due = assistant.due(belief, matches, self)
            item = assistant.choose(belief, matches)
            booked = belief.booked
            answer, calls = assistant.speak(belief, item, matches)
            goal = self.goal()
            self.listen(answer)
            belief.say(answer, assistant.name)
            end = self.ends(answer) or (TURN_CAP if turn == TURNS - 1 else 0)
            was, success = success, self.succeeded(belief, end)
            self.please(answer)
            reward = 20.0 * (success - was) - 1.0
            missed = bool(end) and not success
            regret = float(item not in due) + 10.0 * missed
            desk.note(reward, regret)
            if desk.keeps:
                progress = self.progress()
                taken = (item in due or progress > before[2]) and not self.contradicted
                who = self.unique_id, desk.tick, self.session, turn, 5.0 * turn, min(turn, 1), item
                after = item if taken else -1, taken - 1, self.satisfaction, self.patience, progress
                wrong = belief.booked >= 0 and belief.booked != booked and not self.rightly(belief)
                judged = reward, 1.0 if success else 0.5, min(due), regret, int(item in due), float(wrong)
                counts = [sum(act[0] == what for act in self.said) for what in (INFORM, REQUEST)]
                told = end, belief.booked, int(success), len(self.said), *counts, len(answer)
                acts = *several(goal, 9), *several(self.said, 4), *several(belief.heard, 4)
                spoken = *several(answer, 4), *several(calls, 5)
                desk.rows.append((*who, *before, *after, *judged, *told, *acts, *spoken))
            turn += 1
        self.patience = self.patience_max

    # ── The goal ──

    def plan(self) -> None:
        """Have a goal, and put on the agenda what it asks for."""
        luck, assistant = self.model.random, self.model.assistant
        self.want: dict[int, int] = dict(luck.choice(luck.choice(self.model.goals)))
        self.asks = set(luck.sample(sorted(assistant.requestable), luck.randrange(1, 4)))
        self.books = luck.random() < 0.5
        details = range(assistant.constraints, assistant.informable) if self.books else ()
        constraints = list(self.want)
        for slot in details:
            self.want[slot] = luck.randrange(self.model.sizes[slot])
        questions = list(self.asks)
        luck.shuffle(constraints)
        luck.shuffle(questions)
        self.agenda = [(BYE, -1), *((REQUEST, s) for s in questions), *((INFORM, s) for s in constraints)]
        self.heard: dict[int, int] = {}
        self.venue, self.ending, self.repeats = -1, 0, 0
        self.confirmed = self.once = False
        self.answer: list[Act] = []
        self.said: list[Act] = []

    def open_questions(self) -> list[int]:
        """Return what was not answered yet."""
        return [slot for slot in self.asks if slot not in self.heard]

    def complete(self) -> bool:
        """Tell whether all was got."""
        return self.venue >= 0 and (not self.books or self.confirmed) and not self.open_questions()

    def progress(self) -> float:
        """Return the part that was got."""
        done = (
            (self.venue >= 0) + (self.books and self.confirmed) + len(self.asks) - len(self.open_questions())
        )
        return done / (1 + self.books + len(self.asks))

    def goal(self) -> list[Act]:
        """Return the goal as acts."""
        asks = [(REQUEST, slot, -1) for slot in sorted(self.asks)]
        return [*((INFORM, s, v) for s, v in self.want.items()), *asks, *[(BOOK, -1, -1)] * self.books]

    # ── Speaking ──

    def push(self, act: int, slot: int = -1) -> None:
        """Put an item on top, or move it there."""
        if (act, slot) in self.agenda:
            self.agenda.remove((act, slot))
        self.agenda.append((act, slot))

    def utter(self, said: list[Act]) -> None:
        """Say what is on top."""
        act, slot = self.agenda.pop()
        said.append((act, slot, self.want.get(slot, ANY) if act == INFORM else -1))

    def speak(self, *, first: bool) -> list[Act]:
        """Say what is on the agenda now."""
        luck, said = self.model.random, []
        self.remind()
        if first and luck.random() < 0.5:
            said.append((HELLO, -1, -1))
        while self.agenda[-1][0] in {NEGATE, AFFIRM, THANK}:
            self.utter(said)
        kind = self.agenda[-1][0]
        if self.venue < 0 and not self.ending and kind in {REQUEST, BYE}:
            return [*said, (REQUEST, self.model.assistant.name, -1)]
        if kind == BYE and self.complete() and luck.random() >= 0.85:
            return [*said, (THANK, -1, -1)]
        self.utter(said)
        if kind in {INFORM, REQUEST}:
            self.go_on(kind, said, luck)
        return said

    def go_on(self, kind: int, said: list[Act], luck: random.Random) -> None:
        """Say more of the same in one breath."""
        likely, breaths = (self.combination if kind == INFORM else 0.6), 0
        while breaths < BREATHS and self.agenda and self.agenda[-1][0] == kind and luck.random() < likely:
            self.utter(said)
            breaths += 1
        if kind == REQUEST:
            left = [item for item in self.agenda if item[0] == INFORM]
            if left and luck.random() < 0.333:
                self.push(*left[-1])
                self.utter(said)
            if self.venue >= 0 and luck.random() < 0.05:
                said.append((INFORM, self.model.assistant.name, self.venue))

    def remind(self) -> None:
        """Put back what is still to be asked or booked."""
        if self.venue < 0:
            return
        unmet, assistant = self.open_questions(), self.model.assistant
        for slot in unmet:
            if (REQUEST, slot) not in self.agenda:
                self.push(REQUEST, slot)
        if self.books and not self.confirmed and not unmet and (BOOK, -1) not in self.agenda:
            self.push(BOOK)
            for slot in range(assistant.constraints, assistant.informable):
                self.push(INFORM, slot)

    # ── Listening ──

    def listen(self, answer: list[Act]) -> None:
        """Note, correct, answer, change the goal, lose patience."""
        luck, constraints = self.model.random, self.model.assistant.constraints
        self.repeated = answer == self.answer
        self.repeats = self.repeats + 1 if self.repeated else 0
        self.answer = answer
        told = [(slot, value) for act, slot, value in answer if act == INFORM]
        wrong = [s for s, v in told if s < constraints and self.want.get(s, -1) not in {-1, v}]
        self.contradicted = bool(wrong)
        refused = bool(wrong) and luck.random() >= 0.1
        if refused:
            self.venue = -1
        else:
            self.note(told, luck)
        if does(answer, BOOKED) and self.books:
            self.confirmed = True
            self.agenda = [item for item in self.agenda if item != (BOOK, -1)]
        if refused:
            self.correct(wrong, luck)
        self.reply(answer, luck)
        if does(answer, NOOFFER) and not (does(self.said, REQALTS) and self.venue >= 0):
            self.give_in(luck)
        if does(answer, REQMORE):
            done = self.complete()
            if luck.random() < (0.7 if done else 0.25):
                self.push(NEGATE if done else AFFIRM)
        self.patience = 0.0 if self.repeats >= 2 else max(self.patience - self.repeated, 0.0)

    def note(self, told: list[tuple[int, int]], luck: random.Random) -> None:
        """Take what is recommended for the venue, and note what is said of it."""
        name, fresh, got = self.model.assistant.name, False, False
        for slot, value in told:
            if slot == name and value != self.venue:
                self.venue, self.confirmed, fresh = value, False, True
                self.heard.clear()
        if self.venue >= 0:
            for slot, value in told:
                got |= slot in self.asks and slot not in self.heard
                self.heard[slot] = value
                if (REQUEST, slot) in self.agenda:
                    self.agenda.remove((REQUEST, slot))
        if got and luck.random() < 0.1:
            self.push(THANK)
        if fresh and not self.once:
            self.think_again(luck)

    def think_again(self, luck: random.Random) -> None:
        """Ask for another venue, or want something else, though satisfied."""
        if luck.random() < 0.143:
            self.once = True
            self.push(REQALTS)
        elif luck.random() < 0.143:
            self.once = True
            slot = self.want_other(luck)
            if slot >= 0:
                self.venue = -1
                if (INFORM, slot) not in self.agenda:
                    self.agenda.insert(min(1, len(self.agenda)), (INFORM, slot))
                if luck.random() < 0.5:
                    self.push(INFORM, slot)

    def want_other(self, luck: random.Random) -> int:
        """Want anything of a slot, or another value; return the slot, -1 for none."""
        assistant = self.model.assistant
        slots = [slot for slot in self.want if slot < assistant.constraints]
        if not slots:
            return -1
        slot = luck.choice(slots)
        other = luck.choice(assistant.table)[slot]
        if luck.random() < 0.667 or other == self.want[slot]:
            del self.want[slot]
        else:
            self.want[slot] = other
        return slot

    def correct(self, wrong: list[int], luck: random.Random) -> None:
        """Put right what was wrong: with a no, with the value, or with both."""
        u = luck.random()
        if u < 0.85:
            for slot in wrong:
                self.push(INFORM, slot)
        if u < 0.45 or u >= 0.85:
            self.push(NEGATE)

    def reply(self, answer: list[Act], luck: random.Random) -> None:
        """Prepare an answer to what was asked, unless a question is more pressing."""
        assistant = self.model.assistant
        if self.venue >= 0 and self.open_questions():
            return
        for act, slot, _ in reversed(answer):
            if act == REQUEST and slot < assistant.informable:
                others = [s for s in self.want if s < assistant.constraints]
                instead = slot not in self.want and others and luck.random() < 0.2
                self.push(INFORM, luck.choice(others) if instead else slot)

    def give_in(self, luck: random.Random) -> None:
        """Drop or change a constraint, say all again, or give up."""
        self.venue = -1
        slot = self.want_other(luck)
        if slot >= 0:
            self.push(INFORM, slot)
        elif luck.random() < 0.333:
            self.ending, self.agenda = INFEASIBLE, [(BYE, -1)]
        else:
            for again in range(self.model.assistant.constraints):
                self.push(INFORM, again)

    # ── The end ──

    def ends(self, answer: list[Act]) -> int:
        """Return why the call is over, 0 where it is not."""
        goes, stops = does(self.said, BYE), does(answer, BYE)
        if (goes or stops) and self.complete():
            return GOAL_MET
        if goes:
            return self.ending or USER_STOP
        if stops:
            return POLICY_STOP
        quits = self.contradicted and self.model.random.random() < (1.0 - self.patience / 5.0) ** 2
        return ABANDONED if self.patience < 1.0 or quits else 0

    def rightly(self, belief: Belief) -> bool:
        """Tell whether what is booked is wanted."""
        assistant = self.model.assistant
        slots = range(assistant.constraints, assistant.informable)
        agrees = all(belief.details.get(slot, -1) == self.want.get(slot, -1) for slot in slots)
        return self.books and agrees and assistant.fits(self.want, belief.booked)

    def succeeded(self, belief: Belief, end: int) -> bool:
        """Tell whether the end state is what was wanted."""
        assistant = self.model.assistant
        if end == INFEASIBLE and not assistant.fitting(self.want) and belief.booked < 0:
            return True
        if not assistant.fits(self.want, self.venue):
            return False
        if any(self.heard.get(slot, -1) != assistant.table[self.venue][slot] for slot in self.asks):
            return False
        return belief.booked == self.venue and self.rightly(belief) if self.books else belief.booked < 0

    def please(self, answer: list[Act]) -> None:
        """Be more or less satisfied."""
        felt = 0.5
        for act, level in FELT:
            felt = level if does(answer, act) else felt
        felt = 1.0 if self.complete() else felt
        felt = 0.0 if self.repeated or self.contradicted else felt
        self.satisfaction += 0.3 * (felt - self.satisfaction)


class Desk(Twin):
    """Callers, and who answers them."""

    names = (
        *("user", "tick", "session", "turn", "sim_time", "intent", "action"),
        *("satisfaction_before", "patience_before", "progress_before"),
        *("choice", "position", "satisfaction", "patience", "progress"),
        *("reward", "experience", "ideal", "regret", "right", "harm"),
        *("end", "booked", "success", "acts", "informs", "questions", "acts_answered"),
        *(f"goal_{place}" for place in range(9)),
        *(f"{what}_{place}" for what in ("meant", "heard", "answer") for place in range(4)),
        *(f"call_{place}" for place in range(5)),
    )

    def __init__(self, users: int, ticks: int = 1, *, keeps: bool) -> None:
        del ticks  # people live on as long as they are let
        super().__init__(keeps=keeps)
        from rehearse.environments.assist import domains

        domain = domains.load("lodging")
        self.assistant = Assistant(domain)
        self.sizes = [len(values) for values in domain.values]
        self.goals = [goals for size in (1, 2, 3) if (goals := self.possible(size))]
        for _ in range(users):
            Caller(self)

    def possible(self, size: int) -> list[list[tuple[int, int]]]:
        """Return the constraints on so many slots that one to three entities meet."""
        found = []
        for slots in combinations(range(self.assistant.constraints), size):
            for entity in self.assistant.table:
                wanted = {slot: entity[slot] for slot in slots}
                if 1 <= len(self.assistant.fitting(wanted)) <= 3:
                    found.append(list(wanted.items()))
        return found
