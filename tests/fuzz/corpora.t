#!/bin/sh
# corpora.t - every fuzz target comes through the files of its corpus

: "${srcdir:=.}" "${builddir:=.}"
number=0

for corpus in "$srcdir"/tests/fuzz/corpus/*; do
    number=$((number + 1))
    name=fuzz_$(basename "$corpus")
    if said=$("$builddir/tests/fuzz/$name" "$corpus"/* 2>&1); then
        echo "ok $number - $name: $said"
    else
        echo "$said" | sed 's/^/# /'
        echo "not ok $number - $name"
    fi
done
echo "1..$number"
