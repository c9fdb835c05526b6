"""A decision model in a file: propose the cheapest way to travel that was not proposed yet.

Rehearse it with the travellers of the catalogue:

    rehearse run travel --policy examples/mymodel.py:decide

A function whose parameter is called `person` is asked one person at a time, and is given what a
model may see: each feature by name, the items this person can have, and what was shown before.
"""

HOUR = 15.0
"""Dollars that an hour at the terminal is worth."""


def decide(person: dict) -> str:
    """Return the name of the way to propose."""
    fresh = [way for way in person["items"] if way not in person["shown"]]
    return min(fresh or person["items"], key=lambda way: price(person, way))


def price(person: dict, way: str) -> float:
    """Return what a way costs this person in all, in dollars."""
    return person[f"gc_{way}"] + person[f"ttme_{way}"] / 60 * HOUR


if __name__ == "__main__":
    traveller = {
        "gc_air": 70.0, "gc_train": 71.0, "gc_bus": 70.0, "gc_car": 30.0,
        "ttme_air": 69.0, "ttme_train": 34.0, "ttme_bus": 35.0, "ttme_car": 0.0,
        "items": ["air", "train", "bus", "car"], "shown": [],
    }  # fmt: skip
    while len(traveller["shown"]) < 4:
        way = decide(traveller)
        print(f"{way}: {price(traveller, way):.2f} dollars")
        traveller["shown"].append(way)
