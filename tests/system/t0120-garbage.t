#!/bin/sh
# Garbage from strangers: both ports refuse it, go on, and do not grow.
. "$(dirname "$0")/harness.sh"

# Bytes of a file to a node's port, until it hangs up, half a second at most.
throw() {                            # NODE FILE
    address=$(address_of "$1")
    timeout 0.5 curl -s "telnet://$address" <"$2" >/dev/null
    :
}

answers() {                          # STATUS NODE PATH CURL-ARG...
    wanted=$1 url="http://$(address_of "$2")$3"
    shift 3
    got=$(curl -s -m 10 -o /dev/null -w '%{http_code}' "$@" "$url")
    echo "$got, wanted $wanted"
    [ "$got" = "$wanted" ]
}

kilobytes() { awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of "$1")/status"; }

grew_less_than_4_mb() {              # NODE BEFORE
    now=$(kilobytes "$1")
    echo "$2 kB before, $now kB now"
    [ $((now - $2)) -lt 4096 ]
}

message() {                          # NODE PATH FILE: as a libprocess peer sends it
    curl -s -m 10 -o /dev/null -w '%{http_code}' -H 'Libprocess-From: stranger@127.0.0.1:1' \
        --data-binary "@$3" "http://$(address_of "$1")$2"
}

throw_all() {                        # NODE
    for file in "$place"/garbage/*; do
        throw "$1" "$file"
    done
}

flood() {                            # NODE PATH
    i=0
    while [ $((i += 1)) -le 100 ]; do
        message "$1" "$2" "$place/bytes"
    done
}

need start_master --log=debug:process_message
need start_agent agent
need wait_for agents_are 1

mkdir "$place/garbage"
head -c 3000 /dev/urandom >"$place/bytes"
cp "$place/bytes" "$place/garbage/random"
head -c 100000 /dev/zero >"$place/garbage/zeros"
printf 'GET /state HT' >"$place/garbage/half-a-request"
printf 'POST /master/x HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\nabc' >"$place/garbage/long-body"
printf 'POST /master/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n' \
    >"$place/garbage/huge-chunk"
printf '\026\003\001\002\000\001\000\001\374\003\003' >"$place/garbage/a-tls-hello"
{
    printf 'GET /state HTTP/1.1\r\nX: '
    head -c 2000000 /dev/zero | tr '\0' x
    printf '\r\n\r\n'
} >"$place/garbage/huge-header"

check "a wrong method is refused" answers 405 master /teardown -X GET
for node in master agent; do
    case $node in
    master) inbox=/master/mesos.internal ;;
    agent) inbox='/slave(1)/mesos.internal' ;;
    esac
    check "$node: not found is 404" answers 404 $node /no/such/path
    check "$node: a huge header is refused" \
        answers 431 $node /state -H "X: $(head -c 100000 /dev/zero | tr '\0' x)"
    for name in RegisterSlaveMessage RunTaskMessage StatusUpdateMessage NoSuchMessage; do
        check "$node: a $name of random bytes is taken, and thrown away" \
            [ "$(message $node $inbox.$name "$place/bytes")" = 202 ]
    done
    check "$node: an empty RegisterSlaveMessage, too" \
        [ "$(message $node $inbox.RegisterSlaveMessage /dev/null)" = 202 ]
    check "$node: a message for nobody is 404" \
        [ "$(message $node /nobody/mesos.internal.RegisterSlaveMessage "$place/bytes")" = 404 ]

    throw_all $node
    flood $node $inbox.RegisterSlaveMessage >/dev/null
    before=$(kilobytes $node)
    throw_all $node
    flood $node $inbox.RegisterSlaveMessage >/dev/null
    check "$node: the second time it does not grow" grew_less_than_4_mb $node "$before"
    check "$node: it goes on" get $node /health
done
check "the log says which message was wrong, when it is asked to" \
    log_has master 'RegisterSlaveMessage from stranger.* dropped: '
check "the agent is still registered" agents_are 1
check "no stranger is" metric_is master master/slave_registrations 1.0
echo 'echo fine' >"$place/batch"
check "a command still runs" sh -c "'$builddir/mesos-lite-framework' --timeout=20secs \
    --master=$(address_of master) '$place/batch' | grep -x fine"
finish
