"""What Vapi said, with everything left out that may be personal: only the words of a closed list are let through.

Vapi repeats what it refuses, and so may say a patient's name or a clinic's prompt. Any rule for what looks personal
would miss something. So it is the other way round: the words in which validators speak and the names of Vapi's own
fields stay, everything else, every number and everything that is no plain letter, becomes ``…``.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tool_sync.vapi.words import Words

CHARACTERS_MAX: Final = 200

# Of the field's validators, in small letters: none is anybody's name.
_WORDS: Final = """
a about above additional address again all allowed already also an and another any are argument array as assistant
assistants at attempt bad be been being below between body boolean but by call calls can cannot character characters
conflict contain contains could credential credentials credits date default definition delete deleted denied
description did different does duplicate duplicated each either element elements empty entries enum equal error
errors exceed exceeded exceeds exist existing exists expected expired fail failed false field fields first following
for forbidden format found from function greater has have header id ids if in incorrect insufficient integer internal
invalid is it its json key keys large last least length less limit long longer match matches max maximum message
messages method min minimum missing model more most must name names needs no non not null number object of on one only
option or organization other out parameter parameters pattern payment permission phone plan please properties property
provided provider read reached refused request requests required resource response same schema server service should
size small some string strings such support supported take than that the there this time timeout to too tool tools true
try type types unable unauthorized undefined unexpected unique unknown unsupported update upgrade url used valid value
values version was were when which while whitelist with without wrong
"""
_FIELDS: Final = """
serverMessages clientMessages toolIds toolRefs toolId assistantId firstMessage firstMessageMode systemPrompt
voicemailMessage endCallMessage metadata transcriber voice voiceId credentialId credentialIds serverUrl headers
timeoutSeconds async strict content role temperature maxTokens modelId items minLength maxLength enumDescriptions
backoffPlan messagePlan artifactPlan analysisPlan monitorPlan startSpeakingPlan stopSpeakingPlan knowledgeBase
staticParameters rejectionPlan
"""
_BEGINNINGS: Final = (
    "Bad Conflict Error Expected Forbidden Invalid Missing Not Property Request The Unauthorized Unknown Value"
)
"""A sentence begins with a capital, as a name does: so these are listed, too."""
_LET_THROUGH: Final = frozenset(f"{_WORDS} {_FIELDS} {_BEGINNINGS}".split()) | set(" .,:;/_-")
_PIECE: Final = re.compile(r"[A-Za-z]+|[ .,:;/_-]|[^A-Za-z .,:;/_-]+")
_GAPS: Final = re.compile(r"…(?:[ .,:;/_-]*…)+")


@dataclass(frozen=True, slots=True)
class Saying:
    """The same words, said to so many ``clinics``. ``status`` is the answer's."""

    words: str
    status: int | None
    route: str
    clinics: int


def masked(words: str) -> str:
    """The words of the closed list, in their places, and ``…`` for each run of others."""
    pieces = _PIECE.findall(words[: 10 * CHARACTERS_MAX])
    return _GAPS.sub("…", "".join(piece if piece in _LET_THROUGH else "…" for piece in pieces))[:CHARACTERS_MAX].strip()


def sayings(said: Iterable[Words], limit: int) -> list[Saying]:
    """What was said to most clinics first."""
    clinics: dict[tuple[str, int | None, str], set[UUID]] = defaultdict(set)
    for one in said:
        clinics[masked(one.words), one.status, one.route].add(one.org_id)
    most = sorted(clinics.items(), key=lambda item: -len(item[1]))[:limit]
    return [Saying(words, status, route, len(orgs)) for (words, status, route), orgs in most]
