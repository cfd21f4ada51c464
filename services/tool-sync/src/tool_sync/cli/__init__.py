"""The command line: ``tool-sync run | migrate | history ORG | tools ORG``."""
