// Made by `python -m zerotouch_contracts.typescript` from contracts/schemas. Do not edit.

/**
 * A clinic was created (revision 1) or changed.
 *
 * `name` is the clinic's id, as text: a name may be a person's, and what is said here is kept for ever. What it is
 * called says `zerotouch_contracts.names`.
 */
export interface OrganizationSaved {
  readonly org_id: string;
  readonly revision: number;
  readonly name: string;
  readonly tier?: string;
  readonly time_zone?: string | null;
}

/** A clinic was deleted; nothing of it follows. */
export interface OrganizationDeleted {
  readonly org_id: string;
}

/**
 * Revision `revision` of an assistant is in Vapi, and its tools must be there too.
 *
 * `assistant_id` is Vapi's; `model_hash` is `zerotouch_contracts.canonical.model_hash` of Vapi's answer.
 */
export interface AssistantSaved {
  readonly org_id: string;
  readonly request_id: string;
  readonly agent_id: string;
  readonly assistant_id: string;
  readonly revision: number;
  readonly model_hash: string;
  readonly cause: "save" | "sync" | "auto_sync" | "repair";
  readonly vapi_account?: string | null;
}

/** An assistant was deleted. */
export interface AssistantDeleted {
  readonly org_id: string;
  readonly agent_id: string;
  readonly assistant_id?: string | null;
  readonly revision?: number | null;
}

/** A wanted tool that the assistant lacks, and why. */
export interface FailedTool {
  readonly name: string;
  readonly code: string;
}

/** A save that this outcome answers, and its trace. */
export interface SettledRequest {
  readonly request_id: string;
  readonly trace_id?: string | null;
}

/** A tool that is registered in Vapi and linked to the assistant. */
export interface SyncedTool {
  readonly name: string;
  readonly vapi_tool_id: string;
  readonly definition_version: number;
}

/**
 * The next caller of the assistant reaches every wanted tool, as far as the assistant and its tools can tell.
 *
 * `reason`: where no tool is wanted and `tools` is empty, the code that says why; null otherwise.
 */
export interface ToolsSynced {
  readonly org_id: string;
  readonly sequence: number;
  readonly agent_id: string | null;
  readonly assistant_id: string | null;
  readonly revision: number | null;
  readonly vapi_account?: string;
  readonly tools: ReadonlyArray<SyncedTool>;
  readonly failed_tools?: ReadonlyArray<FailedTool>;
  readonly requests?: ReadonlyArray<SettledRequest>;
  readonly cause?: string | null;
  readonly reason?: string | null;
}

/**
 * The assistant lacks a tool, or has one that no caller reaches; `code` says why. The org is looked at again.
 *
 * `tools` is what is linked, `failed_tools` what no caller reaches; a tool may be in both.
 */
export interface ToolSyncFailed {
  readonly org_id: string;
  readonly sequence: number;
  readonly agent_id: string | null;
  readonly assistant_id: string | null;
  readonly revision: number | null;
  readonly vapi_account?: string;
  readonly tools: ReadonlyArray<SyncedTool>;
  readonly failed_tools?: ReadonlyArray<FailedTool>;
  readonly requests?: ReadonlyArray<SettledRequest>;
  readonly cause?: string | null;
  readonly code: string;
  readonly message?: string;
}

/** Vapi shows an older version of the assistant than the newest save; assistant-api writes `revision` again. */
export interface AssistantDiverged {
  readonly org_id: string;
  readonly sequence: number;
  readonly agent_id: string;
  readonly assistant_id: string;
  readonly revision: number;
  readonly code?: string;
}

/** A call of a tool was answered. Who called, and what was said, is nowhere but in the clinic's own rows. */
export interface ToolCallHandled {
  readonly org_id: string;
  readonly tool: string;
  readonly definition_version: number | null;
  readonly code: string;
  readonly duration_ms: number;
  readonly assistant_id?: string | null;
}

/**
 * A patient was erased from a clinic: what was stored before `erased_at` under one of these names is gone.
 *
 * `hashes`: of each name of the patient's number (E.164, and the digits in each form in which they were said), or of
 * the one appointment without a number. HMAC-SHA256 with the key `key_id` that assistant-api alone has: who has the
 * key and a number can tell whether it was erased, and nobody else learns anything.
 */
