"""Vapi's tool calls: who sends them, what they say in all their shapes, and one answer to each.

`credentials` lets Vapi in, `payload` reads, `arguments` checks, `identity` says which calls are the same, `handle` acts
in one transaction, `answers` are the words that the language model hears.
"""
