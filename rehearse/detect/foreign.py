"""Detectors of the library river, for what it has and we have not; the door to it.

They hear values as they are, not in standard errors. DDM, EDDM and the HDDMs want a stream of errors, 0 or 1.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from rehearse.columns import Array
from rehearse.detect.base import Detector, Flags, Floats, Watcher
from rehearse.errors import UserError

Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]


class Foreign(Detector):
    """A detector of river's, one for each stream."""

    @abstractmethod
    def made(self, drift: Any) -> Any:
        """Return a new detector of river's, given its module `drift`."""

    def watcher(self, streams: int = 1) -> Watcher:
        """Return a watcher of so many streams; raises UserError where river is missing."""
        try:
            from river import drift
        except ImportError:
            problem = f"the detector {self.name!r} is river's, which is not installed."
            raise UserError(problem, "Run: pip install 'rehearse[drift]'.") from None
        return ForeignWatcher([self.made(drift) for _ in range(streams)])


class ADWIN(Foreign):
    """An adaptive window, cut where its two parts differ (Bifet and Gavaldà 2007)."""

    name: Literal["adwin"] = "adwin"
    delta: Share = 0.002
    """The chance of a false alarm, about."""
    clock: Count = 32
    """It looks at every so many values."""
    least_values: Annotated[int, Field(ge=0)] = 10
    """It does not look before so many values."""

    def made(self, drift: Any) -> Any:
        """Return river's ADWIN."""
        return drift.ADWIN(delta=self.delta, clock=self.clock, grace_period=self.least_values)


class KSWIN(Foreign):
    """A Kolmogorov–Smirnov test of the newest values of a window against older ones (Raab et al. 2020)."""

    name: Literal["kswin"] = "kswin"
    alpha: Share = 0.005
    window: Annotated[int, Field(ge=2)] = 100
    newest: Count = 30
    seed: int = 42
    """Of its choice among the older values."""

    def made(self, drift: Any) -> Any:
        """Return river's KSWIN."""
        return drift.KSWIN(alpha=self.alpha, window_size=self.window, stat_size=self.newest, seed=self.seed)


class DDM(Foreign):
    """The error rate above its least by three standard errors (Gama et al. 2004)."""

    name: Literal["ddm"] = "ddm"
    least_values: Count = 30
    threshold: Annotated[float, Field(gt=0.0)] = 3.0

    def made(self, drift: Any) -> Any:
        """Return river's DDM."""
        return drift.binary.DDM(
            warm_start=self.least_values,
            warning_threshold=min(2.0, self.threshold),
            drift_threshold=self.threshold,
        )


class EDDM(Foreign):
    """Errors that come closer together (Baena-García et al. 2006); rings often on a steady stream."""

    name: Literal["eddm"] = "eddm"
    least_values: Count = 30
    beta: Share = 0.9

    def made(self, drift: Any) -> Any:
        """Return river's EDDM."""
        return drift.binary.EDDM(warm_start=self.least_values, alpha=max(0.95, self.beta), beta=self.beta)


class HDDMA(Foreign):
    """Hoeffding's bound on averages of errors (Frías-Blanco et al. 2015)."""

    name: Literal["hddm-a"] = "hddm-a"
    delta: Share = 0.001

    def made(self, drift: Any) -> Any:
        """Return river's HDDM_A."""
        return drift.binary.HDDMA(drift_confidence=self.delta)


class HDDMW(Foreign):
    """McDiarmid's bound on weighted averages of errors (Frías-Blanco et al. 2015)."""

    name: Literal["hddm-w"] = "hddm-w"
    delta: Share = 0.001
    lam: Share = 0.05
    """The weight of the newest value."""

    def made(self, drift: Any) -> Any:
        """Return river's HDDM_W."""
        return drift.binary.HDDMW(drift_confidence=self.delta, lambda_val=self.lam)


class ForeignWatcher:
    """Detectors of river's at work. They cannot be written down: what they heard is, and told again."""

    def __init__(self, detectors: list[Any]) -> None:
        self._detectors = detectors
        self._heard: list[Floats] = []

    def hear(self, values: Floats) -> Flags:
        """Take one value a stream and tell which streams rang."""
        values = np.array(values, dtype=np.float64)
        self._heard.append(values)
        return np.array(
            [self._rings(d, x) for d, x in zip(self._detectors, values.tolist(), strict=True)], dtype=np.bool_
        )

    def state(self) -> Mapping[str, Array]:
        """Return every value that was heard, shape (ticks, streams)."""
        return {"heard": np.array(self._heard).reshape(len(self._heard), len(self._detectors))}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Hear again what `state` gave; to be called before anything else is heard."""
        for values in state["heard"]:
            self.hear(values)

    def _rings(self, detector: Any, x: float) -> bool:
        if np.isnan(x):
            return False
        detector.update(x)
        return bool(detector.drift_detected)
