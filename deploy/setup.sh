#!/bin/sh
# Makes .venv: locked dependencies, the members of this workspace in editable form, Kafka's jars in the user's cache.
# Needs Python 3.11 or newer and nothing else. Run by make, which calls it only when something changed.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed; PYTHON=/path/to/python names one"
    exit 1
}

members="contracts services/platform services/assistant-api services/tool-sync services/vapi-sandbox deploy/devstack"
ready=.venv/.ready
started=$(date +%s)

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python)
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv >&2; then
        say "$python cannot make a virtual environment (on Debian: apt-get install python3-venv)"
        exit 1
    fi
fi
if ! cmp -s requirements/uv.txt .venv/.uv.txt; then
    say "installing uv"
    # A .venv that uv made has no pip.
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2
    cp requirements/uv.txt .venv/.uv.txt
fi
if ! cmp -s requirements/dev.txt .venv/.dev.txt; then
    say "installing $(grep -c '==' requirements/dev.txt) locked packages (200 MB to download the first time)"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/dev.txt >&2
    cp requirements/dev.txt .venv/.dev.txt
fi
say "installing the members of the workspace"
# shellcheck disable=SC2046,SC2086 # one -e for each member
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation \
    $(printf -- '-e %s ' $members) >&2
.venv/bin/python -m devstack fetch >&2
touch "$ready"
say "ready in $(($(date +%s) - started)) s"
