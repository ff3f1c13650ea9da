from . import plot as plot
from .compare import compare as compare
from .conductivity import read_conductivity as read_conductivity
from .inference.infer import infer as infer
from .inference.priors import Normal as Normal
from .inference.priors import Uniform as Uniform
from .inference.process import Conductivity as Conductivity
from .inference.process import Probe as Probe
from .inference.process import Process as Process
from .isotopes import Isotope as Isotope
from .motion.correlation_time import correlation_time as correlation_time
from .motion.quadrupolar import BPP as BPP
from .motion.spectral_density import Debye as Debye
from .recovery.fit import fit_recovery as fit_recovery
from .recovery.single import SingleExponential as SingleExponential
from .recovery.stretched import StretchedExponential as StretchedExponential
from .report.write import report as report
from .schema import InputError as InputError
from .simulate.folder import simulate_folder as simulate_folder
from .simulate.simulate import simulate as simulate
from .simulate.truth import ConductivityTruth as ConductivityTruth
from .simulate.truth import RelaxationTruth as RelaxationTruth
from .study import run as run
from .thermal import Arrhenius as Arrhenius
from .topspin.read import read_topspin as read_topspin
from .topspin.read import scan as scan

__version__: str
