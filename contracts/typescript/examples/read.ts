// A reader of every message. The compiler refuses it when one is missing: `rest` is then not `never`.
import { messageOf, type Message } from "../src/index.js";

export function sentence(message: Message): string {
  switch (message.type) {
    case "zerotouch.OrganizationSaved.v1":
      return `clinic ${message.data.org_id} is ${message.data.tier}`;
    case "zerotouch.OrganizationDeleted.v1":
      return `clinic ${message.data.org_id} is gone`;
    case "zerotouch.AssistantSaved.v1":
      return `agent ${message.data.agent_id} is at Vapi, revision ${message.data.revision}`;
    case "zerotouch.AssistantDeleted.v1":
      return `agent ${message.data.agent_id} is gone`;
    case "zerotouch.ToolsSynced.v1":
      return `${message.data.assistant_id} has ${message.data.tools.map((tool) => tool.name).join(", ") || "no tool"}`;
    case "zerotouch.ToolSyncFailed.v1":
      return `${message.data.assistant_id} lacks ${(message.data.failed_tools ?? []).map((tool) => `${tool.name} (${tool.code})`).join(", ")}`;
    case "zerotouch.AssistantDiverged.v1":
      return `${message.data.assistant_id} is not at Vapi as it was saved`;
    case "zerotouch.ToolCallHandled.v1":
      return `a call of ${message.data.tool} was answered: ${message.data.code}`;
    case "zerotouch.PatientErased.v1":
      return `a patient of ${message.data.org_id} was erased`;
    case "zerotouch.ToolChangeAnnounced.v1":
      return `${message.data.tool} of ${message.data.org_id} is about to change`;
    case "zerotouch.ToolUpdated.v1":
      return `${message.data.tool} of ${message.data.org_id} was changed`;
    case "zerotouch.ToolRetired.v1":
      return `${message.data.tool} of ${message.data.org_id} is gone`;
    case "zerotouch.RolloutStarted.v1":
      return `rollout ${message.data.rollout_id} of ${message.data.tool} began`;
    case "zerotouch.RolloutEnded.v1":
      return `rollout ${message.data.rollout_id} ended`;
    case "zerotouch.ContractsAnnounced.v1":
      return `${message.data.replica} answers ${message.data.tools.map((tool) => tool.name).join(", ")}`;
    case "zerotouch.ToolPublished.v1":
      return `${message.data.tool} has ${message.data.versions.length} version(s)`;
    case "zerotouch.LogHead.v1":
      return `the log stood at ${message.data.position}`;
    case "zerotouch.DisplayName.v1":
      return `${message.data.agent_id ?? message.data.org_id} is called ${message.data.name}`;
    case "zerotouch.VapiAccount.v1":
      return `${message.data.org_id} has the account ${message.data.account} at Vapi`;
    default: {
      const rest: never = message;
      return rest;
    }
  }
}

/** What a subscriber says of a record; a newer message is passed over. */
export function read(type: string, value: string): string {
  const message = messageOf(type, value);
  return message === undefined ? "passed over" : sentence(message);
}
