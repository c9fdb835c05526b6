"""How a model behind HTTP is asked, as people write it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rehearse.policies.signature import SignatureSettings
from rehearse.scenario.base import NotNegative

ProtocolName = Literal["v2", "mlflow", "json"]


class HttpSettings(SignatureSettings):
    """Settings of a model behind HTTP."""

    protocol: ProtocolName | None = None
    """v2, mlflow or json; None: by the address."""
    version: str | None = None
    """Which version of the model it is; None: what the server says, if it says so."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 64
    """Rows in a call, always as many: what is missing repeats the first row, and its answer is dropped."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Calls under way at a time, each on a connection of its own that is kept."""
    timeout_ms: Annotated[float, Field(gt=0.0)] | None = None
    """Wall-clock milliseconds of a whole attempt; None: the scenario's `time.deadline_ms`."""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """Further attempts where the infrastructure failed; the column `attempts` then counts all of a call."""
    price_per_call: NotNegative = 0.0
    """What a call costs, shared by the rows in it, in any currency; the column `spent` then tells of it."""
    price_per_row: NotNegative = 0.0
    """What an answer costs."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """Headers whose values are secret, each with the environment variable that holds it."""
    input: str | None = None
    """v2: the one tensor that takes all features; None: what the server says, else a tensor for each."""
    datatype: Literal["FP32", "FP64"] | None = None
    """v2: what numbers are sent as; None: what the server says, else FP32."""
