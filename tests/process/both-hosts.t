#!/bin/sh
# both-hosts.t - the tests of both-hosts pass in the simulated world, too; many seeds:
# make check-sim-process

: "${srcdir:=.}" "${builddir:=.}"
export srcdir builddir

if said=$("$srcdir/tests/process/check-sim-process" 1-3 2>&1); then
    echo "ok 1 - in the simulated world"
else
    echo "$said" | sed 's/^/# /'
    echo "not ok 1 - in the simulated world"
fi
echo "1..1"
