import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nmrdyn
from nmrdyn.literature import QUANTITIES, literature
from nmrdyn.schema import STAGES, InputError, require
from nmrdyn.units import UNITS, parse

PACKAGED = Path(nmrdyn.__file__).parent / "data" / "literature.csv"
SPELLINGS = {"S cm-1": "S/cm", "mS cm-1": "mS/cm"}  # of the papers, and of nmrdyn.units
DIMENSIONS = {"eV": "energy", "S/m": "conductivity", "s": "time"}
# The file of a paper in the folder NMRDYN_PAPERS begins with the name of its first author.
AUTHORS = ("tsai", "gao", "yu", "xia")
# The power of ten lost its sign in the text, or stands on another page.
TORN = {"xia-Li3OCl-sigma", "xia-Li3OClBr-sigma", "xia-Li2OHCl-sigma-39C"}


def rows():
    with PACKAGED.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


ROWS = rows()


def figure(entry):
    return literature().sel(entry=entry)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_printed_value_converts_to_the_value(row):
    unit = SPELLINGS.get(row["unit_printed"], row["unit_printed"])
    converted = parse(f"{row['value_printed']} {unit}", DIMENSIONS[row["unit"]], name=row["key"], positive=True)
    assert float(row["value"]) == pytest.approx(converted.value, rel=2e-6, abs=0)  # six digits are written
    assert UNITS[DIMENSIONS[row["unit"]]][row["unit"]] == 1  # eV, S/m and s are what the library calculates with


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_every_figure_has_its_source_and_what_it_is(row):
    assert all(row[name].strip() for name in ("compound", "moves", "paper", "place"))
    assert re.fullmatch(r"10\.\d{4}/\S+", row["doi"])
    assert row["quantity"] in QUANTITIES
    assert row["qualifier"] in ("", "about", "above", "below", "from", "to")
    energies = set(QUANTITIES) - {"conductivity", "conductivity (simulated)", "correlation time"}
    assert (row["unit"] == "eV") == (row["quantity"] in energies)
    assert (row["unit"] == "s") == (row["quantity"] == "correlation time")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
def test_a_barrier_of_impedance_says_its_convention_and_no_other_does(row):
    stated = {
        "EIS sigma": "sigma = A exp(-E/kT)",
        "EIS sigma*T": "sigma*T = A exp(-E/kT)",
        "EIS (convention not stated)": "not stated",
    }
    assert row["convention"] == stated.get(row["quantity"], "")


def test_keys_are_unique_and_name_the_paper():
    keys = [row["key"] for row in ROWS]
    assert len(set(keys)) == len(keys)
    for author in AUTHORS:
        assert len({row["doi"] for row in ROWS if row["key"].startswith(f"{author}-")}) == 1
    assert {key.partition("-")[0] for key in keys} == set(AUTHORS)


def test_every_quantity_of_the_closed_list_occurs():
    assert {row["quantity"] for row in ROWS} == set(QUANTITIES)


def test_ranges_have_two_ends_in_order():
    ends = {end: {} for end in ("from", "to")}
    for row in ROWS:
        if row["qualifier"] in ends:
            assert row["key"].endswith(f"-{row['qualifier']}")
            ends[row["qualifier"]][row["key"].rpartition("-")[0]] = float(row["value"])
    assert ends["from"].keys() == ends["to"].keys()
    assert all(low < ends["to"][name] for name, low in ends["from"].items())


# Tsai et al., Adv. Energy Mater. 13 (2023), section NMR Analysis: 450 meV (23Na), 400 meV (11B), 552 meV (impedance);
# tau_c of BH4 is 1 µs at 60 °C and 7 µs at 15 °C.
@pytest.mark.parametrize(
    ("moves", "quantity", "energy"),
    [
        ("Na hop", "NMR tau_c", 0.450),
        ("BH4 rotation", "NMR tau_c", 0.400),
        ("Na", "EIS (convention not stated)", 0.552),
    ],
)
def test_barriers_of_tsai(moves, quantity, energy):
    found = literature(compound="Na2(NH2)(BH4)", quantity=quantity)
    found = found.isel(entry=found.moves == moves)
    assert found.value.values == pytest.approx([energy], abs=1e-12)
    assert found.unit.values == ["eV"]


def test_correlation_times_of_tsai():
    found = literature(compound="Na2(NH2)(BH4)", quantity="correlation time")
    assert found.value.values == pytest.approx([1e-6, 7e-6], rel=1e-12)
    assert found.temperature_low.values == pytest.approx([333.15, 288.15])
    assert found.temperature_high.values == pytest.approx(found.temperature_low.values)


def test_kilocalories_of_lithium_iodide_monohydrate():
    # Chihara et al., J. Magn. Reson. 1 (1969) 75, after Xia et al., Chem. Rev. 122 (2022) 3763: 13.5 and 13.4 kcal/mol.
    # 1 cal = 4.184 J; 1 mol eV = 6.02214076e23 * 1.602176634e-19 J.
    found = literature(compound="LiI·H2O", quantity="NMR")
    assert found.value_printed.values.tolist() == ["13.5", "13.4"]
    in_ev = np.array([13.5, 13.4]) * 4184 / (6.02214076e23 * 1.602176634e-19)
    assert in_ev == pytest.approx([0.5854, 0.5811], abs=5e-5)
    assert found.value.values == pytest.approx(in_ev, rel=2e-6)


