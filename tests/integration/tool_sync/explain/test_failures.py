"""``tool-sync failures``, word for word: who lacks tools, one of them, and trying them again."""

from devstack.databases import DatabaseUrls
from tool_sync.domain import events as e

from ..command import command, envelope, result
from .clinic import Clinic
from .test_coverage import failed, save


async def test_failures_are_listed_shown_and_tried_again(clinic: Clinic, tool_sync_db: DatabaseUrls) -> None:
    url = tool_sync_db.service
    await clinic.happened(e.OrgRegistered("basic"), save("agent-1"), save("agent-2"))
    await clinic.happened(failed("agent-1", "TS-301"), failed("agent-2", "TS-304"))

    status, text, _ = await command("failures", "list", "--limit", "1", database_url=url)
    heading, organization, code, at, *rest = text.splitlines()
    assert (status, heading, code) == (0, "agent agent-2", "  code: TS-304")
    assert organization == f"  organization: {clinic.org_id}"
    assert at.startswith("  failed at: 20")
    assert rest[-1] == "the newest 1 are shown; --limit shows more"
    _, text, _ = await command("failures", "list", "--json", "--code", "TS-301", database_url=url)
    (row,) = result(text)
    assert list(row) == [
        "org_id", "agent_id", "assistant_id", "code", "revision", "failed_at", "look_at", "trace_id",
    ]  # fmt: skip
    assert (row["org_id"], row["agent_id"], row["code"]) == (str(clinic.org_id), "agent-1", "TS-301")
    assert envelope(text)["not_looked_at"] == ["who was never synced or lacks what is new: `tool-sync coverage`"]

    status, text, _ = await command("failures", "show", str(clinic.org_id), "agent-1", database_url=url)
    assert status == 0
    assert f"\nagent-1 of {clinic.org_id}, as of position" in text
    _, text, _ = await command("failures", "show", str(clinic.org_id), "agent-1", "--json", database_url=url)
    assert (envelope(text)["command"], [one["agent_id"] for one in result(text)]) == ("explain", ["agent-1"])
    status, _, said = await command("failures", "show", str(clinic.org_id), "agent-9", database_url=url)
    assert (status, said) == (2, "tool-sync: there is no assistant agent-9\n")

    done = await command("failures", "retry", "--dry-run", "--reason", "a test", database_url=url)
    assert done == (0, "would retry 2 assistant(s) of 1 organization(s)\n", "")
    done = await command("failures", "retry", "--code", "TS-301", "--reason", "a test", database_url=url)
    assert done == (0, "retrying 1 assistant(s) of 1 organization(s)\n", "")
