"""What people become by a turn: values that the world worked out, and that they take over."""

from __future__ import annotations

from rehearse.columns import Columns, Rows
from rehearse.contract import Outcomes
from rehearse.errors import ContractError, did_you_mean


def become(columns: Columns, rows: Rows, outcomes: Outcomes) -> None:
    """Write `Outcomes.becomes` into people's columns; raises ContractError for a column they lack."""
    for name, values in outcomes.becomes.items():
        if name not in columns:
            problem = f"the world says what people's {name!r} becomes, and they have no such column."
            raise ContractError(problem, did_you_mean(name, columns))
        columns[name][rows] = values
