"""Which heads count and what they say, without a database: forged ones, strangers', missing ones, and a log's fork."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tool_sync.log.heads import LogStands
from tool_sync.outcomes.heads.heads_topic import heads_of_lines
from tool_sync.outcomes.heads.judge import judge, judge_former, sort_heads
from tool_sync.outcomes.heads.keys import SigningKey, VerifyKeys
from zerotouch_contracts.heads import UNSIGNED, LogHead, digest_of

LOG, FORMER, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
AT = datetime(2026, 11, 30, 3, tzinfo=UTC)


def pems() -> tuple[str, str]:
    """A private key and its public half."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


(PRIVATE, PUBLIC), (NEWER_PRIVATE, NEWER_PUBLIC) = pems(), pems()
KEY, NEWER = SigningKey(PRIVATE), SigningKey(NEWER_PRIVATE)


def hash_at(position: int) -> str:
    return f"{position:064x}"


def head(position: int, last: LogHead | None = None, *, key: SigningKey = KEY, log_id: UUID = LOG) -> LogHead:
    """A signed head of an honest log."""
    return key.signed(
        LogHead(
            log_id=log_id,
            position=position,
            hash=hash_at(position),
            form=2,
            recorded_at=AT,
            counts={"org": position},
            signed_at=AT + timedelta(minutes=position),
            previous=digest_of(last) if last else None,
            key_id=key.key_id,
            signature=UNSIGNED,
        )
    )


def stands(position: int, *, form_2_from: int = 1, forked_from: UUID | None = None) -> LogStands:
    return LogStands(LOG, position, hash_at(position), AT, form_2_from, forked_from, None)


def chain(*positions: int) -> list[LogHead]:
    heads: list[LogHead] = []
    for position in positions:
        heads.append(head(position, heads[-1] if heads else None))
    return heads


def test_heads_that_come_again_late_or_twice_are_one_and_say_nothing_new() -> None:
    heads = chain(3, 5, 8)
    told = sort_heads([*heads, heads[0], heads[2], heads[1]], KEY.verifies, stands(9))
    assert (told.heads, told.findings, told.notices) == (tuple(heads), (), ())
    assert judge(told.heads, {3: hash_at(3), 5: hash_at(5), 8: hash_at(8)}, stands(9)).agree_through == 8


def test_two_processes_that_signed_after_the_same_head_are_both_right() -> None:
    first = head(3)
    told = sort_heads([first, head(5, first), head(6, first)], KEY.verifies, stands(6))
    assert (len(told.heads), told.findings) == (3, ())


def test_a_strangers_head_counts_for_nothing_and_one_in_our_keys_name_is_a_finding() -> None:
    forged = head(5).model_copy(update={"hash": hash_at(7)})
    told = sort_heads([head(3, key=NEWER), forged, head(4, log_id=OTHER)], KEY.verifies, stands(9))
    assert (told.heads, told.by_strangers, told.of_other_logs) == ((), 1, 1)
    (finding,) = told.findings
    assert finding.position == 5
    assert "which did not sign it" in finding.problem


def test_a_head_that_was_taken_away_is_named_by_the_one_that_followed_it() -> None:
    first, second, third = chain(3, 5, 8)
    told = sort_heads([first, third], KEY.verifies, stands(9))
    assert [(one.position, "was taken away" in one.problem) for one in told.findings] == [(8, True)]
    told = sort_heads([second, third], KEY.verifies, stands(9))  # the oldest are not kept: retention, or a file
    assert (told.findings, told.notices) == ((), ("heads before position 5 are not kept any more",))


def test_after_a_rotation_both_keys_count_and_the_newer_ones_chain_begins_anew() -> None:
    keys = VerifyKeys.of_pem(PUBLIC + "\n# the newer one\n" + NEWER_PUBLIC)
    told = sort_heads([head(3), head(5, key=NEWER)], keys, stands(9))
    assert (len(told.heads), told.findings) == (2, ())
    assert "begins anew at position 5" in told.notices[0]


def test_the_first_head_that_disagrees_says_from_where_on_the_log_is_another() -> None:
    found = {3: hash_at(3), 5: "f" * 64, 8: "f" * 64}
    judged = judge(chain(3, 5, 8), found, stands(9))
    (finding,) = judged.findings
    assert (judged.agree_through, finding.position) == (3, 4)
    assert "events 4 to 5 are not those" in finding.problem
    assert "(2 heads disagree)" in finding.problem


def test_a_log_that_is_shorter_than_its_newest_head_was_set_back() -> None:
    judged = judge(chain(3, 8), {3: hash_at(3)}, stands(6))
    (finding,) = judged.findings
    assert (judged.agree_through, finding.position) == (3, 7)
    assert "8 events were signed" in finding.problem
    assert "it ends at 6" in finding.problem


def test_an_event_that_was_signed_under_form_2_is_not_one_of_form_1() -> None:
    judged = judge(chain(3), {3: hash_at(3)}, stands(9, form_2_from=10))
    assert (judged.agree_through, ["form was moved" in one.problem for one in judged.findings]) == (0, [True])


def test_heads_of_the_log_before_a_fork_say_what_was_lost_and_are_no_finding() -> None:
    heads = [head(n, log_id=FORMER) for n in (3, 5, 8)]
    now = stands(9, forked_from=FORMER)
    told = sort_heads([*heads, head(9)], KEY.verifies, now)
    fork = judge_former(told.former, {3: hash_at(3), 5: "f" * 64, 8: "f" * 64}, now)
    assert fork is not None
    assert (fork.log_id, fork.kept, fork.signed) == (FORMER, 3, 8)
    assert judge(told.heads, {9: hash_at(9)}, now).findings == ()


def test_lines_that_are_no_heads_are_counted() -> None:
    read = heads_of_lines(f"{head(3).model_dump_json()}\n\nnonsense\n{{}}\n")
    assert (read.heads, read.unreadable) == ((head(3),), 2)


def test_keys_of_another_kind_are_refused() -> None:
    rsa = generate_private_key(65537, 2048)
    public = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in ("", "nonsense", PRIVATE, PUBLIC + PRIVATE, public):
        with pytest.raises(ValueError, match=r"must hold|holds a public key"):
            VerifyKeys.of_pem(text)
    private = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in ("", PUBLIC, private):
        with pytest.raises(ValueError, match="must be"):
            SigningKey(text)
