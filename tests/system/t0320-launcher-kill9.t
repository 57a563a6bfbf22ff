#!/bin/sh
# kill -9 of a launcher: what runs goes on, and the agent starts another one.
. "$(dirname "$0")/harness.sh"

batch() {
    start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.1 --mem=16 \
        --keep-order "$@"
}
are_started() { [ "$(cat "$place"/task.* 2>/dev/null | grep -c begin)" = "$1" ]; }

need start_master
need start_agent agent
need wait_for agents_are 1

for i in $(seq 10); do
    echo "echo begin >>$place/task.$i; while ! [ -e $place/gate ]; do sleep 0.2; done; echo $i; exit 0"
done >"$place/batch"
batch "$place/batch"
check "10 commands run" wait_for are_started 10
old=$(launchers)
check "they have a launcher" [ -n "$old" ]
kill -9 "$old"
check "it is gone" wait_for sh -c "! kill -0 $old"
touch "$place/gate"
await framework
check "the commands go on to their ends" [ "$status" = 0 ]
check "with all that they print" sh -c "seq 10 | cmp - '$place/framework.out'"
check "each ran once" are_started 10

rm "$place/framework.out"
seq -f 'echo %g' 20 >"$place/batch"
batch "$place/batch"
await framework
check "new commands run" [ "$status" = 0 ]
check "with all that they print, too" sh -c "seq 20 | cmp - '$place/framework.out'"
check "under another launcher" [ "$(launchers)" != "$old" ]

# With the agent at once: nobody is there to see it.
rm "$place/framework.out" "$place/gate" "$place"/task.*
for i in $(seq 5); do
    echo "echo begin >>$place/task.$i; while ! [ -e $place/gate ]; do sleep 0.2; done; echo $i"
done >"$place/batch"
batch "$place/batch"
check "5 commands run" wait_for are_started 5
kill -9 "$(launchers)"
kill9 agent
touch "$place/gate"
check "the agent starts again" start_agent agent
await framework
check "the commands of a dead launcher and a dead agent end well" [ "$status" = 0 ]
check "with all that they print, again" sh -c "seq 5 | cmp - '$place/framework.out'"
check "each ran once, again" are_started 5
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0
finish
