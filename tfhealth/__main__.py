"""`python -m tfhealth`: the same as `tfhealth`."""

import sys

from tfhealth.cli import main

if __name__ == "__main__":
    sys.exit(main())
