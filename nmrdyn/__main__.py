"""`python -m nmrdyn`."""

import sys

from nmrdyn.cli.main import main

sys.exit(main())
