"""What was wrong with a model's answers: each sentence said in the log once."""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearse.contract import Fault
from rehearse.log import get_log
from rehearse.redact import redacted

SANDBOX = "rehearse.policies.sandbox"
"""It stops what the line before it did."""
SAID_AT_MOST = 100
"""Sentences that differ from call to call (with a time in them, say) must not flood the log."""


class AnswerError(Exception):
    """A model's whole answer cannot be used; becomes a recorded fault, never leaves this package."""

    final = False
    """Whether asking for fewer people at a time is of no use."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        """Keep which fault it is and what was found."""
        self.fault = fault
        self.sentence = sentence
        super().__init__(sentence)


@dataclass(slots=True)
class Complaints:
    """What was wrong so far with the answers of one model, a sentence each."""

    policy: str
    sentences: dict[str, Fault] = field(default_factory=dict)

    def note(self, fault: Fault, sentence: str) -> None:
        """Log the sentence if it is new."""
        if sentence not in self.sentences and len(self.sentences) < SAID_AT_MOST:
            self.sentences[sentence] = fault
            get_log("policy").warning("policy_error", policy=self.policy, fault=fault.word, problem=sentence)


def told(error: BaseException) -> str:
    """Return an exception as a sentence: its kind, its message, and the line of the model's code."""
    message = redacted(str(error)).strip().splitlines()
    what = f"{type(error).__name__}: {message[0][:300]}" if message else type(error).__name__
    trace, place = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") != SANDBOX:
            place = f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"raised {what} ({place})" if place else f"raised {what}"
