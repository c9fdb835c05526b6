"""How a model behind HTTP is asked, as people write it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rehearse.policies.signature import SignatureSettings
from rehearse.scenario.base import NotNegative, Strict

ProtocolName = Literal["v2", "mlflow", "json"]
CHAT: Literal["chat"] = "chat"


class CallSettings(Strict):
    """How calls are made, whatever is said in them."""

    version: str | None = None
    """Which version of the model it is; None: what the server says, if it says so."""
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


class HttpSettings(SignatureSettings, CallSettings):
    """Settings of a model behind HTTP that is asked by columns."""

    protocol: ProtocolName | None = None
    """v2, mlflow or json; None: by the address."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 64
    """Rows in a call, always as many: what is missing repeats the first row, and its answer is dropped."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Calls under way at a time, each on a connection of its own that is kept."""
    input: str | None = None
    """v2: the one tensor that takes all features; None: what the server says, else a tensor for each."""
    datatype: Literal["FP32", "FP64"] | None = None
    """v2: what numbers are sent as; None: what the server says, else FP32."""


class Function(Strict):
    """A function that an assistant may call, under a name of its own."""

    does: str
    """A tool (find, look_up, book, cancel), a dialogue act (inform, request, …), or an item of the world."""
    description: str = ""
    """What the assistant is told of it."""
    arguments: dict[str, str] = Field(default_factory=dict)
    """The slots that arguments stand for, where they have other names: `{hotel: name}`."""
    parameters: dict[str, Any] | None = None
    """A JSON schema of the arguments; None: made from the domain."""


class Price(Strict):
    """What 1,000 tokens cost, in the currency of the other prices."""

    prompt: NotNegative = 0.0
    completion: NotNegative = 0.0


class ChatSettings(CallSettings):
    """Settings of a chat assistant."""

    protocol: Literal["chat"] = CHAT
    model: str = "default"
    """The name of the model, as the server knows it."""
    system: str | None = None
    """What the assistant is told first; None: words made from the domain, or from the items."""
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = 0.0
    seed: int | None = 0
    """Sent with every question; None: not sent."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of an answer at most; None: the server's own limit."""
    body: dict[str, Any] = Field(default_factory=dict)
    """More fields of every question: `{top_p: 0.9}`."""
    tools: dict[str, Function] | None = None
    """The functions that it may call, by name; None: made from the domain, or from the items."""
    history: Annotated[int, Field(ge=0)] | None = None
    """Earlier turns of the conversation that are sent; None: all."""
    rounds: Annotated[int, Field(ge=1, le=32)] = 6
    """Questions in a turn at most: one more each time it calls tools and wants to hear what they found."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Conversations under way at a time, each on a connection of its own that is kept."""
    price: Price | None = None
    """What tokens cost; the column `spent` then tells of it."""


class ClientSettings(Strict):
    """Settings of a language model that lends its words."""

    model: str = "default"
    """The model's name at the server."""
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.0
    """How freely it is sampled; 0: not at all."""
    seed: int = 0
    """What the server is to draw by."""
    timeout_ms: Annotated[float, Field(gt=0.0)] = 30_000.0
    """Milliseconds for an answer."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """How often a call that failed is made again."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """Headers whose values are secret, each with the environment variable that holds it."""
    body: dict[str, Any] = Field(default_factory=dict)
    """More fields of every question."""
