"""Figures: what is drawn is what stages hold, with all its errors; nothing is clipped, and notebooks show it."""

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

import nmrdyn as nd
from nmrdyn.plot.axes import celsius, celsius_ticks, inverse
from nmrdyn.schema import ZERO_CELSIUS, stamp

QUANTILES = [0.025, 0.16, 0.5, 0.84, 0.975]
KELVIN = np.array([290.0, 305.0, 320.0, 335.0])
BPP = nd.BPP(nucleus="23Na", cq=1e6, eta=0.1)


def recovery_of(kelvin=KELVIN, *, seed=1, **other):
    given = {"nucleus": "23Na", "larmor_frequency": 132.3e6, "cq": 1e6, "eta": 0.1, "activation_energy": 0.45}
    truth = nd.RelaxationTruth(**(given | {"tau_c": 1e-5, "reference_temperature": 300.0} | other), temperature=kelvin)
    return nd.simulate(truth, seed=seed)


RECOVERY = recovery_of()
RELAXATION = nd.fit_recovery(RECOVERY, nd.SingleExponential())


def transport_of(sigma, *, stderr=0.02, kelvin=KELVIN, temperature_stderr=0.5, **limits):
    """Conductivities in S/m at some temperatures."""
    e = "experiment"
    values = np.asarray(sigma, dtype=float)
    data = xr.Dataset(
        {"conductivity": (e, values), "conductivity_stderr": (e, stderr * values)}
        | {f"conductivity_{key}": (e, np.asarray(value, dtype=float)) for key, value in limits.items()},
        {
            "experiment": [str(k + 1) for k in range(len(kelvin))],
            "temperature": (e, np.asarray(kelvin, dtype=float)),
            "temperature_stderr": (e, np.full(len(kelvin), temperature_stderr)),
        },
    )
    return stamp(data, "transport")


def prediction_of(quantity, fields=(132.3e6,), kelvin=KELVIN, middle=10.0):
    spread = np.array([0.5, 0.8, 1.0, 1.3, 2.0])[:, None, None] * np.arange(1, len(fields) + 1)[:, None]
    return xr.Dataset(
        {quantity: (("quantile", "field", "grid"), middle * spread * np.exp(500 / kelvin))},
        {"quantile": QUANTILES, "larmor_frequency": ("field", list(fields)), "temperature": ("grid", kelvin)},
    )


def posterior_of(slow, *, name="hop", relaxation=RELAXATION):
    """A posterior with one process, whose slow branch has the probability `slow` at each temperature."""
    motion = nd.correlation_time(relaxation, BPP)
    slow = np.broadcast_to(slow, motion.sizes["experiment"])
    motion = stamp(
        motion.assign(branch_probability=(("experiment", "branch"), np.stack([1 - slow, slow], axis=1))), "motion"
    )
    fields = np.unique(relaxation.larmor_frequency)
    prediction = prediction_of("t1", fields).assign(tau_c=prediction_of("tau_c", fields, middle=1e-6).tau_c)
    node = f"/processes/{name}"
    tree = {f"{node}/relaxation": relaxation, f"{node}/motion": motion, f"{node}/prediction": prediction}
    rng = np.random.default_rng(1)
    draws = {f"{name}.{key}": (("chain", "draw"), rng.normal(size=(2, 300))) for key in ("activation_energy", "cq")}
    tree["/posterior"] = xr.Dataset(draws)
    tree["/posterior"][f"{name}.cq"].attrs["units"] = "Hz"
    share = np.array([[0.5, 0.7, -0.2], [0.3, 0.3, 0.4]])
    tree["/budget"] = xr.Dataset(
        {"share": (("quantity", "source"), share), "total": ("quantity", [1e-4, 4e-4])},
        {"quantity": [name, "$other_{$"], "source": ["noise", "cq", "rest"]},
    )
    posterior = xr.DataTree.from_dict(tree)
    posterior.attrs |= {"stage": "posterior", "priors": json.dumps({f"{name}.activation_energy": "", f"{name}.cq": ""})}
    return posterior


