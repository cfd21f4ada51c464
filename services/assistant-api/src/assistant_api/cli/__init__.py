"""The command line. A module for each noun; each command imports what it needs, so that help is quick.

::

    assistant-api run | migrate | restore [--yes]
    assistant-api erase-phone NUMBER --org ORG
    assistant-api lost list | lost acknowledge ID --reason TEXT

Exit status: 0 done, 1 found a problem, 2 usage or environment, 3 refused: nothing was changed.
"""
