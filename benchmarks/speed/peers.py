"""The samplers that `sampling.py` compares with ours: emcee's own moves, kinisi and NumPyro's NUTS.

A contender has `walkers` chains that advance together, `length`, the steps of its long run, `run(steps)`, and
`barrier`, the values (step, walker) of the activation energy in the last run.
"""

import contextlib
import io
import warnings

import emcee
import numpy as np

from nmrdyn.schema import BOLTZMANN_EV


class Emcee:
    """Moves of emcee on a log probability, from `start (walker, parameter)`."""

    def __init__(self, target, start, *, length, moves=None, vectorize=True, column=0, seed=3):
        self.walkers, dimension = start.shape
        self.length = length
        self.sampler = emcee.EnsembleSampler(self.walkers, dimension, target, moves=moves, vectorize=vectorize)
        # Without a state of its own, emcee draws from numpy's global one.
        self.state = emcee.State(start, random_state=np.random.RandomState(seed).get_state())
        self.column = column

    def run(self, steps):
        self.sampler.reset()
        self.state = self.sampler.run_mcmc(self.state, steps, skip_initial_state_check=True)

    @property
    def barrier(self):
        return self.sampler.get_chain()[:, :, self.column]


class Kinisi:
    """kinisi's Arrhenius as it comes, with 1/tau_c in the place of the diffusion coefficient."""

    walkers, length = 32, 9_000

    def __init__(self, kelvin, tau, relative_error):
        import scipp as sc
        from kinisi.arrhenius import Arrhenius
        from scipy.stats import uniform

        slope, intercept = np.polyfit(1 / (BOLTZMANN_EV * kelvin), -np.log(tau), 1)
        variance = (relative_error / tau) ** 2
        data = sc.DataArray(
            sc.array(dims=["temperature"], values=1 / tau, variances=variance, unit="cm^2/s"),
            coords={"temperature": sc.array(dims=["temperature"], values=kelvin, unit="K")},
        )
        priors = [uniform(0, 2), uniform(0, 10 * np.exp(intercept))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its search leaves the priors; the start below does not depend on it
            self.fit = Arrhenius(data, priors=priors)
        self.start = (sc.scalar(-slope, unit="eV"), sc.scalar(np.exp(intercept), unit="cm^2/s"))

    def run(self, steps):
        """`steps` steps from a scatter of 1 % about the start, as kinisi begins."""
        with contextlib.redirect_stderr(io.StringIO()):
            self.fit.mcmc(x0=self.start, n_samples=steps, n_walkers=self.walkers, n_burn=0, n_thin=1)

    @property
    def barrier(self):
        return self.fit.activation_energy.values.reshape(-1, self.walkers)


class Nuts:
    """NUTS on the model of ten T1 written anew in JAX: a Gaussian in ln T1, temperature errors to first order.

    With `sampled` each temperature error is a parameter instead. Barrier and ln tau_c at the middle of the range are
    sampled, and the mass matrix is dense: both are what a careful user would do.
    """

    walkers, length = 1, 1_000

    def __init__(self, one, *, sampled, scatter, cq, offset, warmup=1000, block=200):
        import jax
        import jax.numpy as jnp
        import numpyro
        import numpyro.distributions as dist
        from numpyro.infer import MCMC, NUTS, init_to_value

        numpyro.enable_x64()
        self.block = block  # draws that are compiled together
        kelvin, error = one.temperature, one.temperature_stderr
        larmor, mechanism = one.larmor_frequency, one.process.mechanism
        middle = one.middle
        strength = float(mechanism.rate(1.0, 1e-9)) / mechanism.cq**2 / 5  # 1/T1 = strength C_Q^2 [J + 4 J(2)]

        def log_t1(temperature, energy, log_tau, coupling):
            tau = jnp.exp(log_tau + energy / BOLTZMANN_EV * (1 / temperature - 1 / middle))
            x = 2 * jnp.pi * larmor * tau
            return -jnp.log(strength * coupling**2 * (tau / (1 + x**2) + 4 * tau / (1 + 4 * x**2)))

        def model():
            energy = numpyro.sample("energy", dist.Uniform(0.0, 2.0))
            shift = energy / (BOLTZMANN_EV * middle)  # log10 tau0 is uniform from -18 to -8
            ten = jnp.log(10.0)
            log_tau = numpyro.sample("log_tau", dist.Uniform(-18.0 * ten + shift, -8.0 * ten + shift))
            coupling = cq.mean + cq.sd * numpyro.sample("cq", dist.Normal())
            common = offset * numpyro.sample("offset", dist.Normal())
            spread = one.stderr**2
            if scatter:
                spread = spread + numpyro.sample("scatter", dist.HalfNormal(scatter)) ** 2
            if sampled:
                away = numpyro.sample("error", dist.Normal().expand([kelvin.size]))
                expected = log_t1(kelvin + common + error * away, energy, log_tau, coupling)
            else:
                low, high = (log_t1(kelvin + common + s * error, energy, log_tau, coupling) for s in (-0.5, 0.5))
                expected, spread = (low + high) / 2, spread + (high - low) ** 2
            numpyro.sample("log_t1", dist.Normal(expected, jnp.sqrt(spread)), obs=one.value)

        tau = 1 / larmor.mean() / 2 / np.pi
        start = {"energy": 0.45, "log_tau": np.log(tau), "cq": 0.0, "offset": 0.0}
        kernel = NUTS(model, dense_mass=True, init_strategy=init_to_value(values=start))
        self.mcmc = MCMC(kernel, num_warmup=warmup, num_samples=self.block, progress_bar=False)
        self.mcmc.warmup(jax.random.PRNGKey(4))
        self.run(self.block)  # compiles

    def run(self, steps):
        found = []
        for _ in range(steps // self.block):
            if self.mcmc.last_state is not None:
                self.mcmc.post_warmup_state = self.mcmc.last_state
            self.mcmc.run(self.mcmc.post_warmup_state.rng_key)
            found.append(np.asarray(self.mcmc.get_samples()["energy"]))
        self.barrier = np.concatenate(found)[:, None]
