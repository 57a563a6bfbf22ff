#!/bin/sh
# Who may ask what: names and secrets for the realms of master and agent, and disabled endpoints.
. "$(dirname "$0")/harness.sh"

agent_program=$builddir/mesos-lite-agent
master_program=$builddir/mesos-lite-master
credentials=$place/credentials
echo '{"credentials": [{"principal": "ann", "secret": "s3cret"}]}' >"$credentials"
chmod 600 "$credentials"
printf 'bob builder\n' >"$place/lines"
echo '{"disabled_endpoints": {"paths": ["/master/roles", "/help"]}}' >"$place/rules"

# NODE PATH STATUS [CURL ARGUMENT...]
answers() {
    path=http://$(address_of "$1")$2 expected=$3
    shift 3
    got=$(curl -sS -m 20 -o "$place/body" -w '%{http_code}' "$@" "$path")
    [ "$got" = "$expected" ] || { echo "$path: $got, not $expected"; cat "$place/body"; false; }
}

challenges() {                       # NODE PATH REALM
    curl -sS -m 20 -D - -o "$place/body" "http://$(address_of "$1")$2" |
        grep -i "^WWW-Authenticate: Basic realm=\"$3\"" || { echo "no challenge"; false; }
}

hides() { ! get_as_ann "$1" /flags | grep -e "$2"; }
get_as_ann() { curl -sS -f -m 20 -u ann:s3cret "http://$(address_of "$1")$2"; }

need start_master --authenticate_http_readonly --authenticate_http_readwrite \
    --authenticate_http_frameworks --http_framework_authenticators=basic \
    --credentials="$credentials" --firewall_rules="$place/rules"
need start_agent agent --authenticate_http_readonly --authenticate_http_readwrite \
    --http_credentials="file://$place/lines" \
    --firewall_rules='{"disabled_endpoints": {"paths": ["/slave(1)/files/debug"]}}'

for path in /state /master/state /state.json /slaves /frameworks /tasks /flags \
    /metrics/snapshot /metrics; do
    check "nobody reads $path of the master unknown" \
        challenges master "$path" mesos-master-readonly
done
check "who is known reads the state" answers master /state 200 -u ann:s3cret
check "a wrong secret is refused" answers master /state 401 -u ann:secret
check "an unknown name is refused" answers master /state 401 -u bob:builder
check "health and version are for everybody" answers master /health 200
check "so is the version" answers master /version 200
check "the operator API is closed" challenges master /api/v1 mesos-master-readwrite
check "so is what changes the log" challenges master /logging/toggle mesos-master-readwrite
check "frameworks have a realm of their own" \
    challenges master /api/v1/scheduler mesos-master-scheduler
check "who is known uses the operator API" answers master /api/v1 200 -u ann:s3cret \
    -H 'Content-Type: application/json' -d '{"type":"GET_HEALTH"}'
check "a disabled endpoint answers nobody" answers master /roles 403 -u ann:s3cret
check "and says so" grep -qx "Endpoint '/master/roles' is disabled" "$place/body"
check "nor by its other names" answers master /master/roles.json 403 -u ann:s3cret
check "what is below it, neither" answers master /help/master 403
check "the path of the credentials is shown" \
    sh -c "curl -sS -u ann:s3cret http://$(address_of master)/flags | grep -q '$credentials'"
check "their content is not" hides master s3cret

check "nobody reads the agent's state unknown" challenges agent /state mesos-agent-readonly
check "nor its files" challenges agent /files/browse?path=/ mesos-agent-readonly
check "nor its operator API" challenges agent /api/v1 mesos-agent-readwrite
check "who is known reads it" answers agent /state 200 -u bob:builder
check "credentials that were given as text are not shown" \
    sh -c "! curl -sS -u bob:builder http://$(address_of agent)/flags | grep builder"
check "an endpoint with parentheses is disabled" answers agent /files/debug 403 -u bob:builder
check "the agent registers all the same: messages are no requests" \
    wait_for sh -c "curl -sS -f -u ann:s3cret http://$(address_of master)/metrics/snapshot |
        grep -q '\"master/slaves_active\":1.0'"

refuses_master() {
    words=$1
    shift
    refuses "$words" "$master_program" --registry=in_memory --port=0 "$@"
}
check "authentication without credentials is refused" \
    refuses_master 'authenticate_http_readonly needs --credentials' --authenticate_http_readonly
check "credentials that are not there are named" \
    refuses_master "credentials.*$place/nothing" --credentials="$place/nothing"
check "an unknown authenticator is told the known one" \
    refuses_master "http_authenticators.*'basic'" --authenticate_http_readonly \
    --credentials="$credentials" --http_authenticators=jwt
check "a rule that is none is named" refuses_master 'firewall_rules.*no endpoint' \
    --firewall_rules='{"disabled_endpoints":{"paths":["roles"]}}'
check "the agent's credentials have its own flag" refuses 'needs --http_credentials' \
    "$agent_program" --master=127.0.0.1:1 --port=0 --work_dir="$place/a" \
    --authenticate_http_readwrite
finish
