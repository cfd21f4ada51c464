"""Which heads count, and what they say of the log. Pure: the table's hashes come in as an argument.

A head counts where one of the keys signed it. Of one position there may be several. Agreement with the newest head is
agreement with all events up to it, if the chain of hashes up to there is right, which `log.verify` looks at; so of
heads that disagree the first one says from where on the log is another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tool_sync.log.heads import LogStands
from tool_sync.outcomes.heads.keys import VerifyKeys
from zerotouch_contracts.heads import LogHead, digest_of

SHOWN_MAX: Final = 20
"""Of one kind of finding: what comes after so many says the same."""


@dataclass(frozen=True, slots=True)
class HeadFinding:
    """What is wrong, and from which position on."""

    position: int
    problem: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """Heads as they may be relied upon: signed, of this log and of the log it was before, each once, by position.

    ``former``: of the log it was before its newest fork. ``of_other_logs``, ``by_strangers`` and ``forged``: how many
    were passed over, the last because they name one of our keys, whose signature is not theirs.
    """

    heads: tuple[LogHead, ...]
    former: tuple[LogHead, ...]
    of_other_logs: int
    by_strangers: int
    findings: tuple[HeadFinding, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """``agreed``: heads whose hash the table has, below ``first_wrong``, the first whose hash it has not."""

    agreed: tuple[LogHead, ...]
    findings: tuple[HeadFinding, ...]
    first_wrong: LogHead | None = None

    @property
    def agree_through(self) -> int:
        """The highest position that agrees; 0 where none does."""
        return self.agreed[-1].position if self.agreed else 0


def sort_heads(read: Iterable[LogHead], keys: VerifyKeys, stands: LogStands) -> Sorted:
    """Which of the heads that were read count; ``read`` is in the order of the topic."""
    unique: dict[str, LogHead] = {}
    others = strangers = 0
    findings = []
    for head in read:
        if head.log_id not in (stands.log_id, stands.forked_from):
            others += 1
        elif not keys.knows(head):
            strangers += 1
        elif not keys.signed(head):
            findings.append(HeadFinding(head.position, f"a head names the key {head.key_id}, which did not sign it"))
        else:
            unique.setdefault(digest_of(head), head)
    ours = [head for head in unique.values() if head.log_id == stands.log_id]
    former = [head for head in unique.values() if head.log_id != stands.log_id]
    missing, notices = _links(ours, unique)
    return Sorted(
        _by_position(ours),
        _by_position(former),
        others,
        strangers,
        (*findings[:SHOWN_MAX], *missing[:SHOWN_MAX]),
        tuple(notices),
    )


def _by_position(heads: Iterable[LogHead]) -> tuple[LogHead, ...]:
    return tuple(sorted(heads, key=lambda head: (head.position, head.signed_at)))


def _links(heads: Sequence[LogHead], known: Mapping[str, LogHead]) -> tuple[list[HeadFinding], list[str]]:
    """Heads that are not there though the next one names them. The first that is kept may well name one that is not."""
    missing: list[HeadFinding] = []
    notices: list[str] = []
    for n, head in enumerate(_by_position(heads)):
        if head.previous is None:
            if n > 0:
                notices.append(f"the chain of heads begins anew at position {head.position:,}, {_at(head.signed_at)}")
        elif head.previous not in known:
            if n == 0:
                notices.append(f"heads before position {head.position:,} are not kept any more")
            else:
                missing.append(HeadFinding(head.position, "the head that this position's head follows was taken away"))
    return missing, notices


def judge(heads: Sequence[LogHead], found: Mapping[int, str], stands: LogStands) -> Judged:
    """What the heads of this log say. ``found``: the table's hash at each position of theirs that it has."""
    agreed: list[LogHead] = []
    for head in heads:
        if found.get(head.position) != head.hash or not _form_is_right(head, stands):
            through = agreed[-1].position if agreed else 0
            return Judged(tuple(agreed), tuple(_wrong(heads, found, stands, through, head)), head)
        agreed.append(head)
    return Judged(tuple(agreed), ())


def _wrong(
    heads: Sequence[LogHead], found: Mapping[int, str], stands: LogStands, agree_through: int, first: LogHead
) -> Iterable[HeadFinding]:
    newest = heads[-1]
    if not _form_is_right(first, stands):
        yield HeadFinding(
            first.position,
            f"it was signed under form {first.form} of the hashes, and the table says that form 2 begins at"
            f" {stands.form_2_from:,}: the mark of the form was moved",
        )
    if first.position <= stands.position and found.get(first.position) != first.hash:
        wrong = sum(1 for head in heads if head.position in found and found[head.position] != head.hash)
        yield HeadFinding(
            agree_through + 1,
            f"events {agree_through + 1:,} to {first.position:,} are not those that were signed at"
            f" {_at(first.signed_at)}: one of them was changed, moved, put in or taken out, and the hashes after it"
            f" were made anew ({wrong:,} heads disagree)",
        )
    if newest.position > stands.position:
        yield HeadFinding(
            stands.position + 1,
            f"the log was set back: {newest.position:,} events were signed at {_at(newest.signed_at)}, and it ends at"
            f" {stands.position:,}",
        )


def _form_is_right(head: LogHead, stands: LogStands) -> bool:
    return head.form == (2 if head.position >= stands.form_2_from else 1)


@dataclass(frozen=True, slots=True)
class BeforeFork:
    """What heads say of the log that this one was until ``forked_at``: it has the events up to ``kept`` as signed.

    ``signed``: the highest position of them; what lies between was lost with the restore, or cut off before the fork.
    """

    log_id: UUID
    kept: int
    signed: int
    signed_at: datetime
    forked_at: datetime | None


def judge_former(former: Sequence[LogHead], found: Mapping[int, str], stands: LogStands) -> BeforeFork | None:
    """What the heads of the log before the fork say; None where there are none."""
    if not former or stands.forked_from is None:
        return None
    kept = 0
    for head in former:
        if found.get(head.position) != head.hash:
            break
        kept = head.position
    newest = former[-1]
    return BeforeFork(stands.forked_from, kept, newest.position, newest.signed_at, stands.forked_at)


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
