"""Which rows share the error of a temperature: a run is one temperature at one thermometer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nmrdyn.inference.measurements import Measurements
from nmrdyn.inference.process import Probe
from nmrdyn.schema import Array

_SAME_RUN = 0.5  # K; read temperatures this close are one run


class Runs:
    """`of_row` numbers the run of each row of all processes; `shared` counts those with rows of several processes."""

    def __init__(self, data: Sequence[Measurements], probes: Mapping[str, Probe]) -> None:
        runs: list[tuple[str, float, set[int]]] = []
        index = []
        for k, one in enumerate(data):
            for kelvin, name in zip(one.temperature, one.probe, strict=True):
                match = None
                if name in probes and probes[name].same_runs:
                    match = next(
                        (
                            r
                            for r, (other, at, members) in enumerate(runs)
                            if other == name and k not in members and abs(at - kelvin) <= _SAME_RUN
                        ),
                        None,
                    )
                if match is None:
                    runs.append((name, float(kelvin), set()))
                    match = len(runs) - 1
                runs[match][2].add(k)
                index.append(match)
        self.of_row = np.array(index)
        self.n = len(runs)
        self.shared = sum(len(members) > 1 for _, _, members in runs)
        self.temperature = np.array([kelvin for _, kelvin, _ in runs])
        self.probe = [name for name, _, _ in runs]
        self._by_run = np.argsort(self.of_row, kind="stable")
        self._starts = np.searchsorted(self.of_row[self._by_run], np.arange(self.n))
        self._trivial = bool(np.array_equal(self.of_row, np.arange(self.n)))

    def sum(self, rows: Array) -> Array:
        """Sum over the rows of each run: (walker, row, ...) -> (walker, run, ...)."""
        return rows if self._trivial else np.add.reduceat(rows[:, self._by_run], self._starts, axis=1)

    def spread(self, runs: Array) -> Array:
        """What belongs to the run of each row: (walker, run, ...) -> (walker, row, ...)."""
        return runs if self._trivial else runs[:, self.of_row]