def test_slopes_of_lithium_relaxation_in_the_hydroxychloride():
    # Song et al., Adv. Energy Mater. 10 (2020) 1903480, after Xia et al.: 0.326 eV cubic, 1.51 eV orthorhombic.
    found = literature(compound="Li2OHCl", quantity="NMR T1")
    assert dict(zip(found.phase.values, found.value.values, strict=True)) == {"cubic": 0.326, "orthorhombic": 1.51}


def test_conductivity_of_gao_follows_from_its_resistance_and_geometry():
    # Gao et al., Nat. Commun. (2023): 25.529 kOhm, 0.9 mm thick, radius 0.5 cm; 4.5e-3 mS/cm is rounded to two digits.
    made = 0.9e-3 / (25.529e3 * np.pi * 0.5e-2**2)
    assert figure("gao-K0.01-sigma").value.item() == pytest.approx(made, rel=0.05 / 4.5)


def test_the_two_conventions_are_kept_apart():
    # Gao et al. state sigma = A exp(-E/kT), Yu et al. sigma*T = A exp(-E/kT).
    assert set(literature(quantity="EIS sigma").entry.values) == {"gao-K0.01-eis", "gao-K0.1-eis"}
    assert set(literature(quantity="EIS sigma*T").entry.values) == {"yu-LNS-eis"}
    assert figure("yu-LNS-eis").value.item() == 0.35


def test_activation_energies_of_table_2_are_migration_and_binding():
    # Xia et al., Table 2: binding energies of 0.145, 0.736 and 0.642 eV.
    for defect, binding in (("LiCl", 0.145), ("Li2O", 0.736), ("O-on-Cl", 0.642)):
        migration, activation = (
            figure(f"xia-table2-{defect}-{kind}").value.item() for kind in ("migration", "activation")
        )
        assert activation - migration == pytest.approx(binding, abs=1e-9)


def test_the_dataset_is_a_stage_with_units_and_one_entry_a_row():
    data = literature()
    require(data, "literature")
    assert set(data.variables) == set(STAGES["literature"].variables) | set(STAGES["literature"].coords)
    assert data.entry.values.tolist() == [row["key"] for row in ROWS]
    assert data.value.values.tolist() == [float(row["value"]) for row in ROWS]
    assert data.temperature_low.attrs["units"] == "K"
    assert (data.temperature_low.fillna(0) <= data.temperature_high.fillna(0)).all()
    assert (data.temperature_low.isnull() == data.temperature_high.isnull()).all()
    assert data.stderr.isnull().all()  # none of the four papers prints one


def test_a_result_can_be_changed_without_harm_to_the_next():
    first = literature()
    first.value[:] = -1.0
    assert (literature().value > 0).all()


@pytest.mark.parametrize(
    ("spelled", "meant"), [("Li2(OH)Cl", "Li2OHCl"), ("na2nh2bh4", "Na2(NH2)(BH4)"), ("LiI.H2O", "LiI·H2O")]
)
def test_compounds_are_found_by_other_spellings(spelled, meant):
    assert set(literature(compound=spelled).compound.values) == {meant}


@pytest.mark.parametrize("name", ["compound", "quantity"])
def test_filters_give_every_entry_once(name):
    data = literature()
    parts = [literature(**{name: each}).entry.values for each in np.unique(data[name])]
    assert sorted(np.concatenate(parts)) == sorted(data.entry.values)


@given(st.sampled_from(ROWS))
def test_both_filters_together_keep_what_each_keeps(row):
    both = literature(compound=row["compound"], quantity=row["quantity"]).entry.values
    compound, quantity = (literature(**{name: row[name]}).entry.values for name in ("compound", "quantity"))
    assert set(both) == set(compound) & set(quantity)
    assert row["key"] in both


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"compound": "Na3OBH5"}, ["compound", "Li2OHCl", "'Na3OBH5'", "did you mean Na3OBH4?"]),
        ({"compound": ""}, ["compound", "did you mean"]),
        ({"quantity": "NMR tau"}, ["quantity", "BVSE", "'NMR tau'", "did you mean NMR tau_c?"]),
        ({"compound": "Na3OBH4", "quantity": "NMR T1"}, ["known of Na3OBH4", "conductivity)", "'NMR T1'"]),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(wanted, words):
    with pytest.raises(InputError) as caught:
        literature(**wanted)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


def test_the_table_among_the_datasets_is_the_packaged_one():
    link = Path(__file__).parents[1] / "datasets" / "literature.csv"
    if not link.parent.exists():
        pytest.skip("datasets/ is not beside the tests")
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (Path(__file__).parents[1] / "nmrdyn" / "data" / "literature.csv").resolve()


@pytest.mark.parametrize("author", AUTHORS)
def test_every_printed_number_is_in_the_text_of_its_paper(author):
    folder = os.environ.get("NMRDYN_PAPERS")
    if not folder:
        pytest.skip("NMRDYN_PAPERS is not set (the folder with the papers as text)")
    (file,) = Path(folder).glob(f"{author}-*.txt")
    text = file.read_text(encoding="utf-8").translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻°", "0123456789-0"))
    for row in ROWS:
        if row["key"].startswith(f"{author}-"):
            mantissa, _, exponent = row["value_printed"].partition("e")
            power = rf"10\s?\^?\{{?{exponent}(?!\d)" if exponent and row["key"] not in TORN else ""
            number = "" if exponent and mantissa == "1" else rf"(?<![\d.]){re.escape(mantissa)}(?!\d|\.\d)"
            between = r"[^\d.]{1,12}" if number and power else ""
            assert re.search(number + between + power, text), row["key"]
