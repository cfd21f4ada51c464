"""Vapi's REST API as tool-sync uses it. Facts and their sources: Vapi's OpenAPI document, read 2026-08-20.

client     the calls; one total deadline each, nothing is ever retried here
documents  what is read from what Vapi returns
failures   what a failed call means: was it sent, can it have happened, does waiting help
"""
