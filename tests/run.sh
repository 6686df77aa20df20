#!/usr/bin/env bash
# Installs, builds and runs every test, or the parts that are named. Made for Debian 12.
set -euo pipefail

parts=(unit sim coherence fuzz wire clients linearizability kafka kill lossy bench sanitize)

# What the tests need beside the sidecar's build packages, which sidecar/run.sh knows.
test_packages=(
  libgtest-dev libgmock-dev libbenchmark-dev librapidcheck-dev clang util-linux
  redis-server nginx-light kcat curl awscli python3-boto3 python3-pytest python3-zmq
  openjdk-17-jdk-headless maven nodejs
)
# Other builds of nodejs bring npm along, and conflict with Debian's.
type -P npm >/dev/null || test_packages+=(npm)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

usage() {
  cat <<TEXT
usage: tests/run.sh [--long] [PART...]

Runs all parts, or those named. --long runs them in full instead of a sample.

  unit      GoogleTest binaries of every folder, by ctest; --long also reads streams by lineage from
            200 seeds
  sim       the whole node on one thread, from seeds (100; --long 10000)
            one seed again: build/release/tests/millrace_sim --seed S
  coherence every answer of item and query cache against the log, interleaved by a seed on one thread and
            with threads, also with TSan (10 seeds of 10,000 operations; --long 100 of 100,000)
  fuzz      mutated inputs of every parser and of the whole node (5 s each; --long 10 min each, with
            ASan+UBSan); an input that fails is left in a file that is told
  wire      the release binary over the wire: boto3, raw HTTP, the aws command; a sample of all these
            requests (--long: each) again through boto3, the aws command and the SDK for JavaScript,
            with the cache and without
  clients   the AWS SDKs for JavaScript and for Java, over a path that fails them once in a while
  linearizability
            histories of concurrent clients over kill -9, also over the layer that loses what was not
            flushed (18 rounds each; --long 600)
  kafka     the connector against a real Kafka broker
  kill      kill -9 under load, with Kafka (10 rounds; --long 1000 on a small disk budget)
  lossy     the same over a layer that loses what was not flushed (10; --long 1000)
  bench     the benchmark with small numbers; --long with the real ones
  sanitize  unit and sim again, with ASan+UBSan and with TSan

The last line is the sum of all parts: N passed, N failed.
TEXT
}

chosen=()
long=
for word in "$@"; do
  case $word in
    -h | --help)
      usage
      exit 0
      ;;
    --long) long=1 ;;
    *)
      if [[ " ${parts[*]} " != *" $word "* ]]; then
        echo "tests/run.sh: no part is called '$word'" >&2
        usage >&2
        exit 2
      fi
      chosen+=("$word")
      ;;
  esac
