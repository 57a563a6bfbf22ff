#!/bin/sh
# A full disk: launches fail and say why, agent and master go on, and recover.
. "$(dirname "$0")/harness.sh"

disk=$place/disk
release() { umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null; clean_up; }
mkdir "$disk"
[ "$(id -u)" = 0 ] || skip "only root can mount a small disk"
mount -t tmpfs -o size=4m,mode=755 tmpfs "$disk" 2>/dev/null ||
    skip "this machine does not permit mounting a tmpfs"
trap release EXIT

fill() { cat /dev/zero >"$disk/fill" 2>/dev/null; :; }
empty() { rm "$disk/fill"; }

batch() {                            # WANTED-STATUS COMMAND
    echo "$2" >"$place/batch"
    SYSTEM_TEST=$place timeout $deadline "$builddir/mesos-lite-framework" --timeout=20secs \
        --master="$(address_of master)" --cpus=0.5 --mem=32 "$place/batch" \
        >"$place/stdout" 2>"$place/stderr"
    status=$?
    cat "$place/stdout" "$place/stderr"
    [ $status = "$1" ]
}

probe() {                            # runs the script on stdin
    SYSTEM_TEST=$place timeout $deadline "$builddir/tests/system/probe_framework" \
        "$(address_of master)" >"$place/statuses" 2>&1
    cat "$place/statuses"
}
says() { grep -E -e "$1" "$place/statuses" || { cat "$place/statuses"; false; }; }

# ---- the agent's ----

mkdir "$disk/agent" && ln -s "$disk/agent" "$place/agent"
need start_master
need start_agent agent
need wait_for agents_are 1
check "a command runs while there is space" batch 0 'echo fine'
fill
printf 'task full\n shell true\nlaunch\n' | probe >"$place/probe"
check "on a full disk the probe hears the end of its task" \
    says '^full TASK_(FAILED|DROPPED|LOST) REASON_[A-Z_]+ .*'
check "it is told that the disk is full" \
    says '^full TASK_[A-Z]+ REASON_[A-Z_]+ .*([Nn]o space|disk.*full|database or disk is full)'
check "the agent goes on" get agent /health
check "it is still registered" agents_are 1
check "nothing of the task is left" wait_for metric_is agent slave/cpus_used 0.0
empty
check "with space again a command runs again" batch 0 'echo fine'
printf 'task big\n shell cat /dev/zero >big; rm big; exit 0\nlaunch\n' | probe >"$place/probe"
check "a task that fills the disk, and cleans up, is heard of" says '^big TASK_FINISHED'
check "after it a command runs again" batch 0 'echo fine'
stop_daemons

# ---- the master's registry ----

rm -f "$place"/*.address "$place/agent"
mkdir "$disk/registry" && rm -rf "$place/master" && ln -s "$disk/registry" "$place/master"
need start_master
fill
need start_agent agent
await master
check "the master that cannot admit an agent ends, with status 1" [ "$status" = 1 ]
check "it says why" log_has master '^mesos-lite-master: .*registry.*full'
empty
check "it starts again" start_master
check "with space again the agent is admitted" wait_for agents_are 1
check "a command runs there" batch 0 'echo fine'
finish
