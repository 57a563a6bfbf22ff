// peer_go.go - the workloads of make bench in Go: goroutines and channels
//
// peer_go WORKLOAD prints operations a second (bytes of idle) and nanoseconds of
// CPU for each.
package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const flying = 4000 // what a channel holds: as many as are under way in ours

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

func timed(operations int, do func()) (float64, float64) {
	before, start := cpu(), time.Now()
	do()
	wall := time.Since(start)
	return float64(operations) / wall.Seconds(), (cpu() - before) / float64(operations)
}

func count(in chan int, n int) {
	for i := 0; i < n; i++ {
		<-in
	}
}

func dispatch() (float64, float64) {
	const n = 5000000
	return timed(n, func() {
		in := make(chan int, flying)
		go func() {
			for i := 0; i < n; i++ {
				in <- i
			}
		}()
		count(in, n)
	})
}

func pingPong() (float64, float64) {
	const trips = 1000000
	return timed(trips, func() {
		to, back := make(chan int), make(chan int)
		go func() {
			for i := range to {
				back <- i
			}
		}()
		for i := 0; i < trips; i++ {
			to <- i
			<-back
		}
		close(to)
	})
}

func ring() (float64, float64) {
	const hops, size = 2000000, 1000
	first := make(chan int, 1)
	done := make(chan bool)
	in := first
	for i := 0; i < size; i++ {
		out := first
		if i < size-1 {
			out = make(chan int, 1)
		}
		go func(in, out chan int) {
			for n := range in {
				if n == 0 {
					done <- true
				} else {
					out <- n - 1
				}
			}
		}(in, out)
		in = out
	}
	return timed(hops, func() {
		first <- hops
		<-done
	})
}

func senders() (float64, float64) {
	const each = 30000
	return timed(100*each, func() {
		in := make(chan int, flying)
		for s := 0; s < 100; s++ {
			go func() {
				for i := 0; i < each; i++ {
					in <- i
				}
			}()
		}
		count(in, 100*each)
	})
}

func giveBirth(ended chan bool) {
	stop := make(chan bool)
	go func() {
		<-stop
		ended <- true
	}()
	close(stop)
}

func spawn() (float64, float64) {
	const lives, alive = 1000000, 100
	return timed(lives, func() {
		ended := make(chan bool, alive)
		for i := 0; i < lives; i++ {
			if i >= alive {
				<-ended
			}
			giveBirth(ended)
		}
		for i := 0; i < alive; i++ {
			<-ended
		}
	})
}

func resident() float64 {
	var size, pages int
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fscan(f, &size, &pages)
	return float64(pages * os.Getpagesize())
}

func idle() (float64, float64) {
	const n = 300000
	var started sync.WaitGroup
	before := resident()
	started.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			in := make(chan int)
			started.Done()
			<-in
		}()
	}
	started.Wait()
	return (resident() - before) / n, 0
}

func timers() (float64, float64) {
	const rounds, each = 50, 10000
	return timed(rounds*each, func() {
		v := make([]*time.Timer, each)
		for r := 0; r < rounds; r++ {
			for i := range v {
				v[i] = time.AfterFunc(time.Duration(1000+i%7)*time.Second, func() {})
			}
			for i := range v {
				v[i].Stop()
			}
		}
	})
}

func main() {
	workloads := map[string]func() (float64, float64){
		"dispatch": dispatch, "ping-pong": pingPong, "ring": ring, "senders": senders,
		"spawn": spawn, "idle": idle, "timers": timers,
	}
	figure, ns := workloads[os.Args[1]]()
	fmt.Printf("%.3f %.3f\n", figure, ns)
}
