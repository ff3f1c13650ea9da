import json
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from nmrdyn.efg.read import read_efg
from nmrdyn.efg.tensor import fluctuating_fraction, quadrupolar_parameters
from nmrdyn.schema import InputError

HZ_PER_MB = 2417.9892420849  # Hz of C_Q per mb and V/Å^2, from the exact e and h
ATOMIC_UNIT = 9.7173624292e21  # V/m^2, CODATA 2018

# Principal values by independent high-precision diagonalisation; the first tensor has a trace of 0.9 % of V_zz.
# Isotope, Q [mb], V11, V22, V33, V12, V13, V23 [V/Å^2], eta, C_Q [Hz].
TENSORS = [
    ("2H", 2.860, (-1.4769, -3.7432, 5.2675, 0.5547, 0.0, 0.1642), 0.48068538056833788, 36338.6552858533075),
    ("11B", 40.59, (0.8597, -0.6409, -0.2188, 0.2924, -0.0225, -0.538), 0.795158862210892417, -101662.539513712104),
    ("6Li", -0.808, (-0.0555, 0.1666, -0.1111, 0.0653, 0.0651, 0.0385), 0.5862190537241744, -379.707324135016343),
    ("87Rb", 133.5, (-8.0416, -0.0193, 8.0609, -7.2536, 1.2819, -1.4916), 0.440611867632637794, -3978592.30737143685),
    ("67Zn", 122.0, (5.6836, 18.2086, -23.8922, 3.7991, 1.6749, -21.3639), 0.664821050822809456, -9755167.54560353145),
]

# What VASP printed for AlPO4 with Q = 146.6 mb: V_xx, V_yy, V_zz, V_xy, V_xz, V_yz [V/Å^2], C_Q [MHz], eta.
# From the reference output that the tests of pymatgen (materialsproject/pymatgen, nmr/efg/AlPO4) expect.
ALPO4 = [
    ((11.110, 3.635, -14.746, 1.371, 2.652, -3.572), -5.573, 0.465),
    ((-3.098, 1.419, 1.678, 6.511, 7.732, 11.445), 6.327, 0.137),
    ((2.344, -7.152, 4.808, -10.775, -7.006, -11.309), -7.453, 0.112),
    ((2.404, 10.435, -12.839, -0.588, -6.830, 3.159), -5.580, 0.420),
]


def matrix(xx, yy, zz, xy, xz, yz):
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def diagonal(vzz, eta):
    """|V_zz| >= |V_yy| >= |V_xx| with eta = (V_xx - V_yy)/V_zz."""
    return np.diag([-vzz * (1 - eta) / 2, -vzz * (1 + eta) / 2, vzz])


# ---------------------------------------------------------------- one tensor


@pytest.mark.parametrize(("isotope", "q", "components", "eta", "cq"), TENSORS)
def test_parameters_from_a_full_tensor(isotope, q, components, eta, cq):
    tensor = matrix(*components)
    found = quadrupolar_parameters(tensor, nucleus=isotope, unit="V/A^2", quadrupole_moment=q * 1e-31)
    assert found == pytest.approx((cq, eta), rel=1e-12, abs=0)


def test_parameters_of_the_whole_table(oracle):
    rows = oracle("f_efg_tensor.csv")
    assert len(rows) >= 15
    for row in rows:
        tensor = matrix(*(float(row[key]) for key in ("V11", "V22", "V33", "V12", "V13", "V23")))
        q = float(row["Q_mb"]) * 1e-31
        cq, eta = quadrupolar_parameters(tensor, nucleus=row["isotope"], unit="V/A^2", quadrupole_moment=q)
        product = cq * np.sqrt(1 + eta**2 / 3)
        wanted = [float(row[key]) for key in ("C_Q_Hz", "eta", "P_Q_Hz")]
        assert [cq, eta, product] == pytest.approx(wanted, rel=1e-12, abs=0), row["id"]


@pytest.mark.parametrize(("components", "cq", "eta"), ALPO4)
def test_parameters_agree_with_vasp(components, cq, eta):
    # V is printed to 0.001 V/Å^2: an eigenvalue is good to 1.5 times half of that, 266 Hz; C_Q to half of 1 kHz.
    found, asymmetry = quadrupolar_parameters(matrix(*components), nucleus="27Al", unit="V/A^2")
    assert found == pytest.approx(cq * 1e6, rel=0, abs=800)
    assert asymmetry == pytest.approx(eta, rel=0, abs=1e-3)


