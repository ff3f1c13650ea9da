"""The marginal likelihood of ln T1, against integrals that are done here in full."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import t as student_t

import nmrdyn as nd
from nmrdyn.recovery.marginal import supported, tabulate
from nmrdyn.schema import STAGES, stamp

CLOSE = 1e-3  # of ln L
NEAR = 20.0  # below its maximum


def recoveries(signal, delay, stderr, *, noise_dof=40.0, kind="saturation_recovery"):
    """Stage `recovery`, one row of signals an experiment."""
    signal = np.atleast_2d(np.asarray(signal, dtype=float))
    n, m = signal.shape
    words = {"kind": kind, "pulse_program": "made here", "reason": ""}
    numbers = {"temperature": 300.0, "temperature_stderr": 1.0, "larmor_frequency": 1e8, "noise_dof": noise_dof}
    numbers |= {"rows_recorded": m, "rows_planned": m}
    coords = {name: ("experiment", np.full(n, value, dtype=object)) for name, value in words.items()}
    coords |= {name: ("experiment", np.broadcast_to(value, n)) for name, value in numbers.items()}
    coords |= {"delay": (("experiment", "increment"), np.broadcast_to(delay, signal.shape))}
    coords |= {"experiment": [str(i) for i in range(n)]}
    data = {"signal": signal, "signal_stderr": np.broadcast_to(stderr, signal.shape)}
    return stamp(
        xr.Dataset({name: (("experiment", "increment"), value) for name, value in data.items()}, coords=coords),
        "recovery",
    )


def placed(recovery, t1, error):
    """Stage `relaxation` that only places the grids, for likelihoods without a fit."""
    n = recovery.sizes["experiment"]
    numbers = {"t1": t1, "t1_stderr": t1 * error, "ratio": np.nan, "ratio_stderr": np.nan, "error_scaled": False}
    coords = {name: recovery[name] for name in STAGES["relaxation"].coords}
    data = {name: ("experiment", np.broadcast_to(value, n)) for name, value in numbers.items()}
    return stamp(xr.Dataset(data, coords=coords), "relaxation")


def noisy(curve, snr, seed):
    curve = np.asarray(curve, dtype=float)
    return curve + np.random.default_rng(seed).standard_normal(curve.shape) / snr


def fitted(recovery, model, *, scatter=False, rows=(0,)):
    relaxation = nd.fit_recovery(recovery, model)
    assert np.all(np.isfinite(relaxation.t1.values[list(rows)])), relaxation.reason.values
    return relaxation, tabulate(recovery, relaxation, model, scatter=scatter, rows=list(rows))


def read(table, log_t1, **others):
    """ln L of the only row."""
    return table.log_density(np.atleast_1d(log_t1)[None, None, :], **others)[0, 0]


def squares(decay, signal, *, depth=None):
    """Least sum of squares of amplitude and loss, for decays (..., delay)."""
    if depth is not None:
        column = 1 - depth * decay
        amplitude = column @ signal / np.sum(column**2, axis=-1)
        return np.sum((signal - amplitude[..., None] * column) ** 2, axis=-1)
    level, change = signal - signal.mean(), decay - decay.mean(axis=-1, keepdims=True)
    loss = change @ level / np.sum(change**2, axis=-1)
    return np.sum((level - loss[..., None] * change) ** 2, axis=-1)


def agree(found, expected):
    """The same but for a constant, wherever the likelihood is not small."""
    near = expected > expected.max() - NEAR
    assert near.sum() > 5
    apart = (found - expected)[near]
    assert np.ptp(apart) < CLOSE


# The integral in full


def nodes(low, high, number):
    """Gauss-Legendre nodes and weights from `low` to `high`, on a new last axis."""
    x, w = np.polynomial.legendre.leggauss(number)
    half = (high - low)[..., None] / 2
    return low[..., None] + half * (1 + x), w * half


def integral(decay, signal, noise_dof, *, depth=None):
    """ln of the integral over noise, amplitude and loss, with both signs as physics has them; noise of 1 measured."""
    n = signal.size
    y2, y1, yd = signal @ signal, signal.sum(), signal @ decay
    d1, d2 = decay.sum(), decay @ decay
    dof = noise_dof + n - 2
    likely = np.log((noise_dof + squares(decay, signal, depth=depth)) / dof) / 2
    log_noise = likely + np.linspace(-1.5, 1 + 20 / dof, 100)
    noise = np.exp(log_noise)
    if depth is None:
        volume = np.sqrt(n * d2 - d1**2)
        spread = noise * np.sqrt(d2) / volume
        centre = (d2 * y1 - d1 * yd) / volume**2
        a, wa = nodes(np.maximum(centre - 9 * spread, 0.0), np.maximum(centre + 9 * spread, 1e-9), 40)
        sd = (noise / np.sqrt(d2))[:, None]
        middle = (yd - a * d1) / d2
        loss, wl = nodes(np.minimum(middle - 9 * sd, 0.0), np.minimum(middle + 9 * sd, 0.0), 40)
        a = a[..., None]
        misfit = y2 - 2 * a * y1 - 2 * loss * yd + a**2 * n + 2 * a * loss * d1 + loss**2 * d2
        inner = np.exp(-(misfit - misfit.min()) / 2 / noise[:, None, None] ** 2) * wl
        inner = np.log((inner.sum(axis=2) * wa).sum(axis=1) + 1e-300)
    else:
        column = 1 - depth * decay
        volume = np.sqrt(column @ column)
        centre, spread = signal @ column / volume**2, noise / volume
        a, wa = nodes(np.maximum(centre - 9 * spread, 0.0), np.maximum(centre + 9 * spread, 1e-9), 40)
        misfit = y2 - 2 * a * (signal @ column) + a**2 * volume**2
        inner = np.log((np.exp(-(misfit - misfit.min()) / 2 / noise[:, None] ** 2) * wa).sum(axis=1) + 1e-300)
    inner -= misfit.min() / 2 / noise**2
    total = inner + np.log(volume) - (n + noise_dof) * log_noise - noise_dof / 2 / noise**2
    top = total.max()
    return top + np.log(np.trapezoid(np.exp(total - top), log_noise))  # d noise^2 / noise^2 = 2 d ln noise


SIXTEEN = np.geomspace(0.02, 5.0, 16)
SIX = np.geomspace(0.05, 5.0, 6)
SHORT = np.linspace(0.1, 1.5, 5)


@pytest.mark.parametrize(
    ("delay", "snr", "noise_dof", "inversion", "depth"),
    [
        (SIXTEEN, 20, 40, 1.0, None),
        (SIXTEEN, 20, 0, 1.0, None),
        (SIXTEEN, 60, 400, 2.0, None),
        (SIX, 20, 40, 1.0, None),
        (SIX, 20, 0, 1.9, None),
        (SHORT, 20, 40, 1.0, None),
        (SIXTEEN, 20, 40, 1.0, 1.0),
        (SIX, 20, 0, 2.0, 2.0),
        # Nothing is sure of its sign.
        (SIXTEEN, 1.5, 40, 1.0, None),
        # Inverted and stopped before the signal is positive.
        (np.geomspace(0.02, 0.6, 8), 10, 40, 2.0, None),
    ],
)
def test_table_is_the_integral_over_amplitude_depth_and_noise(delay, snr, noise_dof, inversion, depth):
    signal = noisy(1 - inversion * np.exp(-delay), snr, seed=8)
    recovery = recoveries(signal, delay, 1 / snr if noise_dof else np.nan, noise_dof=noise_dof)
    relaxation, table = fitted(recovery, nd.SingleExponential(depth=depth))
    assert not relaxation.error_scaled.item()
    width = (relaxation.t1_stderr / relaxation.t1).item()
    log_t1 = np.log(relaxation.t1.item()) + width * np.linspace(-7, 7, 11)
    log_t1 = np.clip(log_t1, np.log(delay[0] / 5), np.log(delay[-1] * 500))
    weighted = signal * snr if noise_dof else signal / np.std(signal)
    expected = [integral(decay, weighted, noise_dof, depth=depth) for decay in exponential(delay, log_t1)]
    agree(read(table, log_t1), np.array(expected))


# The likelihood by the sum of squares alone, where both signs are sure


def direct(decay, signal, noise_dof, *, depth=None):
    """ln L for a decay, with the noise integrated out; `signal` in units of the measured noise."""
    dof = noise_dof + signal.size - (2 if depth is None else 1)
    return -dof / 2 * np.log(noise_dof + squares(decay, signal, depth=depth))


def exponential(delay, log_t1):
    """What is left (..., delay) for ln T1 (...)."""
    return np.exp(-delay * np.exp(-np.asarray(log_t1)[..., None]))


def summed(log_terms, weight):
    """ln of a weighted sum over the last axis."""
    top = log_terms.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(log_terms - top) @ weight)


@pytest.mark.parametrize("inversion", [1.0, 2.0])
@pytest.mark.parametrize("snr", [1e3, 1e6])
def test_a_small_sum_of_squares_keeps_its_digits(snr, inversion):
    signal = snr * noisy(1 - inversion * exponential(SIXTEEN, 0.0), snr, seed=2)
    relaxation, table = fitted(recoveries(signal, SIXTEEN, 1.0), nd.SingleExponential())
    log_t1 = np.log(relaxation.t1.item()) + (relaxation.t1_stderr / relaxation.t1).item() * np.linspace(-6, 6, 41)
    target = signal.astype(np.longdouble)
    expected = []
    for x in log_t1:
        decay = np.exp(-SIXTEEN.astype(np.longdouble) * np.exp(-np.longdouble(x)))
        change, level = decay - decay.mean(), target - target.mean()
        rest = level - (level @ change) / (change @ change) * change
        expected.append(float(-54 / 2 * np.log(40 + rest @ rest)))
    agree(read(table, log_t1), np.array(expected))


def test_each_row_counts_by_its_own_error():
    error = 0.02 * np.random.default_rng(0).uniform(0.5, 3, 16)
    signal = 1 - exponential(SIXTEEN, 0.0) + error * np.random.default_rng(4).standard_normal(16)
    _, table = fitted(recoveries(signal, SIXTEEN, error), nd.SingleExponential())
    log_t1 = np.linspace(-0.3, 0.3, 41)
    rest = []
    for decay in exponential(SIXTEEN, log_t1):
        columns = np.stack([np.ones(16), decay], axis=1) / error[:, None]
        rest.append(np.linalg.lstsq(columns, signal / error)[1].item())
    agree(read(table, log_t1), -54 / 2 * np.log(40 + np.array(rest)))


@pytest.mark.parametrize("scale", [1e8, 1e-6])
def test_the_unit_of_the_signal_does_not_matter(scale):
    signal = noisy(1 - exponential(SIXTEEN, 0.0), 30, seed=3)
    log_t1 = np.linspace(-1, 1, 201)
    one, other = (
        read(fitted(recoveries(unit, SIXTEEN, noise, noise_dof=40), nd.SingleExponential())[1], log_t1)
        for unit, noise in ((np.rint(1e8 * signal) / 1e8, 1 / 30), (np.rint(1e8 * signal) / 1e8 * scale, scale / 30))
    )
    assert np.abs(one - other).max() < 1e-4


def test_empty_rows_and_their_order_do_not_matter():
    delay = np.array([0.0, 0.05, 0.05, 0.2, 0.4, 0.4, 0.8, 1.5, 3.0, 6.0])
    signal = noisy(1 - exponential(delay, 0.0), 30, seed=4)
    _, tidy = fitted(recoveries(signal, delay, 1 / 30), nd.SingleExponential())
    order = np.random.default_rng(0).permutation(12)
    untidy = recoveries(
        np.append(signal, [np.nan, 0.7])[order],
        np.append(delay, [9.0, np.nan])[order],
        np.append(np.full(10, 1 / 30), [np.nan, 1 / 30])[order],
    )
    log_t1 = np.linspace(-1, 1, 41)
    found = read(fitted(untidy, nd.SingleExponential())[1], log_t1)
    assert np.abs(found - read(tidy, log_t1)).max() < 1e-5
    agree(found, direct(exponential(delay, log_t1), 30 * signal, 40))


@pytest.mark.parametrize(
    ("model", "noise_dof", "beta", "misfit"),
    [
        (nd.SingleExponential(), 40, 1.0, 1.0),
        (nd.SingleExponential(), 0, 1.0, 1.0),
        (nd.SingleExponential(), 40, 1.0, 5.0),
        (nd.SingleExponential(depth=1.0), 40, 1.0, 1.0),
        (nd.StretchedExponential(), 40, 0.7, 1.0),
        (nd.StretchedExponential(), 40, 0.7, 5.0),
    ],
)
def test_near_the_fit_it_is_the_students_t_of_the_fit(model, noise_dof, beta, misfit):
    snr = 3e3
    signal = noisy(1 - np.exp(-(SIXTEEN**beta)), snr / misfit, seed=5)
    recovery = recoveries(signal, SIXTEEN, 1 / snr if noise_dof else np.nan, noise_dof=noise_dof)
    relaxation, table = fitted(recovery, model)
    assert relaxation.error_scaled.item() == (misfit > 1)
    t1, stderr, dof = (relaxation[name].item() for name in ("t1", "t1_stderr", "t1_dof"))
    z = np.linspace(0, 6, 13)
    log_l = [read(table, np.log(t1) + side * stderr / t1 * z) for side in (-1, 1)]
    # The mean of both sides: skewness is of the next order.
    expected = student_t(dof).logpdf(z)
    assert np.abs(np.mean(log_l, axis=0) - log_l[0][0] - expected + expected[0]).max() < 0.02
    assert np.abs(log_l[0] - log_l[1]).max() < 1.2


def test_short_recoveries_are_skewed_to_long_t1():
    signal = noisy(1 - exponential(SHORT, 0.0), 20, seed=6)
    relaxation, table = fitted(recoveries(signal, SHORT, 1 / 20), nd.SingleExponential())
    width = (relaxation.t1_stderr / relaxation.t1).item()
    low, best, high = read(table, np.log(relaxation.t1.item()) + 3 * width * np.array([-1, 0, 1]))
    assert abs(best) < CLOSE
    assert best - low > 5 > 2 > best - high  # a normal has 4.5 on both sides
    # The end of the tail is a straight line.
    far = read(table, np.array([5.0, 6.0, 50.0, np.inf]))
    centred = SHORT - SHORT.mean()
    slope = centred @ signal / (centred @ centred)
    rest = signal - signal.mean() - slope * centred
    dof = 40 + 5 - 2
    line = -dof / 2 * np.log(40 + 400 * rest @ rest)
    top = direct(exponential(SHORT, np.log(relaxation.t1.item())), 20 * signal, 40)
    assert far - best == pytest.approx(line - top, abs=0.02)
    # At the other end only the first delay tells of it.
    first = direct(np.eye(5)[0], 20 * signal, 40)
    assert read(table, np.array([-50.0, -np.inf])) - best == pytest.approx(first - top, abs=0.02)


# Scatter between experiments


def convolved(log_likelihood, log_t1, scatter, width):
    """ln of the integral of L(x) with a normal of sd `scatter` about each ln T1."""
    if scatter < width:
        x, w = np.polynomial.hermite_e.hermegauss(60)
        return summed(log_likelihood((log_t1[:, None] + scatter * x).ravel()).reshape(-1, 60), w / w.sum())
    reach = 18 * np.hypot(scatter, width)
    x = np.arange(log_t1.mean() - reach, log_t1.mean() + reach, width / 8)
    kernel = -(((log_t1[:, None] - x) / scatter) ** 2) / 2 - np.log(scatter * np.sqrt(2 * np.pi))
    return summed(kernel + log_likelihood(x), np.full(x.size, x[1] - x[0]))


@pytest.mark.parametrize(
    ("delay", "snr", "noise_dof"), [(SIXTEEN, 20, 40), (SIX, 20, 0), (SIXTEEN, 100, 400), (SHORT, 60, 40)]
)
def test_scatter_convolves_the_likelihood(delay, snr, noise_dof):
    signal = noisy(1 - exponential(delay, 0.0), snr, seed=7)
    recovery = recoveries(signal, delay, 1 / snr if noise_dof else np.nan, noise_dof=noise_dof)
    relaxation, table = fitted(recovery, nd.SingleExponential(), scatter=True)
    _, plain = fitted(recovery, nd.SingleExponential())
    middle, width = np.log(relaxation.t1.item()), (relaxation.t1_stderr / relaxation.t1).item()
    for scatter in (0.0, 1e-4, 0.11 * width, 0.3 * width, 0.9 * width, 0.03, 0.1, 0.27, 0.5):
        log_t1 = middle + np.hypot(width, scatter) * np.linspace(-7, 7, 57)
        expected = convolved(lambda x: read(plain, x), log_t1, scatter, width) if scatter else read(plain, log_t1)
        near = expected > expected.max() - NEAR
        found = read(table, log_t1, scatter=np.array([scatter]))
        # Without a constant: the sizes at different scatters tell it.
        assert np.abs(found - expected)[near].max() < CLOSE, scatter


def test_no_scatter_and_most_scatter():
    signal = noisy(1 - exponential(SIXTEEN, 0.0), 60, seed=7)
    _, table = fitted(recoveries(signal, SIXTEEN, 1 / 60), nd.SingleExponential(), scatter=True)
    log_t1 = np.linspace(-0.3, 0.3, 13)[None, None, :]
    found = table.log_density(np.repeat(log_t1, 3, axis=0), scatter=np.array([0.0, 0.5, 0.8]))
    assert np.array_equal(found[0], table.log_density(log_t1)[0])
    assert np.array_equal(found[1], found[2])


# Shapes


def test_beta_is_integrated_over_its_bounds():
    for snr, beta, noise_dof in ((20, 0.7, 40), (20, 1.0, 0), (100, 0.5, 40), (1000, 1.3, 40)):
        signal = noisy(1 - np.exp(-(SIXTEEN**beta)), snr, seed=9)
        recovery = recoveries(signal, SIXTEEN, 1 / snr if noise_dof else np.nan, noise_dof=noise_dof)
        relaxation, table = fitted(recovery, nd.StretchedExponential())
        width = (relaxation.t1_stderr / relaxation.t1).item()
        log_t1 = np.log(relaxation.t1.item()) + width * np.linspace(-6, 6, 9)
        exponent = np.linspace(0.1, 2.0, 1901 if snr < 1000 else 19001)
        weight = np.full(exponent.size, exponent[1] - exponent[0])
        weight[[0, -1]] /= 2
        decay = np.exp(-((SIXTEEN * np.exp(-log_t1)[:, None, None]) ** exponent[:, None]))
        expected = summed(direct(decay, snr * signal, noise_dof), weight)
        agree(read(table, log_t1), expected)


def spin_three_halves(observed, delay, log_t1, ratio):
    """What is left after saturation of all levels: Andrew and Tunstall, Proc. Phys. Soc. 78 (1961) 1."""
    w2 = (np.exp(-log_t1) / (0.4 * ratio + 1.6))[..., None]  # 1/T1 = 0.4 W1 + 1.6 W2
    first, second = np.exp(-2 * np.asarray(ratio)[..., None] * w2 * delay), np.exp(-2 * w2 * delay)
    return 0.2 * first + 0.8 * second if observed == "total" else 2 * second - first


@pytest.mark.parametrize(
    ("observed", "snr", "ratio", "efficiency"),
    [("total", 30, 3.7, None), ("ct", 200, 2.3, None), ("ct", 100, 1.0, 1.0), ("ct", 1000, 3.9, None)],
)
def test_ratio_of_populations_is_an_axis(observed, snr, ratio, efficiency):
    delay = np.geomspace(0.02, 8.0, 16)
    signal = noisy(1 - spin_three_halves(observed, delay, 0.0, ratio), snr, seed=10)
    model = nd.PopulationRecovery(
        spin=1.5, interaction="quad", initial="all_sat", observed=observed, efficiency=efficiency
    )
    recovery = recoveries(signal, delay, 1 / snr)
    _, table = fitted(recovery, model)
    rng = np.random.default_rng(0)
    ratios = np.concatenate([[1.0, 4.0], rng.uniform(1, 4, 40), np.clip(ratio + 0.1 * rng.normal(size=40), 1, 4)])
    log_t1 = np.linspace(-0.4, 0.4, 301)
    found = table.log_density(np.broadcast_to(log_t1, (ratios.size, 1, 301)), ratio=ratios[:, None, None])[:, 0]
    decay = spin_three_halves(observed, delay, log_t1, ratios[:, None])
    agree(found, direct(decay, snr * signal, 40, depth=efficiency))


def test_ratio_and_scatter_together():
    delay, ratio = np.geomspace(0.02, 8.0, 16), 3.1
    signal = noisy(1 - spin_three_halves("ct", delay, 0.0, ratio), 60, seed=11)
    model = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="ct")
    recovery = recoveries(signal, delay, 1 / 60)
    _, plain = fitted(recovery, model)
    _, table = fitted(recovery, model, scatter=True)
    log_t1 = np.linspace(-1, 1, 41)
    for at, scatter in ((2.9, 0.1), (3.33, 0.02), (4.0, 0.3)):
        shape = np.array(at).reshape(1, 1, 1)
        expected = convolved(lambda x: read(plain, x, ratio=shape), log_t1, scatter, 0.02)  # noqa: B023
        near = expected > expected.max() - NEAR
        found = read(table, log_t1, scatter=np.array([scatter]), ratio=shape)
        assert np.abs(found - expected)[near].max() < CLOSE


def test_magnetic_populations_have_one_rate():
    """Central transition of I = 3/2 saturated: 0.1 exp(-2Wt) + 0.9 exp(-12Wt); Narath, Phys. Rev. 162 (1967) 320."""
    delay = np.geomspace(0.01, 8.0, 16)

    def decay(log_t1):
        return 0.1 * exponential(delay, log_t1) + 0.9 * exponential(6 * delay, log_t1)

    signal = noisy(1 - decay(0.0), 50, seed=12)
    model = nd.PopulationRecovery(spin=1.5, interaction="mag", initial="ct_sat", observed="ct")
    _, table = fitted(recoveries(signal, delay, 1 / 50), model)
    log_t1 = np.linspace(-0.5, 0.5, 61)
    agree(read(table, log_t1), direct(decay(log_t1), 50 * signal, 40))


# Use


@pytest.fixture(scope="module")
def three():
    signal = noisy(1 - exponential(SIXTEEN, np.array([-0.2, 0.0, 0.3])), 60, seed=13)
    recovery = recoveries(signal, SIXTEEN, 1 / 60)
    return fitted(recovery, nd.SingleExponential(), scatter=True, rows=(0, 1, 2))[1]


def test_every_walker_row_and_node_is_read_by_itself(three):
    rng = np.random.default_rng(1)
    log_t1, scatter = rng.normal(0, 0.1, (4, 3, 5)), rng.uniform(0, 0.1, 4)
    together = three.log_density(log_t1, scatter=scatter)
    assert together.shape == (4, 3, 5)
    for walker, row, node in np.ndindex(4, 3, 5):
        one = read(three.select([row]), log_t1[walker, row, node], scatter=scatter[[walker]])
        assert together[walker, row, node] == pytest.approx(one.item(), abs=1e-9)


def test_rows_are_left_out(three):
    log_t1 = np.random.default_rng(2).normal(0, 0.1, (2, 3, 4))
    kept = np.array([True, False, True])
    for chosen in (kept, [0, 2]):
        found = three.select(chosen).log_density(log_t1[:, kept])
        assert np.allclose(found, three.log_density(log_t1)[:, kept], rtol=0, atol=1e-9)


def test_beyond_the_grid_it_is_constant_and_finite(three):
    log_t1 = np.array([-np.inf, -1e300, -50.0, 50.0, 1e300, np.inf])
    found = three.log_density(np.broadcast_to(log_t1, (2, 3, 6)), scatter=np.array([0.0, 0.2]))
    assert np.all(np.isfinite(found))
    assert np.array_equal(found[..., 0], found[..., 2])
    assert np.array_equal(found[..., 3], found[..., 5])
    assert np.all(found < -10)


def test_no_t1_has_no_likelihood(three):
    found = three.log_density(np.array([np.nan, 0.0]).reshape(1, 1, 2) * np.ones((1, 3, 1)), scatter=np.array([0.1]))
    assert np.array_equal(np.isnan(found[0, 0]), [True, False])


def test_what_was_not_tabulated_is_refused(three):
    log_t1 = np.zeros((1, 3, 1))
    with pytest.raises(nd.InputError, match="needed ln T1 and scatter, found ln T1 and ratio"):
        three.log_density(log_t1, ratio=np.ones((1, 1, 1)))
    signal = noisy(1 - exponential(SIXTEEN, 0.0), 60, seed=13)
    _, plain = fitted(recoveries(signal, SIXTEEN, 1 / 60), nd.SingleExponential())
    with pytest.raises(nd.InputError, match="needed ln T1, found ln T1 and scatter"):
        plain.log_density(log_t1, scatter=np.zeros(1))
    model = nd.PopulationRecovery(spin=1.5, interaction="quad", initial="all_sat", observed="total")
    _, shaped = fitted(recoveries(signal, SIXTEEN, 1 / 60), model)
    with pytest.raises(nd.InputError, match="needed ln T1 and ratio, found ln T1"):
        shaped.log_density(log_t1)


def test_which_models_are_supported():
    names = {"spin": 1.5, "initial": "all_sat", "observed": "total"}
    populations = {kind: nd.PopulationRecovery(interaction=kind, **names) for kind in ("quad", "mag", "mixed")}
    tied = nd.PopulationRecovery(interaction="quad", mechanism=nd.BPP(nucleus="23Na", cq=1e6, eta=0.1), **names)
    yes = (nd.SingleExponential(), nd.SingleExponential(depth=1.0), nd.StretchedExponential())
    assert all(supported(model) for model in (*yes, populations["quad"], populations["mag"]))
    no = (nd.BiExponential(), nd.TriExponential(), populations["mixed"], tied)
    assert not any(supported(model) for model in no)
    recovery = recoveries(1 - exponential(SIXTEEN, 0.0), SIXTEEN, 0.1)
    with pytest.raises(nd.InputError, match="needed a model of t1, t1 and beta, t1 and ratio"):
        tabulate(recovery, placed(recovery, 1.0, 0.1), nd.BiExponential(), scatter=False, rows=[0])


def test_experiments_without_t1_are_refused():
    signal = np.stack([noisy(1 - exponential(SIXTEEN, 0.0), 60, seed=14), np.full(16, np.nan)])
    recovery = recoveries(signal, SIXTEEN, 1 / 60)
    relaxation = nd.fit_recovery(recovery, nd.SingleExponential())
    with pytest.raises(nd.InputError, match="needed experiments with a T1, found 1;"):
        tabulate(recovery, relaxation, nd.SingleExponential(), scatter=False, rows=[0, 1])
    with pytest.raises(nd.InputError, match="found none"):
        tabulate(recovery, relaxation, nd.SingleExponential(), scatter=False, rows=[])


def test_data_without_noise_stay_finite():
    recovery = recoveries(1 - exponential(SIXTEEN, 0.0), SIXTEEN, np.nan)
    _, table = fitted(recovery, nd.SingleExponential(), scatter=True)
    found = read(table, np.linspace(-20, 20, 2001), scatter=np.array([0.01]))
    assert np.all(np.isfinite(found))
    assert abs(np.linspace(-20, 20, 2001)[found.argmax()]) < 0.011


# Calibration


def product_covers(delay, noise_dof, *, fit=False, sets=400, traces=10, snr=20, seed=1):
    """How often the 95 % interval of a product of tables, flat in ln T1, holds the one true T1.

    The grids are placed about the truth, or by a fit, which also tells the misfits and leaves out what has no T1.
    """
    rng = np.random.default_rng(seed)
    measured = np.sqrt(rng.chisquare(noise_dof or 1, (sets * traces, 1)) / (noise_dof or 1)) / snr
    signal = 1 - exponential(delay, 0.0) + rng.standard_normal((sets * traces, delay.size)) / snr
    recovery = recoveries(signal, delay, measured if noise_dof else np.nan, noise_dof=noise_dof)
    relaxation = nd.fit_recovery(recovery, nd.SingleExponential()) if fit else placed(recovery, 1.0, 0.1)
    rows = np.flatnonzero(np.isfinite(relaxation.t1.values))
    table = tabulate(recovery, relaxation, nd.SingleExponential(), scatter=False, rows=rows)
    log_t1 = np.linspace(-1.5, 1.5, 301)
    log_l = np.zeros((sets * traces, log_t1.size))
    log_l[rows] = table.log_density(log_t1[None, None])[0]
    total = log_l.reshape(sets, traces, -1).sum(axis=1)
    weight = np.exp(total - total.max(axis=1, keepdims=True))
    below = np.cumsum(weight, axis=1) - weight / 2
    level = below[:, 150] / weight.sum(axis=1)
    return np.mean((level > 0.025) & (level < 0.975))


def test_products_cover_where_the_noise_was_measured():
    assert product_covers(SIX, 40) == pytest.approx(0.95, abs=0.03)


def test_products_cover_where_the_last_delay_is_short():
    assert product_covers(SHORT, 40) == pytest.approx(0.95, abs=0.03)


def test_products_are_too_narrow_where_each_trace_tells_its_own_noise():
    """An incidental parameter for each trace (Neyman and Scott, Econometrica 16 (1948) 1)."""
    assert product_covers(SIX, 0, sets=300) < 0.91


@pytest.mark.slow
def test_products_cover_by_tables_of_fits():
    assert product_covers(SIX, 40, fit=True) == pytest.approx(0.95, abs=0.03)