def comparison_of(names=("hop", "turn")):
    rng = np.random.default_rng(2)
    energy = 0.4 + 0.05 * np.arange(len(names))[:, None] + rng.normal(0, 0.01, size=(len(names), 800))
    pairs = [f"{one} - {other}" for k, one in enumerate(names) for other in names[k + 1 :]]
    differences = [energy[i] - energy[j] for i in range(len(names)) for j in range(i + 1, len(names))]
    data = xr.Dataset(
        {
            "activation_energy": (("process", "sample"), energy),
            "law_fits": ("process", np.arange(len(names)) == 0),
            "difference": (("pair", "sample"), np.reshape(differences, (len(pairs), 800))),
            "probability_positive": ("pair", np.zeros(len(pairs))),
            "probability_equivalent": ("pair", np.zeros(len(pairs))),
            "verdict": ("pair", np.full(len(pairs), "different", dtype=object)),
            "reason": ("pair", np.full(len(pairs), "", dtype=object)),
            "bayes_factor": (("pair", "width"), np.tile([3.0, 0.5, 0.02], (len(pairs), 1))),
        },
        {"process": list(names), "pair": pairs, "width": [0.01, 0.1, 0.5]},
    )
    return stamp(data, "comparison", margin=0.02)


def haven_of():
    kelvin = np.linspace(290.0, 335.0, 12)
    spread = np.array([0.5, 0.8, 1.0, 1.3, 2.0])[:, None] * np.exp(-4000 / kelvin)
    data = xr.Dataset(
        {key: (("quantile", "temperature"), spread * factor) for key, factor in
         (("predicted", 1e3), ("measured", 2e3), ("haven_ratio", 5e5))},
        {"quantile": QUANTILES, "temperature": kelvin, "inside": ("temperature", kelvin > 300)},
    )  # fmt: skip
    return stamp(data, "haven", nmr="hop", conductivity="eis")


def segments(container):
    """The horizontal and the vertical error bars of a container."""
    return [np.array(bars.get_segments()) for bars in container.lines[2]]


def drawn(figure):
    figure.draw_without_rendering()
    return figure


# ---- what is drawn ----


def test_points_have_the_errors_of_both_axes():
    relaxation = RELAXATION.assign_coords(temperature_stderr=("experiment", [0.5, 1.0, 1.5, 2.0]))
    (container,) = nd.plot.arrhenius(relaxation).containers
    sideways, upright = segments(container)
    np.testing.assert_allclose(container.lines[0].get_ydata(), relaxation.t1)
    np.testing.assert_allclose(np.ptp(upright[:, :, 1], axis=1), 2 * relaxation.t1_stderr)
    np.testing.assert_allclose(np.ptp(sideways[:, :, 0], axis=1), 2000 * np.array([0.5, 1, 1.5, 2]) / KELVIN**2)


def test_unknown_errors_are_said():
    axes = nd.plot.arrhenius(RELAXATION)  # no thermometer said how well it knows
    assert axes.child_axes[0].get_xlabel() == "T / °C (errors unknown)"
    assert nd.plot.arrhenius(transport_of([1, 2, 3, 4])).child_axes[0].get_xlabel() == "T / °C"
    axes = nd.plot.arrhenius(transport_of([1, 2, 3, 4], stderr=np.array([0.1, np.nan, 0.1, 0.1])))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["1 of 4 errors unknown"]