export interface PatientErased {
  readonly org_id: string;
  readonly erasure_id: string;
  readonly erased_at: string;
  readonly key_id: string;
  readonly hashes: ReadonlyArray<string>;
}

/**
 * A tool of the clinic is about to be made or changed at Vapi; `ToolUpdated` of this `change_id` says that it
 * was. `vapi_tool_id` is null for one that is made.
 */
export interface ToolChangeAnnounced {
  readonly org_id: string;
  readonly sequence: number;
  readonly tool: string;
  readonly vapi_account?: string;
  readonly version: number;
  readonly definition_hash: string;
  readonly cause: string;
  readonly rollout?: string | null;
  readonly change: string;
  readonly change_id: string | null;
  readonly version_before?: number | null;
  readonly definition_hash_before?: string | null;
  readonly note?: string;
  readonly vapi_tool_id?: string | null;
}

/** The clinic has the tool as of `version` from now on. `change_id` is null where nothing was sent for it. */
export interface ToolUpdated {
  readonly org_id: string;
  readonly sequence: number;
  readonly tool: string;
  readonly vapi_account?: string;
  readonly version: number;
  readonly definition_hash: string;
  readonly cause: string;
  readonly rollout?: string | null;
  readonly change: string;
  readonly change_id: string | null;
  readonly version_before?: number | null;
  readonly definition_hash_before?: string | null;
  readonly note?: string;
  readonly vapi_tool_id: string;
}

/** The clinic has the tool no more; `version` is what it had. Vapi's is deleted after `delete_at`. */
export interface ToolRetired {
  readonly org_id: string;
  readonly sequence: number;
  readonly tool: string;
  readonly vapi_account?: string;
  readonly version: number;
  readonly definition_hash: string;
  readonly cause: string;
  readonly rollout?: string | null;
  readonly vapi_tool_id: string;
  readonly delete_at: string;
}

/** Clinics get `version` of the tool from now on, stage by stage; null: they lose the tool. */
export interface RolloutStarted {
  readonly rollout_id: string;
  readonly sequence: number;
  readonly tool: string;
  readonly version: number | null;
  readonly stages: ReadonlyArray<string>;
  readonly reason?: string;
  readonly expires_at?: string | null;
}

/** The rollout goes on no more. One that is over may still be rolled back, which ends it once more. */
export interface RolloutEnded {
  readonly rollout_id: string;
  readonly sequence: number;
  readonly tool: string;
  readonly how: string;
  readonly cause: string;
  readonly reason?: string;
}

/** The contracts of one tool's name whose calls are answered. */
export interface AnsweredTool {
  readonly name: string;
  readonly contracts: ReadonlyArray<number>;
}

/** A process of assistant-api answers calls of these tools, as of `at` by its database's clock. */
export interface ContractsAnnounced {
  readonly replica: string;
  readonly tools: ReadonlyArray<AnsweredTool>;
  readonly at: string;
}

/**
 * One version, as a reader needs it; the whole document stays in tool-sync.
 *
 * `contract` 0: another service answers it. `asynchronous`: the model does not wait, and never hears the answer.
 * `parameters` is the JSON Schema of the arguments; null where it did not fit. `ordered`: an order that stands may
 * give it to some clinic. `held`: some clinic had it a few minutes ago, or has it. `withdrawn`: it cannot be
 * ordered any more.
 */
export interface PublishedVersion {
  readonly version: number;
  readonly definition_hash: string;
  readonly contract: number;
  readonly tier: string;
  readonly asynchronous: boolean;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>> | null;
  readonly ordered: boolean;
  readonly held?: boolean;
  readonly withdrawn?: boolean;
  readonly note?: string;
}

/**
 * What is published of a tool, as of `position` of tool-sync's log; versions by number, the lowest first.
 *
 * `omitted`: how many older versions that no clinic can have by an order are left out.
 */
export interface ToolPublished {
  readonly tool: string;
  readonly position: number;
  readonly halted: boolean;
  readonly versions: ReadonlyArray<PublishedVersion>;
  readonly omitted?: number;
}

