#!/bin/sh
# light-lint.t - the conventions that are programs, as tests

: "${srcdir:=.}"
export srcdir
number=0

for tool in check-names check-layers check-seam check-style check-quotes; do
    number=$((number + 1))
    if found=$("$srcdir/tests/tools/$tool" 2>&1); then
        echo "ok $number - $tool"
    else
        echo "$found" | sed 's/^/# /'
        echo "not ok $number - $tool"
    fi
done
echo "1..$number"
