#!/bin/sh
# examples.t - the programs of docs/process.md say what the guide says they say

: "${srcdir:=.}" "${builddir:=.}"
number=0

for expected in "$srcdir"/docs/examples/*.out; do
    number=$((number + 1))
    name=$(basename "$expected" .out)
    if got=$("$builddir/docs/examples/$name") && [ "$got" = "$(cat "$expected")" ]; then
        echo "ok $number - $name"
    else
        echo "$got" | sed 's/^/# /'
        echo "not ok $number - $name"
    fi
done
echo "1..$number"
