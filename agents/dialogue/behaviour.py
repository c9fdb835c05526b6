"""What a scenario writes under `people.settings` for `callers-v1`, every decision of theirs a parameter.

The names and defaults are those of PyDial's user simulator (UMHdcSim; Ultes and others, ACL 2017), after
Schatzmann and Young, "The hidden agenda user simulation model", 2009, and Keizer and others 2010, who
made every random decision point a parameter. Not taken over: DealWithPending, NoSlotWithDontcare,
Repeat, ConfirmRandomConstr and CombAffirmWithAgdItem, which need acts that are not exchanged here.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import NotNegative, Share, Strict

VERSION = 1
"""Of the meaning of the parameters: raised with every change that makes the same values behave otherwise."""
Shares = Annotated[tuple[NotNegative, ...], Field(min_length=1, max_length=16)]


class Behaviour(Strict):
    """How people speak: chances at each decision. A trait of the same name replaces one for a person."""

    version: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    """Which version of the decisions below is meant."""
    inform_combination: Share = 0.6
    """To tell one more constraint in the same breath (InformCombination)."""
    request_combination: Share = 0.6
    """To ask for one more slot in the same breath (ours: PyDial's people ask one by one)."""
    add_slot_to_request: Share = 0.333
    """To tell a constraint with a question, where one is left to tell (AddSlotToReq)."""
    ask_with_constraints: Share = 0.0
    """To ask in the same breath, once all constraints are told (ours)."""
    ask_name: Share = 1.0
    """To ask for a recommendation where none was made, before asking about anything (ours; 1 in ABUS)."""
    greeting: Share = 0.5
    """To begin with a greeting (Greeting)."""
    no_after_reqmore: Share = 0.7
    """To decline what else there is (NoAfterReqmore)."""
    yes_after_reqmore: Share = 0.25
    """To say yes before going on (YesAfterReqmore)."""
    constraint_relax: Share = 0.667
    """Where nothing fits, to drop a constraint and not to change it (ConstraintRelax)."""
    tell_about_change: Share = 0.5
    """To say at once that the goal has changed; otherwise when nothing else is left to say, or when asked
    or offered what does not fit (TellAboutChange)."""
    bye_or_start_over: Share = 0.333
    """Where nothing fits and nothing can be dropped, to give up; otherwise all is said again
    (ByeOrStartOver)."""
    add_venue_name: Share = 0.05
    """To say the name of what was recommended with a question (AddVenueNameToRequest)."""
    inform_to_confirm: Share = 0.05
    """To answer a right confirmation with the value itself and not with yes (InformToConfirm)."""
    null_response: Share = 0.0
    """To say nothing (NullResp)."""
    overrule_correction: Share = 0.1
    """To let a mistake pass (OverruleCorrection)."""
    alternatives_after_venue: Share = 0.143
    """Once a session, to ask for something else than what was recommended (ReqAltsAfterVenRec1)."""
    change_after_venue: Share = 0.143
    """Once a session, to change the goal though it was met (ReqAltsAfterVenRec2)."""
    repeat_when_asked_new: Share = 0.2
    """Asked for something that does not matter, to repeat a constraint (NewRequestResp1)."""
    correct_by_negating: Share = 0.45
    """To correct a mistake with a no and the right value (CorrectingAct1)."""
    correct_by_informing: Share = 0.4
    """To correct it with the right value alone (CorrectingAct2); else with a no alone."""
    thank_ack: Share = 0.1
    """To thank for an answer before going on (ThankAck)."""
    affirm_combination: Share = 1.0
    """To go on in the breath of a yes (AffirmCombination)."""
    bye_once_complete: Share = 0.85
    """To say goodbye as soon as all is done; else thanks alone."""

    @model_validator(mode="after")
    def _corrections_fit(self) -> Self:
        if self.correct_by_negating + self.correct_by_informing > 1.0:
            problem = "correct_by_negating and correct_by_informing add up to more than 1"
            raise ValueError(problem)
        return self


class Goals(Strict):
    """What people want, where the world's data does not say it."""

    matches: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 3)
    """How many entities have all that is wanted, at least and at most (PyDial's venues)."""
    constraints: Shares = (0.0, 1.0, 1.0, 1.0)
    """How likely 0, 1, 2, … constraints are, among those with so many matches."""
    requests: Shares = (0.0, 1.0, 1.0, 1.0)
    """How likely 0, 1, 2, … questions are."""
    booking: Share = 0.0
    """The part of the people who want to book."""
    impossible: Share = 0.0
    """The part who first want a value that nothing has, and know what they would take instead; of goals that
    come from data, the part of those to which that can happen."""
    disclosure: Share = 1.0
    """The chance that a constraint is told without being asked for."""
    change: Share = 0.0
    """The chance, in a turn before all is done, that a constraint changes of itself."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, high = self.matches
        if low > high:
            problem = f"matches: {low} lies above {high}"
            raise ValueError(problem)
        for name in ("constraints", "requests"):
            if sum(getattr(self, name)) <= 0.0:
                problem = f"{name}: at least one share must be above 0"
                raise ValueError(problem)
        return self


class Drains(Strict):
    """What uses up patience (a trait of people, in turns)."""

    turn: NotNegative = 0.0
    """Each turn."""
    repeat: NotNegative = 1.0
    """The assistant says the very same thing again; the third time in a row patience is at its end."""
    misunderstood: NotNegative = 1.0
    """It asks to say something again, or says nothing."""
    contradiction: NotNegative = 0.0
    """It says what was not wanted; then people also leave with chance (1 − p/P)²."""
    error: NotNegative = 1.0
    """An answer that did not come."""
    wait_per_second: NotNegative = 0.0
    """A simulated second of waiting."""


class CallerSettings(Strict):
    """What `callers-v1` takes under `people.settings`."""

    behaviour: Behaviour = Behaviour()
    goals: Goals = Goals()
    drains: Drains = Drains()
    visit_rate: Share = 1.0
    """The chance that a person calls in a tick, with a new goal."""
    satisfaction_rate: Share = 0.3
    """How far a conversation moves satisfaction, 0 to 1."""
    satisfaction_start: Share = 0.5
    """Satisfaction before the first conversation, 0 to 1."""
    recovery: Share = 1.0
    """The part of the lost patience that comes back with each tick."""
