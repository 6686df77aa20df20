#!/usr/bin/env bash
# Builds a release and measures it beside its peers. Made for Debian 12; `--help` tells the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/release

for word in "$@"; do
  case $word in
    -h | --help) exec /usr/bin/python3 "$root/tests/bench/run.py" --help ;;
  esac
done

"$root/sidecar/run.sh" --install libgtest-dev libgmock-dev libbenchmark-dev redis-server nginx-light \
  util-linux
if [[ ! -f $build/build.ninja ]] || ! grep -q '^MILLRACE_TESTS:BOOL=ON' "$build/CMakeCache.txt"; then
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMILLRACE_TESTS=ON >&2
fi
ninja --quiet -C "$build" load delivery millrace >&2

export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$root/tests/bench/run.py" "$@"
