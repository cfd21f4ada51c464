"""The example subscriber, which is no package: a file that a reader may copy."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "booking-readiness" / "booking_readiness.py"


@cache
def example() -> Any:
    """Its module."""
    spec = importlib.util.spec_from_file_location("booking_readiness", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
