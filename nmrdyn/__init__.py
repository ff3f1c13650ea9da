"""nmrdyn: solid-state NMR relaxation and the motion behind it."""

import lazy_loader

__version__ = "0.1.0"

# The public names and their homes are listed in __init__.pyi; each loads on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
