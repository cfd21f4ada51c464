#!/bin/sh
# Builds what checks the chart, with Go, and keeps it in the user's cache: helm, kubeconform, and the schemas of
# Kubernetes' kinds. Nothing is installed. Go checks what it fetches against its own sums.
#
# Status 1: there is no Go, or a module cannot be had; the tests that need the tools then say NOT RUN.
set -eu
cd "$(dirname "$0")/../.."
HELM=v3.18.4 KUBECONFORM=v0.6.7 KUBERNETES=v1.33.4
cache=${XDG_CACHE_HOME:-$HOME/.cache}/zerotouch
command -v go > /dev/null || { echo "tools: there is no Go" >&2; exit 1; }
mkdir -p "$cache"
build() { # name, module and version
    [ -x "$cache/$1" ] && return
    echo "tools: building $2, once" >&2
    GOBIN=$cache CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$2" >&2
}
build helm "helm.sh/helm/v3/cmd/helm@$HELM"
build kubeconform "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"
if [ ! -d "$cache/kubernetes-$KUBERNETES" ]; then
    source=$(go mod download -json "k8s.io/kubernetes@$KUBERNETES" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
    rm -rf "$cache/kubernetes.unfinished"
    .venv/bin/python deploy/helm/kinds.py "$source/api/openapi-spec/swagger.json" "$cache/kubernetes.unfinished"
    mv "$cache/kubernetes.unfinished" "$cache/kubernetes-$KUBERNETES"
fi
echo "tools: $cache" >&2
