#!/bin/sh
# A framework of the v1 API runs 1,000 tasks, in JSON and in protobuf, also when it moves amid them.
. "$(dirname "$0")/harness.sh"

need start_master
need start_node one mesos-lite-agent --master="$(address_of master)" \
    --resources='cpus:8;mem:4096;disk:1024' --registration_backoff_factor=10ms
need wait_for agents_are 1

figure() { sed -n "s/^$1 //p" "$place/$2"; }
acknowledgements() { metric master master/valid_status_update_acknowledgements | cut -d. -f1; }

run() {                              # NAME FORMAT [MODE]
    run=$1 before=$(acknowledgements)
    shift
    check "$run: the framework succeeds" sh -c "SYSTEM_TEST='$place' exec \
        '$builddir/tests/clients/v1_framework' '$(address_of master)' $1 1000 true $2 >'$place/$run'"
    check "$run: every task finished" [ "$(figure finished "$run")" = 1000 ]
    check "$run: each told its three states" [ "$(figure updates "$run")" = 3000 ]
    check "$run: each update was acknowledged once" \
        [ "$(($(acknowledgements) - before))" = "$(figure updates "$run")" ]
}

run json json
run protobuf protobuf
run json-moved json takeover
check "json-moved: it was subscribed twice" [ "$(grep -c ^subscribed "$place/json-moved")" = 2 ]
run protobuf-moved protobuf takeover
check "protobuf-moved: it was subscribed twice" \
    [ "$(grep -c ^subscribed "$place/protobuf-moved")" = 2 ]
check "no acknowledgement was invalid" \
    metric_is master master/invalid_status_update_acknowledgements 0.0
check "no task was lost" metric_is master master/tasks_lost 0.0
check "nothing is in use any more" wait_for metric_is one slave/cpus_used 0.0
finish
