"""FIDs to intensities: against a matched filter that knows the line, against the noise, and real folders."""

import numpy as np
import pytest

import nmrdyn as nd
from nmrdyn.topspin.files.fid import read_fids
from nmrdyn.topspin.files.lists import find_list, read_list
from nmrdyn.topspin.files.parameters import read_parameters
from nmrdyn.topspin.intensity import region
from nmrdyn.topspin.intensity.box import echo_top
from nmrdyn.topspin.intensity.measure import measure
from nmrdyn.topspin.intensity.noise import measure_noise
from nmrdyn.topspin.intensity.ringdown import ringdown
from nmrdyn.topspin.intensity.shape import signal_length

DWELL = 1e-5
TIME = np.arange(2048) * DWELL
DELAY = np.geomspace(0.05, 5, 16)
GRID = np.linspace(np.log(0.01), np.log(100), 1000)


def line(offset=1e3, width=3e3, *, lorentzian=False, time=TIME):
    """A FID of full width `width` [Hz] at `offset` [Hz]."""
    decay = np.pi * width * time if lorentzian else (np.pi * width * time) ** 2 / (4 * np.log(2))
    return np.exp(0.7j + 2j * np.pi * offset * time - decay)


def recovery(t1=1.0, delay=DELAY):
    return 1 - np.exp(-delay / t1)


def noise_like(rows, rng):
    return rng.standard_normal(rows.shape) + 1j * rng.standard_normal(rows.shape)


def log_t1(signals, delay=DELAY):
    """ln T1 (study) by least squares with free amplitude and depth, on a fine grid with a parabola through its top."""
    explained = np.empty((GRID.size, len(signals)))
    for i, at in enumerate(GRID):
        basis = np.linalg.qr(np.stack([np.ones_like(delay), np.exp(-delay / np.exp(at))], axis=1))[0]
        explained[i] = np.sum((signals @ basis) ** 2, axis=1)
    top = np.clip(explained.argmax(axis=0), 1, GRID.size - 2)
    a, b, c = (explained[top + step, np.arange(top.size)] for step in (-1, 0, 1))
    return GRID[top] + (GRID[1] - GRID[0]) * 0.5 * (a - c) / (a - 2 * b + c)


def studies(clean, snr, *, count, seed, shape=None, **settings):
    """`measure` of many noisy copies of clean rows; SNR is that of a row of intensity 1 through the matched filter."""
    rng = np.random.default_rng(seed)
    level = np.linalg.norm(line() if shape is None else shape) / snr
    rows = [clean + level * noise_like(clean, rng) for _ in range(count)]
    return rows, [measure(one, DELAY, dwell=DWELL, **settings) for one in rows]


def z_scores(found, truth, *, of="values"):
    """Standard deviation of (value - truth) / stderr, the scale of each study being free (one degree of freedom)."""
    total = 0.0
    for one in found:
        values, stderr = getattr(one, of), one.stderr if of == "values" else one.box_stderr
        scaled = truth * (values @ truth) / (truth @ truth)
        total += np.sum(((values - scaled) / stderr) ** 2)
    return np.sqrt(total / len(found) / (truth.size - 1))


# Against a matched filter that knows the line: 1.05 times its error at SNR 60 and above, 1.12 at 20; bias 0.15 errors.
# The draws are the same for both, so that the ratio is known to 1 % at 200 studies.
@pytest.mark.parametrize(("snr", "most"), [(20, 1.12), (60, 1.05), (200, 1.05)])
def test_t1_is_as_good_as_with_a_filter_that_knows_the_line(snr, most):
    rows, found = studies(np.outer(recovery(), line()), snr, count=200, seed=1)
    best = log_t1(np.array([(one @ line().conj()).real for one in rows]))
    ours = log_t1(np.array([one.values for one in found]))
    assert ours.std() / best.std() < most
    assert abs(np.mean(ours - best)) < 0.15 * best.std()
    assert {one.method for one in found} == {"shape"}


@pytest.mark.parametrize("snr", [20, 100])
def test_standard_errors_are_right(snr):
    _, found = studies(np.outer(recovery(), line()), snr, count=120, seed=2)
    # 1,800 scores: 1.7 % by chance
    assert z_scores(found, recovery()) == pytest.approx(1, abs=0.05)
    assert z_scores(found, recovery(), of="box") == pytest.approx(1, abs=0.05)


