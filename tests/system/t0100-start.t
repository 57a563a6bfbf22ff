#!/bin/sh
# Master and agent: they start, find each other, answer, and end when told to.
. "$(dirname "$0")/harness.sh"

says() {                             # NAME PATH WORDS...
    text=$(get "$1" "$2") || return
    shift 2
    for word in "$@"; do
        case $text in
        *"$word"*) ;;
        *)
            echo "no $word in: $text"
            return 1
            ;;
        esac
    done
}

ends_with_0() {
    stop "$1"
    echo "status $status"
    [ $status = 0 ]
}

prints() {                           # WORD COMMAND...
    word=$1
    shift
    "$@" | grep -qF -e "$word"
}

is_free() { ! curl -s -m 5 "http://$1/health"; }

for program in mesos-lite-master mesos-lite-agent; do
    check "$program --version says what it is" prints 'mesos-lite' "$builddir/$program" --version
    check "$program --help names its flags" prints '--work_dir' "$builddir/$program" --help
done

check "a master starts on a free port" start_master --cluster=nursery
check "an agent starts on a free port" start_agent agent --attributes=rack:r1
check "the agent registers" wait_for agents_are 1

id=$(get agent /state | sed 's/.*"id":"\([^"]*-S0\)".*/\1/')
master=$(address_of master) agent=$(address_of agent)
check "the master's state shows itself" \
    says master /state '"cluster":"nursery"' "\"pid\":\"master@$master\"" '"activated_slaves":1'
check "the master's state shows the agent, and its version in full" \
    says master /state "\"id\":\"$id\"" "\"pid\":\"slave(1)@$agent\"" '"active":true' \
    '"rack":"r1"' '"version":"1.11.0","capabilities"'
check "the agent's state shows itself" \
    says agent /state "\"id\":\"$id\"" '"cpus":4' '"mem":1024' '"ports":"[31000-31010]"' '"disk":1024'
for node in master agent; do
    check "$node: /health answers" says $node /health
    check "$node: /version says the version of the API, and ours" \
        says $node /version '"version":"1.11.0"' '"mesos_lite_version"'
    check "$node: /flags shows what it was given" \
        says $node /flags "\"work_dir\":\"$place/$node\"" '"port":"0"'
    check "$node: /help names its endpoints" says $node /help '/version' '/metrics'
    check "$node: /metrics is for Prometheus" says $node /metrics '_uptime_secs '
done
check "master: /metrics/snapshot counts its agents" metric_is master master/slaves_connected 1.0
check "agent: /metrics/snapshot counts its CPUs" metric_is agent slave/cpus_total 4.0
for path in /state.json /master/state /master/state.json; do
    check "the master's state is at $path, too" says master $path '"activated_slaves":1'
done
check "the agent's state is at /slave(1)/state, too" says agent '/slave(1)/state' "\"id\":\"$id\""

check "SIGTERM ends an agent with status 0" ends_with_0 agent
check "SIGTERM ends a master with status 0" ends_with_0 master
check "their ports are free again" is_free "$master"
check "the agent's is, too" is_free "$agent"

check "a master starts again on the same port" start_master
check "an agent starts again on the same port" start_agent agent --attributes=rack:r1
check "it is the same agent" wait_for says master /state "\"id\":\"$id\"" '"activated_slaves":1'
finish
