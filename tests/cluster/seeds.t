#!/bin/sh
# A few seeds of the simulation; make check-seeds runs many more.

: "${builddir:=.}"
if "$builddir/tests/cluster/sim_run" --seeds=1-50 >&2; then
    echo 'ok 1 - fifty simulated clusters with faults converge'
else
    echo 'not ok 1 - fifty simulated clusters with faults converge'
fi
echo 1..1
