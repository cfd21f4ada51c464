#!/bin/sh
# What our images hold, and what is known against it.
#
#   sh deploy/audit.sh sbom   sbom/NAME.cdx.json of each service: CycloneDX, every package with version and hashes
#   sh deploy/audit.sh        the same, and then each package is looked up in PyPI's advisories and in OSV's
#
# Status 1: something is known against a package. 2: no source of advisories could be asked, so nothing is known at all;
# that is not an all-clear, and is said. Needs the network, which `make check` and the tests do not.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
[ -x "$uv" ] || { echo "audit: run make setup first" >&2; exit 2; }
tools=.devstack/audit
if ! cmp -s requirements/audit.txt "$tools/.ready"; then
    $uv venv --quiet --clear "$tools" >&2
    $uv pip install --quiet --python "$tools/bin/python" --require-hashes -r requirements/audit.txt >&2
    cp requirements/audit.txt "$tools/.ready"
fi

mkdir -p sbom
for name in assistant-api tool-sync; do
    # The part of runtime.txt that this service needs, as the image is built from it.
    $uv pip compile --quiet --generate-hashes --no-annotate --no-header --no-emit-index-url --universal \
        --python-version 3.11 --constraints requirements/runtime.txt \
        --no-emit-package zerotouch-contracts --no-emit-package zerotouch-platform \
        contracts/pyproject.toml --extra kafka services/platform/pyproject.toml "services/$name/pyproject.toml" \
        -o "sbom/$name.txt" > /dev/null
    "$tools/bin/cyclonedx-py" requirements --pyproject "services/$name/pyproject.toml" --output-reproducible \
        --output-format JSON -o "sbom/$name.cdx.json" "sbom/$name.txt" 2> /dev/null
    echo "sbom/$name.cdx.json: $(grep -c '==' "sbom/$name.txt") packages" >&2
done
[ "${1:-}" = sbom ] && exit 0

# A source that answers and knows nothing (a mirror without advisories) would be an all-clear that nobody gave: each is
# first asked about a fault that is known since 2019 (CVE-2019-10906).
printf 'jinja2==2.10\n' > sbom/known-fault.txt
look() {
    "$tools/bin/pip-audit" --vulnerability-service "$1" --disable-pip --no-deps --timeout 10 --progress-spinner off \
        -r "$2" 2>&1
}

asked=0 status=0
for source in pypi osv; do
    if said=$(look "$source" sbom/known-fault.txt) || ! echo "$said" | grep -q "vulnerabilit.* in .* package"; then
        echo "$source: NOT ASKED: it does not answer, or does not know of CVE-2019-10906: $(echo "$said" | tail -1)"
        continue
    fi
    for name in assistant-api tool-sync; do
        if said=$(look "$source" "sbom/$name.txt"); then
            asked=$((asked + 1))
            echo "$name, $source: nothing is known against its packages"
        elif echo "$said" | grep -q "vulnerabilit.* in .* package"; then
            asked=$((asked + 1)) status=1
            echo "$name, $source:"
            echo "$said"
        else
            echo "$name, $source: NOT ASKED: $(echo "$said" | tail -1)"
        fi
    done
done
[ "$asked" -gt 0 ] || { echo "audit: no source of advisories could be asked; nothing is known" >&2; exit 2; }
exit $status
