#!/bin/sh
# kill -9 of an agent amid 50 tasks: each ends with its own status, none runs twice.
. "$(dirname "$0")/harness.sh"

joblog_has() {                       # COUNT PATTERN
    got=$(grep -cE -e "$2" "$place/joblog")
    [ "$got" = "$1" ] || { echo "$got, wanted $1"; cat "$place/joblog"; false; }
}
started() { cat "$place"/task.* 2>/dev/null | grep -c begin; }
are_started() { [ "$(started)" = "$1" ]; }
each_has() { grep -cx -e "$1" "$place"/task.* | grep -v ':1$'; [ $? = 1 ]; }

need start_master
need start_agent agent
need wait_for agents_are 1

# 25 of them end while there is no agent, 25 when it is back; every fifth fails.
for i in $(seq 50); do
    [ $((i % 5)) = 0 ] && status=3 || status=0
    [ $i -le 25 ] && gate=first || gate=second
    cat <<EOF
echo begin >>$place/task.$i; while ! [ -e $place/$gate ]; do sleep 0.2; done; echo end >>$place/task.$i; echo \$((6 * 7)); exit $status
EOF
done >"$place/batch"
start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.05 --mem=16 \
    --joblog="$place/joblog" --results="$place/results" --keep-order "$place/batch"
check "50 commands run" wait_for are_started 50
kill9 agent
touch "$place/first"
check "25 of them end while the agent is dead" \
    wait_for sh -c "[ \$(cat '$place'/task.* | grep -c end) = 25 ]"
check "the others go on" [ "$(started)" = 50 ]
check "the agent starts again" start_agent agent
check "it takes the others over" wait_for metric_is agent slave/tasks_running 25.0
touch "$place/second"
await framework
check "the batch ends, with failures" [ "$status" = 1 ]
check "each command began once" each_has begin
check "each command ended once" each_has end
check "40 of them succeeded" joblog_has 40 '	0	0	echo begin'
check "10 of them failed with their own status" joblog_has 10 '	3	0	echo begin'
check "there was one attempt for each" joblog_has 50 '	echo begin'
check "all outputs came" [ "$(cat "$place"/results/*/stdout | grep -cx 42)" = 50 ]
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0
finish