@pytest.mark.parametrize("quantity", ["t1", "tau_c"])
def test_bands_hold_the_quantiles_of_the_law(quantity):
    posterior = posterior_of(1.0)
    axes = nd.plot.arrhenius(posterior, quantity)
    law = posterior["processes/hop/prediction"][quantity].values[:, 0]
    bands = [one for one in axes.collections if isinstance(one, PolyCollection)]
    for band, (low, high) in zip(bands, ((0, 4), (1, 3)), strict=True):
        vertices = band.get_paths()[0].vertices
        for k, kelvin in enumerate(KELVIN):
            edge = vertices[np.isclose(vertices[:, 0], 1000 / kelvin), 1]
            assert (edge.min(), edge.max()) == pytest.approx((law[low, k], law[high, k]))
    medians = [line for line in axes.lines if np.array_equal(line.get_ydata(), law[2])]
    assert len(medians) == 1


def test_each_field_has_its_points_and_its_band():
    one, other = (nd.fit_recovery(recovery_of(larmor_frequency=f), nd.SingleExponential()) for f in (132.3e6, 200e6))
    axes = nd.plot.arrhenius(posterior_of(1.0, relaxation=nd.join([one, other])), "t1")
    labels = [container.get_label() for container in axes.containers]
    assert labels == ["hop, 132.3 MHz", "hop, 200.0 MHz"]
    for container, data in zip(axes.containers, (one, other), strict=True):
        value = np.asarray(container.lines[0].get_ydata())
        np.testing.assert_allclose(value[np.isfinite(value)], data.t1)
    assert len({container.lines[0].get_marker() for container in axes.containers}) == 2


def test_both_branches_with_their_probability():
    axes = nd.plot.arrhenius(posterior_of(0.998), "tau_c")
    (slow, fast) = axes.containers
    assert slow.get_label() == "hop, slow, P = 0.998"
    assert fast.get_label() == "hop, fast, P = 0.002"
    assert slow.lines[0].get_markerfacecolor() == slow.lines[0].get_color()
    assert fast.lines[0].get_markerfacecolor() == "none"
    assert fast.lines[0].get_alpha() < 0.6
    assert len(nd.plot.arrhenius(posterior_of(0.998), "tau_c", improbable=False).containers) == 1


def test_undecided_branches_are_equally_visible():
    axes = nd.plot.arrhenius(posterior_of([0.6, 0.6, 0.5, 0.4]), "tau_c")
    assert [one.get_label() for one in axes.containers] == ["hop, fast, P = 0.400 to 0.600",
                                                            "hop, slow, P = 0.400 to 0.600"]  # fmt: skip
    for one in axes.containers:
        assert one.lines[0].get_markerfacecolor() == one.lines[0].get_color()
        assert one.lines[0].get_alpha() is None


def test_a_branch_that_changes_is_pale_only_where_it_is_improbable():
    posterior = posterior_of([1.0, 1.0, 0.0, 0.0])
    axes = nd.plot.arrhenius(posterior, "tau_c")
    tau_c = posterior["processes/hop/motion"].tau_c.values
    fast_full, fast_pale, slow_full, slow_pale = (np.asarray(one.lines[0].get_ydata()) for one in axes.containers)
    np.testing.assert_allclose(fast_full[2:], tau_c[2:, 0])
    np.testing.assert_allclose(fast_pale[:2], tau_c[:2, 0])
    np.testing.assert_allclose(slow_full[:2], tau_c[:2, 1])
    np.testing.assert_allclose(slow_pale[2:], tau_c[2:, 1])
    assert np.isnan([*fast_full[:2], *fast_pale[2:], *slow_full[2:], *slow_pale[:2]]).all()


def test_t1_minimum_is_drawn_where_near_and_said_where_far():
    words = [text.get_text() for text in nd.plot.arrhenius(posterior_of(1.0), "t1").get_legend().get_texts()]
    minimum = BPP.t1_minimum(132.3e6)
    assert words == ["hop", f"hop: T1 minimum, {1e3 * minimum:.3g} ms"]
    # tau_c near 1/omega at these temperatures: T1 is near its minimum.
    near = nd.fit_recovery(recovery_of(tau_c=2e-9, activation_energy=0.1), nd.SingleExponential())
    axes = nd.plot.arrhenius(posterior_of(0.5, relaxation=near), "t1")
    (line,) = (line for line in axes.lines if line.get_label() == "hop: T1 minimum")
    np.testing.assert_allclose(line.get_ydata(), minimum)


