"""87Rb in the glass former CRN from raw data: the evidence of laws of temperature, and the parameters of VTF.

    python benchmarks/crn_study.py FOLDER

FOLDER holds eight inversion recoveries at 310 to 390 K (github.com/karajan9/ma, analyse/data/bruker/87Rb-CRN).
They have no licence, so that they are not part of this project. The source gives tau0 = 5.1e-14 s, D = 3.5 and
T_VF = 294 K, hence B = D T_VF = 1029 K, from conductivity (Pimenov et al. 1997).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import nmrdyn as nd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    # The low temperatures need the background, and C_Q is known by hand-made fits only.
    mechanism = nd.BPP(nucleus="87Rb", cq=3.45e6, eta=0.656) + nd.Background(r1=100.0)
    process = nd.Process(
        "Rb",
        nd.read_topspin(folder),
        mechanism=mechanism,
        recovery=nd.StretchedExponential(),
        law=nd.VTF(),
        probe="vt",
    )
    options = {
        "seed": 1,
        "probes": [nd.Probe(name="vt", point=0.5, offset=1.0)],
        "priors": {"Rb.cq": nd.Normal(3.45e6, 1.0e6), "Rb.r1": nd.Normal(100.0, 100.0)},
    }
    laws = nd.compare_laws(process, **options)
    for law in laws["law"].values:
        found = laws.sel(law=law)
        print(f"ln evidence of {law}: {found.log_evidence.item():.2f} ± {found.log_evidence_stderr.item():.2f}")
    draws = nd.infer([process], **options)["posterior"].dataset
    for name, values in draws.items():
        low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
        print(f"{name}: {middle:.4g} (95 %: {low:.4g} to {high:.4g}) {values.attrs.get('units', '')}")


if __name__ == "__main__":
    main()
