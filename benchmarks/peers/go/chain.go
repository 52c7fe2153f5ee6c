// The ring of benchmarks/native/chain.c with a goroutine for each pair, which waits in Go's netpoller:
//
//	chain PAIRS ACTIVE EVENTS
//
// Prints nanoseconds per event and of CPU time, after a first half as many events to warm up.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cpuTime() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: chain PAIRS ACTIVE EVENTS")
		os.Exit(2)
	}
	var numbers [3]int
	for i := range numbers {
		number, err := strconv.Atoi(os.Args[i+1])
		check(err)
		numbers[i] = number
	}
	pairs, active, events := numbers[0], numbers[1], numbers[2]
	// One thread runs the program, as in the other contestants.
	runtime.GOMAXPROCS(1)

	ends := make([][2]*os.File, pairs)
	for i := range ends {
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		check(err)
		for side, fd := range fds {
			ends[i][side] = os.NewFile(uintptr(fd), "socket")
		}
	}

	fired, mark := 0, events/2+1
	var began time.Time
	var beganCPU int64
	count := func() {
		fired++
		if fired != mark {
			return
		}
		if began.IsZero() {
			began, beganCPU = time.Now(), cpuTime()
			mark += events
			return
		}
		each := 1 / float64(events)
		value, cpu := float64(time.Since(began).Nanoseconds())*each, float64(cpuTime()-beganCPU)*each
		fmt.Printf("{\"value\":%.1f,\"cpu\":%.1f}\n", value, cpu)
		os.Exit(0)
	}

	for i := range ends {
		go func(from, to *os.File) {
			buffer := make([]byte, 1)
			for {
				_, err := from.Read(buffer)
				check(err)
				_, err = to.Write(buffer)
				check(err)
				count()
			}
		}(ends[i][0], ends[(i+1)%pairs][1])
	}
	for i := 0; i < active; i++ {
		_, err := ends[i*pairs/active][1].Write([]byte("x"))
		check(err)
	}
	select {}
}