def test_t1_below_the_minimum_is_marked():
    near = nd.fit_recovery(recovery_of(tau_c=1e-9, activation_energy=0.1), nd.SingleExponential())
    short = near.assign(t1=near.t1 * [1.0, 0.2, 1.0, 1.0])
    axes = nd.plot.arrhenius(posterior_of(0.5, relaxation=short), "t1")
    (line,) = (line for line in axes.lines if "shorter than" in str(line.get_label()))
    feasible = nd.correlation_time(short, BPP).feasible.values
    assert not feasible.all()
    np.testing.assert_allclose(line.get_ydata(), short.t1.values[~feasible])


def test_t1_that_noise_put_below_the_minimum_is_not_marked():
    near = nd.fit_recovery(recovery_of(tau_c=1e-9, activation_energy=0.1), nd.SingleExponential())
    minimum = BPP.t1_minimum(132.3e6)
    noisy = near.assign(t1=near.t1.where(near.experiment != "2", minimum - near.t1_stderr))
    motion = nd.correlation_time(noisy, BPP)
    assert not motion.feasible.values[1]
    axes = nd.plot.arrhenius(posterior_of(0.5, relaxation=noisy), "t1")
    assert not [line for line in axes.lines if "shorter than" in str(line.get_label())]


def test_limits_are_arrows():
    transport = transport_of(
        [np.nan, np.nan, np.nan, 4e-4], low=[0, 2e-5, 1e-5, np.nan], high=[1e-5, np.inf, 9e-5, np.nan]
    )
    axes = nd.plot.arrhenius(transport)
    points, up, down, between = axes.containers
    carets = {"up": up.lines[1][0], "down": down.lines[1][0]}
    assert carets["down"].get_ydata() == pytest.approx([1e-5 * 290 * 0.6])
    assert carets["up"].get_ydata() == pytest.approx([2e-5 * 305 * 1.65])
    assert np.ptp(segments(between)[1][0][:, 1]) == pytest.approx(8e-5 * 320)
    assert np.isfinite(points.lines[0].get_ydata()).sum() == 1


def test_a_recovery_has_its_fit_and_its_residuals():
    axes = nd.plot.recovery(RECOVERY.isel(experiment=1), RELAXATION.isel(experiment=1))
    one, fit = RECOVERY.isel(experiment=1), RELAXATION.isel(experiment=1)
    (container,) = axes.containers
    np.testing.assert_allclose(container.lines[0].get_ydata(), one.signal / fit.amplitude)
    np.testing.assert_allclose(np.ptp(segments(container)[0][:, :, 1], axis=1), 2 * one.signal_stderr / fit.amplitude)
    z = next(line for line in axes.child_axes[0].lines if len(line.get_xdata()) == one.sizes["increment"])
    np.testing.assert_allclose(z.get_ydata(), (one.signal - fit.fit) / one.signal_stderr)
    curve = max(axes.lines, key=lambda line: len(line.get_xdata()))
    exact = 1 - fit.depth.item() * np.exp(-np.asarray(curve.get_xdata()) / fit.t1.item())
    np.testing.assert_allclose(curve.get_ydata(), exact, atol=5e-3)  # the monotone curve between 16 delays
    with pytest.raises(nd.InputError, match="needed one experiment of 1, 2, 3, 4, found None; say experiment="):
        nd.plot.recovery(RECOVERY, RELAXATION)


def test_a_recovery_without_a_t1_shows_its_intensities():
    relaxation = RELAXATION.assign(t1=RELAXATION.t1 * np.nan, fit=RELAXATION.fit * np.nan)
    axes = nd.plot.recovery(RECOVERY, relaxation, experiment="2")
    assert np.nanmax(axes.containers[0].lines[0].get_ydata()) == pytest.approx(1.0)
    assert [text.get_text() for text in axes.texts] == ["no T1"]