@settings(deadline=None)
@given(
    vzz=st.floats(1e-3, 1e3).flatmap(lambda v: st.sampled_from([v, -v])),
    eta=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_parameters_do_not_depend_on_the_axes(vzz, eta, seed):
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    cq, found = quadrupolar_parameters(turn @ diagonal(vzz, eta) @ turn.T, nucleus="11B", unit="V/A^2")
    # Rounding of the rotated tensor: some 1e-15 of the largest component.
    assert found == pytest.approx(eta, rel=0, abs=1e-13)
    if eta < 1 - 1e-12:  # at eta = 1 either of two values is V_zz
        assert cq == pytest.approx(vzz * HZ_PER_MB * 40.59, rel=1e-12, abs=0)
    assert abs(cq) == pytest.approx(abs(vzz) * HZ_PER_MB * 40.59, rel=1e-12, abs=0)


def test_sign_follows_tensor_and_moment():
    tensor = diagonal(2.0, 0.4)
    plus, _ = quadrupolar_parameters(tensor, nucleus="23Na", unit="V/A^2")
    minus, eta = quadrupolar_parameters(-tensor, nucleus="23Na", unit="V/A^2")
    oxygen, _ = quadrupolar_parameters(tensor, nucleus="17O", unit="V/A^2")  # Q is negative
    assert plus == -minus == pytest.approx(2.0 * HZ_PER_MB * 104, rel=1e-12, abs=0)
    assert oxygen == pytest.approx(-2.0 * HZ_PER_MB * 25.58, rel=1e-12, abs=0)
    assert eta == pytest.approx(0.4, rel=0, abs=1e-14)


def test_vasp_swaps_x_and_y_and_finds_the_same_asymmetry():
    # VASP: |V_zz| > |V_xx| > |V_yy| and (V_yy - V_xx)/V_zz.
    vxx, vyy, vzz = -1.3, -0.7, 2.0
    _, eta = quadrupolar_parameters(np.diag([vxx, vyy, vzz]), nucleus="11B", unit="V/A^2")
    assert eta == pytest.approx((vyy - vxx) / vzz, rel=0, abs=1e-14)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_axes_are_named_by_size(order):
    values = np.diag(diagonal(-3.0, 0.25))[list(order)]
    cq, eta = quadrupolar_parameters(np.diag(values), nucleus="7Li", unit="V/A^2")
    assert (cq, eta) == pytest.approx((3.0 * HZ_PER_MB * 40.1, 0.25), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("unit", "in_si"), [("V/A^2", 1e20), ("V/Å^2", 1e20), ("1e21 V/m^2", 1e21), ("V/m^2", 1.0), ("a.u.", ATOMIC_UNIT)]
)
def test_unit_of_the_tensor(unit, in_si):
    cq, _ = quadrupolar_parameters(diagonal(3e21 / in_si, 0.1), nucleus="11B", unit=unit)
    assert cq == pytest.approx(30 * HZ_PER_MB * 40.59, rel=1e-12, abs=0)


def test_arrays_of_tensors_keep_their_shape():
    tensors = np.array([[diagonal(v, e) for e in (0.0, 0.5, 1.0)] for v in (1.0, -2.0)])
    cq, eta = quadrupolar_parameters(tensors, nucleus="11B", unit="V/A^2")
    assert cq.shape == eta.shape == (2, 3)
    assert eta == pytest.approx(np.array([[0, 0.5, 1]] * 2), rel=0, abs=1e-15)
    assert cq[:, 0] == pytest.approx(HZ_PER_MB * 40.59 * np.array([1.0, -2.0]), rel=1e-12, abs=0)
    assert quadrupolar_parameters(np.zeros((0, 3, 3)), nucleus="11B", unit="V/A^2")[0].shape == (0,)


def test_cubic_site_has_no_coupling():
    assert quadrupolar_parameters(np.zeros((3, 3)), nucleus="11B", unit="V/A^2") == (0, 0)
    # What CASTEP leaves at such a site, all trace and nothing else: of the order of 1e-14 a.u.
    cq, _ = quadrupolar_parameters(np.diag([-0.3, -1.7, -3.4]) * 1e-14, nucleus="127I", unit="a.u.")
    assert abs(cq) < 1e-5


@pytest.mark.parametrize("share", [-0.0095, 0.003, 0.0095])
def test_small_trace_is_taken_out(share):
    tensor = matrix(*TENSORS[1][2])
    vzz = TENSORS[1][4] / (HZ_PER_MB * 40.59)
    found = quadrupolar_parameters(tensor + share / 3 * abs(vzz) * np.eye(3), nucleus="11B", unit="V/A^2")
    assert found == pytest.approx((TENSORS[1][4], TENSORS[1][3]), rel=1e-12, abs=0)


@pytest.mark.parametrize("share", [-0.0105, 0.0105, 1.0])
def test_trace_above_one_percent_is_refused(share):
    tensor = diagonal(2.0, 0.3) + share * 2.0 / 3 * np.eye(3)
    with pytest.raises(InputError, match="tensor: needed a trace below 1 %"):
        quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2")


def test_refusal_names_the_tensor_of_an_array():
    tensors = np.array([[diagonal(1.0, 0.0)] * 3] * 2)
    tensors[1, 2] += 0.1 * np.eye(3)
    with pytest.raises(InputError, match=r"tensor\[1, 2\]: needed a trace"):
        quadrupolar_parameters(tensors, nucleus="11B", unit="V/A^2")


def test_asymmetry_is_refused_beyond_rounding():
    tensor = diagonal(1.0, 0.2)
    tensor[0, 1] = 1e-7  # its half is seen in second order
    assert quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2")[1] == pytest.approx(0.2, rel=0, abs=1e-13)
    tensor[0, 1] = 2e-6
    with pytest.raises(InputError, match="V_ij = V_ji, found a difference of 2e\\+14 beside components up to 1e\\+20"):
        quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2")


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (np.zeros(3), r"shape \(\.\.\., 3, 3\), found \(3,\)"),
        (np.zeros((3, 2)), r"found \(3, 2\)"),
        (1.0, r"found \(\)"),
        ([[1, 2], [3]], "needed numbers"),
        ("tensor", "needed numbers"),
        (np.diag([np.nan, 0, 0]), "finite"),
        (np.diag([np.inf, -np.inf, 0]), "finite"),
    ],
)
def test_what_is_no_tensor_is_refused(tensor, text):
    with pytest.raises(InputError, match=text):
        quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2")


def test_nucleus_unit_and_moment_are_checked():
    tensor = diagonal(1.0, 0.0)
    with pytest.raises(TypeError, match="unit"):
        quadrupolar_parameters(tensor, nucleus="11B")
    with pytest.raises(TypeError, match="nucleus"):
        quadrupolar_parameters(tensor, unit="V/A^2")
    with pytest.raises(InputError, match=r"mass number.*10B and 11B"):
        quadrupolar_parameters(tensor, nucleus="B", unit="V/A^2")
    with pytest.raises(InputError, match=r"spin 0\.5"):
        quadrupolar_parameters(tensor, nucleus="1H", unit="V/A^2")
    with pytest.raises(InputError, match="unit: needed"):
        quadrupolar_parameters(tensor, nucleus="11B", unit="Hz")
    with pytest.raises(InputError, match="belongs to no nucleus"):
        quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2", quadrupole_moment=49.39e-31)


