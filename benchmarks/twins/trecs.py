"""T-RECS' loop as a scenario: attention by rank, tastes that turn, slates at random."""

from __future__ import annotations

from typing import Any

from workload import ITEMS, SLATE, TASTE_CHANGE, TASTE_SD, TASTES


def scenario(users: int, ticks: int) -> dict[str, Any]:
    """Return what `peers/trecs_content.py --model random` runs."""
    return {
        "world": {
            "name": "recommend-v1",
            "settings": {
                "items": {"count": ITEMS},
                "attributes": {"topic": {"drawn": {"normal": {"sd": TASTE_SD}}, "dims": TASTES}},
            },
        },
        "people": {
            "count": users,
            "tastes": {"each": {"normal": {"sd": TASTE_SD}}},
            "behaviour": {"quits": False, "visit_rate": 1.0, "visit_trust": 0.0},
            "memory": {"on": False},
            "goals": [{"name": "look", "rate": 1.0, "at_start": 1.0, "strength": 0.0}],
            "laws": {
                "choice": {"attention": {"exponent": -0.8}},
                "tastes": {"slerp": {"of": "topic", "part": TASTE_CHANGE}},
                "leaving": {"usual": False, "turns": 1},
            },
        },
        "policy": {"name": "random-v1"},
        "slate": SLATE,
        "time": {"ticks": ticks, "max_turns": 1},
    }
