from math import isnan

import pytest

import nmrdyn as nd

# Spin, Xi [%], gamma [1e7 rad/s/T], abundance [%]: Harris et al., Pure Appl. Chem. 73 (2001) 1795.
# Q [mb]: Pyykkö, Mol. Phys. 116 (2018) 1328. None for spin 1/2: some tables give that of an excited state.
TABLE = [
    ("1H", 0.5, 100.0, 26.7522128, None, 99.9885),
    ("2H", 1.0, 15.350609, 4.10662791, 2.85783, 0.0115),
    ("6Li", 1.0, 14.716086, 3.9371709, -0.808, 7.59),
    ("7Li", 1.5, 38.863797, 10.3977013, -40.1, 92.41),
    ("10B", 3.0, 10.743658, 2.8746786, 84.59, 19.9),
    ("11B", 1.5, 32.083974, 8.5847044, 40.59, 80.1),
    ("14N", 1.0, 7.226317, 1.9337792, 20.44, 99.632),
    ("17O", 2.5, 13.556457, -3.62808, -25.58, 0.038),
    ("19F", 0.5, 94.094011, 25.18148, None, 100.0),
    ("23Na", 1.5, 26.4519, 7.0808493, 104.0, 100.0),
    ("27Al", 2.5, 26.056859, 6.9762715, 146.6, 100.0),
    ("31P", 0.5, 40.480742, 10.8394, None, 100.0),
    ("33S", 1.5, 7.676, 2.055685, -69.4, 0.76),
    ("35Cl", 1.5, 9.797909, 2.624198, -81.12, 75.78),
    ("39K", 1.5, 4.666373, 1.2500608, 60.3, 93.2581),
    ("45Sc", 3.5, 24.291747, 6.5087973, -220.0, 100.0),
    ("67Zn", 2.5, 6.256803, 1.676688, 122.0, 4.1),
    ("87Rb", 1.5, 32.720454, 8.7864, 133.5, 27.83),
    ("93Nb", 4.5, 24.47617, 6.5674, -320.0, 100.0),
    ("119Sn", 0.5, 37.290632, -10.0317, None, 8.59),
    ("127I", 2.5, 20.00786, 5.38957, -688.22, 100.0),
    ("133Cs", 3.5, 13.116142, 3.53325, -3.43, 100.0),
    ("139La", 3.5, 14.125641, 3.80833, 206.0, 99.91),
]


@pytest.mark.parametrize(("name", "spin", "xi", "gamma", "moment", "abundance"), TABLE)
def test_isotope_holds_the_published_values(name, spin, xi, gamma, moment, abundance):
    isotope = nd.Isotope.get(name)
    assert (isotope.name, isotope.spin, isotope.abundance) == (name, spin, abundance)
    assert isotope.larmor_ratio == pytest.approx(xi / 100, rel=1e-12, abs=0)
    assert isotope.gamma == pytest.approx(gamma * 1e7, rel=2e-6, abs=0)  # six digits are printed
    if moment is None:
        assert isnan(isotope.quadrupole_moment)
    else:
        assert isotope.quadrupole_moment == pytest.approx(moment * 1e-31, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", [row[0] for row in TABLE])
def test_frequency_ratio_and_gamma_agree(name):
    # gamma belongs to the bare nucleus, Xi to a compound: they differ by the shielding, below 1 % up to lanthanum.
    isotope = nd.Isotope.get(name)
    assert abs(isotope.gamma) / nd.Isotope.get("1H").gamma == pytest.approx(isotope.larmor_ratio, rel=0.01, abs=0)


def test_boron_11_has_its_own_moment_and_not_that_of_the_natural_mixture():
    # 0.2 Q(10B) + 0.8 Q(11B) = 49.39 mb is the mixture found in some papers; 11B is 40.59 mb.
    assert nd.Isotope.get("11B").quadrupole_moment == pytest.approx(40.59e-31, rel=1e-12, abs=0)


def test_boron_and_sodium_frequencies_belong_to_one_magnet():
    # 160.49 MHz (11B) and 132.32 MHz (23Na) are quoted for one 11.7 T magnet, to five digits.
    ratio = nd.Isotope.get("11B").larmor_ratio / nd.Isotope.get("23Na").larmor_ratio
    assert ratio == pytest.approx(160.49 / 132.32, rel=1e-3, abs=0)


@pytest.mark.parametrize("spelling", ["11B", "11b", "B11", "b-11", "11-B", " 11B "])
def test_isotope_understands_other_spellings(spelling):
    assert nd.Isotope.get(spelling) == nd.Isotope.get("11B")


@pytest.mark.parametrize(("name", "near"), [("23Ma", "23Na"), ("12B", "11B"), ("28Al", "27Al")])
def test_unknown_isotope_is_refused_with_near_ones(name, near):
    with pytest.raises(nd.InputError, match=f"{name}.*{near}"):
        nd.Isotope.get(name)


@pytest.mark.parametrize("name", ["", "sodium?!", None, 23])
def test_what_is_no_isotope_is_refused(name):
    with pytest.raises(nd.InputError, match="nucleus: needed an isotope"):
        nd.Isotope.get(name)
