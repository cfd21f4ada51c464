"""The command line.

::

    tool-sync run | migrate | history ORG | tools ORG
    tool-sync why ORG TOOL | explain ASSISTANT | audit
    tool-sync projection rebuild NAME | projection verify [NAME]
    tool-sync log verify | log fork
    tool-sync replay --to-topic TOPIC | relay rewind --position N
"""
