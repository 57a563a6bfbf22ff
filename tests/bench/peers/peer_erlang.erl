%% peer_erlang.erl - the workloads of make bench in Erlang
%%
%% erl -noshell +P 2000000 -run peer_erlang main WORKLOAD prints operations a
%% second (bytes of idle) and nanoseconds of CPU for each.
-module(peer_erlang).
-export([main/1]).

-define(BURST, 1000).
-define(FLYING, 4).

main([Workload]) ->
    {Figure, Cpu} = run(Workload),
    io:format("~.3f ~.3f~n", [float(Figure), float(Cpu)]),
    halt(0).

timed(Operations, Do) ->
    {Cpu0, _} = statistics(runtime),
    T0 = erlang:monotonic_time(nanosecond),
    Do(),
    T1 = erlang:monotonic_time(nanosecond),
    {Cpu1, _} = statistics(runtime),
    {Operations * 1.0e9 / (T1 - T0), (Cpu1 - Cpu0) * 1.0e6 / Operations}.

run("dispatch") ->
    Bursts = 3000,
    Me = self(),
    Sink = spawn(fun() -> sink(0, Me) end),
    timed(Bursts * ?BURST, fun() -> feed(Sink, 0, Bursts) end);
run("ping-pong") ->
    Trips = 1000000,
    Echo = spawn(fun echo/0),
    timed(Trips, fun() -> trips(Echo, Trips) end);
run("ring") ->
    Hops = 2000000,
    Me = self(),
    First = ring(Me, 1000),
    timed(Hops, fun() -> First ! Hops, receive done -> ok end end);
run("senders") ->
    Each = 20000,
    Me = self(),
    timed(100 * Each, fun() ->
        [spawn(fun() -> tell(Me, Each) end) || _ <- lists:seq(1, 100)],
        count(100 * Each)
    end);
run("spawn") ->
    Lives = 500000,
    timed(Lives, fun() ->
        [give_birth() || _ <- lists:seq(1, 100)],
        lives(Lives - 100, 100)
    end);
run("idle") ->
    N = 300000,
    Before = resident(),
    Pids = [spawn(fun echo/0) || _ <- lists:seq(1, N)],
    Bytes = resident() - Before,
    N = length(Pids),
    {Bytes / N, 0};
run("timers") ->
    Rounds = 50, Each = 10000,
    timed(Rounds * Each, fun() -> [timers(Each) || _ <- lists:seq(1, Rounds)] end).

sink(N, Feeder) ->
    receive
        _ when N rem ?BURST =:= ?BURST - 1 -> Feeder ! taken, sink(N + 1, Feeder);
        _ -> sink(N + 1, Feeder)
    end.

feed(_, Bursts, Bursts) ->
    [receive taken -> ok end || _ <- lists:seq(1, ?FLYING)];
feed(Sink, B, Bursts) ->
    if B >= ?FLYING -> receive taken -> ok end; true -> ok end,
    burst(Sink, ?BURST),
    feed(Sink, B + 1, Bursts).

burst(_, 0) -> ok;
burst(Sink, N) -> Sink ! {tick, N}, burst(Sink, N - 1).

echo() -> receive {From, M} -> From ! M, echo() end.

trips(_, 0) -> ok;
trips(Echo, N) ->
    Echo ! {self(), N},
    receive N -> trips(Echo, N - 1) end.

ring(Done, N) ->
    Me = self(),
    First = spawn(fun() -> receive {next, Next} -> hop(Next, Done) end end),
    Last = lists:foldl(fun(_, Next) -> spawn(fun() -> hop(Next, Me) end) end,
                       First, lists:seq(2, N)),
    First ! {next, Last},
    First.

hop(Next, Done) ->
    receive
        0 -> Done ! done, hop(Next, Done);
        N -> Next ! N - 1, hop(Next, Done)
    end.

tell(_, 0) -> ok;
tell(To, N) -> To ! {tick, N}, tell(To, N - 1).

count(0) -> ok;
count(N) -> receive {tick, _} -> count(N - 1) end.

give_birth() ->
    {Pid, _} = spawn_monitor(fun() -> receive stop -> ok end end),
    Pid ! stop.

lives(0, 0) -> ok;
lives(Unborn, Alive) ->
    receive {'DOWN', _, process, _, _} -> ok end,
    if Unborn > 0 -> give_birth(), lives(Unborn - 1, Alive);
       true -> lives(0, Alive - 1)
    end.

timers(N) ->
    Timers = [erlang:send_after(1000000 + I rem 7000, self(), never) || I <- lists:seq(1, N)],
    [erlang:cancel_timer(T) || T <- Timers].

resident() ->
    {ok, Bytes} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Bytes, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.