def test_degrees_of_freedom_are_those_of_the_scatter_of_the_noise():
    rng = np.random.default_rng(3)
    power = [measure_noise(noise_like(np.empty((4, 512)), rng)) for _ in range(400)]
    level = np.array([one.power[0] for one in power])
    assert level.mean() == pytest.approx(1, abs=0.005)
    # Relative variance 2 / dof, known to 7 % from 400 draws
    assert 2 / level.var() == pytest.approx(power[0].dof, rel=0.25)


def test_noise_of_a_fid_full_of_signal_is_measured_between_the_lines():
    narrow = line(offset=1e3, width=20.0, lorentzian=True)
    _, found = studies(np.outer(recovery(), narrow), 200, count=60, seed=4, shape=narrow)
    assert z_scores(found, recovery()) == pytest.approx(1, abs=0.08)


def apodised(rows):
    """Line broadening of 400 Hz, as of a processed spectrum that was transformed back."""
    return rows * np.exp(-np.pi * 400 * TIME)


def test_noise_that_was_apodised():
    clean = np.outer(recovery(), line(width=1e3))
    rng = np.random.default_rng(5)
    level = np.linalg.norm(clean[-1]) / 60
    rows = [apodised(clean + level * noise_like(clean, rng)) for _ in range(100)]
    found = [measure(one, DELAY, dwell=DWELL, white=False) for one in rows]
    assert z_scores(found, recovery()) == pytest.approx(1, abs=0.05)
    assert found[0].noise_dof > 100
    fooled = [measure(one, DELAY, dwell=DWELL) for one in rows[:40]]
    assert abs(z_scores(fooled, recovery()) - 1) > 0.2


def test_noise_that_is_coloured_along_the_spectrum_is_measured_through_the_filter():
    clean = np.outer(recovery(), line())
    rng = np.random.default_rng(6)
    loud = 1 + 1.5 * np.exp(-((np.fft.fftfreq(TIME.size, DWELL) / 20e3) ** 2))
    found = []
    for _ in range(100):
        noise = np.fft.ifft(loud * np.fft.fft(noise_like(clean, rng), axis=1), axis=1)
        found.append(measure(clean + np.linalg.norm(line()) / 150 * noise, DELAY, dwell=DWELL))
    assert z_scores(found, recovery()) == pytest.approx(1, abs=0.07)


def test_second_component_is_seen_above_its_limit_and_seldom_made_by_noise():
    _, found = studies(np.outer(recovery(), line()), 100, count=150, seed=7)
    assert sum(one.second_component > 0 for one in found) <= 2  # 0.15 expected
    limit = found[0].second_component_limit
    other = line(offset=-12e3)
    other *= np.linalg.norm(line()) / np.linalg.norm(other)
    for factor, seen in ((0.3, False), (2.0, True)):
        # A component whose singular value is `factor` times the limit
        unlike = recovery(0.1) - recovery() * (recovery(0.1) @ recovery()) / (recovery() @ recovery())
        unlike *= factor * limit * np.linalg.norm(recovery()) / np.linalg.norm(unlike)
        _, found = studies(np.outer(recovery(), line()) + np.outer(unlike, other), 100, count=20, seed=8)
        assert np.mean([one.second_component > 0 for one in found]) == pytest.approx(float(seen), abs=0.1)


PLACE = np.linspace(-0.5, 0.5, 16)


@pytest.mark.parametrize("snr", [20, 60, 200])
@pytest.mark.parametrize(("drift", "broadening"), [(0, 2), (1, 1.3), (3, 1)])
def test_a_line_that_drifts_or_broadens_is_followed(drift, broadening, snr):
    each = [line(1e3 + drift * 3e3 * x, 3e3 * (1 + (broadening - 1) * (x + 0.5))) for x in PLACE]
    clean = recovery()[:, None] * np.array(each)
    rows, found = studies(clean, snr, count=40, seed=9)
    ours = log_t1(np.array([one.values for one in found]))
    known = np.array(each) / np.sum(np.abs(each) ** 2, axis=1)[:, None]
    best = log_t1(np.array([np.sum(one * known.conj(), axis=1).real for one in rows])).std()
    if snr >= 60:
        assert np.mean([one.method == "box" for one in found]) > 0.5
        assert abs(np.mean(ours)) < 1.2 * best + 3 * ours.std() / np.sqrt(40)
        assert ours.std() < 3 * best
    else:
        # Not always seen, but then the error is no larger than that of the noise
        assert abs(np.mean(ours)) < 1.3 * best


