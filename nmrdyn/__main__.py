"""`python -m nmrdyn`."""

import sys

from nmrdyn.cli import main

sys.exit(main())
