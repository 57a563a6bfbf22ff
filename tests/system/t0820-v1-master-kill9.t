#!/bin/sh
# kill -9 of the master under a subscribed v1 framework: it sees its stream end, subscribes again by
# its id, reconciles, and every task is accounted for.
. "$(dirname "$0")/harness.sh"

need start_master
need start_agent one
need start_agent two
need wait_for agents_are 2

tasks=60
said() { grep -qx "$1" "$place/framework.out" || { cat "$place/framework.out"; false; }; }

for format in json protobuf; do
    : >"$place/framework.out"
    start framework tests/clients/v1_framework "$(address_of master)" $format $tasks \
        'sleep 1000' hold
    check "$format: all tasks run" wait_for said "running $tasks"
    kill9 master
    check "$format: the framework sees the end of its stream" wait_for said "disconnected $tasks"
    check "$format: the master starts again on the same port" start_master
    await framework
    check "$format: the framework succeeds" [ "$status" = 0 ]
    check "$format: it was subscribed twice" [ "$(grep -c ^subscribed "$place/framework.out")" = 2 ]
    check "$format: every task was accounted for" said "accounted for $tasks"
    check "$format: none was launched again" said "launched $tasks"
    check "$format: all have ended, as it wanted" said "ended $tasks"
    check "$format: none by itself" said "finished 0"
done
check "both agents are back" wait_for agents_are 2
check "nothing is in use any more" wait_for metric_is one slave/cpus_used 0.0
check "nor at the other agent" wait_for metric_is two slave/cpus_used 0.0
finish
