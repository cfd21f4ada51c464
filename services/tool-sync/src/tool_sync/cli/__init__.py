"""The command line: a file for each noun; what a command does stands beside it or in ``…_show``, ``…_report``.

::

    tool-sync run | migrate
    tool-sync tools ORG | history ORG | coverage [ORG]
    tool-sync why ORG TOOL | tool disable ORG TOOL | tool enable ORG TOOL
    tool-sync explain ASSISTANT | check ORG|ASSISTANT | words
    tool-sync audit | lost list | failures list | dead-letters list
    tool-sync projection rebuild NAME | projection verify [NAME] | log verify | log heads | log fork
    tool-sync log archive DIR | log verify-archive DIR
    tool-sync replay --to-topic TOPIC | relay rewind --position N
    tool-sync notices show ORG | status-links list ORG
    tool-sync access list

With ``--json`` each prints ``{command, at, complete, not_looked_at, result}``. Exit status: 0 done, 1 found a problem,
2 usage or environment, 3 refused.
"""
