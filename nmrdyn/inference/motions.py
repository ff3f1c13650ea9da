"""What the walkers say that a process would be measured as, at given temperatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.observed import Observed
from nmrdyn.motion.mechanism import Mechanism
from nmrdyn.schema import Array


@dataclass(frozen=True)
class Motion:
    """One process as the walkers have it: the parameters of its law, and its mechanism with what was sampled of it.

    Both are shaped to broadcast over (walker, row, node), as are the temperatures [K] that the methods take.
    """

    one: Measurements
    law_values: Mapping[str, Array]
    mechanism: Mechanism | None

    def log_correlation_time(self, kelvin: Array) -> Array:
        """ln(tau_c/s), or -ln of what grows with temperature: sigma T, sigma, D."""
        return self.one.process.law.log_correlation_time(kelvin, **self.law_values)

    def predict(self, kelvin: Array) -> Array:
        """ln of what the likelihood reads: T1, tau_c, sigma or D in SI."""
        log_tau, said = self.log_correlation_time(kelvin), self.one.process.mechanism
        if self.mechanism is not None:
            return -np.log(self.mechanism.at(kelvin).rate(np.exp(log_tau), self.one.larmor_frequency[:, None]))
        assert isinstance(said, Observed)
        return said.log_value(log_tau, kelvin)

    def ratio(self, kelvin: Array) -> Array:
        """W1/W2, which decides the shape of a recovery of populations."""
        assert self.mechanism is not None
        tau = np.exp(self.log_correlation_time(kelvin))
        w1, w2, _ = self.mechanism.at(kelvin).transition_rates(tau, self.one.larmor_frequency[:, None])
        return w1 / w2
