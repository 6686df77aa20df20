#!/usr/bin/env bash
# Installs what is missing, builds a release, and becomes the sidecar. Made for Debian 12.
set -euo pipefail

# What the sidecar's build needs from Debian. tests/run.sh gets it by --install. (libleveldb-dev links
# with snappy and does not bring it.)
build_packages=(
  g++ cmake ninja-build ccache pkg-config
  libboost1.81-dev libboost-json1.81-dev libboost-system1.81-dev
  libleveldb-dev libsnappy-dev librdkafka-dev libhiredis-dev cppzmq-dev
  libsimdjson-dev libssl-dev libyaml-cpp-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libxxhash-dev zlib1g-dev libdeflate-dev libcli11-dev libaio-dev
)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release
binary=$build/millrace

say() { echo "run.sh: $*" >&2; }

usage() {
  cat <<TEXT
usage: sidecar/run.sh [FLAG...]          install, build, and serve
       sidecar/run.sh --install [PACKAGE...]   only install the build's packages, and these
       sidecar/run.sh --build            only install and build

Serves the DynamoDB API on 127.0.0.1:8000 and administration on 127.0.0.1:8001.
The data is in ./millrace-data unless --data or the configuration names another
folder. Every other FLAG goes to the sidecar:

  --config FILE        YAML configuration; flags win over it
  --data DIR           folder of the data
  --listen HOST:PORT   where to serve
  --admin HOST:PORT    where to serve /livez, /readyz and /metrics
  --cache-bytes SIZE   limit of the item cache, 0 switches it off
TEXT
  if [[ -x $binary ]]; then
    echo
    echo "All flags, as build/release/millrace --help tells them:"
    "$binary" --help
  else
    echo
    echo "build/release/millrace --help tells all flags once it is built."
  fi
}

# install PACKAGE...: installs those that are missing, by one apt-get if any is.
install() {
  local -A present=()
  local package missing=()
  while read -r package; do
    present[$package]=1
  done < <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
  for package in "$@"; do
    [[ -n ${present[$package]:-} ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  # Runlevel 1 keeps packaged daemons from starting: tests start their own.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "${missing[@]}" >&2
}

build() {
  if [[ ! -f $build/build.ninja ]]; then
    say "configuring $build"
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMILLRACE_TESTS=OFF >&2
  fi
  say "building $binary"
  # Ninja prints progress to standard output, which belongs to the sidecar.
  ninja -C "$build" millrace >&2
}

# data_folder FLAG...: where the sidecar will keep its data, in words.
data_folder() {
  local folder="$PWD/millrace-data"
  while [[ $# -gt 0 ]]; do
    case $1 in
      --data) folder=${2:-}; break ;;
      --data=*) folder=${1#--data=}; break ;;
      --in-memory) folder="memory"; break ;;
      --config | --config=*) folder="the folder that the configuration names" ;;
    esac
    shift
  done
  echo "$folder"
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  --install)
    shift
    install "${build_packages[@]}" "$@"
    exit 0
    ;;
esac

install "${build_packages[@]}"
build
if [[ ${1:-} == --build ]]; then
  exit 0
fi
say "starting $binary${*:+ $*}; data in $(data_folder "$@")"
exec "$binary" "$@"
