"""A dialogue model of one's own: a function that is told acts, calls tools, and answers in acts."""

from __future__ import annotations

from typing import Any

import rehearse


def decide(request: dict[str, Any]) -> dict[str, Any]:
    """Recommend the first place that fits all that was heard, and answer what was asked about it."""
    heard = [act for message in request["history"] for act in message["acts"] if message["by"] == "user"]
    heard += request["acts"]
    wanted = {act["slot"]: act["value"] for act in heard if act["intent"] == "inform"}
    constraints = {slot: value for slot, value in wanted.items() if slot in {"area", "price", "kind"}}
    intents = {act["intent"] for act in request["acts"]}
    if "bye" in intents:
        return {"acts": [{"intent": "bye"}]}
    found = request["tools"].find(**constraints)
    if not found:
        return {"acts": [{"intent": "nooffer"}]}
    place = found[-1] if "reqalts" in intents else found[0]
    asked = [act["slot"] for act in request["acts"] if act["intent"] == "request" and act["slot"] in place]
    if "book" in intents and {"people", "day"} <= wanted.keys():
        request["tools"].book(place["name"], people=wanted["people"], day=wanted["day"])
        return {"acts": [{"intent": "booked", "slot": "name", "value": place["name"]}]}
    told = [{"intent": "inform", "slot": slot, "value": place[slot]} for slot in ["name", *asked]]
    return {"acts": told}


if __name__ == "__main__":
    finished = rehearse.run("assist", policy=decide, users=50, ticks=1, replicas=2)
    words = finished.turns.query(
        'SELECT said, reply FROM words WHERE "user" = 3 AND replica = 0 ORDER BY turn'
    )
    for said, reply in zip(words["said"], words["reply"], strict=True):
        print(f"> {said}\n  {reply}")
    served = finished.turns.query("SELECT avg(success) AS s FROM turns WHERE \"end\" <> 'none'")["s"][0]
    print(f"{served:.0%} of the calls ended with what was wanted.")