# ---------------------------------------------------------------- jumps

TETRAHEDRAL = Rotation.create_group("T").as_matrix()  # the 12 proper rotations
OCTAHEDRAL = Rotation.create_group("O").as_matrix()  # 24


def jumped(tensor, rotations):
    return np.einsum("nij,jk,nlk->nil", np.asarray(rotations), tensor, np.asarray(rotations))


def about(axis, degrees):
    return Rotation.from_euler(axis, degrees, degrees=True).as_matrix()


@pytest.mark.parametrize(
    ("axis", "fraction"),
    # A jump by 90 degrees about one principal axis exchanges the values a, b of the others:
    # (a - b)^2 / 2 / (V_xx^2 + V_yy^2 + V_zz^2), here with V = (-0.35, -0.65, 1).
    [("x", 1.65**2 / 2 / 1.545), ("y", 1.35**2 / 2 / 1.545), ("z", 0.3**2 / 2 / 1.545)],
)
def test_right_angled_jump_between_two_sites(axis, fraction):
    sites = jumped(diagonal(1.0, 0.3), [np.eye(3), about(axis, 90)])
    assert fluctuating_fraction(sites) == pytest.approx(fraction, rel=1e-13, abs=0)
    published = {"x": 0.8811, "y": 0.5898, "z": 0.0291}
    assert fraction == pytest.approx(published[axis], rel=0, abs=5e-5)


@pytest.mark.parametrize("group", [TETRAHEDRAL, OCTAHEDRAL], ids=["T", "O"])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_cubic_motion_leaves_nothing(group, eta):
    turn = Rotation.from_euler("xyz", [0.3, 1.1, -0.7]).as_matrix()
    assert fluctuating_fraction(jumped(turn @ diagonal(-4.0, eta) @ turn.T, group)) == pytest.approx(
        1, rel=0, abs=1e-14
    )


def test_axial_tensor_on_four_tetrahedral_axes_averages_to_zero():
    axes = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    sites = 1.5 * np.einsum("ni,nj->nij", axes, axes) - 0.5 * np.eye(3)
    assert fluctuating_fraction(sites) == pytest.approx(1, rel=0, abs=1e-14)


@pytest.mark.parametrize("degrees", [10.0, 54.735610317245346, 90.0])
def test_threefold_jump_scales_an_axial_tensor_by_the_legendre_polynomial(degrees):
    # <V> is axial along the axis of the jump, with V_zz (3 cos^2 - 1)/2: nothing is left at the magic angle.
    tilted = jumped(diagonal(2.0, 0.0), [about("y", degrees)])[0]
    sites = jumped(tilted, [about("z", angle) for angle in (0, 120, 240)])
    order = (3 * np.cos(np.radians(degrees)) ** 2 - 1) / 2
    assert fluctuating_fraction(sites) == pytest.approx(1 - order**2, rel=0, abs=1e-14)


def test_one_orientation_does_not_fluctuate():
    tensor = matrix(*TENSORS[3][2])
    assert fluctuating_fraction([tensor]) == pytest.approx(0, rel=0, abs=1e-15)
    assert fluctuating_fraction([tensor] * 4) == pytest.approx(0, rel=0, abs=1e-15)
    assert fluctuating_fraction([tensor, -tensor], populations=[1, 0]) == pytest.approx(0, rel=0, abs=1e-15)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 6))
def test_fraction_is_what_averaging_takes_from_the_coupling(seed, count):
    # P_Q^2 = C_Q^2 (1 + eta^2/3) of the sites, averaged, minus that of the mean tensor.
    rng = np.random.default_rng(seed)
    turns = Rotation.random(count, rng=rng).as_matrix()
    sites = np.array([t @ diagonal(rng.normal(), rng.uniform()) @ t.T for t in turns])
    populations = rng.dirichlet(np.ones(count))

    def product(tensor):
        cq, eta = quadrupolar_parameters(tensor, nucleus="11B", unit="V/A^2")
        return cq**2 * (1 + eta**2 / 3)

    static, mean = populations @ product(sites), product(np.einsum("n,nij->ij", populations, sites))
    assert fluctuating_fraction(sites, populations=populations) == pytest.approx(1 - mean / static, rel=0, abs=1e-12)
    frame = Rotation.random(rng=rng).as_matrix()
    elsewhere = (
        1e21 * jumped(sites[0], [frame]) if count == 1 else 1e21 * np.array([frame @ s @ frame.T for s in sites])
    )
    assert fluctuating_fraction(elsewhere, populations=populations) == pytest.approx(
        fluctuating_fraction(sites, populations=populations), rel=0, abs=1e-12
    )


@pytest.mark.parametrize("part", [(0, 2), (0, 1)], ids=["one quantum", "two quanta"])
def test_fraction_is_the_powder_average_of_what_flips_spins(part):
    # V_xz (with V_yz) and V_xy (with (V_xx - V_yy)/2) of the laboratory cause the transitions. Averaged over the powder
    # a rank-2 motion makes <V_xy^2> = <V_xz^2> = sum V_ij^2 / 10. Gauss' rule in cos(beta) and even steps of alpha and
    # gamma are exact for these polynomials of degree 4.
    sites = jumped(diagonal(1.0, 0.3), [np.eye(3), about("y", 70), about("x", 40)])
    populations = np.array([0.5, 0.2, 0.3])
    nodes, weights = np.polynomial.legendre.leggauss(5)
    steps = 2 * np.pi * np.arange(6) / 6
    variance = 0.0
    for cosine, weight in zip(nodes, weights / 2, strict=True):
        for alpha in steps:
            for gamma in steps:
                frame = Rotation.from_euler("ZYZ", [alpha, np.arccos(cosine), gamma]).as_matrix()
                seen = np.einsum("ij,njk,lk->nil", frame, sites, frame)[:, part[0], part[1]]
                variance += weight * (populations @ seen**2 - (populations @ seen) ** 2) / 36
    isotropic = np.sum(sites[0] ** 2) / 10
    assert fluctuating_fraction(sites, populations=populations) == pytest.approx(variance / isotropic, rel=1e-12, abs=0)