done
[[ ${#chosen[@]} -gt 0 ]] || chosen=("${parts[@]}")

# Debian's programs, whatever else is installed.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PYTHONDONTWRITEBYTECODE=1
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="halt_on_error=1 suppressions=$root/tests/tsan_suppressions.txt"

release=build/release
seeds=100 sanitized_seeds=10 rounds=10 kill_flags=() histories_rounds=18 fuzz_seconds=5
coherence_seeds=10 coherence_steps=10000 wire_flags=()
if [[ -n $long ]]; then
  seeds=10000 sanitized_seeds=100 rounds=1000 kill_flags=(--disk-bytes 64MB) histories_rounds=600 fuzz_seconds=600
  coherence_seeds=100 coherence_steps=100000 wire_flags=(--long)
fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

say() { echo "== $*"; }

# configure FOLDER OPTION...
configure() {
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja -DMILLRACE_TESTS=ON "$@" >"$results/cmake.log" 2>&1 || {
    cat "$results/cmake.log"
    return 1
  }
}

# build FOLDER TARGET...
build() {
  local folder=$1
  say "building ${*:2} in $folder"
  ninja --quiet -C "$@"
}

# Counts of one runner, for the closing line.
count() { echo "$2 $3 ${4:-0}" >"$results/$1.count"; }

# run_ctest NAME FOLDER [PREFIX...]: each binary tells its tests by XML.
run_ctest() {
  local name=$1 folder=$2
  shift 2
  GTEST_OUTPUT="xml:$results/$name/" \
    "$@" ctest --test-dir "$folder" -j2 --output-on-failure --no-tests=error
}

# run_sim NAME FOLDER SEEDS [PREFIX...]: each seed counts as one test.
run_sim() {
  local name=$1 folder=$2 seeds=$3 status=0 line
  shift 3
  "$@" "$folder/tests/millrace_sim" --seeds "$seeds" | tee "$results/$name.log" || status=$?
  line=$(grep -E '^[0-9]+ seeds passed, [0-9]+ failed' "$results/$name.log" | tail -1)
  if [[ $line =~ ^([0-9]+)\ seeds\ passed,\ ([0-9]+) ]]; then
    count "$name" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  fi
  return $status
}

run_pytest() {
  local name=$1
  shift
  timeout 5400 /usr/bin/python3 -m pytest -p no:cacheprovider -qq --tb=short -rs \
    --junitxml "$results/$name.xml" "$@"
}

part_unit() {
  local status=0
  build $release millrace_tests || return 1
  run_ctest unit $release || status=1
  # From seeds that the run above has not used.
  if [[ -n $long ]]; then
    MILLRACE_SEEDS=200 MILLRACE_FIRST_SEED=1000 GTEST_OUTPUT="xml:$results/unit-lineage/" \
      $release/tests/streams_tests --gtest_filter='LineageConsumer.*' || status=1
  fi
  return $status
}

part_sim() {
  build $release millrace_sim && run_sim sim $release $seeds
}

part_coherence() {
  local status=0
  build $release cache_tests && run_coherence coherence-release $release || status=1
  configure build/tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMILLRACE_SANITIZE=thread &&
    build build/tsan cache_tests &&
    run_coherence coherence-thread build/tsan setarch "$(uname -m)" -R || status=1
  return $status
}

# run_coherence NAME FOLDER [PREFIX...]
run_coherence() {
  local name=$1 folder=$2 first=$RANDOM
  shift 2
  say "$coherence_seeds seeds from $first on"
  GTEST_OUTPUT="xml:$results/$name/" MILLRACE_FIRST_SEED=$first MILLRACE_SEEDS=$coherence_seeds \
    MILLRACE_STEPS=$coherence_steps "$@" "$folder/tests/cache_tests" --gtest_brief=1 \
    --gtest_filter='Coherence.*:NodeCoherence.*'
}

part_fuzz() {
  local folder=$release good=0 bad=0 target
  if [[ -n $long ]]; then
    folder=build/asan
    configure $folder -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMILLRACE_SANITIZE=address || return 1
  fi
  build $folder millrace_fuzzers || return 1
  for target in "$folder"/tests/fuzz/*_fuzz; do
    say "${target##*/}"
    if "$target" --seconds $fuzz_seconds; then good=$((good + 1)); else bad=$((bad + 1)); fi
  done
  count fuzz $good $bad
  [[ $bad -eq 0 ]]
}

part_wire() {
  build $release millrace && run_pytest wire tests/wire --ignore tests/wire/test_kafka.py "${wire_flags[@]}"
}

part_clients() {
  build $release millrace && run_pytest clients tests/clients
}

part_linearizability() {
  build $release millrace lossy millrace_linearizability || return 1
  local run=($release/tests/millrace_linearizability --binary $release/millrace)
  local layer=$release/tests/kill/lossy/liblossy.so good=0 bad=0
  tally() { if "$@"; then good=$((good + 1)); else bad=$((bad + 1)); fi; }
  # A store that loses what it answered must be found.
  finds_loss() {
    ! TMPDIR=$results "${run[@]}" --lossy $layer --durability none --rounds 6 \
      >"$results/loss.log" &&
      grep -q 'no order explains' "$results/loss.log"
  }
  tally "${run[@]}" --rounds $histories_rounds
  tally "${run[@]}" --rounds $histories_rounds --lossy $layer
  tally finds_loss
  count linearizability $good $bad
  [[ $bad -eq 0 ]]
}

part_kafka() {
  build $release millrace && run_pytest kafka tests/wire/test_kafka.py
}

part_kill() {
  build $release millrace && run_pytest kill tests/kill/test_kill.py --rounds $rounds "${kill_flags[@]}"
}

part_lossy() {
  build $release millrace lossy && run_pytest lossy tests/kill/lossy/test_lossy.py --rounds $rounds "${kill_flags[@]}"
}

part_bench() {
  build $release millrace || return 1
  local small=(--small)
  [[ -z $long ]] || small=()
  if tests/bench/run.sh "${small[@]}"; then
    count bench 1 0
  else
    count bench 0 1
    return 1
  fi
}

part_sanitize() {
  local status=0
  sanitized address build/asan || status=1
  # TSan's shadow memory does not cope with every layout that the kernel may choose at random.
  sanitized thread build/tsan setarch "$(uname -m)" -R || status=1
  return $status
}

# sanitized SANITIZER FOLDER [PREFIX...]
sanitized() {
  local name=$1 folder=$2 status=0
  shift 2
  configure "$folder" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DMILLRACE_SANITIZE="$name" &&
    build "$folder" millrace_tests millrace_sim || {
    count "sanitize-$name" 0 1
    return 1
  }
  run_ctest "sanitize-$name-unit" "$folder" "$@" || status=1
  run_sim "sanitize-$name-sim" "$folder" $sanitized_seeds "$@" || status=1
  return $status
}

say "installing what is missing"
sidecar/run.sh --install "${test_packages[@]}"
say "configuring $release"
configure $release -DCMAKE_BUILD_TYPE=Release

broken=
for part in "${chosen[@]}"; do
  say "$part"
  started=$SECONDS
  if "part_$part"; then
    say "$part is good, $((SECONDS - started)) s"
  else
    say "$part is NOT good, $((SECONDS - started)) s"
    broken+=" $part"
  fi
done
[[ -z $broken ]] || say "not good:$broken"

# Sums the counts. A part that failed without a failed test, as by a broken build, counts as one.
/usr/bin/python3 - "$results" $broken <<'SUM'
import pathlib
import sys
import xml.etree.ElementTree as xml

results = pathlib.Path(sys.argv[1])
passed = failed = skipped = 0
failing = set()


def add(name, good, bad, left_out):
    global passed, failed, skipped
    passed, failed, skipped = passed + good, failed + bad, skipped + left_out
    if bad:
        failing.add(name.split("-")[0])


for file in results.glob("*.count"):
    add(file.stem, *map(int, file.read_text().split()))
for file in results.glob("**/*.xml"):
    name = file.relative_to(results).parts[0].removesuffix(".xml")
    for suite in xml.parse(file).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left_out = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
        add(name, int(suite.get("tests", 0)) - bad - left_out, bad, left_out)
failed += len(set(sys.argv[2:]) - failing)

print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or not passed else 0)
SUM
