"""Whoever gives a command is named by the process's own login."""

import os
import pwd

import pytest

from zerotouch_platform.operators import operator


def test_an_operator_is_the_processs_login_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert operator() == f"operator:{pwd.getpwuid(os.getuid()).pw_name}"


def test_an_operator_without_a_name_has_a_number_and_one_under_sudo_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert operator() == "operator:uid 4000000000"
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "lee\n")
    assert operator() == f"operator:lee? as {pwd.getpwuid(0).pw_name}"
