//! The thread pool: the [`Executor`] of the host, whose threads pick up work within a microsecond.
//!
//! A step of a small network lasts 100 µs and has two jobs, so starting a job and noticing its end must take about a
//! microsecond; `workers.rs` says how. [`ThreadPool::run`] tunes the number of workers while the work goes on, since results
//! never depend on it. General-purpose pools are slower for jobs this short; docs/performance.md has the measurements.

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
use workers::Workers;

/// How many threads to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// As many as the tuner finds fastest.
    Auto,
    /// A fixed number.
    Count(NonZero<usize>),
}

impl Threads {
    /// One thread.
    pub const ONE: Self = Self::Count(NonZero::<usize>::MIN);
    /// The maximum number of threads, which is more than the tasks of a job.
    const MAX: usize = 64;
}

impl FromStr for Threads {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let count = text.parse().ok().filter(|n: &NonZero<usize>| n.get() <= Self::MAX);
        count.map(Self::Count).ok_or_else(|| format!("write auto, or a number of 1 to {}", Self::MAX))
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

/// The workload kinds, each of which has a tuner of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// A training step.
    Step,
    /// A batch of predictions.
    Forward,
}

/// Threads that are started once and share the jobs of the calling thread.
#[derive(Debug)]
pub struct ThreadPool {
    workers: Arc<Workers>,
    threads: Vec<JoinHandle<()>>,
    /// Held during a job. A caller that does not get it runs its job alone.
    busy: Mutex<()>,
    /// A tuner for each [`Workload`], with [`Threads::Auto`].
    tuners: Option<[Mutex<ThreadTuner>; 2]>,
}

impl ThreadPool {
    /// A thread pool of so many workers, one of which is the calling thread. Where the system refuses a thread, the pool has
    /// fewer.
    pub fn new(threads: Threads) -> Self {
        let count = match threads {
            Threads::Auto => thread::available_parallelism().map_or(1, NonZero::get).min(Threads::MAX),
            Threads::Count(count) => count.get(),
        };
        let workers = Arc::new(Workers::new(count));
        let start = |number: usize| {
            let workers = Arc::clone(&workers);
            thread::Builder::new()
                .name(format!("thread_pool {number}"))
                .spawn(move || workers.work(number))
                .ok()
        };
        let threads_started: Vec<_> = (1..count).map_while(start).collect();
        let size = threads_started.len() + 1;
        workers.set_active(size);
        let tuners = (threads == Threads::Auto).then(|| [(); 2].map(|()| Mutex::new(ThreadTuner::new(size))));
        Self { workers, threads: threads_started, busy: Mutex::new(()), tuners }
    }

    /// The number of workers, in use or not.
    pub fn size(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs one iteration of a workload, with the number of workers that its tuner chooses, and tells the tuner how long it
    /// took.
    pub fn run<R>(&self, workload: Workload, iteration: impl FnOnce() -> R) -> R {
        let Some(tuners) = &self.tuners else { return iteration() };
        let mut tuner = tuners[workload as usize].lock().unwrap_or_else(PoisonError::into_inner);
        self.workers.set_active(tuner.workers());
        let start = Instant::now();
        let result = iteration();
        tuner.record(start.elapsed());
        result
    }
}

impl Executor for ThreadPool {
    fn workers(&self) -> usize {
        self.workers.active()
    }

    fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        let alone = self.workers() == 1 || jobs.len() <= 1 || jobs.len() > workers::MAX_TASKS;
        match (alone, self.busy.try_lock()) {
            (false, Ok(_busy)) => self.workers.for_each(jobs, work),
            _ => jobs.iter_mut().for_each(work),
        }
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.workers.shut_down();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
