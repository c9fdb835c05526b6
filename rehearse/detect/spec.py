"""Detectors as scenarios write them: `cusum`, or `{name: cusum, k: 0.5, h: 4}`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from rehearse.detect.charts import CUSUM, EWMA, PageHinkley
from rehearse.detect.foreign import ADWIN, DDM, EDDM, HDDMA, HDDMW, KSWIN

OURS = CUSUM | EWMA | PageHinkley
RIVERS = ADWIN | KSWIN | DDM | EDDM | HDDMA | HDDMW
DETECTORS: dict[str, type[OURS | RIVERS]] = {
    kind.model_fields["name"].default: kind
    for kind in (CUSUM, EWMA, PageHinkley, ADWIN, KSWIN, DDM, EDDM, HDDMA, HDDMW)
}
"""Every detector by the name that scenarios give it."""


def _named(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


Spec = Annotated[
    Annotated[OURS | RIVERS, Field(discriminator="name")],
    BeforeValidator(_named),
]
"""What a scenario or a policy's settings may hold for a detector."""
