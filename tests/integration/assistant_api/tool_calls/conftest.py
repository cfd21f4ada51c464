"""Fixtures: the service with Vapi's credentials, and somebody who calls it."""

from .caller import caller as caller
from .caller import harness as harness
from .caller import org_id as org_id