def test_populations_weigh_the_sites():
    # Two sites: 2 p (1 - p) times (a - b)^2 over the invariant.
    sites = jumped(diagonal(1.0, 0.3), [np.eye(3), about("y", 90)])
    found = fluctuating_fraction(sites, populations=[0.1, 0.9])
    assert found == pytest.approx(2 * 0.1 * 0.9 * 1.35**2 / 1.545, rel=1e-13, abs=0)


def test_cubic_site_among_others_may_hold_noise():
    noise = np.diag([-0.3, -1.7, -3.4]) * 1e-14  # all trace
    assert fluctuating_fraction([diagonal(1.0, 0.0), noise]) == pytest.approx(0.5, rel=0, abs=1e-13)


@pytest.mark.parametrize(
    ("tensors", "populations", "text"),
    [
        (np.zeros((2, 3, 3)), None, "zeros only"),
        (diagonal(1.0, 0.0), None, r"shape \(N, 3, 3\) of N sites, found \(3, 3\)"),
        (np.zeros((0, 3, 3)), None, r"found \(0, 3, 3\)"),
        (np.zeros((2, 2, 3, 3)), None, "shape"),
        ([np.diag([1, 1, 1]), np.diag([1, 1, -2])], None, r"tensor\[0\]: needed a trace"),
        ([np.diag([1, 1, -2]), [[1, 1, 0], [0, 1, 0], [0, 0, -2]]], None, r"tensor\[1\]: needed V_ij = V_ji"),
        ([diagonal(1.0, 0.0)] * 2, [1.0], "one of each of the 2 sites"),
        ([diagonal(1.0, 0.0)] * 2, [0.5, 0.6], "add up to 1"),
        ([diagonal(1.0, 0.0)] * 2, [1.5, -0.5], "add up to 1"),
        ([diagonal(1.0, 0.0)] * 2, [np.nan, 1.0], "add up to 1"),
        ([diagonal(1.0, 0.0)] * 2, ["a", "b"], "populations: needed numbers"),
    ],
)
def test_jumps_that_mean_nothing_are_refused(tensors, populations, text):
    with pytest.raises(InputError, match=text):
        fluctuating_fraction(tensors, populations=populations)


# ---------------------------------------------------------------- files

POTCARS = {"Zr": ("r: 4s4p5s4d", "PAW_PBE Zr_sv 04Jan2005"), "Xe": ("X: s2p6", "PAW_PBE Xe 07Sep2000")}  # as they are
RULE = " " + "-" * 69


def outcar_header(species):
    """The first lines of an OUTCAR for [("B", 2), ("Na", 1)]."""
    text = " vasp.6.3.0 20Jan22 (build Mar 01 2022 10:00:00) complex\n\n"
    for element, _ in species:
        vrhfin, titel = POTCARS.get(element, (f"{element}: s2p1", f"PAW_PBE {element}_pv 06Sep2000"))
        text += f" POTCAR:    {titel}\n   VRHFIN ={vrhfin}\n   LEXCH  = PE\n   TITEL  = {titel}\n"
    return (
        text + f"   ions per type =           {''.join(f'{count:4d}' for _, count in species)}\n NGX,Y,Z   is equiv\n"
    )


def outcar_gradients(tensors):
    text = f"  Electric field gradients (V/A^2)\n{RULE}\n"
    text += f"  ion       V_xx      V_yy      V_zz      V_xy      V_xz      V_yz\n{RULE}\n"
    for ion, v in enumerate(tensors, 1):
        six = (v[0, 0], v[1, 1], v[2, 2], v[0, 1], v[0, 2], v[1, 2])
        text += f"{ion:5d}" + "".join(f"{value:10.3f}" for value in six) + "\n"
    return (
        f"{text}{RULE}\n\n  Electric field gradients after diagonalization (V/A^2)\n"
        f"  (convention: |V_zz| > |V_xx| > |V_yy|)\n{RULE}\n"
        f"  ion       V_xx      V_yy      V_zz     asymmetry (V_yy - V_xx)/ V_zz\n{RULE}\n"
        + "".join(f"{ion:5d}     1.000     1.000    -2.000     0.000\n" for ion in range(1, len(tensors) + 1))
    )


def outcar_moments(moments):
    """VASP's own C_Q, here a lie, and the Q it took [mb]."""
    return (
        f"            NMR quadrupolar parameters\n\n  Cq : quadrupolar parameter    Cq=e*Q*V_zz/h\n{RULE}\n"
        f"  ion       Cq(MHz)       eta       Q (mb)\n{RULE}\n"
        + "".join(f"{ion:5d}     999.000       NaN{q:12.3f}\n" for ion, q in enumerate(moments, 1))
        + f"{RULE}\n"
    )


def write_outcar(folder, species, tensors, moments=None):
    text = outcar_header(species) + outcar_gradients(tensors)
    file = Path(folder) / "OUTCAR"
    file.write_text(text + (outcar_moments(moments) if moments else ""), encoding="utf-8")
    return file


def magres_text(atoms, tensors, brackets="[]", form=".16E"):
    """A file for [("H", "H1a", 1), ...]: species, label, index."""
    (a, b), lines = brackets, ["#$magres-abinitio-v1.0", "# written by a test"]
    lines += [f"{a}calculation{b}", "calc_code CASTEP", f"{a}/calculation{b}", f"{a}atoms{b}", "units lattice Angstrom"]
    lines += [f"atom {species} {label} {index} 0.0 0.0 0.0" for species, label, index in atoms] + [f"{a}/atoms{b}"]
    lines += [f"{a}magres{b}", "units ms ppm", "units efg au", "units efg_local au"]
    for (_, label, index), tensor in zip(atoms, tensors, strict=True):
        nine = " ".join(f"{value:{form}}" for value in np.ravel(tensor))
        lines += [f"ms {label} {index} {'30.0 ' * 9}", f"efg_local {label} {index} {'9.0 ' * 9}"]
        lines += [f"efg {label} {index} {nine}", f"efg_nonlocal {label} {index} {'-9.0 ' * 9}"]
    return "\n".join([*lines, f"{a}/magres{b}", f"{a}magres_old{b}", "efg B 1 not for us", f"{a}/magres_old{b}", ""])


