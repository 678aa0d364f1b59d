"""Start the runtime: `python -m lambda_streaming`, in the environment that Lambda gives."""

import os
import sys

from lambda_streaming.bootstrap import main

if __name__ == "__main__":
    sys.exit(main(os.environ))
