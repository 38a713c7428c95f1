"""`python -m omagen` is the command `omagen`."""

import sys

from omagen.cli import main

sys.exit(main())
