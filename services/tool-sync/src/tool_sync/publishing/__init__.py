"""The file in which the platform's owner writes a tool, what is wrong with it, and what is registered from it.

::

    tool_file   .toml or .json ──► ToolFile      lint       all that is wrong, before anything is sent:
    document    ToolFile ──► what is registered             text_rules, schema_rules, message_rules, server_url,
                and its hash                                addresses, contract_rules (by the values of examples)
    tool_row    a row of system_tools ──► ToolFile, and its problems by column (ADR 45)

Nothing here writes, sends or reads the log; `resolving` alone asks somebody, the name service (ADR 37).
"""
