#!/bin/sh
# demo.sh - a cluster on this machine that does real work, in a minute
#
# A master and three agents on loopback, then mesos-lite-framework, which counts
# the words of, and checksums, a few hundred files.  The results are compared
# with those of a plain shell.  Needs $srcdir and $builddir; all files are in
# $DEMO_DIR (default: demo-run in the build folder).
#
# Whatever is started here has MESOS_LITE_DEMO=$place in its environment, and so
# have the launchers, supervisors and tasks that come of it: that is how they
# are found and ended, at our end or, after a SIGKILL, by the next demo.

: "${srcdir:=.}" "${builddir:=.}"
mkdir -p "${DEMO_DIR:=$builddir/demo-run}" || exit 1
place=$(cd "$DEMO_DIR" && pwd -P) && builddir=$(cd "$builddir" && pwd) &&
    srcdir=$(cd "$srcdir" && pwd) || exit 1
files_wanted=400 agents='1 2 3' deadline=60
no_proxy='*' LC_ALL=C
export no_proxy LC_ALL
unset MESOS_MASTER MESOS_WORK_DIR MESOS_RESOURCES MESOS_PORT MESOS_IP

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/.\[[01]m//g'; fi; }
fail() {
    echo "demo: $*" >&2
    exit 1
}

# ---- our processes ----

processes() {
    grep -lzxF "MESOS_LITE_DEMO=$place" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# First politely, so that agents and launchers may end what they have started.
end_all() {
    patience=50
    while left=$(processes) && [ -n "$left" ]; do
        if [ $patience -gt 0 ]; then
            kill $left 2>/dev/null
            patience=$((patience - 1))
            sleep 0.1
        else
            kill -9 $left 2>/dev/null
        fi
    done
}

clean_up() {
    status=$?
    trap '' HUP INT TERM
    trap - EXIT
    end_all
    wait
    rm -f "$place/demo.pid"
    if [ $status = 0 ]; then
        say "All stopped; nothing is left running.  Logs and results: $place"
    else
        echo "demo: ended with status $status; all is stopped; see the logs in $place/log" >&2
    fi
    exit $status
}

# A demo that lives is left alone; what a killed one has left is removed.
remove_remains() {
    if [ -s "$place/demo.pid" ]; then
        read -r pid start <"$place/demo.pid"
        [ -n "$start" ] && [ "$(start_time "$pid")" = "$start" ] &&
            fail "another one runs in $place, as process $pid"
    fi
    left=$(processes)
    [ -n "$left" ] && echo "demo: ending what an earlier one has left:" $left
    end_all
    rm -rf "$place/log" "$place/master" "$place"/agent* "$place/results" "$place"/*.txt \
        "$place"/*.address "$place"/*.log
}

# ---- starting ----

# NAME PROGRAM ARG...: in the background, out of reach of the terminal's Ctrl-C.
start() {
    name=$1 program=$2
    shift 2
    [ -x "$builddir/$program" ] || fail "$builddir/$program is missing: run make first"
    MESOS_LITE_DEMO=$place setsid "$builddir/$program" --port=0 --work_dir="$place/$name" \
        --address_file="$place/$name.address" "$@" >"$place/log/$name.log" 2>&1 </dev/null &
    pids="$pids $name:$!"
}

is_running() {
    for entry in $pids; do
        [ "${entry%%:*}" = "$1" ] && kill -0 "${entry#*:}" 2>/dev/null && return
    done
    return 1
}

# SENTENCE COMMAND...: polls, with a deadline.
wait_for() {
    what=$1 until=$(($(date +%s) + deadline))
    shift
    while ! "$@"; do
        [ "$(date +%s)" -lt $until ] || fail "$what: not within $deadline s"
        sleep 0.1
    done
}

has_address() {
    [ -s "$place/$1.address" ] && return
    is_running "$1" && return 1
    tail -n 5 "$place/log/$1.log" >&2
    fail "$1 does not start"
}

address_of() { cat "$place/$1.address"; }
get() { curl -sS -f -m 20 "http://$(address_of "$1")$2"; }
metric() { get "$1" /metrics/snapshot 2>/dev/null | tr ',{}' '\n' | sed -n "s|^\"$2\":||p"; }
agents_are() { [ "$(metric master master/slaves_active)" = "$1.0" ]; }

# ---- the work ----

# Names that need no quoting; the C library's headers and our own sources are
# always there.
list_files() {
    for folder in /usr/include /usr/share/doc "$srcdir/lib" "$srcdir/proto" "$srcdir/tests"; do
        find "$folder" -type f -readable -size +0 2>/dev/null | sort
    done | grep -E '^[A-Za-z0-9_./+-]+$' | head -n $files_wanted
}

write_commands() {
    list_files | while read -r file; do
        echo "echo \$(wc -w <$file) \$(cksum <$file) $file"
    done >"$place/commands.txt"
    n=$(wc -l <"$place/commands.txt")
    [ "$n" -ge 200 ] || fail "only $n files were found to work on"
}

run_framework() {
    MESOS_LITE_DEMO=$place "$builddir/mesos-lite-framework" --master="$(address_of master)" \
        --name=demo --cpus=0.5 --mem=32 --retries=2 --keep_order --joblog="$place/joblog.txt" \
        --results="$place/results" "$place/commands.txt" >"$place/output.txt" </dev/null &
    wait $! || fail "the framework has ended with status $?"
}

show_results() {
    echo "  words     checksum    bytes  file            (the largest five of $n)"
    sort -k3,3nr "$place/output.txt" | head -n 5 | awk '{ printf "%7d %12s %8d  %s\n", $1, $2, $3, $4 }'
    awk '{ words += $1; bytes += $3 }
         END { printf "%d files, %d words, %d bytes\n", NR, words, bytes }' "$place/output.txt"
    sh "$place/commands.txt" >"$place/expected.txt"
    cmp "$place/output.txt" "$place/expected.txt" || fail "a plain shell gets other results"
    echo "A plain shell gets the same $n lines."
    echo "Where they ran, how often: $(sed 1d "$place/joblog.txt" | cut -f2 | sort | uniq -c |
        tr -s ' \n' ' ')"
}

show() {                             # NAME PATH
    echo "\$ curl http://$(address_of "$1")$2"
    get "$1" "$2" | cut -c1-300 || fail "$1 does not answer at $2"
    echo
}

show_endpoints() {
    show master /version
    show master /master/state
    show agent1 '/slave(1)/state'
    echo "\$ curl http://$(address_of master)/metrics/snapshot   (a few of them)"
    for key in slaves_active tasks_finished tasks_failed tasks_lost cpus_total; do
        echo "  master/$key: $(metric master master/$key)"
    done
    for i in $agents; do
        echo "  agent $i: slave/tasks_finished: $(metric agent$i slave/tasks_finished)"
    done
}

remove_remains
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
echo "$$ $(start_time $$)" >"$place/demo.pid"
mkdir -p "$place/log"
pids=
write_commands

say "A master and three agents on this machine (logs: $place/log)"
start master mesos-lite-master
wait_for "the master starts" has_address master
echo "master: http://$(address_of master)"
for i in $agents; do
    start "agent$i" mesos-lite-agent --master="$(address_of master)" --hostname="agent$i" \
        --resources='cpus:4;mem:1024' --registration_backoff_factor=100ms
done
for i in $agents; do
    wait_for "agent $i starts" has_address "agent$i"
    echo "agent $i: http://$(address_of "agent$i")"
done
wait_for "three agents register" agents_are 3

say "$n tasks: count the words of a file, and checksum it"
run_framework

say "The results, merged"
show_results

say "What the endpoints say"
show_endpoints
exit 0