def test_residuals_in_a_row_have_the_scale_that_its_first_panel_shows():
    six = recovery_of(np.linspace(290.0, 335.0, 6))
    away = 9 * six["signal_stderr"] * (six["experiment"] == "2")
    wrong = six.assign(signal=six["signal"] + away * (-1.0) ** xr.DataArray(np.arange(16), dims="increment"))
    panels = nd.plot.recoveries(wrong, nd.fit_recovery(six, nd.SingleExponential())).axes[1::2]
    assert {axes.get_ylim() for axes in panels[:4]} == {panels[1].get_ylim()}
    assert panels[0].get_ylim()[1] > 9
    assert panels[0].get_yticks().tolist() == panels[1].get_yticks().tolist()
    assert panels[4].get_ylim() == panels[5].get_ylim() != panels[0].get_ylim()


def test_barriers_stand_where_their_draws_are():
    comparison = comparison_of()
    axes = nd.plot.barriers(comparison)
    medians = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(medians, 1e3 * np.median(comparison.activation_energy, axis=1))
    first, second = (text.get_text() for text in axes.get_yticklabels())
    assert "±" in first
    assert "law does not fit" in second
    assert "law does not fit" not in first
    assert nd.plot.differences(comparison).get_yticklabels()[0].get_text().endswith("different")


# ---- axes ----


@given(st.floats(-250, 2000))
def test_celsius_is_the_inverse_of_the_axis_below(temperature):
    assert celsius(inverse(temperature)) == pytest.approx(temperature, abs=1e-6)
    assert 1000 / inverse(temperature) - ZERO_CELSIUS == pytest.approx(temperature, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(-260, 1500), st.floats(0.5, 1000), st.floats(0.05, 0.3))
def test_ticks_of_celsius_are_round_and_apart(low, width, room):
    ticks = celsius_ticks(low, low + width, room=room)
    assert all(low - 1e-6 <= tick <= low + width + 1e-6 for tick in ticks)
    step = 10.0 ** np.floor(np.log10(width / 200))  # no finer than this
    np.testing.assert_allclose(np.array(ticks) / step, np.round(np.array(ticks) / step), atol=1e-3)
    span = inverse(low) - inverse(low + width)
    if len(ticks) > 1:
        assert min(abs(np.diff(inverse(np.array(ticks))))) >= 0.999 * room * span


@pytest.mark.parametrize("kelvin", [[300, 302, 305], np.linspace(100, 1100, 9), np.linspace(280, 400, 30), [300]])
def test_tick_labels_do_not_overlap(kelvin):
    figure = drawn(nd.plot.arrhenius(transport_of(np.linspace(1e-4, 2e-4, len(kelvin)), kelvin=kelvin)).figure)
    (axes,) = figure.axes
    for axis in (axes.xaxis, axes.child_axes[0].xaxis, axes.yaxis):
        boxes = [tick.get_window_extent() for tick in axis.get_ticklabels() if tick.get_text()]
        assert len(boxes) >= 2
        assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])


def test_axes_that_are_given_are_drawn_on_and_others_left_alone():
    figure = Figure()
    mine, other = figure.subplots(1, 2)
    assert nd.plot.arrhenius(RELAXATION, ax=mine) is mine
    assert nd.plot.arrhenius(transport_of([1, 2, 3, 4]), ax=mine) is mine
    assert len(mine.child_axes) == 1  # one axis of °C for both
    assert len({container.lines[0].get_color() for container in mine.containers}) == 2
    assert not other.has_data()
    assert other.get_xscale() == other.get_yscale() == "linear"
    assert len(figure.axes) == 2


