"""Rehearse a model from Python, in ten lines."""

import rehearse


def decide(person: dict) -> str:
    """Propose what costs least in dollars and minutes, of what was not proposed yet."""
    fresh = [way for way in person["items"] if way not in person["shown"]] or person["items"]
    return min(fresh, key=lambda way: person[f"gc_{way}"] + person[f"ttme_{way}"])


result = rehearse.run("travel", policy=decide, users=210, ticks=10, seed=7)
print("The verdict is", result.verdict)
for criterion in result.criteria:
    print(f"  {criterion['verdict']:<7}{criterion['metric']}")
