"""Conductivity against the concentration of vacancies: what single jumps into vacancies make of it, and the excess."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from nmrdyn.schema import BOLTZMANN_EV, Array, InputError, require_within, stamp
from nmrdyn.transport import diffusion_conductivity, jump_diffusion

_LN10 = np.log(10.0)


@dataclass(frozen=True, kw_only=True)
class VacancyModel:
    """Ions that jump into neighbouring vacancies at random, sigma = q^2 z/(6 kT) N c (1-c) f a^2 nu exp(-dG/kT).

    c is the occupied fraction of the sites and 1-c the vacant one. It holds where vacancies do not know of each other
    (a few per cent of the sites), where all sites are alike, and in three dimensions; f is a constant although it
    falls as vacancies become many. Without vacancies it gives no conductivity. Source: Tsai et al., Adv. Energy Mater.
    (2023), doi 10.1002/aenm.202203284, Methods.

    Parameters
    ----------
    neighbours : sites that an ion may jump to, z
    attempt_frequency : nu [Hz]
    jump_distance : a [m]
    correlation_factor : f, see `nmrdyn.transport.CORRELATION_FACTORS`
    site_density : sites of the ion a volume, occupied or not, N [m^-3]
    charge : of the ion in elementary charges

    Raises
    ------
    InputError
        For a value that is not positive and finite, f above 1, or a charge of 0.

    Examples
    --------
    Na3O(BH4), three sites in a cube of 4.6 Å, each with eight neighbours at a/sqrt(2), 5 % of them vacant:

    >>> model = VacancyModel(neighbours=8, attempt_frequency=5e12, jump_distance=3.25e-10, correlation_factor=0.69,
    ...                      site_density=3 / 4.6e-10**3)
    >>> print(f"{model.conductivity(0.05, temperature=333.15, barrier=0.5):.2e} S/m")
    1.08e-04 S/m
    """

    neighbours: int
    attempt_frequency: float
    jump_distance: float
    correlation_factor: float
    site_density: float
    charge: float = 1.0

    def __post_init__(self) -> None:
        for name in ("neighbours", "attempt_frequency", "jump_distance", "site_density"):
            require_within(f"VacancyModel: {name}", getattr(self, name), above=0, single=True)
        require_within("VacancyModel: correlation_factor", self.correlation_factor, above=0, most=1, single=True)
        require_within("VacancyModel: size of the charge", abs(self.charge), above=0, single=True)

    def conductivity(
        self, vacancy_fraction: npt.ArrayLike, *, temperature: npt.ArrayLike, barrier: npt.ArrayLike
    ) -> Array:
        """sigma [S/m] at a vacant fraction of the sites, `temperature` [K] and free energy of migration `barrier` [eV].

        All broadcast. A fraction below 0 or above 1, or a temperature that is not above 0 K, is an `InputError`.
        """
        require_within("VacancyModel: vacancy_fraction", np.asarray(vacancy_fraction), least=0, most=1)
        require_within("VacancyModel: temperature [K]", np.asarray(temperature), above=0)
        vacant, kelvin = np.asarray(vacancy_fraction, dtype=float), np.asarray(temperature, dtype=float)
        rate = self.neighbours * self.attempt_frequency * np.exp(-np.asarray(barrier) / (BOLTZMANN_EV * kelvin))
        of_vacancy = jump_diffusion(
            1 / rate, jump_distance=self.jump_distance, dimensions=3, correlation_factor=self.correlation_factor
        )
        all_mobile = diffusion_conductivity(
            of_vacancy, carrier_density=self.site_density, temperature=kelvin, charge=self.charge
        )
        return vacant * (1 - vacant) * all_mobile


def fit_vacancies(
    vacancy_fraction: npt.ArrayLike,
    conductivity: npt.ArrayLike,
    *,
    temperature: npt.ArrayLike,
    model: VacancyModel,
    up_to: float = 0.15,
    stderr: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """Fit the model of vacancies to samples with few of them, and tell the excess of those with more.

    The one free number is the free energy of migration dG. At one temperature it cannot be told apart from the
    prefactor: an attempt frequency, a jump distance or a correlation factor that is wrong by a factor g shifts dG by
    kT ln g and leaves predictions and excess as they are. Read dG as a barrier only as far as the model is known; a
    barrier that does not depend on it comes from `straight_lines`.

    Errors come from the stated ones, enlarged where samples scatter more (chi-square over n - 1), or from the
    scatter alone where none are stated; with one sample and no stated error they are unknown. Those of an excess hold
    for samples that took no part in the fit. In Na3-xO1-x(NH2)x(BH4) the vacancy fraction is x/3, so that x = 0.5
    (0.167) takes part only with `up_to` above that.

    Parameters
    ----------
    vacancy_fraction : vacant fraction of the ion's sites, shape (n,), 0 to below 1. A sample with 0 has the vacancies
        that heat and impurities make, which are not known: it takes no part in the fit and has no excess.
    conductivity : [S/m], shape (n,); NaN is left out
    temperature : [K], one or one a sample
    model : all but dG
    up_to : largest vacancy fraction of the samples that are fitted
    stderr : standard errors of the conductivity [S/m], one or one a sample; samples differ by density and contacts too

    Returns
    -------
    vacancies : the stage: `migration_energy` with its error (attrs["dof"]: its degrees of freedom), and for each sample
        `predicted` and `excess` (measured over predicted) with the errors of their log10

    Raises
    ------
    InputError
        For shapes that differ, values out of range, or no sample with vacancies up to `up_to`.

    Examples
    --------
    Three samples by the model, and one that conducts a hundred times better:

    >>> model = VacancyModel(neighbours=8, attempt_frequency=5e12, jump_distance=3.25e-10, correlation_factor=0.69,
    ...                      site_density=3 / 4.6e-10**3)
    >>> vacant = np.array([0.03, 0.07, 0.12, 1 / 3])
    >>> sigma = model.conductivity(vacant, temperature=333.15, barrier=0.55) * [1, 1, 1, 100]
    >>> fit = fit_vacancies(vacant, sigma, temperature=333.15, model=model)
    >>> print(f"{fit.migration_energy:.3f} eV, excess {fit.excess[-1]:.1f}")
    0.550 eV, excess 100.0
    """
    require_within("fit_vacancies: up_to", up_to, above=0, below=1, single=True)
    vacant, sigma = np.asarray(vacancy_fraction, dtype=float), np.asarray(conductivity, dtype=float)
    if vacant.ndim != 1 or vacant.shape != sigma.shape:
        raise InputError(
            "fit_vacancies: needed one conductivity for each vacancy fraction, found shapes "
            f"{vacant.shape} and {sigma.shape}"
        )
    require_within("fit_vacancies: vacancy_fraction", vacant, least=0, below=1, advice="give fractions, not per cent")
    measured = np.isfinite(sigma)
    require_within("fit_vacancies: conductivity [S/m]", sigma[measured], above=0)
    kelvin = _per_sample("temperature", temperature, vacant.shape)
    require_within("fit_vacancies: temperature [K]", kelvin, above=0)
    error = _per_sample("stderr", np.nan if stderr is None else stderr, vacant.shape)
    if stderr is not None:
        require_within("fit_vacancies: stderr [S/m]", error[measured], above=0)
    known = measured & (vacant > 0)
    fitted = known & (vacant <= up_to)
    if not fitted.any():
        raise InputError(
            f"fit_vacancies: needed a conductivity at a vacancy fraction above 0 and up to {up_to:g}, "
            f"found fractions {vacant[measured]}; say a larger up_to"
        )
    slope = -1 / (BOLTZMANN_EV * kelvin)  # of ln sigma with dG
    attempts = model.conductivity(vacant, temperature=kelvin, barrier=0.0)
    logarithm = np.log(np.divide(sigma, attempts, out=np.full(sigma.shape, np.nan), where=known))
    energy, energy_error, spread = _energy(slope[fitted], logarithm[fitted], (error / sigma)[fitted])
    predicted = attempts * np.exp(energy * slope)
    own_error = (error / sigma) * max(spread, 1.0) if stderr is not None else np.full(sigma.shape, spread)
    reason = np.where(~measured, "no conductivity", np.where(vacant == 0, "no vacancies but unknown ones", ""))
    of_sample = {
        "conductivity": sigma,
        "conductivity_stderr": error,
        "predicted": predicted,
        "log10_predicted_stderr": np.abs(slope) * energy_error / _LN10,
        "excess": np.exp(logarithm - energy * slope),
        "log10_excess_stderr": np.where(known, np.hypot(slope * energy_error, own_error) / _LN10, np.nan),
        "fitted": fitted,
        "reason": reason,
    }
    found = xr.Dataset(
        {name: ("sample", values) for name, values in of_sample.items()}
        | {"migration_energy": energy, "migration_energy_stderr": energy_error},
        coords={"vacancy_fraction": ("sample", vacant), "temperature": ("sample", kelvin)},
    )
    return stamp(found, "vacancies", model=repr(model), up_to=up_to, dof=int(fitted.sum()) - 1)


def _energy(slope: Array, logarithm: Array, error: Array) -> tuple[float, float, float]:
    """dG [eV] and its error by least squares of ln sigma, and the scatter (over stated errors where there are such)."""
    stated = bool(np.isfinite(error).all())
    weight = 1 / error**2 if stated else np.ones_like(slope)
    energy = float(np.sum(weight * slope * logarithm) / np.sum(weight * slope**2))
    dof = slope.size - 1
    chi2 = float(np.sum(weight * (logarithm - energy * slope) ** 2))
    spread = float(np.sqrt(chi2 / dof)) if dof else (1.0 if stated else np.nan)
    scale = max(spread, 1.0) if stated else spread
    return energy, scale / float(np.sqrt(np.sum(weight * slope**2))), spread


def _per_sample(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
    except ValueError as error:
        raise InputError(f"fit_vacancies: needed one {name} or {shape[0]}, found {np.shape(value)}") from error
