"""Benchmarks are no installed package: they are run from the checkout, which these tests put on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))
