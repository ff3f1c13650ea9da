"""Step 1'': straight lines through conductivities, and whether a straight line is what the data show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import stats

from nmrdyn.conductivity.transition import (
    LARGEST_EXPONENT,
    Break,
    curvature,
    falls,
    find_break,
    gaps,
    is_curved,
    phases,
)
from nmrdyn.findings import Finding, attach, attached
from nmrdyn.schema import BOLTZMANN_EV, Array, InputError, require, stamp
from nmrdyn.thermal import straight_line_barrier

CONVENTIONS = ("sigma_T", "sigma")
_CROOKED = 0.3  # rms in ln(sigma T)
_LARGEST_BARRIER = 2.0  # eV
_THREE_SIGMA = 2 * stats.norm.sf(3.0)


@dataclass(frozen=True)
class _Line:
    """A line through ln(value) against 1/T, in one convention."""

    energy: float = np.nan
    stderr: float = np.nan
    low: float = np.nan
    high: float = np.nan
    log10_prefactor: float = np.nan
    rms: float = np.nan
    dof: int = 0
    mean_inverse: float = np.nan
    scatter: float = np.nan

    def at(self, inverse: float) -> tuple[float, float]:
        """ln(value) at 1/T and its standard error."""
        value = self.log10_prefactor * np.log(10) - self.energy * inverse / BOLTZMANN_EV
        slope = self.stderr * (inverse - self.mean_inverse) / BOLTZMANN_EV
        return value, float(np.hypot(self.scatter / np.sqrt(self.dof + 2), slope))


@dataclass(frozen=True)
class _Row:
    """One sample, direction and phase: its points, its two lines and what speaks against them."""

    sample: str
    direction: str
    phase: str
    kelvin: Array
    lines: tuple[_Line, _Line] = (_Line(), _Line())
    straight: bool = False
    reason: str = ""

    @property
    def where(self) -> str:
        """The name of the row in a finding."""
        return _where(self.sample, self.direction, self.phase)


def straight_lines(
    transport: xr.Dataset, *, transition: float | Sequence[float] | str | None = None, seed: int = 1
) -> xr.Dataset:
    """Barriers of conductivities by straight lines through ln(sigma T) and ln(sigma) against 1/T, both always.

    For each sample, direction (heating or cooling) and phase there is one line in either convention: "sigma_T", where
    sigma T = A exp(-E/kT), which Nernst and Einstein's relation asks for and which is to be compared with others, and
    "sigma", where sigma = A exp(-E/kT), whose E is lower by about kT at the mean temperature (26 meV at 298 K).

    Lines are unweighted. The standard error comes from the residuals with n - 2 degrees of freedom, as points scatter
    more than their stated errors and weights that are wrong make intervals too short;
    `activation_energy_low` and `_high` are the 95 % interval by Student's t, for two points unknown. A thermometer that
    reads wrong throughout is not in it: see `barrier_error`.

    Where one straight line is not what the data show, `straight` is False, the numbers stay, and `reason` says why:
    the rms in ln(sigma T) is above 0.3; the points are curved in both conventions (quadratic term, 1 %, five points or
    more); the conductivity falls on heating (1 % over all steps, by stated errors or else the scatter, at least 5 %); a
    break is more likely (see below); there are fewer than three temperatures; the barrier is not between 0 and 2 eV;
    conductivities at one temperature differ by more than a factor of 2.

    Parameters
    ----------
    transport : conductivities; rows that are NaN are left out
    transition : temperature(s) of phase transitions [K], a line for each phase, the transition itself belonging to the
        phase above; or "find", which looks for one break in each sample and direction: two lines with a jump, three
        temperatures or more on each side, significant at 1 % against one line in both conventions, and better than a
        parabola. Unless said, a break is not fitted, but told in `reason`.
    seed : of the simulated lines that tell how significant a break is

    Returns
    -------
    lines : the stage, one row a sample, direction and phase; the finding "hysteresis" where heating and cooling differ

    Raises
    ------
    InputError
        For no conductivity at all, one that is not above 0, or a transition that is no temperature.

    Examples
    --------
    >>> import xarray as xr
    >>> from nmrdyn.schema import stamp
    >>> kelvin = np.array([300.0, 320.0, 340.0, 360.0])
    >>> sigma = 1e5 / kelvin * np.exp(-0.35 / (8.617333262e-5 * kelvin))
    >>> variables = {"conductivity": ("experiment", sigma), "conductivity_stderr": ("experiment", 0.02 * sigma)}
    >>> transport = stamp(xr.Dataset(variables, coords={"temperature": ("experiment", kelvin)}), "transport")
    >>> lines = straight_lines(transport)
    >>> for convention in ("sigma_T", "sigma"):
    ...     print(f"{convention}: {lines.activation_energy.sel(convention=convention).item():.4f} eV")
    sigma_T: 0.3500 eV
    sigma: 0.3217 eV
    """
    require(transport, "transport")
    given = _transitions(transition)
    findings: list[Finding] = []
    rows: list[_Row] = []
    for sample, direction, data in _series(transport):
        kelvin, sigma, error = data
        temperatures = given
        if isinstance(transition, str):
            found = _break(kelvin, sigma, seed=seed)
            temperatures = () if found is None else (found.temperature,)
            if found is not None:
                gap = f"between {found.low:.6g} and {found.high:.6g} K (p = {found.probability:.2g})"
                findings.append(
                    Finding("break-found", _where(sample, direction), f"a break {gap}: a line on each side")
                )
        for phase, inside in phases(kelvin, temperatures):
            rows.append(_row((sample, direction, phase), kelvin[inside], sigma[inside], error=error[inside], seed=seed))
    findings += [Finding("no-single-barrier", row.where, row.reason) for row in rows if not row.straight]
    findings += _hysteresis(rows)
    return attach(_stage(rows, transport), [*attached(transport), *findings])


def _transitions(transition: float | Sequence[float] | str | None) -> tuple[float, ...]:
    if transition is None or (isinstance(transition, str) and transition == "find"):
        return ()
    advice = 'give kelvin, such as 313.15, or "find"'
    try:
        kelvin = np.unique(np.asarray(transition, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"straight_lines: needed temperatures of transitions, found {transition!r}; {advice}"
        ) from error
    if kelvin.size == 0 or not np.all((kelvin > 0) & np.isfinite(kelvin)):
        raise InputError(
            f"straight_lines: needed temperatures of transitions above 0 K, found {transition!r}; {advice}"
        )
    return tuple(float(value) for value in kelvin)


def _series(transport: xr.Dataset) -> Iterator[tuple[str, str, tuple[Array, Array, Array]]]:
    """Each sample and direction with temperatures, conductivities and relative errors of its rows that have both."""
    kelvin, sigma = transport["temperature"].values, transport["conductivity"].values
    if np.any(sigma <= 0) or np.any(np.isinf(sigma)) or np.any(kelvin <= 0):
        raise InputError(
            "straight_lines: needed conductivities and temperatures above 0, found others; make such rows NaN"
        )
    known = np.isfinite(kelvin) & np.isfinite(sigma)
    if not known.any():
        reasons = dict.fromkeys(str(one) for one in transport["reason"].values) if "reason" in transport else {}
        why = f": {next(iter(reasons))}" if any(reasons) else "; see their reasons"
        raise InputError(f"straight_lines: needed conductivities, found none in {sigma.size} rows{why}")
    error = transport["conductivity_stderr"].values / sigma
    sample, direction = (
        transport[name].values.astype(str) if name in transport.coords else np.full(sigma.shape, "")
        for name in ("sample", "direction")
    )
    for one, way in dict.fromkeys(zip(sample.tolist(), direction.tolist(), strict=True)):
        rows = (sample == one) & (direction == way) & known
        yield one, way, (kelvin[rows], sigma[rows], error[rows])


def _row(name: tuple[str, str, str], kelvin: Array, sigma: Array, *, error: Array, seed: int) -> _Row:
    sample, direction, phase = name
    different = 1 + gaps(np.sort(kelvin)).size if kelvin.size else 0
    if different < 2:
        reason = f"needed conductivities at two temperatures, found {different}"
        return _Row(sample, direction, phase, kelvin, reason=reason)
    lines = (_line(kelvin, sigma * kelvin), _line(kelvin, sigma))
    doubts = list(_doubts(kelvin, sigma, error=error, line=lines[0], seed=seed))
    reason = f"no single barrier: {'; '.join(doubts)}" if doubts else ""
    if different < 3:
        few = "two temperatures do not tell whether a line is straight"
        reason = f"{reason}; {few}" if reason else few
    return _Row(sample, direction, phase, kelvin, lines, not reason, reason)


def _line(kelvin: Array, value: Array) -> _Line:
    """Ordinary least squares, with errors from the residuals."""
    energy, ln_prefactor = straight_line_barrier(kelvin, value)
    inverse = 1 / kelvin
    residual = np.log(value) - (ln_prefactor - energy * inverse / BOLTZMANN_EV)
    dof = kelvin.size - 2
    scatter = float(np.sqrt(residual @ residual / dof)) if dof else np.nan
    stderr = BOLTZMANN_EV * scatter / np.sqrt(np.sum((inverse - inverse.mean()) ** 2))
    reach = stats.t.isf(0.025, dof) * stderr if dof else np.nan
    return _Line(
        energy=energy,
        stderr=stderr,
        low=energy - reach,
        high=energy + reach,
        log10_prefactor=ln_prefactor / np.log(10),
        rms=float(np.sqrt(np.mean(residual**2))),
        dof=dof,
        mean_inverse=float(inverse.mean()),
        scatter=scatter,
    )


def _doubts(kelvin: Array, sigma: Array, *, error: Array, line: _Line, seed: int) -> Iterator[str]:
    """What speaks against one straight line."""
    if line.rms > _CROOKED:
        yield f"points scatter by {line.rms:.2f} (rms) in ln(sigma T)"
    if is_curved(kelvin, np.log(sigma * kelvin)) and is_curved(kelvin, np.log(sigma)):
        t = curvature(kelvin, np.log(sigma * kelvin))
        yield f"the barrier {'grows' if t > 0 else 'falls'} on heating (curved, t = {abs(t):.1f})"
    found = _break(kelvin, sigma, seed=seed)
    if found is not None:
        yield (
            f"a break near {found.temperature:.0f} K is more likely (between {found.low:.6g} and {found.high:.6g} K, "
            f"p = {found.probability:.2g}): give a transition"
        )
    yield from falls(kelvin, sigma, relative_error=error)
    if not 0 < line.energy <= _LARGEST_BARRIER:
        yield f"a barrier of {line.energy:.3g} eV is not between 0 and {_LARGEST_BARRIER:g} eV"


def _break(kelvin: Array, sigma: Array, *, seed: int) -> Break | None:
    """A break in both conventions: what is straight in one of them is no transition."""
    if kelvin.size == 0 or find_break(kelvin, np.log(sigma), seed=seed) is None:
        return None
    return find_break(kelvin, np.log(sigma * kelvin), seed=seed)


def _where(*names: str) -> str:
    return ", ".join(filter(None, names)) or "conductivity"


def _hysteresis(rows: Sequence[_Row]) -> Iterator[Finding]:
    """Heating and cooling of one sample and phase that differ by more than three standard errors."""
    cooling = {(row.sample, row.phase): row for row in rows if row.direction == "cooling"}
    for heated in rows:
        cooled = cooling.get((heated.sample, heated.phase))
        if heated.direction != "heating" or cooled is None:
            continue
        up, down = heated.lines[0], cooled.lines[0]
        if min(up.dof, down.dof) < 1:
            continue
        limit = stats.t.isf(_THREE_SIGMA / 2, up.dof + down.dof)
        said = []
        low, high = max(heated.kelvin.min(), cooled.kelvin.min()), min(heated.kelvin.max(), cooled.kelvin.max())
        if low <= high:
            middle = (1 / low + 1 / high) / 2
            (first, first_error), (second, second_error) = up.at(middle), down.at(middle)
            if abs(second - first) > limit * np.hypot(first_error, second_error):
                ratio = np.exp(min(second - first, LARGEST_EXPONENT))
                said.append(f"the conductivity on cooling is {ratio:.3g} times that on heating at {1 / middle:.0f} K")
        if abs(up.energy - down.energy) > limit * np.hypot(up.stderr, down.stderr):
            said.append(f"barriers of sigma T are {up.energy:.3f} eV on heating and {down.energy:.3f} eV on cooling")
        if said:
            yield Finding("hysteresis", _where(heated.sample, heated.phase), "; ".join(said))


def _stage(rows: Sequence[_Row], transport: xr.Dataset) -> xr.Dataset:
    numbers = {
        name: (("line", "convention"), [[getattr(line, field) for line in row.lines] for row in rows])
        for name, field in (
            ("activation_energy", "energy"),
            ("activation_energy_stderr", "stderr"),
            ("activation_energy_low", "low"),
            ("activation_energy_high", "high"),
            ("log10_prefactor", "log10_prefactor"),
            ("rms", "rms"),
        )
    }
    said = {name: ("line", [getattr(row, name) for row in rows]) for name in ("straight", "reason")}
    names = {name: ("line", [getattr(row, name) for row in rows]) for name in ("sample", "direction", "phase")}
    coords = {
        "convention": list(CONVENTIONS),
        "points": ("line", [row.kelvin.size for row in rows]),
        "temperature_low": ("line", [np.min(row.kelvin) if row.kelvin.size else np.nan for row in rows]),
        "temperature_high": ("line", [np.max(row.kelvin) if row.kelvin.size else np.nan for row in rows]),
        "part": transport["part"].item() if "part" in transport.coords else "",
    }
    attrs = {name: transport.attrs[name] for name in ("sources", "cell_stderr") if name in transport.attrs}
    return stamp(xr.Dataset(numbers | said, coords=coords | names, attrs=attrs), "lines")