def write_magres(folder, atoms, tensors, **layout):
    file = Path(folder) / "test.magres"
    file.write_text(magres_text(atoms, tensors, **layout), encoding="utf-8")
    return file


def change(file, old, new):
    """Replace text in a file; the first line that differs then, as a message calls it."""
    before = file.read_text(encoding="utf-8")
    after = before.replace(old, new)
    assert after != before
    file.write_text(after, encoding="utf-8")
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return f"line {next(n for n, (one, other) in enumerate(pairs, 1) if one != other)}"


def random_tensors(seed, count):
    rng = np.random.default_rng(seed)
    tensors = rng.normal(scale=10 ** rng.uniform(-1, 1.5), size=(count, 3, 3))
    tensors = tensors + np.swapaxes(tensors, 1, 2)
    return tensors - np.trace(tensors, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)


def expected(tensor, q, hz_per_mb=HZ_PER_MB):
    """C_Q [Hz] and eta of a symmetric tensor, the plain way."""
    values = sorted(np.linalg.eigvalsh(tensor - np.trace(tensor) / 3 * np.eye(3)), key=abs)
    return values[2] * q * hz_per_mb, (values[0] - values[1]) / values[2]


def notes_of(gradients):
    return json.loads(gradients.attrs["notes"])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), counts=st.tuples(*[st.integers(1, 12)] * 3))
def test_outcar_round_trip(seed, counts):
    tensors = random_tensors(seed, sum(counts)).round(3)
    with tempfile.TemporaryDirectory() as folder:
        file = write_outcar(folder, list(zip(["Na", "B", "Zr"], counts, strict=True)), tensors)
        found = read_efg(file, nucleus="11B")
    first = counts[0]
    boron = tensors[first : first + counts[1]]
    assert list(found.site.values) == [f"B {first + k + 1}" for k in range(counts[1])]
    wanted = np.array([expected(tensor, 40.59) for tensor in boron])
    # eta - and with it which end is V_zz - is smooth but for eta = 1, which random tensors miss.
    assert found.cq.values == pytest.approx(wanted[:, 0], rel=1e-11, abs=0)
    assert found.eta.values == pytest.approx(wanted[:, 1], rel=0, abs=1e-11)
    # To the trace that rounding leaves: 1.5 times the last digit over three.
    assert found.efg.values == pytest.approx(boron * 1e20, rel=0, abs=0.51e-3 * 1e20)
    assert np.trace(found.efg.values, axis1=1, axis2=2) == pytest.approx(0, rel=0, abs=1e-12 * 1e22)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 6),
    brackets=st.sampled_from(["[]", "<>"]),
    form=st.sampled_from([".16E", ".12f", "", "12.6f"]),
)
def test_magres_round_trip(seed, count, brackets, form):
    tensors = random_tensors(seed, 2 * count) / 100
    atoms = [("Na", "Na", k) for k in range(1, count + 1)] + [("B", f"B{k}a", 1) for k in range(1, count + 1)]
    with tempfile.TemporaryDirectory() as folder:
        file = write_magres(folder, atoms, tensors, brackets=brackets, form=form)
        found = read_efg(file, nucleus="23Na")
        assert list(read_efg(file, nucleus="10B").site.values) == [f"B{k}a 1" for k in range(1, count + 1)]
    assert list(found.site.values) == [f"Na {k}" for k in range(1, count + 1)]
    step = 1e-6 if form == "12.6f" else 1e-11
    assert found.efg.values == pytest.approx(tensors[:count] * ATOMIC_UNIT, rel=0, abs=step * ATOMIC_UNIT)
    wanted = np.array([expected(tensor, 104, ATOMIC_UNIT * HZ_PER_MB * 1e-20)[0] for tensor in tensors[:count]])
    # The norm of a 3x3 error is at most 3 times its elements.
    assert np.abs(found.cq.values) == pytest.approx(np.abs(wanted), rel=1e-11, abs=3 * step * 104 * 234964.78)


def test_alpo4_from_an_outcar(tmp_path):
    tensors = np.array([matrix(*row[0]) for row in ALPO4])
    found = read_efg(write_outcar(tmp_path, [("P", 1), ("Al", 3)], tensors, [0, 146.6, 146.6, 146.6]), nucleus="27Al")
    assert list(found.site.values) == ["Al 2", "Al 3", "Al 4"]
    assert found.cq.values == pytest.approx([row[1] * 1e6 for row in ALPO4[1:]], rel=0, abs=800)
    assert found.eta.values == pytest.approx([row[2] for row in ALPO4[1:]], rel=0, abs=1e-3)
    assert notes_of(found) == []


