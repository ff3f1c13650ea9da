"""Tables and studies to be mutated as text."""

import re

from hostile.folders import ABSURD, HOW

TABLES = {
    "conductivity": "temperature (°C), conductivity (S/cm), conductivity_stderr (S/cm)\n15, 1e-6, 1e-7\n"
    "60, 2e-5, 1e-6\n",
    "t1": "experiment, T (K), T1 (ms), T1_stderr (ms), nucleus, larmor (MHz)\na, 300, 25, 1, 23Na, 132.3\n"
    "b, 310, 21, , 23Na, 132.3\nc, 320, 18, 1, 11B, 132.3\n# end\n",
    "tau": "1000/T (1/K); log10 tau_c (s); log10 tau_c_stderr; note\n3.3; -6; 0.1; x\n3.1; -6.5; 0.1; \n",
    "temperatures": "experiment, temperature (°C), temperature_stderr (K), KBr_T1 (ms)\n1, 60, 1,\n2, , , 77.3\n",
    "vdlist": "; by hand\n100m\n0.5\n1.5 4 s\n10\n25\n",
    "delays": "experiment, delay (ms)\n1, 100\n1, 500\n1, 1500\n1, 4000\n1, 10000\n1, 25000\n",
    "magres": "#$magres-abinitio-v1.0\n[atoms]\nunits lattice Angstrom\natom B B 1 0 0 0\n"
    "atom Na Na 1 0 0 1\n[/atoms]\n"
    "[magres]\nunits efg au\nefg B 1 -0.35 0 0 0 -0.65 0 0 0 1.00\nefg Na 1 -0.1 0 0 0 -0.1 0 0 0 0.2\n[/magres]\n",
    "OUTCAR": " vasp.6.3\n   TITEL  = PAW_PBE B 06Sep2000\n   ions per type =      2\n"
    " Electric field gradients (V/A^2)\n"
    "---------\n ion   V_xx  V_yy  V_zz  V_xy  V_xz  V_yz\n---------\n   1   1.0 1.0 -2.0 0.0 0.0 0.0\n"
    "   2   3.0 1.0 -4.0 0.1 0.0 0.0\n---------\n",
}

STUDY = """\
[study]
name = "Na2(NH2)(BH4)"
seed = 1
margin = "20 meV"
likelihood = "traces"

[probe.nmr]
point = "1 K"
offset = "0.5 K"
scale = 0.01
same_runs = true

[[process]]
name = "hop"
role = "cation hop"
data = ["ser", "neo"]
nucleus = "23Na"
probe = ["nmr", "nmr"]
recovery = { model = "populations", initial = "all_sat", observed = "ct", efficiency = 0.9 }
mechanism = [{ kind = "quadrupolar", cq = "1.00 ± 0.05 MHz", eta = "0.1 ± 0.01", fluctuating = 1.0 },
  { kind = "dipolar", partner = "1H", distance = "2.5 A", count = 4, spectral_density = { kind = "kww", beta = 0.7 } },
  { kind = "background", rate = "1e-3 /s" }]
law = { kind = "vtf" }
temperature_range = ["200 K", "500 K"]
region = "-20:20 kHz"
temperature = ["te", "title"]
priors = { scatter = [0.01, 0.3] }

[[process]]
name = "tau"
data = "tau.csv"
mechanism = { kind = "correlation_time" }
law = "eyring"
exclude = ["2"]

[[process]]
name = "t1"
data = "t1.csv"
nucleus = "23Na"
mechanism = { kind = "quadrupolar", cq = "1 MHz", eta = 0.1 }
law = { kind = "phase_transition", temperature = "305 K" }

[[process]]
name = "conductivity"
data = "conductivity.csv"
probe = "nmr"
mechanism = { kind = "conductivity", convention = "sigma_T" }
"""

VALUES = [
    "nan", "-nan", "inf", "-inf", "1e400", "-1e400", "9" * 400, "9" * 5000, "0x" + "f" * 5000, "-1", "0", "1e308",
    "true", "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "[]", "{}", "[[]]", "{ a = 1 }", '""', '"\\u0000"',
    '"../../etc/passwd"', '"\\u001b[2J"', '"<script>alert(1)</script>"', '"' + "x" * 900 + '"', '"' + "x" * 5000 + '"',
    "[" * 3000 + "]" * 3000, "[" * 6 + "]" * 6, "[1, 2, 3, 4]", '["1 K", "2 K"]', '"1e400 MHz"', '"nan K"',
    '"1 ± 2 ± 3 K"',
    '"9e999 ± 1 K"', '"1e-320 K"', '"1e308 ± 1e308 MHz"', '"1_0 K"', '"٣ K"', '"23Na"', '"999Xx"', "[1, [2, {a = 3}]]",
    '"' + "1" * 900 + '\\n2"', "5", "3.7", '[{ kind = "debye" }]', '"/dev/zero"', '"."', '"loop"', '"fifo"',
]  # fmt: skip


def mutated(text, rng, *, values=ABSURD):
    """A text with one or two changes, as bytes."""
    data = text.encode()
    for _ in range(rng.choice((1, 1, 2))):
        how = rng.choice(
            ("value", "value", "value", "flip", "cut", "nul", "long", "encoded", "line", "random", "number")
        )
        if how == "value":
            spots = list(re.finditer(rb"(?<== )[^\n{}]+|(?<=[,;] )[^,;\n]+", data)) or [re.search(b"", data)]
            spot = rng.choice(spots)
            data = data[: spot.start()] + rng.choice(values).encode() + data[spot.end() :]
        else:
            data = bytes(HOW[how].of(bytearray(data), rng))
    return data
