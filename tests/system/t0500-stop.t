#!/bin/sh
# After the end: no process, no socket, no lock is left; the launcher ends by itself.
. "$(dirname "$0")/harness.sh"

ports() {                            # listening ones of these numbers
    for address in "$@"; do
        hex=$(printf '%04X' "${address#*:}")
        awk -v port=":$hex" '$4 == "0A" && $2 ~ port "$"' /proc/net/tcp
    done
}
nothing_listens() { [ -z "$(ports "$@")" ] || { ports "$@"; false; }; }
are_started() { [ "$(cat "$place"/task.* 2>/dev/null | wc -l)" = "$1" ]; }
has_no_processes_but_launcher() { [ "$(processes | wc -l)" = "$(launchers | wc -l)" ]; }
descriptors() { find "/proc/$(pid_of "$1")/fd" -type l 2>/dev/null | wc -l; }
has_at_most() { now=$(descriptors "$1"); echo "$now open, at most $2"; [ "$now" -le "$2" ]; }

need start_master
need start_agent agent
need wait_for agents_are 1
seq -f 'echo %g' 50 >"$place/warm"
for i in $(seq 5); do
    echo "echo \$\$ >>$place/task.$i; sleep 1000 & sleep 1001"
done >"$place/batch"
run() {
    "$builddir/mesos-lite-framework" --master="$(address_of master)" --cpus=0.1 --mem=16 "$1"
}

run "$place/warm" >/dev/null 2>&1
before_agent=$(descriptors agent) before_master=$(descriptors master)
for round in 1 2 3; do
    run "$place/warm" >"$place/warm.$round" 2>&1
done
check "after 150 more commands the agent has no more open files" \
    wait_for has_at_most agent "$before_agent"
check "nor has the master" wait_for has_at_most master "$before_master"

start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.1 --mem=16 "$place/batch"
check "5 commands with children run" wait_for are_started 5
stop framework
check "SIGTERM ends a batch with status 143" [ "$status" = 143 ]
check "its commands and their children are gone" \
    wait_for sh -c "! ps -o pid= -p $(cat "$place"/task.* | paste -sd, -)"

start framework mesos-lite-framework --master="$(address_of master)" --cpus=0.1 --mem=16 "$place/batch"
rm "$place"/task.*
check "5 commands run again" wait_for are_started 5
master=$(address_of master) agent=$(address_of agent)
end_with USR1 agent
check "SIGUSR1 ends an agent with its tasks, with status 0" [ "$status" = 0 ]
check "the master knows that it is gone" metric_is master master/slave_removals 1.0
check "its commands are gone" \
    wait_for sh -c "! ps -o pid= -p $(cat "$place"/task.* | paste -sd, -)"
stop framework
stop master
check "nobody listens any more" nothing_listens "$master" "$agent"
check "only the launcher is left" wait_for has_no_processes_but_launcher
check "it ends by itself" wait_for no_process_is_left
check "its socket is gone" [ ! -e "$place/agent/meta/launcher.sock" ]
check "no sandbox is a mess: the database opens" start_master
finish