def test_drift_is_told_in_hertz():
    each = [line(1e3 + 600 * x) for x in PLACE]
    _, (found,) = studies(recovery()[:, None] * np.array(each), 300, count=1, seed=10)
    said = next(note for note in found.notes if "moves by" in note)
    # Of the rows that are strong (above 0.3 of the strongest), the last 9
    told = float(said.split("moves by ")[1].split(" Hz")[0])
    assert told == pytest.approx(600 * np.ptp(PLACE[np.abs(recovery()) > 0.3 * recovery().max()]), rel=0.15)


def two_lines(apart, snr, seed, *, width=500.0):
    rows = np.outer(recovery(1.0), line(0.0, width, lorentzian=True))
    rows = rows + np.outer(recovery(0.1), line(apart, width, lorentzian=True))
    rng = np.random.default_rng(seed)
    return rows + np.linalg.norm(line(0.0, width, lorentzian=True)) / snr * noise_like(rows, rng)


@pytest.mark.parametrize("apart", [4e3, 10e3])
def test_two_sites_with_t1_ten_times_apart_come_out_right_each(apart):
    scores = {1.0: [], 0.1: []}
    for seed in range(40):
        rows = two_lines(apart, 100, seed)
        for t1, centre in ((1.0, 0.0), (0.1, apart)):
            found = measure(rows, DELAY, dwell=DWELL, region=(centre - apart / 2, centre + apart / 2))
            assert found.method == "shape"
            truth = recovery(t1)
            scaled = truth * (found.values @ truth) / (truth @ truth)
            scores[t1].append((found.values - scaled) / found.stderr)
    for one in scores.values():
        assert np.sqrt(np.sum(np.square(one)) / (40 * 15)) == pytest.approx(1, abs=0.1)
        # No leak: the mean of 40 studies shows a tenth of an error
        assert np.all(np.abs(np.mean(one, axis=0)) < 4 / np.sqrt(40))


# Lorentzian lines; the tail that a sharp cut of the spectrum lets in is width / (pi distance), up to 8 %.
@pytest.mark.parametrize(("widths", "most"), [(4, 0.01), (10, 0.004), (20, 0.002)])
def test_what_a_line_beside_the_region_leaks_into_it(widths, most):
    apart = widths * 500.0
    leaks = []
    for seed in range(20):
        found = measure(two_lines(apart, 300, seed), DELAY, dwell=DWELL, region=(-apart / 2, apart / 2))
        parts = np.linalg.lstsq(np.stack([recovery(1.0), recovery(0.1)], axis=1), found.values, rcond=None)[0]
        leaks.append(parts[1] / parts[0])
    assert abs(np.mean(leaks)) < most + 3 * np.std(leaks) / np.sqrt(20)


def find_regions(rows, dwell):
    noise = measure_noise(rows)
    return region.find_regions(rows[:, : signal_length(rows, noise)], dwell, noise)


def test_several_lines_are_told_where_nothing_is_said():
    found = measure(two_lines(10e3, 100, 1), DELAY, dwell=DWELL)
    note = next(note for note in found.notes if "do not recover alike" in note)
    regions = find_regions(two_lines(10e3, 100, 1), DWELL)
    assert len(regions) == 2
    assert all(f"{low:.0f}:{high:.0f} Hz" in note for low, high in regions)
    assert regions[0][0] < 0 < regions[0][1] < regions[1][0] < 10e3 < regions[1][1]


def test_no_region_is_found_in_noise_and_one_where_a_line_is():
    rng = np.random.default_rng(11)
    assert [find_regions(noise_like(np.empty((8, 1024)), rng), DWELL) for _ in range(20)] == [[]] * 20
    rows = np.outer(recovery(), line()) + 0.05 * noise_like(np.empty((16, 2048)), rng)
    ((low, high),) = find_regions(rows, DWELL)
    # All of the line, and no more than three widths beside its centre
    assert 1e3 - 9.5e3 < low < 1e3 - 3e3
    assert 1e3 + 3e3 < high < 1e3 + 9.5e3


def echo_line(top):
    """A Gaussian echo with its top at `top` [s]."""
    return line(time=TIME - top)


