"""Tables and studies to be mutated as text."""

import math
import re

from hostile.folders import ABSURD, HOW

POINTS = [(10.0**n, 1e3 + 10.0 ** (6 - n), 300.0 * (7 - n)) for n in range(6, 0, -1)]  # f [Hz], Z', -Z'' [ohm]


def _points(line):
    return "".join(line.format(i=i, f=f, r=r, x=x, y=-x) for i, (f, r, x) in enumerate(POINTS))


# As instruments write them, the lines that impedance.py reads among others.
SPECTRA = {
    "gamry": "EXPLAIN\nTAG\tEISPOT\nAREA\tQUANT\t0.785\tArea\nZCURVE\tTABLE\n\tPt\tTime\tFreq\tZreal\tZimag\tZsig\n"
    "\t#\ts\tHz\tohm\tohm\tV\n" + _points("\t{i}\t1\t{f}\t{r}\t{y}\t1\n"),
    "biologic": "EC-Lab ASCII FILE\nNb header lines : 4\n\nfreq/Hz\tRe(Z)/Ohm\t-Im(Z)/Ohm\t\n"
    + _points("{f}\t{r}\t{x}\t\n"),
    "zplot": "ZPLOT2 ASCII\nData Points: 6\n  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\nEnd Comments\n"
    + _points("{f}\t0.1\t0\t{i}\t{r}\t{y}\t0\t0\n"),
    "autolab": '"Z60W Data File: Version 1.1"\n6\n"  Freq (Hz)    Ampl     Bias   Time(Sec)   Z\'(a)    Z\'\'(b)"\n'
    + _points("{f}, 0.01, 0, {i}, {r}, {y}, 0, 0, 1\n"),
    "versastudio": "<Application>\nName=VersaStudio\n</Application>\n<Action0>\nSegments=0\n</Action0>\n"
    "<Action1>\nSegments=1\n</Action1>\n<Segment1>\nType=2\nVersion=3\nDefinition=Segment #\n"
    + _points("0,{i},0,0,0,0,0,0,0,{f},0,0,0,0,{r},{y},0,0\n") + "</Segment1>\n",
    "chinstruments": "Feb. 20, 2020\nA.C. Impedance\n\nFreq/Hz, Z'/ohm, Z\"/ohm, Z/ohm, Phase/deg\n\n"
    + _points("{f}, {r}, {y}, 1, 1\n"),
    "parstat": "Potential (V)\tCurrent (A)\tElapsed Time (s)\tFrequency (Hz)\tZre (ohms)\tZim (ohms)\t|Vac| (V)\t\n"
    + _points("0\t0\t{i}\t{f}\t{r}\t{y}\t1\t\n"),
    "powersuite": "Frequency\t Zre\t Zimg\n" + _points("{f}\t {r}\t {y}\n"),
    "three columns": _points("{f},{r},{y}\n"),
    "header": "f (Hz); Z' (Ω); -Z'' (Ω); Phase/°\n" + _points("{f}; {r}; {x}; 1\n"),
}  # fmt: skip

TABLES = {
    "conductivity": "temperature (°C), conductivity (S/cm), conductivity_stderr (S/cm)\n15, 1e-6, 1e-7\n"
    "60, 2e-5, 1e-6\n",
    "resistances": "Sample; run; T / °C; R_bulk / kΩ; R_bulk_err (%); R_gb (ohm); L; thickness (mm); diameter (mm)\n"
    "A; heating; 20; 6,5; 2; 150; x; 0,9; 10\nA; cooling; 40,5; 1,5; 3; 40; y; 0,9; 10\n"
    "B; ; 60; ; ; 9; z; 1,1; 10\n",
    "origin": "1000/T\tln(sigma T)\tln(sigma T) error\tsample\n1/K\tS K/cm\t\t\n\tby hand\t\t\n3.3\t-4.1\t0.1\tA\n"
    "3.2\t-3.5\t0.1\tA\n",
    "diffusion": "run, T (K), D (cm^2/s), D_stderr (cm^2/s)\na, 500, 1e-6, 2e-7\nb, 700, 8e-6, 1e-6\n"
    "c, 550, 2e-6, \nd, 800, 2e-5, 1e-6\n",
    "autocorrelation": "T (K), t (ps), C\n"
    + "".join(f"{kelvin}, {t}, {math.exp(-t * kelvin / 3000):.4f}\n" for kelvin in (300, 400) for t in range(0, 40, 5)),
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
literature = "Na2(NH2)(BH4)"

[haven]
nmr = "hop"
conductivity = "conductivity"
charge = 1
ions_per_cell = 6
lattice_constant = "4.74 ± 0.01 A"
jump_distance = "3.35 A"
dimensions = 3
correlation_factor = "0.65 ± 0.05"

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

[[process]]
name = "pellet"
data = "resistances.csv"
mechanism = { kind = "conductivity", convention = "sigma" }
sample = "A"
direction = "heating"
part = "bulk"
columns = { "thickness (mm)" = "", "diameter (mm)" = "" }
cell = { thickness = "0.90 ± 0.02 mm", radius = "0.5 cm" }

[[process]]
name = "spectra"
data = "spectrum_60C.csv"
mechanism = { kind = "conductivity", convention = "sigma_T" }
circuit = "arc"
cell = { thickness = "0.9 mm", area = "0.785 cm2" }
temperature_range = ["300 K", "400 K"]

[[process]]
name = "ions"
data = "diffusion.csv"
mechanism = { kind = "diffusion" }
transition = "600 K"

[[process]]
name = "rotation"
data = "autocorrelation.csv"
mechanism = { kind = "correlation_time" }
autocorrelation = { rank = 1, steps = "small", start = "0 ps", molecules = 27, length = "100 ps" }
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
