#!/bin/sh
# `make install` gives all that a user needs: programs, pages, and libraries that a
# program outside of this tree is built with, by pkg-config and nothing else.
# shellcheck disable=SC2046    # the flags of pkg-config are words
: "${srcdir:=.}" "${builddir:=.}" "${CC:=cc}"
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
srcdir=$(cd "$srcdir" && pwd) && builddir=$(cd "$builddir" && pwd) || exit 99
place=$builddir/t0910-install root=$builddir/t0910-install/root
number=0

check() {                            # SENTENCE COMMAND...
    sentence=$1 number=$((number + 1))
    shift
    if "$@" >"$place/found" 2>&1; then
        echo "ok $number - $sentence"
    else
        tail -n 30 "$place/found" | sed 's/^/#   /'
        echo "not ok $number - $sentence"
    fi
}

# What configure has made of a variable, with ${prefix} and its like replaced.
configured() {
    value=$(echo "@$1@" | "$builddir/config.status" --silent --file=- 2>/dev/null)
    while case $value in *'${'*) true ;; *) false ;; esac; do
        name=${value#*'${'} name=${name%%'}'*}
        value=${value%%'${'*}$(configured "$name")${value#*'}'}
    done
    echo "$value"
}

install() {
    make -C "$builddir" -s install DESTDIR="$root"
}

all_are_there() {                    # FOLDER FILE...
    folder=$root$1
    shift
    for file in "$@"; do
        [ -f "$folder/$file" ] || { echo "no $folder/$file"; return 1; }
    done
}

# The .pc files speak of the prefix; here it is below $root.
pkg_config() {
    PKG_CONFIG_PATH=$root$libdir/pkgconfig ${PKG_CONFIG:-pkg-config} \
        --define-variable=prefix="$root$prefix" "$@"
}

headers_stand_alone() {
    headers=$(cd "$root$includedir/mesos-lite" && find . -name '*.h')
    [ "$(echo "$headers" | wc -l)" -gt 20 ] || { echo "too few headers"; return 1; }
    for header in $headers; do
        echo "#include \"${header#./}\"" >"$place/header.c"
        $CC -Wall -Wextra -Werror $(pkg_config --cflags mesos-lite-process) -fsyntax-only \
            "$place/header.c" || return 1
    done
}

# With the sources' folder as the working directory it would find our own headers.
compile() {                          # PROGRAM SOURCE FLAG...
    program=$1 source=$2
    shift 2
    (cd "$place" && cp "$source" "$program.c" &&
        $CC -Wall -Wextra -Werror $instrument -o "$program" "$program.c" "$@")
}
build() { compile "$1" "$2" $(pkg_config --cflags --libs "$3"); } # PROGRAM SOURCE PACKAGE

# The same with the archives: PROGRAM SOURCE LIBRARY...
build_static() {
    program=$1 source=$2 archives=
    shift 2
    for library; do
        archives="$archives $root$libdir/libmesos-lite-$library.a"
    done
    compile "$program" "$source" $(pkg_config --cflags mesos-lite-process) $archives \
        $(pkg_config --static --libs mesos-lite-process | sed 's/-lmesos-lite-[a-z]*//g')
}

# Where the dynamic linker finds our libraries; and who needs one.
run() { LD_LIBRARY_PATH=$root$libdir "$@"; }
needs() { readelf -d "$place/$1" | grep -q "NEEDED.*libmesos-lite-$2[.]so[.]0"; }

not_needs() { ! readelf -d "$place/$1" | grep 'NEEDED.*libmesos-lite'; }
uninstall() {
    make -C "$builddir" -s uninstall DESTDIR="$root" && ! find "$root" -type f -o -type l | grep .
}

speaks() { [ "$(run "$place/$1")" = 'hello from greeter(1)' ]; }
explains() {                         # PROGRAM WORD
    run "$place/$1" >"$place/said" 2>&1 && { echo "status 0"; return 1; }
    grep -q "$2" "$place/said" || { cat "$place/said"; return 1; }
}

rm -rf "$place" && mkdir -p "$place" || exit 99
cd "$place" || exit 99
prefix=$(configured prefix) libdir=$(configured libdir) includedir=$(configured includedir)
instrument=$(configured INSTRUMENT)

cat >"$place/greeter-source.c" <<'END'
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "process/host.h"
#include "process/program.h"
#include "process/runtime.h"
#include "process/typed.h"

struct greeter { struct process process; };
CLASS(greeter, "greeter", greeter_initialize, greeter_exited, greeter_finalize);
struct greeting { const char *word; };
CALL(greeter, greet, greeting, NO_RELEASE);

static void greeter_initialize(struct greeter *g)
{
    dispatch(&g->process.pid, greet, .word = "hello");
}
static void greet(struct greeter *g, struct greeting *a)
{
    printf("%s from %s\n", a->word, g->process.pid.id->bytes);
    process_terminate(&g->process.pid, TERMINATE_NOW);
}
static void greeter_exited(struct greeter *g, const struct pid *peer) { (void)g, (void)peer; }
static void greeter_finalize(struct greeter *g) { (void)g; }

int main(void)
{
    struct program_options options = { .log = "warning" };
    struct greeter g;
    struct program p;
    struct pid pid;
    struct error err;

    if (program_start(&p, host_real_create(), &options, &err) < 0 ||
        process_spawn(p.runtime, &g.process, &greeter_class, NULL, &pid, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    process_wait(&pid, SECONDS(3600));
    pid_release(&pid);
    program_stop(&p);
    return EXIT_SUCCESS;
}
END

check "make install succeeds" install
check "the daemons are in sbin" all_are_there "$(configured sbindir)" \
    mesos-lite-master mesos-lite-agent
check "mesos-lite-framework is in bin" all_are_there "$(configured bindir)" mesos-lite-framework
check "the agent's helpers are in libexec" all_are_there "$(configured libexecdir)/mesos-lite" \
    mesos-lite-launcher mesos-lite-fetcher mesos-lite-executor
check "the manual pages are there" all_are_there "$(configured mandir)" man8/mesos-lite-master.8 \
    man8/mesos-lite-agent.8 man1/mesos-lite-framework.1
check "the headers of the three libraries are there" all_are_there "$includedir/mesos-lite" \
    process/process.h framework/scheduler.h executor/executor.h proto/mesos.pb-c.h
check "the shared libraries and the archives are there" all_are_there "$libdir" \
    libmesos-lite-process.so.0 libmesos-lite-process.so libmesos-lite-process.a \
    libmesos-lite-mesos.so libmesos-lite-scheduler.so libmesos-lite-executor.so
check "no private header is installed" \
    sh -c "! find '$root' -name '*_private.h' -o -name core.h -o -name banned.h | grep ."
check "each header compiles by itself" headers_stand_alone
check "an actor is built outside of the tree" build greeter "$place/greeter-source.c" mesos-lite-process
check "it runs" speaks greeter
check "with the shared library" needs greeter process
check "a framework is built outside of the tree" \
    build sleepers "$srcdir/docs/examples/sleepers.c" mesos-lite-scheduler
check "it runs" explains sleepers 'usage: sleepers'
check "with the shared library" needs sleepers scheduler
check "an executor is built outside of the tree" \
    build counter_executor "$srcdir/docs/examples/counter_executor.c" mesos-lite-executor
check "it runs, and wants its agent" explains counter_executor MESOS_SLAVE_PID
check "with the shared library" needs counter_executor executor
check "an actor is built with the archive" \
    build_static static_greeter "$place/greeter-source.c" process
check "it runs" speaks static_greeter
check "without the shared library" not_needs static_greeter
check "a framework is built with the archives" \
    build_static static_sleepers "$srcdir/docs/examples/sleepers.c" scheduler mesos process
check "it runs" explains static_sleepers 'usage: sleepers'
check "make uninstall takes all of it away" uninstall
echo "1..$number"