def test_echo_is_found_and_shifts_the_integral_only():
    clean = np.outer(recovery(), echo_line(4 * DWELL))
    _, (found,) = studies(clean, 300, count=1, seed=12)
    _, (told,) = studies(clean, 300, count=1, seed=12, echo=4 * DWELL)
    _, (wrong,) = studies(clean, 300, count=1, seed=12, echo=0.0)
    _, (boxed,) = studies(clean, 300, count=1, seed=12, method="box")
    assert boxed.notes in [
        (f"echo top {top} µs after the first point, from which the phases are counted",) for top in (30, 40)
    ]
    assert found.notes == ()
    np.testing.assert_allclose(found.values, told.values)
    np.testing.assert_allclose(found.values, wrong.values)
    np.testing.assert_allclose(found.box / found.box[-1], recovery() / recovery()[-1], atol=4 * found.box_stderr[0])
    assert wrong.box_stderr[0] / wrong.box[-1] > 1.2 * found.box_stderr[0] / found.box[-1]


def test_a_fid_that_only_decays_has_no_echo():
    assert echo_top(line(), DWELL, 0.01) == 0


def test_box_is_given_on_demand():
    _, (found,) = studies(np.outer(recovery(), line()), 60, count=1, seed=13, method="box")
    assert found.method == "box"
    np.testing.assert_array_equal(found.values, found.box)
    np.testing.assert_array_equal(found.stderr, found.box_stderr)


def test_inversion_grows_with_the_delay_and_a_decay_stays_positive():
    rng = np.random.default_rng(14)
    for _ in range(8):  # the sign of a singular vector is arbitrary, and follows the order of the rows
        order = rng.permutation(DELAY.size)
        for course, first in ((1 - 2 * np.exp(-DELAY), -1), (np.exp(-DELAY), 1)):
            rows = np.outer(course, -line()) + 0.05 * noise_like(np.empty((16, 2048)), rng)
            found = measure(rows[order], DELAY[order], dwell=DWELL).values
            assert np.sign(found[np.argmin(DELAY[order])]) == first


def test_intensities_scale_with_the_rows():
    rows, (found,) = studies(np.outer(recovery(), line()), 60, count=1, seed=15)
    for factor in (1e-200, 1e6, 1e200):
        scaled = measure(factor * rows[0], DELAY, dwell=DWELL)
        np.testing.assert_allclose(scaled.values, factor * found.values, rtol=1e-9)
        np.testing.assert_allclose(scaled.stderr, factor * found.stderr, rtol=1e-9)


@pytest.mark.parametrize("n_rows", [2, 3, 8])
@pytest.mark.parametrize("points", [8, 40, 300])
def test_few_rows_and_few_points_give_finite_intensities(n_rows, points):
    delay = DELAY[:n_rows]
    rows = np.outer(recovery(delay=delay), line(time=TIME[:points]))
    rows = rows + 0.05 * noise_like(rows, np.random.default_rng(16))
    found = measure(rows, delay, dwell=DWELL)
    for one in (found.values, found.stderr, found.box, found.box_stderr):
        assert np.all(np.isfinite(one))
    assert np.all(found.stderr > 0)
    assert found.noise_dof > 0
    assert found.second_component_limit > 0


@pytest.mark.parametrize("region", [None, (-5e3, 5e3)])
def test_hostile_numbers_give_an_error_or_finite_intensities(region):
    rng = np.random.default_rng(17)
    rows = np.outer(recovery(), line()) + 0.1 * noise_like(np.empty((16, 2048)), rng)
    spike = rows.copy()
    spike[3, 900] = 1e12
    quiet = np.outer(recovery(), line())
    for one in (spike, quiet, noise_like(rows, rng)):
        found = measure(one, DELAY, dwell=DWELL, region=region)
        read = np.concatenate([found.values, found.stderr, found.box, found.box_stderr])
        assert np.all(np.isfinite(read)) or "found none above the noise" in found.notes[-1]
    with pytest.raises(nd.InputError, match="needed a signal"):
        measure(np.ones((16, 2048), dtype=complex), DELAY, dwell=DWELL, region=region)  # an offset, and nothing else
    for bad in (np.nan, np.inf):
        broken = rows.copy()
        broken[2, 5] = bad
        with pytest.raises(nd.InputError, match="finite"):
            measure(broken, DELAY, dwell=DWELL, region=region)
    with pytest.raises(nd.InputError, match="zeros"):
        measure(np.zeros_like(rows), DELAY, dwell=DWELL, region=region)