def test_what_is_read_says_what_it_is(tmp_path):
    file = write_outcar(tmp_path, [("B", 2)], random_tensors(1, 2))
    found = read_efg(str(file), nucleus="b11")
    assert found.efg.dims == ("site", "i", "j")
    assert found.cq.dims == found.eta.dims == ("site",)
    assert (found.efg.attrs["units"], found.cq.attrs["units"]) == ("V/m^2", "Hz")
    assert (found.attrs["nucleus"], found.attrs["source"]) == ("11B", str(file))
    assert found.attrs["quadrupole_moment"] == pytest.approx(40.59e-31, rel=1e-12, abs=0)
    found.to_netcdf(tmp_path / "efg.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "efg.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(again.load(), found)


def test_sites_feed_the_other_functions(tmp_path):
    sites = jumped(diagonal(2.0, 0.3), [np.eye(3), about("y", 90)])
    found = read_efg(write_outcar(tmp_path, [("B", 2)], sites), nucleus="11B")
    assert fluctuating_fraction(found.efg) == pytest.approx(1.35**2 / 2 / 1.545, rel=1e-12, abs=0)
    cq, eta = quadrupolar_parameters(found.efg, nucleus="11B", unit="V/m^2")
    assert np.array_equal(cq, found.cq)
    assert np.array_equal(eta, found.eta)


@pytest.mark.parametrize(
    ("nucleus", "moment", "note"),
    [
        (
            "11B",
            49.39,
            "OUTCAR was made with Q = 49.39 mb for B, which is the mean over isotopes; C_Q was recomputed with "
            "40.59 mb of 11B",
        ),
        ("11B", 84.59, "Q = 84.59 mb for B, which is that of 10B; C_Q was recomputed with 40.59 mb of 11B"),
        ("10B", 40.59, "Q = 40.59 mb for B, which is that of 11B; C_Q was recomputed with 84.59 mb of 10B"),
        ("11B", 1.0, "Q = 1 mb for B, which is not that of 11B"),
        ("2H", 2.86, "Q = 2.86 mb for H, which is its value of 2008; C_Q was recomputed with 2.85783 mb of 2H"),
        ("127I", -696, "Q = -696 mb for I, which is its value of 2008; C_Q was recomputed with -688.22 mb of 127I"),
        ("23Na", 104.5, "Q = 104.5 mb for Na, which is not that of 23Na"),
        ("11B", 40.59, ""),
        ("2H", 2.858, ""),
    ],
)
def test_moment_of_the_program_is_noted_and_not_used(tmp_path, nucleus, moment, note):
    element = nucleus.lstrip("0123456789")
    tensors = [diagonal(4.0, 0.5)] * 2
    own = {"11B": 40.59, "10B": 84.59, "2H": 2.85783, "127I": -688.22, "23Na": 104}[nucleus]
    found = read_efg(write_outcar(tmp_path, [("P", 1), (element, 1)], tensors, [999, moment]), nucleus=nucleus)
    assert found.cq.values == pytest.approx([4.0 * HZ_PER_MB * own], rel=1e-12, abs=0)
    notes = notes_of(found)
    assert len(notes) == bool(note)
    assert not note or note in notes[0]


def test_last_block_of_an_outcar_is_used(tmp_path):
    text = outcar_header([("B", 1)]) + outcar_gradients([diagonal(1.0, 0.0)]) + outcar_moments([84.59])
    text += "  some thousand lines of relaxation\n" + outcar_gradients([diagonal(-3.0, 0.0)])
    (tmp_path / "OUTCAR").write_text(text, encoding="utf-8")
    found = read_efg(tmp_path / "OUTCAR", nucleus="11B")
    assert found.cq.values == pytest.approx([-3.0 * HZ_PER_MB * 40.59], rel=1e-12, abs=0)
    # The moment belonged to the block before.
    assert notes_of(found) == ["the file has 2 blocks of electric field gradients; the last was used"]


def test_second_run_in_a_file_brings_its_own_species(tmp_path):
    first = write_outcar(tmp_path, [("Na", 2)], random_tensors(2, 2)).read_text(encoding="utf-8")
    second = write_outcar(tmp_path, [("B", 1), ("Na", 1)], [diagonal(1.0, 0.0), diagonal(2.0, 0.0)])
    second.write_text(first + second.read_text(encoding="utf-8"), encoding="utf-8")
    found = read_efg(second, nucleus="23Na")
    assert list(found.site.values) == ["Na 2"]
    assert found.cq.values == pytest.approx([2.0 * HZ_PER_MB * 104], rel=1e-12, abs=0)


@pytest.mark.parametrize(("element", "nucleus"), [("Zr", "91Zr"), ("Xe", "131Xe")])
def test_misspelt_potcars_are_read_by_their_title(tmp_path, element, nucleus):
    # VRHFIN is "r" in Zr_sv of 04Jan2005 (materialsproject/pymatgen issue 377) and "X" in Xe (jkitchin/vasp issue 56).
    file = write_outcar(tmp_path, [("B", 1), (element, 1)], random_tensors(3, 2))
    assert list(read_efg(file, nucleus=nucleus).site.values) == [f"{element} 2"]


@pytest.mark.parametrize("word", ["TITEL", "VRHFIN"])
def test_species_are_found_by_either_line(tmp_path, word):
    file = write_outcar(tmp_path, [("Na", 1), ("B", 1)], random_tensors(4, 2))
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if word not in line]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert list(read_efg(file, nucleus="11B").site.values) == ["B 2"]


def test_symbols_that_begin_alike_are_kept_apart(tmp_path):
    file = write_outcar(tmp_path, [("Br", 1), ("Be", 1), ("B", 1), ("Bi", 1)], random_tensors(11, 4))
    assert list(read_efg(file, nucleus="11B").site.values) == ["B 3"]
    assert list(read_efg(file, nucleus="9Be").site.values) == ["Be 2"]


def test_two_potcars_of_one_element(tmp_path):
    file = write_outcar(tmp_path, [("B", 1), ("H", 2), ("B", 1)], random_tensors(5, 4), [49.39, 0, 0, 40.59])
    found = read_efg(file, nucleus="11B")
    assert list(found.site.values) == ["B 1", "B 4"]
    assert [note[:37] for note in notes_of(found)] == ["OUTCAR was made with Q = 49.39 mb for"]