@pytest.mark.parametrize("words", ["$a_{$ <b>&", "Li₂OHCl a_b^c \\alpha", "x" * 300])
def test_names_are_drawn_as_they_are(words):
    axes = nd.plot.arrhenius(posterior_of(1.0, name=words), "t1")
    assert words.replace("$", r"\$")[:20] in axes.get_legend().get_texts()[0].get_text()
    assert nd.plot.svg(axes.figure).startswith(b"<?xml")


# ---- all figures ----


def distribution_of():
    return nd.t1_distribution(RECOVERY.isel(experiment=[0, 3]), draws=50)


FIGURES = {
    "T1": lambda: nd.plot.arrhenius(posterior_of(1.0), "t1"),
    "tau_c": lambda: nd.plot.arrhenius(posterior_of(0.97), "tau_c"),
    "relaxation": lambda: nd.plot.arrhenius(RELAXATION),
    "motion": lambda: nd.plot.arrhenius(nd.correlation_time(RELAXATION, BPP)),
    "transport": lambda: nd.plot.arrhenius(transport_of([1e-5, 3e-5, 8e-5, 2e-4])),
    "barriers": lambda: nd.plot.barriers(comparison_of()),
    "differences": lambda: nd.plot.differences(comparison_of(("a hop of sodium", "the rotation of BH4", "EIS"))),
    "savage_dickey": lambda: nd.plot.savage_dickey(comparison_of()),
    "budget": lambda: nd.plot.budget(posterior_of(1.0)),
    "haven": lambda: nd.plot.haven(haven_of()),
    "haven_ratio": lambda: nd.plot.haven_ratio(haven_of()),
    "lines": lambda: nd.plot.conductivity_lines(
        transport_of([1e-5, 3e-5, 8e-5, 2e-4]), nd.straight_lines(transport_of([1e-5, 3e-5, 8e-5, 2e-4]))
    ),
    "distribution": lambda: nd.plot.t1_distribution(distribution_of()),
    "recovery": lambda: nd.plot.recovery(RECOVERY, RELAXATION, experiment="3"),
    "recoveries": lambda: nd.plot.recoveries(RECOVERY, RELAXATION),
    "corner": lambda: nd.plot.corner(posterior_of(1.0), "hop"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_clipped(name):
    figure = drawn(FIGURES[name]().figure)
    box, page = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= page[0] + 0.01
    assert box.y1 <= page[1] + 0.01


def test_a_recovery_beside_another_figure_is_not_clipped():
    figure = nd.plot.figure("double")
    left, right = figure.subplots(1, 2)
    nd.plot.arrhenius(RELAXATION, ax=left)
    axes = nd.plot.recovery(RECOVERY, RELAXATION, experiment="1", ax=right)
    drawn(figure)
    assert axes.child_axes[0].xaxis.label.get_window_extent().y0 >= 0


@pytest.mark.parametrize("name", ["T1", "budget", "recovery"])
def test_the_same_figure_gives_the_same_bytes(name):
    one, other = (nd.plot.svg(FIGURES[name]().figure) for _ in range(2))
    assert one == other
    assert b"<dc:date>" not in one


@pytest.mark.parametrize("count", [0, 1])
def test_few_experiments_are_no_error(count):
    few = RELAXATION.isel(experiment=slice(count))
    axes = nd.plot.arrhenius(few)
    assert len(axes.containers) == count
    assert [text.get_text() for text in axes.texts] == ([] if count else ["no values"])
    figure = nd.plot.recoveries(RECOVERY.isel(experiment=slice(count)), few)
    assert len(figure.axes) == max(2 * count, 1)
    assert nd.plot.svg(figure)
    assert nd.plot.svg(nd.plot.barriers(comparison_of(("hop",))).figure)
    assert nd.plot.svg(nd.plot.differences(comparison_of(("hop",))).figure)


def test_values_that_are_missing_leave_the_others():
    axes = nd.plot.arrhenius(RELAXATION.assign(t1=RELAXATION.t1.where(RELAXATION.temperature < 310)))
    np.testing.assert_array_equal(np.isfinite(axes.containers[0].lines[0].get_ydata()), [True, True, False, False])
    assert nd.plot.svg(axes.figure)


@pytest.mark.parametrize(
    ("stage", "quantity", "words"),
    [
        (RECOVERY, None, "needed a posterior or the stage relaxation, motion, transport, diffusion, found 'recovery'"),
        (RELAXATION, "tau_c", "needed the quantity t1 of the stage relaxation, found 'tau_c'"),
        (posterior_of(1.0), None, "needed a quantity among t1, tau_c, sigma_T, diffusion, found None"),
        ([1, 2], None, "found 'list'"),
    ],
)
def test_what_has_no_such_figure_is_refused(stage, quantity, words):
    with pytest.raises(nd.InputError, match=words):
        nd.plot.arrhenius(stage, quantity)


def test_corner_of_an_unknown_process_is_refused():
    with pytest.raises(nd.InputError, match="needed a process with sampled quantities among hop, found 'hopp'"):
        nd.plot.corner(posterior_of(1.0), "hopp")


# ---- notebooks ----


@pytest.mark.parametrize("thing", [nd.plot.arrhenius(RELAXATION), nd.plot.recoveries(RECOVERY, RELAXATION)])
def test_figures_and_axes_show_themselves(thing):
    data, about = thing._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert about["image/png"]["width"] > 300


def test_figures_side_by_side_are_in_the_style():
    one, other = nd.plot.figure("double", height=60).subplots(1, 2)
    nd.plot.arrhenius(RELAXATION, ax=one)
    assert type(other).__name__ == "ShownAxes"
    assert one.xaxis.label.get_size() == other.xaxis.label.get_size() == 8
    assert one.figure.get_size_inches() == pytest.approx([170 / 25.4, 60 / 25.4])
    with pytest.raises(nd.InputError, match="needed a width among single, double, found 'wide'"):
        nd.plot.figure("wide")


def test_drawing_neither_imports_pyplot_nor_changes_its_style():
    code = f"""
import sys
sys.path.insert(0, {str(__file__).rsplit("/", 1)[0]!r})
import matplotlib
before = matplotlib.rcParams.copy()  # asked for its backend, it would import pyplot
import nmrdyn as nd, test_plot
for name in ("T1", "budget", "lines", "recovery"):  # but not "corner": the package of this name imports pyplot
    nd.plot.svg(test_plot.FIGURES[name]().figure)
print("matplotlib.pyplot" in sys.modules, before == matplotlib.rcParams.copy())
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == [
        "False", "True"
    ]  # fmt: skip


def test_the_style_sheet_is_one_of_matplotlib():
    import matplotlib.style

    with matplotlib.style.context(nd.plot.STYLE):
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        colours = [one["color"] for one in matplotlib.rcParams["axes.prop_cycle"]]
    assert colours == list(nd.plot.COLOURS)


@pytest.mark.slow
def test_a_kernel_shows_one_picture_with_and_without_inline():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat.v4")
    pytest.importorskip("ipykernel")
    draw = "import nmrdyn as nd\nt = nd.ConductivityTruth(activation_energy=0.5, conductivity=1e-4, "
    draw += "reference_temperature=300.0, temperature=[300.0, 320.0, 340.0])\nnd.plot.arrhenius(nd.simulate(t, seed=1)"
    for cell in (f"{draw})", f"%matplotlib inline\n{draw})",
                 f"%matplotlib inline\nimport matplotlib.pyplot as plt\n{draw}, ax=plt.gca())"):  # fmt: skip
        book = nbformat.new_notebook(cells=[nbformat.new_code_cell(cell)])
        nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
        outputs = book.cells[0].outputs
        assert sum("image/png" in one.get("data", {}) for one in outputs) == 1
        assert not any(one.output_type == "stream" for one in outputs)