def test_input_that_cannot_be_read_is_refused():
    rows = np.outer(recovery(), line())
    with pytest.raises(nd.InputError, match="two recorded rows"):
        measure(rows[:1], DELAY[:1], dwell=DWELL)
    with pytest.raises(nd.InputError, match="8 points"):
        measure(rows[:, :7], DELAY, dwell=DWELL)
    with pytest.raises(nd.InputError, match="one finite delay"):
        measure(rows, DELAY[:-1], dwell=DWELL)
    with pytest.raises(nd.InputError, match="within ±50000 Hz"):
        measure(rows, DELAY, dwell=DWELL, region=(80e3, 90e3))
    with pytest.raises(nd.InputError, match="shape or box"):
        measure(rows, DELAY, dwell=DWELL, method="height")
    with pytest.raises(nd.InputError, match="dwell"):
        measure(rows, DELAY, dwell=0.0)


def real(folder):
    acqus = read_parameters(folder / "acqus")
    fids = read_fids(folder, acqus, read_parameters(folder / "acqu2s"))
    return fids.rows, read_list(find_list(folder, "vd", acqus), "vd")[: len(fids.rows)], fids.dwell


# Independent fits of the area within 120 Hz of the line, three parameters; the field drifts.
@pytest.mark.parametrize(("expno", "t1", "error"), [("28", 2.04, 0.09), ("30", 2.329, 0.040), ("304", 2.188, 0.032)])
def test_drifting_field_agrees_with_independent_areas(topspin, expno, t1, error):
    rows, delay, dwell = real(topspin / "dnplab-IR" / expno)
    found = measure(rows, delay, dwell=dwell)
    assert found.method == "box"
    assert np.exp(log_t1(found.values[None], delay)[0]) == pytest.approx(t1, abs=2 * error)


# Independent fits of one exponential to the integral of the spectrum from the top of the echo.
@pytest.mark.parametrize(
    ("expno", "t1"), [("49", 6.1777e-3), ("40", 3.8303e-3), ("38", 1.5972e-3), ("28", 1.8696e-4), ("14", 3.8620e-5)]
)
def test_rubidium_echoes_agree_with_independent_integrals(topspin, expno, t1):
    rows, delay, dwell = real(topspin / "crn87rb-T1" / expno)
    found = measure(rows, 1e3 * delay, dwell=dwell, method="box")
    assert any("echo top" in note for note in found.notes)
    assert np.exp(log_t1(found.values[None], 1e3 * delay)[0]) == pytest.approx(1e3 * t1, rel=0.01)


def ringing(rng, n_rows, strength):
    """What a probe that rings for 200 µs at 15 kHz adds to each row, with a phase of its own."""
    ring = np.exp(2j * np.pi * 15e3 * TIME - TIME / 60e-6)
    return strength * np.outer(np.exp(2j * np.pi * rng.random(n_rows)), ring)


def test_ringing_that_differs_from_row_to_row_is_left_out():
    rng = np.random.default_rng(21)
    narrow = np.exp(2j * np.pi * 1e3 * TIME - np.pi * 150.0 * TIME)
    errors = []
    for _ in range(40):
        clean = np.outer(recovery(), narrow) + 0.03 * noise_like(np.empty((DELAY.size, TIME.size)), rng)
        found = measure(clean + ringing(rng, DELAY.size, 0.5), DELAY, dwell=DWELL)
        assert "still rings: left out" in found.notes[0]
        assert found.method == "shape"
        scale = (found.values @ recovery()) / (recovery() @ recovery())
        errors.append((found.values - scale * recovery()) / found.stderr)
    # One degree of freedom of 16 goes to the scale; 640 errors scatter by 3 % of their own standard deviation.
    assert np.sqrt(np.mean(np.square(errors)) * 16 / 15) == pytest.approx(1, abs=0.12)


def test_a_broad_site_with_a_t1_of_its_own_is_no_ringing():
    rng = np.random.default_rng(22)
    narrow = np.exp(2j * np.pi * 1e3 * TIME - np.pi * 150.0 * TIME)
    broad = np.exp(-np.pi * 6e3 * TIME)
    rows = np.outer(recovery(), narrow) + np.outer(1 - np.exp(-5 * DELAY), broad)
    for _ in range(20):
        noisy = rows + 0.03 * noise_like(np.empty(rows.shape), rng)
        assert ringdown(noisy, DELAY, measure_noise(noisy)) == 0


