"""The command line. A module for each noun; each command imports what it needs, so that help is quick.

::

    assistant-api run | migrate | restore --reason TEXT [--yes]
    assistant-api erase phone NUMBER | appointment ID --org ORG --reason TEXT
    assistant-api erase verify [--again] --reason TEXT
    assistant-api export-phone NUMBER --org ORG --reason TEXT
    assistant-api access list [--org ORG] [--who WHO] [--since TIME] [--json]
    assistant-api lost list | lost acknowledge ID --reason TEXT

Exit status: 0 done, 1 found a problem, 2 usage or environment, 3 refused: nothing was changed.
"""