/**
 * The log ended at `position`, with `hash`, when the head was signed.
 *
 * `form`: of the hash, as the log's table describes it. `recorded_at`: of the event at that position, by the
 * database's clock; `signed_at`: by the signer's. `counts`: of the events up to there, by the kind of their stream
 * (what stands before its first hyphen); together they are the position, as positions have no holes. `previous`: the
 * digest of the head before this one; null where the signer knew of none. `key_id`: the first 16 hex digits of the
 * SHA-256 of the 32 bytes of the public key.
 */
export interface LogHead {
  readonly log_id: string;
  readonly position: number;
  readonly hash: string;
  readonly form: number;
  readonly recorded_at: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly signed_at: string;
  readonly previous: string | null;
  readonly key_id: string;
  readonly signature: string;
}

/** What a clinic is called, or an agent of it. `revision` rises with each change, and over a deletion, too. */
export interface DisplayName {
  readonly org_id: string;
  readonly agent_id?: string | null;
  readonly name: string;
  readonly revision: number;
}

/** A clinic's own account at Vapi. `revision` rises with each change, and over a deletion, too. */
export interface VapiAccount {
  readonly org_id: string;
  readonly account: string;
  readonly sealed_key: string;
  readonly key_fingerprint: string;
  readonly tool_server_credential_id?: string | null;
  readonly requests_per_minute?: number | null;
  readonly revision: number;
}

/** Each message by the type that its header `ce_type` names. */
export interface Events {
  "zerotouch.OrganizationSaved.v1": OrganizationSaved;
  "zerotouch.OrganizationDeleted.v1": OrganizationDeleted;
  "zerotouch.AssistantSaved.v1": AssistantSaved;
  "zerotouch.AssistantDeleted.v1": AssistantDeleted;
  "zerotouch.ToolsSynced.v1": ToolsSynced;
  "zerotouch.ToolSyncFailed.v1": ToolSyncFailed;
  "zerotouch.AssistantDiverged.v1": AssistantDiverged;
  "zerotouch.ToolCallHandled.v1": ToolCallHandled;
  "zerotouch.PatientErased.v1": PatientErased;
  "zerotouch.ToolChangeAnnounced.v1": ToolChangeAnnounced;
  "zerotouch.ToolUpdated.v1": ToolUpdated;
  "zerotouch.ToolRetired.v1": ToolRetired;
  "zerotouch.RolloutStarted.v1": RolloutStarted;
  "zerotouch.RolloutEnded.v1": RolloutEnded;
  "zerotouch.ContractsAnnounced.v1": ContractsAnnounced;
  "zerotouch.ToolPublished.v1": ToolPublished;
  "zerotouch.LogHead.v1": LogHead;
  "zerotouch.DisplayName.v1": DisplayName;
  "zerotouch.VapiAccount.v1": VapiAccount;
}

/** The same types, at run time. */
export const EVENT_TYPES = [
  "zerotouch.OrganizationSaved.v1",
  "zerotouch.OrganizationDeleted.v1",
  "zerotouch.AssistantSaved.v1",
  "zerotouch.AssistantDeleted.v1",
  "zerotouch.ToolsSynced.v1",
  "zerotouch.ToolSyncFailed.v1",
  "zerotouch.AssistantDiverged.v1",
  "zerotouch.ToolCallHandled.v1",
  "zerotouch.PatientErased.v1",
  "zerotouch.ToolChangeAnnounced.v1",
  "zerotouch.ToolUpdated.v1",
  "zerotouch.ToolRetired.v1",
  "zerotouch.RolloutStarted.v1",
  "zerotouch.RolloutEnded.v1",
  "zerotouch.ContractsAnnounced.v1",
  "zerotouch.ToolPublished.v1",
  "zerotouch.LogHead.v1",
  "zerotouch.DisplayName.v1",
  "zerotouch.VapiAccount.v1"
] as const;

export const TOPICS = [
  "assistants.v1",
  "tool-sync.outcomes.v1",
  "tool-sync.fleet.v1",
  "tool-calls.v1",
  "erasures.v1",
  "assistant-api.contracts.v1",
  "tool-sync.blueprint.v1",
  "tool-sync.heads.v1",
  "display-names.v1",
  "vapi-accounts.v1",
] as const;

