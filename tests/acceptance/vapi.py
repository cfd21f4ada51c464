"""The Vapi sandbox, seen from the side: what it holds, what really happened, and its dials."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from zerotouch_contracts.tools import ToolMarker

PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Vapi:
    """The sandbox of the stack. `api` bears the key, `control` is for `/__sandbox`."""

    control: httpx.AsyncClient
    api: httpx.AsyncClient

    async def assistant(self, assistant_id: str) -> dict[str, Any]:
        """One assistant as it is now."""
        item: dict[str, Any] = (await self.api.get(f"/assistant/{assistant_id}")).raise_for_status().json()
        return item

    async def create_assistant(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new assistant, made by somebody else than the services."""
        item: dict[str, Any] = (await self.api.post("/assistant", json=body)).raise_for_status().json()
        return item

    async def edit_assistant(self, assistant_id: str, body: dict[str, Any]) -> None:
        """A change by somebody else, as in the dashboard."""
        (await self.api.patch(f"/assistant/{assistant_id}", json=body)).raise_for_status()

    async def state(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """All tools and all assistants that there are now."""
        orgs = (await self.control.get("/__sandbox/state")).raise_for_status().json()["vapi_orgs"].values()
        return [t for org in orgs for t in org["tools"]], [a for org in orgs for a in org["assistants"]]

    async def tools_of(self, org_id: UUID) -> list[dict[str, Any]]:
        """The tools that carry an org's marker."""
        tools, _ = await self.state()
        return [tool for tool in tools if (marker := ToolMarker.of(tool)) is not None and marker.org_id == org_id]

    async def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """Every request after a sequence number, in the order of arrival."""
        entries: list[dict[str, Any]] = []
        place: int | None = after
        while place is not None:
            params = {"after": place, "limit": PAGE}
            page = (await self.control.get("/__sandbox/journal", params=params)).raise_for_status().json()
            entries += page["entries"]
            place = page["next_after"]
        return entries

    async def journal_end(self) -> int:
        """The sequence number of the newest request."""
        summary = (await self.control.get("/__sandbox/summary")).raise_for_status().json()
        total: int = summary["requests_total"]
        return total

    async def writes(self, after: int = 0) -> list[str]:
        """Method and path of every request after `after` that is no read, whether or not it succeeded."""
        return [f"{it['method']} {it['path']}" for it in await self.journal(after) if it["method"] != "GET"]

    async def creations(self) -> dict[UUID, int]:
        """How often a tool was made for an org, whatever became of it, since the sandbox started."""
        summary = (await self.control.get("/__sandbox/summary")).raise_for_status().json()
        made = [item for item in summary["tool_creations"] if item["organization_id"]]
        return {UUID(item["organization_id"]): item["count"] for item in made}

    async def dial(self, rules: list[dict[str, Any]]) -> None:
        """Puts these rules in force, and no others."""
        (await self.control.put("/__sandbox/dials", json={"rules": rules})).raise_for_status()


def system_prompt(assistant: dict[str, Any]) -> str:
    """What the language model is told first."""
    systems = [message["content"] for message in assistant["model"]["messages"] if message["role"] == "system"]
    assert len(systems) == 1, systems
    return str(systems[0])


def not_the_rows(assistant: dict[str, Any]) -> dict[str, Any]:
    """Everything of an assistant that neither service may change: all but the prompt, the links, time and version."""
    model = {key: value for key, value in assistant["model"].items() if key not in ("messages", "toolIds")}
    others = [message for message in assistant["model"]["messages"] if message["role"] != "system"]
    return {**assistant, "model": {**model, "other messages": others}, "updatedAt": None, "latestVersion": None}
