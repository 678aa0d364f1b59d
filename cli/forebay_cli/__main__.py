"""`python -m forebay_cli`: the same as the program `forebay`."""

import sys

from forebay_cli.main import main

sys.exit(main())
