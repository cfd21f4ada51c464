#!/bin/sh
# Runs the images against a real stack; needs a Docker engine and Compose 1.29 or 2. See check.py.
set -eu
cd "$(dirname "$0")/../.."
exec .venv/bin/python -m deploy.images.check
