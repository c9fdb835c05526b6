"""The kernel: simulated time, sessions and turns."""

from rehearse.engine.kernel import Asked, Simulation

__all__ = ["Asked", "Simulation"]
