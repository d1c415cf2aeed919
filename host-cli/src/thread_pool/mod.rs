//! Threads that wait for work within a microsecond: the [`Executor`] of the host.
//!
//! A step of a small network lasts 100 µs and hands out two jobs, so a job must be handed out and its end be noticed in
//! about a microsecond; how is told in `parts.rs`. [`ThreadPool::beat`] finds out how many workers pay off while the work
//! goes on, which it may, since results never depend on it.
//!
//! # Why not a library
//!
//! Measured on two cores with jobs of two parts of 25 µs each, all in turn in one run, as speed-up over one thread: on
//! idle cores this thread pool 2.0, rayon 1.12 2.0 if the whole run happens inside its pool and 1.5 from outside, chili 0.2 1.2
//! (it shares work at a heartbeat, and a job is over before that), paralight 0.0.12 0.8 (it wakes its threads for every
//! job, 55 µs). With the second core kept busy by another process: this thread pool 1.0, chili 0.8, rayon 0.5 and 0.6,
//! paralight 0.5. An empty job takes 0.7 µs here. Spinning alone, without yielding, falls to 0.6.

mod tuner;
mod workers;

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use selvedge::Executor;

use tuner::ThreadTuner;
use workers::Parts;

/// How many threads to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many as pay off.
    Auto,
    /// So many, whether they pay off or not.
    Count(NonZero<usize>),
}

impl Threads {
    /// One thread.
    pub const ONE: Self = Self::Count(NonZero::<usize>::MIN);
    /// The most that can be asked for: more than a job has parts.
    const MOST: usize = 64;
}

impl FromStr for Threads {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let count = text.parse().ok().filter(|n: &NonZero<usize>| n.get() <= Self::MOST);
        count.map(Self::Count).ok_or_else(|| format!("write auto, or a number of 1 to {}", Self::MOST))
    }
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

/// What a thread pool does beat by beat; each kind pays off with a number of workers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A training step.
    Step,
    /// A batch of predictions.
    Forward,
}

/// Threads started once, which share the jobs of the thread that owns them.
#[derive(Debug)]
pub struct ThreadPool {
    parts: Arc<Parts>,
    threads: Vec<JoinHandle<()>>,
    /// Held while a job is out; who does not get it does the job alone.
    busy: Mutex<()>,
    /// One for each [`Workload`], if the number of workers is to be found out.
    paces: Option<[Mutex<ThreadTuner>; 2]>,
}

impl ThreadPool {
    /// A thread pool of so many workers, of whom the calling thread is one. Where the system refuses a thread, the thread pool stays
    /// smaller.
    pub fn new(threads: Threads) -> Self {
        let workers = match threads {
            Threads::Auto => thread::available_parallelism().map_or(1, NonZero::get).min(Threads::MOST),
            Threads::Count(count) => count.get(),
        };
        let parts = Arc::new(Parts::new(workers));
        let start = |number: usize| {
            let parts = Arc::clone(&parts);
            thread::Builder::new()
                .name(format!("thread_pool {number}"))
                .spawn(move || parts.serve(number))
                .ok()
        };
        let started: Vec<_> = (1..workers).map_while(start).collect();
        let size = started.len() + 1;
        parts.set_active(size);
        let paces = (threads == Threads::Auto).then(|| [(); 2].map(|()| Mutex::new(ThreadTuner::new(size))));
        Self { parts, threads: started, busy: Mutex::new(()), paces }
    }

    /// All its workers, in use or not.
    pub fn size(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs one beat, with as many workers as were found to pay off where that is to be found out.
    pub fn beat<R>(&self, kind: Workload, work: impl FnOnce() -> R) -> R {
        let Some(paces) = &self.paces else { return work() };
        let mut pace = paces[kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
        self.parts.set_active(pace.workers());
        let begin = Instant::now();
        let result = work();
        pace.beat(begin.elapsed());
        result
    }
}

impl Executor for ThreadPool {
    fn workers(&self) -> usize {
        self.parts.active()
    }

    fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        let alone = self.workers() == 1 || jobs.len() <= 1 || jobs.len() > workers::MOST;
        match (alone, self.busy.try_lock()) {
            (false, Ok(_busy)) => self.parts.for_each(jobs, work),
            _ => jobs.iter_mut().for_each(work),
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.parts.quit();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
