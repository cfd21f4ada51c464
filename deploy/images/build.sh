#!/bin/sh
# Builds the images zerotouch/tool-sync, zerotouch/assistant-api and zerotouch/vapi-sandbox (tag: IMAGE_TAG or `dev`).
#
# First deploy/wheels is filled: the locked dependencies (requirements/runtime.txt, hashes checked) for the platform of
# the Docker engine, and our own packages. Then the images are built from that folder without any network.
#   PYTHON_IMAGE=...   another base image than python:3.11-slim, for example one from a mirror
#   ONLY_WHEELS=1      stop after filling deploy/wheels; needs no Docker engine
set -eu
cd "$(dirname "$0")/../.."

wheels=deploy/wheels
python=.venv/bin/python
tag=${IMAGE_TAG:-dev}
# The programs are run with a shell's word splitting: DOCKER="sudo docker" works.
docker=${DOCKER:-docker}

say() { echo "images: $*" >&2; }

if ! engine=$($docker version --format '{{.Server.Arch}}' 2>/dev/null); then
    if [ -z "${ONLY_WHEELS:-}" ]; then
        say "no Docker engine answers ('$docker version'); start one, on Debian: apt-get install docker.io"
        exit 1
    fi
    engine=$(uname -m)
fi
case $engine in
    amd64 | x86_64) machine=x86_64 ;;
    arm64 | aarch64) machine=aarch64 ;;
    *) say "no wheels for a Docker engine on $engine"; exit 1 ;;
esac

# What the folder was filled from; another lock or another machine fills it anew.
mark="$machine $(cksum < requirements/runtime.txt)"
if [ "$(cat $wheels/.filled 2>/dev/null)" != "$mark" ]; then
    say "downloading the wheels of requirements/runtime.txt for $machine (40 MB)"
    rm -rf $wheels
    mkdir -p $wheels
    # Debian 12 has glibc 2.36; newer bases take everything that runs there.
    platforms="--platform manylinux2014_$machine"
    minor=17
    while [ $minor -le 36 ]; do
        platforms="$platforms --platform manylinux_2_${minor}_$machine"
        minor=$((minor + 1))
    done
    $python -m pip --version >/dev/null 2>&1 || $python -m ensurepip >&2
    # shellcheck disable=SC2086 # options are words
    $python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
        --python-version 3.11 --implementation cp $platforms --dest $wheels --requirement requirements/runtime.txt >&2
    echo "$mark" > $wheels/.filled
fi
say "building our own wheels"
rm -f $wheels/zerotouch_*.whl
$python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation \
    --wheel-dir $wheels ./contracts ./services/platform ./services/assistant-api ./services/tool-sync ./services/vapi-sandbox >&2
[ -z "${ONLY_WHEELS:-}" ] || exit 0

for service in tool-sync assistant-api vapi-sandbox; do
    say "building zerotouch/$service:$tag"
    # shellcheck disable=SC2086
    $docker build --quiet --network none ${PYTHON_IMAGE:+--build-arg PYTHON_IMAGE=$PYTHON_IMAGE} \
        --file deploy/images/Dockerfile --target "$service" --tag "zerotouch/$service:$tag" deploy >&2
done
say "built $(for service in tool-sync assistant-api vapi-sandbox; do printf 'zerotouch/%s:%s ' "$service" "$tag"; done)"
