"""The kernel: simulated time, sessions and turns."""

from rehearse.engine.kernel import Simulation

__all__ = ["Simulation"]
