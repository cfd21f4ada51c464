#!/bin/sh
# Writes requirements/*.txt anew from the pyproject files: exact versions and hashes, no index address.
# UPGRADE=1 takes the newest versions that the pyproject files allow; without it only what must change does.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || { echo "lock: run make setup first" >&2; exit 1; }
options="--quiet --generate-hashes --no-emit-index-url --no-annotate --universal --python-version 3.11 ${UPGRADE:+--upgrade}"
export UV_CUSTOM_COMPILE_COMMAND="make lock"

ours=""
for name in contracts platform assistant-api tool-sync vapi-sandbox devstack; do
    ours="$ours --no-emit-package zerotouch-$name"
done

# uv itself; everything for development and tests; what the images hold, at the versions that were tested; Vapi's SDK,
# what reads our OpenAPI documents and what looks for known faults, each in an environment of its own; what drives a
# browser in tests; what builds the documentation.
# shellcheck disable=SC2086 # options are words
{
    $uv pip compile $options requirements/uv.in -o requirements/uv.txt
    $uv pip compile $options pyproject.toml --group dev --group bench contracts/pyproject.toml \
        services/*/pyproject.toml deploy/devstack/pyproject.toml $ours -o requirements/dev.txt
    $uv pip compile $options contracts/pyproject.toml services/*/pyproject.toml $ours \
        --constraints requirements/dev.txt -o requirements/runtime.txt
    $uv pip compile $options requirements/vapi-sdk.in -o requirements/vapi-sdk.txt
    $uv pip compile $options requirements/openapi.in -o requirements/openapi.txt
    $uv pip compile $options requirements/audit.in -o requirements/audit.txt
    $uv pip compile $options requirements/browser.in --constraints requirements/dev.txt -o requirements/browser.txt
    $uv pip compile $options requirements/docs.in --constraints requirements/dev.txt -o requirements/docs.txt
}
echo "lock: wrote requirements/uv.txt, dev.txt, runtime.txt, vapi-sdk.txt, openapi.txt, audit.txt, browser.txt and docs.txt" >&2
