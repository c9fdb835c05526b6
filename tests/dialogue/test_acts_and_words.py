"""Acts as numbers and as words: what is put into one form comes back from the other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.dialogue.acts import DONTCARE, SPOKEN, Act, DialogueAct, act_of, code, packed, slot_of, value_of
from rehearse.dialogue.noise import DRAWS, Channel
from rehearse.dialogue.phrases import Model
from rehearse.dialogue.tools import Tools
from rehearse.dialogue.written import acts_in, calls_in
from rehearse.environments.assist.domains import DomainFile, load, made
from rehearse.errors import ContractError, ScenarioError

LODGING = load("lodging")
SLOTS = range(len(LODGING.slots))


@st.composite
def acts_of(draw, intents):
    """Draw some acts of the domain, each as a number."""
    found = []
    for intent in draw(st.lists(st.sampled_from(intents), min_size=1, max_size=SPOKEN)):
        slot = draw(st.sampled_from(SLOTS)) if intent in {Act.INFORM, Act.REQUEST, Act.CONFIRM} else -1
        value = -1
        if intent in {Act.INFORM, Act.CONFIRM}:
            value = draw(st.integers(0, len(LODGING.values[slot]) - 1))
        found.append(int(code(intent, slot, value)))
    return found


BY_PEOPLE = [Act.HELLO, Act.INFORM, Act.REQUEST, Act.AFFIRM, Act.NEGATE, Act.REQALTS, Act.BOOK, Act.BYE]
BY_MODELS = [Act.INFORM, Act.REQUEST, Act.CONFIRM, Act.NOOFFER, Act.REQMORE, Act.REPEAT, Act.BYE]


@given(acts_of(BY_PEOPLE))
def test_what_people_say_is_read_back_as_the_same_acts(numbers):
    """The templates of people lose nothing."""
    assert LODGING.read(LODGING.text(numbers, "user"), "user") == numbers


@given(acts_of(BY_MODELS))
def test_what_assistants_say_is_read_back_as_the_same_acts(numbers):
    """The templates of assistants lose nothing."""
    assert LODGING.read(LODGING.text(numbers, "assistant"), "assistant") == numbers


@given(acts_of(BY_MODELS), acts_of(BY_MODELS))
def test_a_record_in_words_is_read_back_as_the_same_numbers(numbers, given_to_find):
    """Acts and tool calls as the table of words holds them lose nothing."""
    assert acts_in(LODGING, " ".join(map(str, LODGING.told(numbers)))) == numbers
    told = {int(slot_of(c)): c for c in np.array(given_to_find) if act_of(c) == Act.INFORM}
    calls = [int(code(Act.FIND)), *map(int, told.values()), int(code(Act.FOUND, value=3))]
    calls += [int(code(Act.BOOK, LODGING.name, 2)), int(code(Act.BOOKED)), int(code(Act.CANCEL))]
    assert calls_in(LODGING, json.dumps(LODGING.call(calls))) == calls


def test_a_name_that_looks_like_acts_is_read_back_whole():
    """A value may hold brackets, and what reads like the next act."""
    names = ("Inn (old) bye()", "Inn (old)")
    told = DomainFile(title="inn", constraints=("area",), database=())
    odd = made(told, [{"name": name, "area": "hills"} for name in names], "inns")
    said = [odd.number(DialogueAct("inform", "name", name)) for name in names] + [int(code(Act.BYE))]
    assert acts_in(odd, " ".join(map(str, odd.told(said)))) == said


@given(st.sampled_from(list(Act)), st.integers(0, 200), st.integers(0, DONTCARE))
def test_an_act_is_one_number_and_comes_back_whole(act, slot, value):
    """Act, slot and value share one number without touching one another."""
    number = code(act, slot, value)
    assert (act_of(number), slot_of(number), value_of(number)) == (act, slot, value)


def test_dontcare_is_put_into_words_of_its_own():
    """A slot that may be anything is not a value called dontcare."""
    number = LODGING.number(DialogueAct("inform", "price", "dontcare"))
    assert value_of(np.int32(number)) == DONTCARE
    text = LODGING.text([number])
    assert "mind" in text
    assert LODGING.read(text) == [number]


def test_unknown_intents_and_slots_are_refused_with_a_hint():
    """What is no act is an error that names the nearest one."""
    with pytest.raises(ContractError, match="inform"):
        LODGING.number(DialogueAct("infrom", "price", "cheap"))
    with pytest.raises(ContractError, match="price"):
        LODGING.number(DialogueAct("inform", "prise", "cheap"))


def test_packing_moves_acts_to_the_front_in_their_order():
    """Gaps go to the end, order stays."""
    assert packed(np.array([[-1, 7, -1, 5]], dtype=np.int32), 3).tolist() == [[7, 5, -1]]


@settings(max_examples=50)
@given(acts_of(BY_PEOPLE), st.floats(0, 1), st.integers(0, 1000))
def test_noise_hits_as_often_as_it_says_and_leaves_sound_acts(numbers, chance, seed):
    """What comes through is made of known acts, slots and values; nothing is hit at chance 0, all at 1."""
    said = packed(np.tile(np.array(numbers, dtype=np.int32), (40, 1)), SPOKEN)
    u = np.random.default_rng(seed).random((40, SPOKEN * DRAWS))
    assert (Channel().heard(said, LODGING, u) == said).all()
    assert (Channel(drop=1.0).heard(said, LODGING, u) < 0).all()
    heard = Channel(slot=chance / 2, value=chance / 2).heard(said, LODGING, u)
    told = [act for row in heard for act in LODGING.told(row)]
    assert all(LODGING.number(act) in heard for act in told)


def test_a_value_that_was_misheard_is_another_value_of_the_same_slot():
    """Value confusion keeps act and slot and never gives the same value."""
    said = packed(np.tile(code(Act.INFORM, 0, np.arange(5))[:, None], (100, 1)))
    heard = Channel(value=1.0).heard(said, LODGING, np.random.default_rng(1).random((500, SPOKEN * DRAWS)))
    assert (act_of(heard[:, 0]) == Act.INFORM).all()
    assert (slot_of(heard[:, 0]) == 0).all()
    assert (value_of(heard[:, 0]) != value_of(said[:, 0])).all()


def test_a_question_that_was_misheard_is_another_question():
    """Slot confusion of a question gives another slot that people ask about, each as likely as another."""
    asked = np.flatnonzero(LODGING.requestable)
    said = packed(np.tile(code(Act.REQUEST, asked)[:, None], (300, 1)))
    draws = np.random.default_rng(2).random((len(said), SPOKEN * DRAWS))
    heard = Channel(slot=1.0).heard(said, LODGING, draws)
    assert (act_of(heard[:, 0]) == Act.REQUEST).all()
    assert (slot_of(heard[:, 0]) != slot_of(said[:, 0])).all()
    counts = np.bincount(slot_of(heard[:, 0]), minlength=len(LODGING.slots))[asked]
    assert (np.abs(counts - 300) < 5 * np.sqrt(300)).all()


class Parrot:
    """A language model that answers what it was made with."""

    def __init__(self, answer):
        self.answer, self.prompts = answer, []

    def complete(self, prompt):
        """Answer, and remember the prompt."""
        self.prompts.append(prompt)
        return self.answer


def test_a_language_model_may_render_and_read_where_one_is_given():
    """It is told what is meant in plain words, and asked for acts as JSON."""
    client = Parrot(" A cheap place, please. ")
    words = Model(client, LODGING.phrases)
    assert words.text([DialogueAct("inform", "price", "cheap")], "user") == "A cheap place, please."
    assert "price" in client.prompts[0]
    read = Model(Parrot('[{"intent": "inform", "slot": "price", "value": "cheap"}]'), LODGING.phrases)
    assert read.read("A cheap place, please.", "user") == [DialogueAct("inform", "price", "cheap")]
    assert Model(Parrot("I would rather not."), LODGING.phrases).read("Hm.", "user") == []


def test_tools_find_look_up_book_and_cancel_and_write_down_what_they_did():
    """Results come at once; the calls can be told afterwards; nothing else changes."""
    tools = Tools(LODGING, -1)
    found = tools.find(area="centre", price="dontcare")
    assert found
    assert {place["area"] for place in found} == {"centre"}
    assert tools.find(area="the moon") == []
    assert tools.look_up(found[0]["name"]) == found[0]
    assert not tools.book("Nowhere House")
    assert tools.booked is None
    assert tools.book(found[0]["name"], people="2", day="monday")
    assert tools.booked == found[0]["name"]
    with pytest.raises(ContractError, match="price"):
        tools.find(prise="cheap")
    calls = LODGING.call(tools.calls)
    assert [call["tool"] for call in calls] == ["find", "find", "look_up", "book", "book"]
    assert calls[-1] == {
        "tool": "book",
        "with": {"name": found[0]["name"], "people": "2", "day": "monday"},
        "result": "booked",
    }
    assert tools.cancel()
    assert tools.booked is None


def test_a_domain_of_ones_own_is_checked(tmp_path):
    """Rows may stand in the file; a template for an act that is none is refused by name."""
    file = tmp_path / "cafes.yaml"
    rows = "[{name: Blue Cup, area: east, wifi: 'yes'}, {name: Red Pot, area: west, wifi: 'no'}]"
    file.write_text(f"title: cafes\nconstraints: [area]\nrequestable: [wifi]\ndatabase: {rows}\n")
    domain = load(str(file))
    assert domain.slots == ("area", "wifi", "name")
    assert domain.entities == ("Blue Cup", "Red Pot")
    file.write_text(file.read_text() + "phrases: {user: {greet: Hi}}\n")
    with pytest.raises(ScenarioError, match="greet"):
        load(str(file))
