//! The ring of benchmarks/native/chain.c with a task for each pair, which waits in an `AsyncFd`:
//!
//!     chain PAIRS ACTIVE EVENTS
//!
//! Prints nanoseconds per event and of CPU time, after a first half as many events to warm up.
use std::cell::Cell;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use tokio::io::unix::AsyncFd;
use tokio::task::LocalSet;

struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

struct Progress {
    fired: Cell<u64>,
    mark: Cell<u64>,
    events: u64,
    began: Cell<Option<(Instant, f64)>>,
}

/// In nanoseconds, of the whole process.
fn cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

impl Progress {
    fn count(&self) {
        self.fired.set(self.fired.get() + 1);
        if self.fired.get() != self.mark.get() {
            return;
        }
        match self.began.get() {
            None => {
                self.began.set(Some((Instant::now(), cpu_time())));
                self.mark.set(self.mark.get() + self.events);
            }
            Some((began, began_cpu)) => {
                let events = self.events as f64;
                let (value, cpu) = (began.elapsed().as_nanos() as f64 / events, (cpu_time() - began_cpu) / events);
                println!("{{\"value\":{value:.1},\"cpu\":{cpu:.1}}}");
                std::process::exit(0);
            }
        }
    }
}

fn check(result: isize) -> Result<isize> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(result)
}

fn socketpair() -> Result<[RawFd; 2]> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK;
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) } as isize)?;
    Ok(fds)
}

fn read_byte(fd: RawFd) -> Result<isize> {
    let mut byte = 0u8;
    check(unsafe { libc::read(fd, (&mut byte as *mut u8).cast(), 1) })
}

fn write_byte(fd: RawFd) -> Result<isize> {
    check(unsafe { libc::write(fd, (&b'x' as *const u8).cast(), 1) })
}

async fn pass_on(from: RawFd, to: RawFd, progress: Rc<Progress>) -> Result<()> {
    let from = AsyncFd::new(Descriptor(from))?;
    loop {
        let mut ready = from.readable().await?;
        if let Ok(read) = ready.try_io(|fd| read_byte(fd.as_raw_fd())) {
            read?;
            write_byte(to)?;
            progress.count();
        }
    }
}

fn main() -> Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [pairs, active, events] = numbers[..] else {
        eprintln!("usage: chain PAIRS ACTIVE EVENTS");
        std::process::exit(2);
    };
    let (pairs, active) = (pairs as usize, active as usize);
    let ends = (0..pairs).map(|_| socketpair()).collect::<Result<Vec<_>>>()?;
    let progress = Rc::new(Progress {
        fired: Cell::new(0),
        mark: Cell::new(events / 2 + 1),
        events,
        began: Cell::new(None),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let tasks: Vec<_> = (0..pairs)
            .map(|i| tokio::task::spawn_local(pass_on(ends[i][0], ends[(i + 1) % pairs][1], progress.clone())))
            .collect();
        for i in 0..active {
            write_byte(ends[i * pairs / active][1])?;
        }
        for task in tasks {
            task.await.map_err(Error::other)??;
        }
        Ok(())
    })
}
