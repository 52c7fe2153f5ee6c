module fdevent/benchmarks/peers/go

go 1.19
