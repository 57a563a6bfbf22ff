#!/bin/sh
# A master, agents and a framework that speak TLS with each other, each with a certificate.
. "$(dirname "$0")/harness.sh"

command -v openssl >/dev/null || skip "openssl is not there"
unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE

# ---- certificates, by the commands of docs/operator.md ----

make_authority() {                   # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=$1" -keyout "$place/$1.key" -out "$place/$1.pem"
}

make_certificate() {                 # NAME AUTHORITY
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
        -keyout "$place/$1.key" -out "$place/$1.csr" &&
        openssl x509 -req -in "$place/$1.csr" -CA "$place/$2.pem" -CAkey "$place/$2.key" \
            -CAcreateserial -copy_extensions copy -days 365 -out "$place/$1.pem"
}

need make_authority ca
need make_authority stranger
need make_certificate node ca
need make_certificate foreign stranger

# NAME COMMAND...: with that certificate, and nobody trusted who has none of the CA's.
# What it starts is this shell's child, as everything is that the harness waits for.
with_tls() {
    export LIBPROCESS_SSL_ENABLED=true \
        LIBPROCESS_SSL_CERT_FILE="$place/$1.pem" LIBPROCESS_SSL_KEY_FILE="$place/$1.key" \
        LIBPROCESS_SSL_CA_FILE="$place/ca.pem" LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=true \
        LIBPROCESS_SSL_VERIFY_IPADD=true LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME=openssl
    shift
    "$@"
    result=$?
    unset LIBPROCESS_SSL_ENABLED
    return $result
}

tls_get() {                          # NAME PATH CURL-ARG...
    node=$1 path=$2
    shift 2
    curl -sS -f -m 20 "$@" "https://$(address_of "$node")$path"
}
as_friend() {
    tls_get "$@" --cacert "$place/ca.pem" --cert "$place/node.pem" --key "$place/node.key"
}

says() {                             # WORD NAME PATH
    as_friend "$2" "$3" | grep -qF -e "$1" || as_friend "$2" "$3"
}
agents_are() { as_friend master /metrics/snapshot | grep -qF "\"master/slaves_active\":$1.0"; }
counts() {                           # NAME METRIC
    as_friend "$1" /metrics/snapshot | tr ',{}' '\n' | sed -n "s|^\"$2\":||p"
}
has_counted() { [ "$(counts "$1" "$2")" != 0.0 ] && [ -n "$(counts "$1" "$2")" ]; }

# ---- a cluster ----

check "a master starts with TLS" with_tls node start_master
check "an agent starts with TLS" with_tls node start_agent agent
check "it registers" wait_for agents_are 1
check "curl with a certificate is served" says "\"master@$(address_of master)\"" master /state
check "the agent's state is served" says '"slave(1)@' agent /state
check "so is a request by another name of the node's" \
    curl -sS -f -m 20 --cacert "$place/ca.pem" --cert "$place/node.pem" --key "$place/node.key" \
    "https://localhost:$(address_of master | cut -d: -f2)/health"

refused() { ! "$@"; }
check "curl without a certificate is refused" refused tls_get master /health --cacert "$place/ca.pem"
check "so is one of a stranger's" refused tls_get master /health --cacert "$place/ca.pem" \
    --cert "$place/foreign.pem" --key "$place/foreign.key"
check "the node's certificate is the authority's" \
    refused tls_get master /health --cacert "$place/stranger.pem"
check "plain HTTP is refused" refused get master /health
check "which is counted" has_counted master process/tls_plain_refused
check "and said" log_has master 'refused: it does not speak TLS'
check "failed handshakes are counted" has_counted master process/tls_handshakes_failed
explained() {                        # of one kind of complaint one is logged in a while
    refused tls_get master /health --cacert "$place/ca.pem" &&
        log_has master 'handshake: peer did not return a certificate'
}
check "and explained" wait_for explained

# ---- work ----

framework() {                        # ARG...
    SYSTEM_TEST=$place timeout $deadline "$builddir/mesos-lite-framework" \
        --master="$(address_of master)" "$@"
}

seq 1 20 | sed 's/^/echo hello from /' >"$place/jobs"
with_tls node framework --cpus=0.5 --mem=32 "$place/jobs" >"$place/printed" \
    2>"$place/framework.log"
check "the framework succeeds" [ $? = 0 ]
check "it has all that they printed" \
    [ "$(grep -c '^hello from [0-9]*$' "$place/printed")" = 20 ]

example=$builddir/tests/system/example_executor
with_tls node env SYSTEM_TEST="$place" timeout $deadline "$builddir/tests/system/probe_framework" \
    "$(address_of master)" >"$place/statuses" 2>&1 <<END
task first
    data echo out of first
    executor example
    program $example
    resources cpus:0.1;mem:32
task command
    executor command
    program $builddir/mesos-lite-executor
    resources cpus:0.1;mem:32
    data true
launch
wait first
END
check "a custom executor gets the agent's TLS, and runs its task" \
    grep -q '^first TASK_FINISHED' "$place/statuses"
check "so does the command executor as a program" \
    log_has agent 'executor command of framework .* registered'

# ---- who does not belong ----

is_not_served() {
    refuses 'giving up: master .* has not answered' framework --timeout=1secs "$place/jobs"
}
check "a framework of a stranger's is not served" with_tls foreign is_not_served
check "nor is one without TLS" is_not_served
check "an agent of a stranger's starts" with_tls foreign start_agent foreign
check "and is not let in" wait_for log_has foreign 'the peer says: tlsv1 alert unknown ca'
check "nor is an agent without TLS" start_agent plain
check "which hears nothing" wait_for log_has plain 'cannot be connected to, or hung up'
check "there is still one agent" agents_are 1

# ---- restarts, and changing over ----

kill9 master
check "a master that was killed comes back" with_tls node start_master
check "and has its agent" wait_for agents_are 1
stop agent
stop master
stop foreign
stop plain
with_downgrade() {
    export LIBPROCESS_SSL_SUPPORT_DOWNGRADE=true LIBPROCESS_SSL_REQUIRE_CLIENT_CERT=false
    "$@"
    result=$?
    unset LIBPROCESS_SSL_SUPPORT_DOWNGRADE
    return $result
}
check "a master that supports downgrade starts" with_tls node with_downgrade start_master
check "and an agent without TLS" start_agent plain
check "which is let in" wait_for agents_are 1
check "curl may speak plainly" get master /health
check "or not" as_friend master /health
check "both kinds of connections are counted" has_counted master process/tls_downgrades

# ---- what is wrong is said ----

wrong() {                            # WORDS VARIABLE=VALUE...
    words=$1
    shift
    refuses "$words" env LIBPROCESS_SSL_ENABLED=true \
        LIBPROCESS_SSL_CERT_FILE="$place/node.pem" LIBPROCESS_SSL_KEY_FILE="$place/node.key" "$@" \
        "$builddir/mesos-lite-master" --port=0 --work_dir="$place/wrong"
}
check "a certificate that is not there" wrong '/no/such' LIBPROCESS_SSL_CERT_FILE=/no/such
check "a key of another certificate" wrong 'does not fit' LIBPROCESS_SSL_KEY_FILE="$place/ca.key"
check "SSL 3" wrong 'SSL 3 is broken' LIBPROCESS_SSL_ENABLE_SSL_V3=true
check "a boolean that is none" wrong "can be true or 1" LIBPROCESS_SSL_SUPPORT_DOWNGRADE=maybe
check "an address that is none" wrong "LIBPROCESS_IP: 'here'" LIBPROCESS_IP=here
finish
