/* peer_caf.cc - the workloads of make bench in C++, with the actors of CAF
 *
 * peer_caf WORKLOAD prints operations a second (bytes of idle) and nanoseconds of
 * CPU for each.
 */
#include <caf/all.hpp>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace caf;

namespace {

constexpr int BURST = 1000, FLYING = 4;

struct figures {
    double figure, cpu;
};

double cpu_ns()
{
    rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

figures timed(double operations, const std::function<void()> &run)
{
    double before = cpu_ns();
    auto start = std::chrono::steady_clock::now();

    run();
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    return { operations / wall.count(), (cpu_ns() - before) / operations };
}

void wait_for(scoped_actor &self, int n)
{
    for (int i = 0; i < n; i++)
        self->receive([](ok_atom) {});
}

/* ---- one to one ---- */

behavior sink(event_based_actor *self, actor source)
{
    auto count = std::make_shared<int>(0);

    return { [=](int) {
        if (++*count % BURST == 0)
            self->send(source, ok_atom_v);
    } };
}

figures dispatch(actor_system &system)
{
    constexpr int BURSTS = 3000;
    scoped_actor self{ system };
    actor to = system.spawn(sink, actor{ self });

    return timed(double(BURSTS) * BURST, [&] {
        for (int b = 0; b < BURSTS; b++) {
            if (b >= FLYING)
                wait_for(self, 1);
            for (int i = 0; i < BURST; i++)
                self->send(to, i);
        }
        wait_for(self, FLYING);
    });
}

/* ---- tokens ---- */

behavior member(event_based_actor *self, actor done)
{
    auto next = std::make_shared<actor>();

    return { [=](actor &n) { *next = n; },
             [=](int left) {
                 if (left == 0)
                     self->send(done, ok_atom_v);
                 else
                     self->send(*next, left - 1);
             } };
}

figures token(actor_system &system, int members, int hops, double operations)
{
    scoped_actor self{ system };
    std::vector<actor> v;

    for (int i = 0; i < members; i++)
        v.push_back(system.spawn(member, actor{ self }));
    for (int i = 0; i < members; i++)
        self->send(v[i], v[(i + 1) % members]);
    figures f = timed(operations, [&] {
        self->send(v[0], hops);
        wait_for(self, 1);
    });
    for (auto &a : v)
        self->send_exit(a, exit_reason::kill);
    return f;
}

figures ping_pong(actor_system &system)
{
    return token(system, 2, 2000000, 1000000);
}

figures ring(actor_system &system)
{
    return token(system, 1000, 2000000, 2000000);
}

/* ---- many to one ---- */

behavior counter(event_based_actor *self, actor done, int n)
{
    auto left = std::make_shared<int>(n);

    return { [=](int) {
        if (--*left == 0)
            self->send(done, ok_atom_v);
    } };
}

behavior sender(event_based_actor *self, actor to)
{
    return { [=](int n) {
        for (int i = 0; i < n; i++)
            self->send(to, i);
    } };
}

figures senders(actor_system &system)
{
    constexpr int EACH = 20000;
    scoped_actor self{ system };
    actor to = system.spawn(counter, actor{ self }, 100 * EACH);

    return timed(100.0 * EACH, [&] {
        for (int i = 0; i < 100; i++)
            self->send(system.spawn(sender, to), EACH);
        wait_for(self, 1);
    });
}

/* ---- lives ---- */

behavior idler(event_based_actor *)
{
    return { [](int) {} };
}

behavior parent(event_based_actor *self, actor done, int lives, int at_once)
{
    auto unborn = std::make_shared<int>(lives), alive = std::make_shared<int>(0);
    auto give_birth = [=] {
        actor child = self->spawn<monitored>(idler);

        self->send_exit(child, exit_reason::user_shutdown);
        --*unborn;
        ++*alive;
    };

    self->set_down_handler([=](down_msg &) {
        --*alive;
        if (*unborn > 0)
            give_birth();
        else if (*alive == 0)
            self->send(done, ok_atom_v);
    });
    return { [=](int) {
        for (int i = 0; i < at_once; i++)
            give_birth();
    } };
}

figures spawn(actor_system &system)
{
    constexpr int LIVES = 300000;
    scoped_actor self{ system };
    actor p = system.spawn(parent, actor{ self }, LIVES, 100);

    return timed(LIVES, [&] {
        self->send(p, 0);
        wait_for(self, 1);
    });
}

double resident()
{
    std::ifstream f("/proc/self/statm");
    double size, pages;

    f >> size >> pages;
    return pages * sysconf(_SC_PAGESIZE);
}

figures idle(actor_system &system)
{
    constexpr int N = 300000;
    std::vector<actor> v;

    v.reserve(N);
    double before = resident();
    for (int i = 0; i < N; i++)
        v.push_back(system.spawn(idler));
    double after = resident();
    for (auto &a : v)
        anon_send_exit(a, exit_reason::kill);
    return { (after - before) / N, 0 };
}

} // namespace

int main(int, char **argv)
{
    const std::map<std::string, figures (*)(actor_system &)> workloads = {
        { "dispatch", dispatch }, { "ping-pong", ping_pong }, { "ring", ring },
        { "senders", senders },   { "spawn", spawn },         { "idle", idle },
    };
#if CAF_VERSION >= 1800
    core::init_global_meta_objects();
#endif
    actor_system_config config;
    actor_system system{ config };
    figures f = workloads.at(argv[1])(system);

    printf("%.3f %.3f\n", f.figure, f.cpu);
}