def test_nothing_is_left_out_of_rows_that_share_one_shape():
    rng = np.random.default_rng(23)
    clean = np.outer(recovery(), np.exp(-np.pi * 150.0 * TIME))
    for _ in range(50):
        noisy = clean + 0.03 * noise_like(np.empty(clean.shape), rng)
        assert ringdown(noisy, DELAY, measure_noise(noisy)) == 0


def pattern():
    """A line of two unlike horns, as of a central transition."""
    return line(0.0, 800.0) + 0.5 * line(1.2e3, 1e3)


@pytest.mark.parametrize("offset", [0.5, 2.0])
def test_an_offset_that_all_rows_share_does_not_change_t1(offset):
    clean = np.outer(recovery(), pattern())
    level = np.linalg.norm(pattern()) / 200
    _, without = studies(clean, 200, count=20, seed=31, shape=pattern())
    _, found = studies(clean + offset * level * (1 + 0.5j), 200, count=20, seed=31, shape=pattern())
    assert [one.notes for one in found] == [()] * 20
    np.testing.assert_allclose(
        log_t1(np.array([one.values for one in found])), log_t1(np.array([one.values for one in without])), atol=1e-6
    )


@pytest.mark.parametrize(("points", "width"), [(256, 20), (512, 20), (2048, 5), (1024, 5)])
def test_noise_of_fids_that_are_cut_before_they_decayed(points, width):
    time = TIME[:points]
    narrow = line(width=width, lorentzian=True, time=time)
    rng = np.random.default_rng(32)
    for snr in (60, 2000):
        level = np.linalg.norm(narrow) / snr
        rows = np.outer(recovery(), narrow)
        power = [measure_noise(rows + level * noise_like(rows, rng)).power[0] for _ in range(10)]
        assert np.median(power) == pytest.approx(level**2, rel=0.05)


def sidebands():
    """Lines of 100 Hz, 5 kHz apart, of uneven heights."""
    height = {k: np.exp(-((k / 3) ** 2)) * (1 + 0.3 * np.cos(3 * k)) for k in range(-6, 7)}
    return sum(a * line(300.0 + 5e3 * k, 100.0, lorentzian=True) for k, a in height.items())


# As against a matched filter above: a line that fills the FID stands out of the spectrum, not of the points.
@pytest.mark.parametrize("shape", [line(1e3, 20.0, lorentzian=True), line(1e3, 20.0), sidebands()])
@pytest.mark.parametrize(("snr", "most"), [(20, 1.12), (60, 1.05)])
def test_narrow_lines_are_read_as_well_as_with_a_filter_that_knows_them(shape, snr, most):
    rows, found = studies(np.outer(recovery(), shape), snr, count=60, seed=33, shape=shape)
    best = log_t1(np.array([(one @ shape.conj()).real for one in rows]))
    ours = log_t1(np.array([one.values for one in found]))
    assert ours.std() / best.std() < most + 0.03  # the draws are shared: known to 3 % at 60 studies
    assert z_scores(found, recovery()) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("snr", [20, 200])
@pytest.mark.parametrize(("half", "most"), [(500.0, 2.0), (1000.0, 1.6)])  # 2 to 6 with tails taken out
def test_a_region_close_around_one_line_finds_no_lines_beside(half, most, snr):
    shape = line(1e3, 1e3)
    rows, found = studies(
        np.outer(recovery(), shape), snr, count=60, seed=34, shape=shape, region=(1e3 - half, 1e3 + half)
    )
    assert np.mean([any("beside" in note for note in one.notes) for one in found]) < 0.05
    kept = [i for i, one in enumerate(found) if np.all(np.isfinite(one.values))]
    assert len(kept) > 55
    best = log_t1(np.array([(rows[i] @ shape.conj()).real for i in kept]))
    ours = log_t1(np.array([found[i].values for i in kept]))
    assert np.ptp(np.quantile(ours, [0.16, 0.84])) / np.ptp(np.quantile(best, [0.16, 0.84])) < most


def test_lines_beside_a_region_are_told():
    found = measure(two_lines(10e3, 100, 1), DELAY, dwell=DWELL, region=(-5e3, 5e3))
    assert "lines beside the region" in found.notes[0]
    assert "tails are taken out" in found.notes[0]


