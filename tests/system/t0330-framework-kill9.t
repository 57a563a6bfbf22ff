#!/bin/sh
# kill -9 of a framework: its tasks go on for its failover time-out, then they are killed.
. "$(dirname "$0")/harness.sh"

run() {                              # FAILOVER-TIMEOUT
    start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.1 --mem=16 \
        --failover_timeout="$1" "$place/batch"
}
ticks() { cat "$place"/tick.* 2>/dev/null | wc -l; }
tick_more() { [ "$(ticks)" -gt "$1" ]; }
tasks_are() { metric_is agent slave/tasks_running "$1.0"; }
nothing_ticks() { ! processes | xargs -r -n1 sh -c 'tr "\0" " " <"/proc/$0/cmdline"' 2>/dev/null | grep tick; }

need start_master
need start_agent agent
need wait_for agents_are 1
for i in 1 2 3; do
    echo "while :; do echo tick >>$place/tick.$i; sleep 0.1; done"
done >"$place/batch"

run 2secs
check "3 commands run" wait_for tasks_are 3
kill9 framework
check "the master sees that it is gone" wait_for metric_is master master/frameworks_disconnected 1.0
check "its tasks are still there" tasks_are 3
seen=$(ticks)
check "and go on" wait_for tick_more "$seen"
check "after the failover time-out they are killed" wait_for tasks_are 0
check "all that came of them, too" wait_for nothing_ticks
check "the master has forgotten it" wait_for metric_is master master/frameworks_disconnected 0.0
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0

# A failover time-out of nothing.
run 0secs
check "3 commands run again" wait_for tasks_are 3
kill9 framework
check "without a failover time-out they are killed at once" wait_for tasks_are 0
check "nothing is left of them" wait_for nothing_ticks

# Interrupted, it cleans up behind itself.
run 1hrs
check "3 commands run once more" wait_for tasks_are 3
end_with INT framework
check "SIGINT ends a batch with status 130" [ "$status" = 130 ]
check "its tasks are killed" wait_for tasks_are 0
check "nothing is in use at the end" wait_for metric_is agent slave/cpus_used 0.0
finish