def test_trace_of_printed_rounding_is_no_reason_to_refuse(tmp_path):
    # Three digits that were rounded up: 1.5 times the last one, here 60 % of V_zz.
    file = write_outcar(tmp_path, [("B", 2)], [np.diag([0.002, 0.001, -0.0015 - 0.0001]), diagonal(1.0, 0.1)])
    found = read_efg(file, nucleus="11B")
    assert abs(found.cq.values[0]) < 0.0025 * HZ_PER_MB * 40.59
    assert notes_of(found) == [
        "the last digit of V that is printed is 98.1 Hz of C_Q, more than 1 % of it at B 1: eta there is uncertain"
    ]
    with pytest.raises(InputError, match=r"OUTCAR, B 1: needed a trace below 1 %"):
        read_efg(write_outcar(tmp_path, [("B", 1)], [np.diag([0.1, 0.1, -0.195])]), nucleus="11B")


def test_magres_of_quantum_espresso_has_four_decimals(tmp_path):
    tensor = np.diag([0.0012, 0.0009, -0.0020]) + 0.0
    tensor[0, 1], tensor[1, 0] = 0.0003, 0.0004  # one number, rounded twice
    found = read_efg(write_magres(tmp_path, [("B", "B", 7)], [tensor], form="12.4f"), nucleus="11B")
    assert list(found.site.values) == ["B 7"]
    assert "last digit" in notes_of(found)[0]
    tensor[1, 0] = 0.0006
    with pytest.raises(InputError, match=r"test\.magres, B 7: needed V_ij = V_ji"):
        read_efg(write_magres(tmp_path, [("B", "B", 7)], [tensor], form="12.4f"), nucleus="11B")


def test_hand_written_tensor_has_no_rounding_to_excuse_it(tmp_path):
    with pytest.raises(InputError, match="needed a trace"):
        read_efg(write_magres(tmp_path, [("B", "B", 1)], [np.diag([1, 1, -1])], form=".0f"), nucleus="11B")


@pytest.mark.parametrize(
    ("nine", "fine"),
    [
        # The trace may be 1 % of V_zz and 1.5 of the last digit, which is 1e-4 although most zeros are dropped.
        ("0.01 0 0 0 0.0102 0 0 0 -0.0199", True),
        ("0.01 0 0 0 0.0104 0 0 0 -0.02", False),
        # The last digit of a number with an exponent.
        ("1.000E-03 0 0 0 1.000E-03 0 0 0 -1.980E-03", True),
        ("1.000E-03 0 0 0 1.000E-03 0 0 0 -1.970E-03", False),
        ("1.000D-03 0 0 0 1.000d-03 0 0 0 -2.000D-03", True),
    ],
)
def test_last_digit_is_that_of_the_format(tmp_path, nine, fine):
    file = tmp_path / "one.magres"
    file.write_text(f"[magres]\nunits efg au\nefg Na 3 {nine}\n[/magres]\n", encoding="utf-8")
    if fine:
        found = read_efg(file, nucleus="23Na")
        assert found.efg.values[0, 2, 2] == pytest.approx(
            float(nine.split()[-1].replace("D", "E")) * ATOMIC_UNIT, rel=0.01
        )
    else:
        with pytest.raises(InputError, match=r"one\.magres, Na 3: needed a trace below 1 %"):
            read_efg(file, nucleus="23Na")


@pytest.mark.parametrize("noise", [0.0, 1e-14])
def test_cubic_site_of_castep_is_zero(tmp_path, noise):
    # Of the size and form that CASTEP prints for rock salt: trace and V_zz are both noise.
    tensor = noise * np.diag([-0.25, -1.7, -3.4])
    found = read_efg(write_magres(tmp_path, [("Na", "Na", 1)], [tensor]), nucleus="23Na")
    assert abs(found.cq.item()) < 1e-5
    assert notes_of(found) == []


def test_large_files_are_streamed(tmp_path):
    filler = "  band No.  band energies     occupation   1     -12.3456      2.00000\n" * 1000
    file = tmp_path / "OUTCAR"
    with file.open("w", encoding="utf-8") as out:
        out.write(outcar_header([("B", 1)]))
        for _ in range(40):
            out.write(filler)
        out.write(outcar_gradients([diagonal(1.0, 0.0)]))
    read_efg(file, nucleus="11B")  # loads what has to be loaded
    tracemalloc.start()
    read_efg(file, nucleus="11B")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size > 2.5e6
    assert peak < 1e6


# ---------------------------------------------------------------- magres labels


PAIR = [("B", "B", 1), ("B", "B", 2)]


def test_label_and_index_that_run_together_are_told_apart(tmp_path):
    # CASTEP before 22.1 leaves no space from index 100 on: "efg H2a101".
    atoms = [("H", "H1", 1), ("H", "H2", 100), ("H", "H2a", 101), ("B", "B", 100)]
    file = write_magres(tmp_path, atoms, random_tensors(8, 4))
    for label, index in (("H2", 100), ("H2a", 101), ("B", 100)):
        change(file, f"efg {label} {index}", f"efg {label}{index}")
    assert list(read_efg(file, nucleus="2H").site.values) == ["H1 1", "H2 100", "H2a 101"]
    assert list(read_efg(file, nucleus="11B").site.values) == ["B 100"]


def test_label_that_can_be_read_in_two_ways_is_refused(tmp_path):
    file = write_magres(tmp_path, [("H", "H", 2100), ("H", "H2", 100)], random_tensors(9, 2))
    change(file, "efg H 2100", "efg H2100")
    with pytest.raises(InputError, match="'H2100', which is H 2100 or H2 100"):
        read_efg(file, nucleus="2H")


def test_species_with_a_tag_belongs_to_its_element(tmp_path):
    found = read_efg(write_magres(tmp_path, [("H:D", "H:D", 1), ("H", "H", 1)], random_tensors(6, 2)), nucleus="2H")
    assert list(found.site.values) == ["H:D 1", "H 1"]


def test_order_is_that_of_the_file(tmp_path):
    atoms = [("B", "B", 2), ("Na", "Na", 1), ("B", "B", 1)]
    file = write_magres(tmp_path, atoms, [diagonal(v, 0.0) for v in (1.0, 2.0, 3.0)])
    found = read_efg(file, nucleus="11B")
    assert list(found.site.values) == ["B 2", "B 1"]
    assert found.cq.values[1] / found.cq.values[0] == pytest.approx(3, rel=1e-12, abs=0)


