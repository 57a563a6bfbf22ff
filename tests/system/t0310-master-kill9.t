#!/bin/sh
# kill -9 of the master amid 500 tasks: the batch completes, each command runs once.
. "$(dirname "$0")/harness.sh"

ran() { find "$place/ran" -type f | wc -l; }
have_run() { [ "$(ran)" -ge "$1" ]; }

need start_master
need start_agent one
need start_agent two
need wait_for agents_are 2

# A launch that dies with the master is told as gone: that attempt did not run, and the
# next one is a retry.
mkdir "$place/ran"
for i in $(seq 500); do
    echo "echo $i >>$place/ran/$i; echo $i"
done >"$place/batch"
start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.2 --mem=16 \
    --jobs=20 --joblog="$place/joblog" --keep-order "$place/batch"
check "the batch begins" wait_for have_run 50
kill9 master
check "it is not over" [ "$(ran)" -lt 500 ]
check "the master starts again on the same port" start_master
check "the batch goes on" wait_for have_run 250
kill9 master
check "the master starts once more" start_master
await framework
check "the batch succeeds" [ "$status" = 0 ]
check "all commands have run" [ "$(ran)" = 500 ]
check "each exactly once" sh -c "[ \$(cat '$place'/ran/* | wc -l) = 500 ]"
check "each has one success in the job log" [ "$(grep -c '	0	0	echo' "$place/joblog")" = 500 ]
check "all outputs came, in order" sh -c "seq 500 | cmp - '$place/framework.out'"
check "both agents are back" wait_for agents_are 2
check "nothing is in use any more" wait_for metric_is one slave/cpus_used 0.0
finish
