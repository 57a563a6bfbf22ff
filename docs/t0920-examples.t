#!/bin/sh
# The programs of the guides do what the guides say.
# shellcheck disable=SC2154    # what harness.sh sets
: "${srcdir=$(cd "$(dirname "$0")/.." && pwd)}"
. "$srcdir/tests/system/harness.sh"

sleepers() { SYSTEM_TEST=$place timeout $deadline "$builddir/docs/examples/sleepers" "$@" >"$place/said"; }
said() { sort "$place/said" | grep -c "$1" | grep -qx "$2" || { cat "$place/said"; false; }; }
has_completed() { get master /state | sed 's/.*"completed_frameworks"//' | grep -q "\"name\":\"$1\""; }
probe() {
    SYSTEM_TEST=$place timeout $deadline "$builddir/tests/system/probe_framework" \
        "$(address_of master)" >"$place/said" 2>&1
}

need start_master
need start_agent agent
need wait_for agents_are 1

check "sleepers runs its tasks and succeeds" sleepers "$(address_of master)" 5
check "all five finish" said 'TASK_FINISHED$' 5
check "the master has heard of the framework's end" has_completed sleepers
check "sleepers without a master's address says how it is used" \
    refuses 'usage: sleepers' "$builddir/docs/examples/sleepers"

probe <<END
task short
    executor counter
    resources cpus:0.1;mem:32
    shell $builddir/docs/examples/counter_executor
    data 1
launch
wait short
task wrong
    executor counter
    resources cpus:0.1;mem:32
    shell $builddir/docs/examples/counter_executor
    data soon
task long
    executor counter
    resources cpus:0.1;mem:32
    shell $builddir/docs/examples/counter_executor
    data 36000
launch
wait wrong
kill long
wait long
END
check "counter_executor finishes a task when its time is up" said '^short TASK_FINISHED .*the time is up' 1
check "it refuses what is no time" said '^wrong TASK_FAILED .*no number of tenths' 1
check "it kills a task" said '^long TASK_KILLED' 1
finish
