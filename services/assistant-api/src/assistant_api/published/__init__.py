"""What tool-sync has published of each tool: read from `tool-sync.blueprint.v1`, kept in the table `published_tools`.

reader    the topic, from its beginning, again and again ──► the table
store     the table: an older record never replaces a newer one
known     PURE: what is known of a tool's version, and which contracts this release lacks
view      the table as this process has read it: for prompt blocks and tool calls
marking   a version that never answers was ordered: prompts that say otherwise are looked at
"""
