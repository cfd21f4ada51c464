"""What a plan says of the gates of its stages."""

from collections.abc import Iterator

from tool_sync.domain.events import RolloutStage
from tool_sync.domain.fleet import Order
from tool_sync.rollouts.canaries import CANARIES_MAX


def plan_gates(order: Order) -> Iterator[str]:
    """What opens the stages, line by line: the dry run, and the calls where a stage asks for them."""
    version = order.gives
    if version is None:
        return
    if version.contract:
        tried = f"contract {version.contract} is tried out at {CANARIES_MAX} clinics before each stage,"
        yield f"  gate    {tried} if ASSISTANT_API_URL is set for tool-sync"
    else:
        yield "  gate    no dry run, as another service answers (contract 0)"
    for asked in dict.fromkeys(gate_words(stage) for stage in order.stages if stage.gate_calls):
        if version.contract:
            yield f"  calls   v{version.version} not worse than before (sequential test, 5 %), {asked}"
        else:
            yield f"  calls   {asked}; none is seen of another service, so that only time or promote opens the stage"


def gate_words(stage: RolloutStage) -> str:
    """What a stage's gate asks of calls: ``40 calls or 12 h``."""
    return f"{stage.gate_calls:,} calls" + (f" or {stage.gate_hours} h" if stage.gate_hours else "")
