"""What an error of PostgreSQL's says: that it passes, that a person has to act, or that a value was wrong."""

import asyncpg
import pytest
from asyncpg import PostgresError

from zerotouch_platform.postgres.errors import (
    MISCONFIGURED_ERRORS,
    TRANSIENT_ERRORS,
    WAITED_OUT_ERRORS,
    is_unusable_value,
    meaning_of,
    needs_a_person,
)

PASSES = (
    "08000", "08001", "08003", "08004", "08006", "08P01",  # connection
    "57P01", "57P02", "57P03", "57014", "57P05",  # shutdown, starting up, a statement's time
    "53000", "53100", "53300", "53400",  # resources
    "40001", "40P01", "40003",  # serialization, deadlock
    "55P03", "25P03", "25006",  # lock; stopped for a while; failover
)  # fmt: skip
FOR_A_PERSON = {
    "28000": "user or password",
    "28P01": "user or password",
    "3D000": "no such database",
    "42501": "denies this service's role a right",
    "42P01": "schema",
    "42703": "schema",
    "42883": "schema",
    "55000": "lets nobody in",
}
OUR_FAULTS = ("22012", "23502", "23503", "23505", "23514", "42601", "42804", "P0001", "XX000", "0A000", "25P02")
VALUES = ("22000", "22003", "22007", "22008", "22021", "22P02", "22P05")


def made(sqlstate: str) -> PostgresError:
    """As asyncpg makes it of what the server says."""
    error: PostgresError = PostgresError.new({"C": sqlstate, "M": "said", "S": "ERROR"})
    return error


@pytest.mark.parametrize("sqlstate", PASSES)
def test_what_passes_by_itself_is_waited_out(sqlstate: str) -> None:
    error = made(sqlstate)
    assert isinstance(error, TRANSIENT_ERRORS)
    assert not needs_a_person(error)
    assert meaning_of(error).startswith("the database does not answer: ")


@pytest.mark.parametrize(
    "error", [OSError(), ConnectionRefusedError(), TimeoutError(), asyncpg.InterfaceError("closed")]
)
def test_a_connection_that_is_gone_passes(error: Exception) -> None:
    assert isinstance(error, TRANSIENT_ERRORS)
    assert not needs_a_person(error)


@pytest.mark.parametrize(("sqlstate", "says"), FOR_A_PERSON.items())
def test_password_database_right_and_schema_are_said_and_are_not_transient(sqlstate: str, says: str) -> None:
    error = made(sqlstate)
    assert not isinstance(error, TRANSIENT_ERRORS)
    assert isinstance(error, MISCONFIGURED_ERRORS)
    assert isinstance(error, WAITED_OUT_ERRORS)
    assert needs_a_person(error)
    assert says in meaning_of(error)


@pytest.mark.parametrize("sqlstate", [*OUR_FAULTS, *VALUES])
def test_everything_else_is_waited_out_by_nobody(sqlstate: str) -> None:
    assert not isinstance(made(sqlstate), WAITED_OUT_ERRORS)
    assert not needs_a_person(made(sqlstate))
    assert is_unusable_value(made(sqlstate)) is (sqlstate in VALUES)


def test_a_value_without_an_encoding_is_the_values_fault() -> None:
    assert is_unusable_value(asyncpg.DataError("invalid input for query argument $1"))
