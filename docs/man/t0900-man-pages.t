#!/bin/sh
# The manual pages: they are well formed, and name each flag that --help names.
: "${srcdir:=.}" "${builddir:=.}"
LC_ALL=C
export LC_ALL
pages=$builddir/docs/man
number=0 found=$(mktemp) || exit 99
trap 'rm -f "$found"' EXIT

check() {                            # SENTENCE COMMAND...
    sentence=$1 number=$((number + 1))
    shift
    if "$@" >"$found" 2>&1; then
        echo "ok $number - $sentence"
    else
        sed 's/^/#   /' "$found"
        echo "not ok $number - $sentence"
    fi
}

flags_of() {                         # PROGRAM
    "$builddir/$1" --help | sed -nE 's/^  --(\[no-\])?([a-z_-]+).*/\2/p'
}

names_every_flag() {                 # PROGRAM PAGE
    flags=$(flags_of "$1")
    [ "$(echo "$flags" | wc -l)" -gt 10 ] || { echo "--help shows too few flags"; return 1; }
    missing=$(for flag in $flags; do
        grep -qE "^\.It Fl .{0,2}-$(echo "$flag" | sed 's/-/\\\\?-/g')( |\$)" "$2" || echo "--$flag"
    done)
    [ -z "$missing" ] || { echo "not there: $missing"; return 1; }
}

is_complete() {                      # PAGE SECTION...
    page=$1
    shift
    for section in "$@"; do
        grep -qx ".Sh $section" "$page" || { echo "no $section"; return 1; }
    done
    ! grep '@' "$page" | grep -v '@ip'
}

lints() {                            # PAGE
    ! mandoc -T lint -W warning "$1" | grep .
}

formats() {                          # PAGE
    warnings=$(man --warnings=mac,syntax,missing -l "$1" 2>&1 >/dev/null)
    [ -z "$warnings" ] || { echo "$warnings"; return 1; }
}

for page in mesos-lite-master.8 mesos-lite-agent.8 mesos-lite-framework.1; do
    check "$page names every flag of the program" \
        names_every_flag "${page%.*}" "$pages/$page"
    check "$page has all its sections" is_complete "$pages/$page" NAME SYNOPSIS DESCRIPTION \
        FLAGS ENVIRONMENT FILES 'EXIT STATUS' EXAMPLES 'SEE ALSO'
done
for page in mesos-lite-executor.8 mesos-lite-fetcher.8 mesos-lite-launcher.8; do
    check "$page has all its sections" is_complete "$pages/$page" NAME SYNOPSIS DESCRIPTION \
        'EXIT STATUS' 'SEE ALSO'
done
for page in "$pages"/*.[18]; do
    if command -v mandoc >/dev/null; then
        check "mandoc has no complaint about $(basename "$page")" lints "$page"
    elif command -v man >/dev/null && command -v groff >/dev/null; then
        check "man has no complaint about $(basename "$page")" formats "$page"
    fi
done
echo "1..$number"