def test_comments_are_no_records(tmp_path):
    file = write_magres(tmp_path, PAIR, random_tensors(10, 2))
    change(file, "units efg au", "units efg au # of the format\n# efg B 1 twice")
    assert len(read_efg(file, nucleus="11B").site) == 2


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("units efg au\n", "", "needed the line 'units efg au', found none"),
        ("units efg au", "units efg V/A^2", r"LINE: needed 'units efg au'.*'units efg V/A\^2'"),
        ("units efg au", "units efg", "LINE: needed 'units efg au'"),
        ("efg B 2 -0.005000", "efg B 2 NaN", r"LINE: needed a number, found 'NaN'"),
        ("efg B 2 -0.005000", "efg B 2 **********", r"LINE: needed a number, found '\*+'"),
        ("efg B 2 -0.005000", "efg B 2", r"LINE: needed an atom as 'label index', found 'B'"),
        ("efg B 2 -0.005000 0.000000", "efg B 2", r"LINE: needed 'efg label index' and nine numbers"),
        ("efg B 2 ", "efg B 2 1.0 ", r"LINE: needed 'efg label index' and nine numbers"),
        ("efg B 2 ", "efg B 1 ", "LINE: needed one tensor of an atom, found a second one of B 1"),
        ("atom B B 2 0.0", "atom B B 2 0.0 0.0 0.0\natom B B 3 0.0", "needed a tensor of every B, found none of B 3"),
        ("atom B B 2 0.0 0.0 0.0", "atom B", "LINE: needed 'atom species label index x y z'"),
        ("efg B ", "efg_total B ", "needed 'efg' records"),
    ],
)
def test_damaged_magres_is_refused_with_its_line(tmp_path, old, new, text):
    file = write_magres(tmp_path, PAIR, [diagonal(0.01, 0.0)] * 2, form=".6f")
    line = change(file, old, new)
    with pytest.raises(InputError, match=rf"test\.magres.*{text.replace('LINE', line)}"):
        read_efg(file, nucleus="11B")


# ---------------------------------------------------------------- damaged OUTCARs and other files


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("    2     0.350", "    2       NaN", r"LINE: needed a number, found 'NaN'"),
        ("    2     0.350", "    2**********", r"LINE: needed ion 2 of 3 with 6 numbers, found '2\*+"),
        ("    2     0.350", "    2 *********", r"LINE: needed a number, found '\*+'"),
        ("    2     0.350", "    4     0.350", r"LINE: needed ion 2 of 3 with 6 numbers, found '4"),
        (
            "     V_xy      V_xz",
            "     V_xz      V_xy",
            "LINE: needed the columns 'ion V_xx V_yy V_zz V_xy V_xz V_yz'",
        ),
        ("Electric field gradients (V/A^2)", "Nothing", "run VASP with LEFG"),
        (
            "ions per type",
            "ions",
            r"needed the species \(TITEL or VRHFIN\) and 'ions per type'.*\['Na', 'B'\]",
        ),
        ("ions per type =              1   2", "ions per type = 1 two", r"LINE: needed the number of ions"),
        (
            "ions per type =              1   2",
            "ions per type = 1 2 1",
            r"found the species \['Na', 'B'\].*\[1, 2, 1\]",
        ),
        ("ions per type =              1   2", "ions per type = 1 3", r"needed ion 4 of 4 with 6 numbers, found ''"),
        (
            "    3     999.000       NaN      40.590",
            "    3     999.000       NaN         NaN",
            "needed a number, found 'NaN'",
        ),
        ("    3     999.000       NaN      40.590", "    3     999.000", "needed ion 3 of 3 with 3 numbers"),
    ],
)
def test_damaged_outcar_is_refused_with_its_line(tmp_path, old, new, text):
    tensors = [diagonal(v, 0.3) for v in (2.0, -1.0, 3.0)]
    file = write_outcar(tmp_path, [("Na", 1), ("B", 2)], tensors, [104.0, 40.59, 40.59])
    line = change(file, old, new)
    with pytest.raises(InputError, match=rf"OUTCAR.*{text.replace('LINE', line)}"):
        read_efg(file, nucleus="11B")


@pytest.mark.parametrize("last", ["    2", "  ion  ", "Electric field gradients"])
def test_outcar_of_a_run_that_was_killed_is_refused(tmp_path, last):
    file = write_outcar(tmp_path, [("Na", 1), ("B", 2)], [diagonal(1.0, 0.3)] * 3)
    whole = file.read_text(encoding="utf-8")
    place = whole.index(last, whole.index("Electric"))
    file.write_text(whole[: whole.index("\n", place) + 1], encoding="utf-8")
    with pytest.raises(InputError, match=r"OUTCAR: needed (3 ions in the table.*, found \d|the columns .* the end)"):
        read_efg(file, nucleus="11B")


def test_file_that_is_neither_is_refused(tmp_path):
    file = tmp_path / "OUTCAR"
    file.write_bytes(b"\x1f\x8b\x08\x00" + bytes(range(256)))
    with pytest.raises(InputError, match=r"OUTCAR: needed an OUTCAR of VASP or a \.magres file \(not compressed\)"):
        read_efg(file, nucleus="11B")


@pytest.mark.parametrize("name", ["missing", "."])
def test_path_that_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"needed an OUTCAR or a \.magres file, found"):
        read_efg(tmp_path / name, nucleus="11B")


def test_element_that_is_not_there_is_refused(tmp_path):
    file = write_outcar(tmp_path, [("Na", 1), ("H", 1)], random_tensors(7, 2))
    with pytest.raises(InputError, match=r"needed the tensor of a B atom \(11B\), found those of H, Na"):
        read_efg(file, nucleus="11B")


def test_spin_one_half_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="1H: needed a quadrupole moment"):
        read_efg(tmp_path / "missing", nucleus="1H")
