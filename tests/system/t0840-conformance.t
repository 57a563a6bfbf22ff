#!/bin/sh
# What a real Mesos was asked, our master and agent are asked, and answer the same: status, content
# type, texts, keys and types.  What differs is listed, with its reason, in tests/data/conformance.json.
. "$(dirname "$0")/harness.sh"

need start_master --registry=in_memory
need start_node one mesos-lite-agent --master="$(address_of master)" \
    --resources='cpus:8;mem:4096;disk:10000;ports:[31000-31999]' --registration_backoff_factor=10ms
need wait_for agents_are 1

conform() {
    "$builddir/tests/clients/conformance" "$srcdir/tests/data/conformance.json" "$1" \
        "$(address_of master)" "$(address_of one)"
}
said() { grep -qx "$1" "$place/framework.out"; }

for group in 'the state endpoints' 'what is wrong or missing' 'the operator API' \
    'the scheduler API refuses'; do
    check "as Mesos: $group" conform "$group"
done

check "the allocator has what the agent has" \
    metric_is master allocator/mesos/resources/cpus/total 8.0
check "and has given nothing of it" \
    metric_is master allocator/mesos/resources/cpus/offered_or_allocated 0.0
check "the registry remembers the agent" \
    [ "$(metric master registrar/registry_size_bytes | cut -d. -f1)" -gt 100 ]

# A framework that has ended; another one, with a task that runs and one that has ended.
need env SYSTEM_TEST="$place" "$builddir/tests/clients/v1_framework" "$(address_of master)" json 1 true
start framework tests/clients/v1_framework "$(address_of master)" json 2 \
    '[ $MESOS_EXECUTOR_ID = task-1 ] || exec sleep 1000' hold
check "two tasks run" wait_for said 'running 2'
check "one ends" wait_for metric_is master master/tasks_finished 2.0
# The agent's, when the framework has acknowledged it: one of each framework.
executors_completed_are() {
    [ "$(get one /state | grep -o '"completed_executors":\[{' | wc -l)" = "$1" ]
}
check "and its executor is done with" wait_for executors_completed_are 2
check "as Mesos: with a task" conform 'with a task'
check "the framework holds all of the agent" \
    metric_is master allocator/mesos/resources/cpus/offered_or_allocated 8.0
id=$(sed -n 's/^framework //p' "$place/framework.out")
check "it is torn down" curl -sS -f -m 20 -d "frameworkId=$id" "http://$(address_of master)/teardown"
await framework
finish
