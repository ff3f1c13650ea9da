import pytest

import nmrdyn as nd


@pytest.fixture
def sodium():
    """23Na deep on the slow flank, T1 = 4.36 s, one temperature; change it with dataclasses.replace."""
    return nd.RelaxationTruth(
        nucleus="23Na",
        larmor_frequency=132.32e6,
        cq=1e6,
        eta=0.1,
        activation_energy=0.45,
        tau_c=1e-5,
        reference_temperature=333.15,
        temperature=[333.15],
    )