def test_a_region_without_a_line_has_no_intensities():
    _, found = studies(np.outer(recovery(), line()), 100, count=20, seed=35, region=(-30e3, -20e3))
    for one in found:
        assert np.all(np.isnan(one.values))
        assert "found none above the noise in -30000:-20000 Hz" in one.notes[0]


def test_echo_after_ringing_is_counted_from_the_first_point_that_was_recorded():
    rng = np.random.default_rng(36)
    top = 40 * DWELL
    clean = np.outer(recovery(), line(0.0, 1e3, time=TIME - top))
    rows = clean + 0.03 * noise_like(clean, rng) + ringing(rng, DELAY.size, 0.5)
    found = measure(rows, DELAY, dwell=DWELL, method="box")
    told = measure(rows, DELAY, dwell=DWELL, method="box", echo=top)
    assert "still rings" in found.notes[0]
    assert "echo top 400 µs after the first point" in told.notes[1]
    said = float(found.notes[1].split("echo top ")[1].split(" µs")[0])
    assert said == pytest.approx(400, abs=100)  # the earliest point that noise cannot tell from the top


def test_two_resolved_lines_of_unlike_t1_are_told_at_low_snr():
    delay = np.geomspace(0.02, 20, 16)
    one, other = line(-5e3, 1e3), line(5e3, 1e3)
    clean = np.outer(recovery(1.0, delay), one) + np.outer(recovery(10.0, delay), other)
    rng = np.random.default_rng(37)
    level = np.linalg.norm(one) / 20
    told = [measure(clean + level * noise_like(clean, rng), delay, dwell=DWELL).notes for _ in range(60)]
    assert np.mean([any("recover alike" in note for note in notes) for notes in told]) > 0.8
    assert np.mean([bool(notes) for notes in told]) > 0.95


@pytest.mark.parametrize("snr", [60, 200])
def test_ringing_that_is_the_same_in_all_rows_is_no_change_of_the_line(snr):
    ring = np.exp(2j * np.pi * 20e3 * TIME - TIME / 30e-6)
    rows, found = studies(np.outer(recovery(), pattern()) + ring, snr, count=40, seed=38, shape=pattern())
    assert np.mean([one.method == "shape" for one in found]) > 0.9
    assert np.mean([any("recover alike" in note for note in one.notes) for one in found]) < 0.05
    best = log_t1(np.array([(one @ pattern().conj()).real for one in rows]))
    ours = log_t1(np.array([one.values for one in found]))
    assert ours.std() / best.std() < 1.15
    assert abs(np.median(ours - best)) < 0.3 * best.std()


@pytest.mark.parametrize("snr", [60, 200])
def test_ringing_as_strong_as_the_signal_is_left_out(snr):
    rng = np.random.default_rng(39)
    ring = np.exp(2j * np.pi * 20e3 * TIME - TIME / 30e-6)
    clean = np.outer(recovery(), pattern())
    level = np.linalg.norm(pattern()) / snr
    found = []
    for _ in range(30):
        phases = rng.standard_normal((16, 1)) + 1j * rng.standard_normal((16, 1))
        found.append(measure(clean + phases * ring + level * noise_like(clean, rng), DELAY, dwell=DWELL))
    assert np.mean(["still rings" in " ".join(one.notes) for one in found]) > 0.85
    # The first 0.1 to 0.2 ms hold up to half of the signal
    assert np.std(log_t1(np.array([one.values for one in found]))) < 2 * 2.3 / snr


def test_phases_that_jump_from_row_to_row_are_no_ringing():
    rng = np.random.default_rng(40)
    level = np.linalg.norm(pattern()) / 200
    for _ in range(20):
        turn = np.exp(1j * np.deg2rad(5) * rng.standard_normal(16))
        rows = np.outer(recovery() * turn, pattern())
        rows = rows + level * noise_like(rows, rng)
        assert ringdown(rows, DELAY, measure_noise(rows)) == 0


@pytest.mark.parametrize(("rows", "points"), [(15, 84), (9, 72), (6, 65)])
def test_ringing_of_a_real_probe(topspin, rows, points):
    fids, delay, _ = real(topspin / "17O-lamox-satrec" / "1")
    assert ringdown(fids[:rows], delay[:rows], measure_noise(fids[:rows])) == points
