//! The tasks of a job, and the threads that run them.
//!
//! A job is a parallel loop over numbered tasks. One atomic word, the *cursor*, holds the number of the job, the next task and
//! the number of tasks. A free thread, also the caller, takes the next task by incrementing the cursor, so that a thread that
//! the system delays only delays the task that it has taken. A waiting thread spins for about two microseconds, then yields
//! to other processes, then sleeps: a worker after half a millisecond, the caller earlier, which frees its core for the worker
//! that it waits for. Spinning without yielding would waste the core that such a worker needs.
#![allow(unsafe_code)]

use std::any::Any;
use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The maximum number of tasks of a job.
pub(super) const MAX_TASKS: usize = 0xfff;
/// Spins before a thread yields: about two microseconds.
const SPINS: u32 = 100;
/// Yields before a worker sleeps: about half a millisecond where no other process wants the core.
const WORKER_YIELDS: u32 = 1000;
/// Yields before the caller sleeps.
const CALLER_YIELDS: u32 = 20;

/// The state that the threads of a thread pool share.
#[derive(Debug)]
pub(super) struct Workers {
    cursor: CachePadded<AtomicU64>,
    done: CachePadded<AtomicUsize>,
    /// The job of the cursor, valid until all its tasks are done.
    job: AtomicPtr<Job>,
    /// The number of workers in use, including the caller.
    active: AtomicUsize,
    shut_down: AtomicBool,
    /// Whether the caller sleeps, or is about to.
    caller_sleeps: AtomicBool,
    /// The number of workers in use that sleep, or are about to.
    sleepers: AtomicUsize,
    /// Held by a thread that falls asleep, and taken between a change and the wake-up of the threads that wait for it, so
    /// that no wake-up is lost.
    sleep_lock: Mutex<()>,
    /// Wakes workers for a job.
    wake_workers: Condvar,
    /// Wakes workers that were not in use.
    wake_unused: Condvar,
    wake_caller: Condvar,
    /// The first panic of a job, which the caller passes on.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A value with cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct CachePadded<T>(T);

/// The number of a job in the upper bits, then the next task and the number of tasks, twelve bits each. The number tells a
/// delayed worker that the job it has read is over; it repeats after a year of jobs.
#[derive(Debug, Clone, Copy)]
struct Cursor(u64);

impl Cursor {
    const ONE_TASK: u64 = 1 << 12;

    fn task(self) -> usize {
        (self.0 >> 12) as usize & MAX_TASKS
    }
    fn tasks(self) -> usize {
        self.0 as usize & MAX_TASKS
    }
    fn is_at_end(self) -> bool {
        self.task() >= self.tasks()
    }
    fn next_job(self, tasks: usize) -> Self {
        Self((((self.0 >> 24) + 1) << 24) | tasks as u64)
    }
}

/// A closure with its type erased, on the stack of the caller.
struct Job {
    /// Calls `closure` with the number of a task.
    call: unsafe fn(*const (), usize),
    closure: *const (),
}

impl Workers {
    /// The state for so many workers, none of which has started.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            cursor: CachePadded(AtomicU64::new(0)),
            done: CachePadded(AtomicUsize::new(0)),
            job: AtomicPtr::new(ptr::null_mut()),
            active: AtomicUsize::new(workers),
            shut_down: AtomicBool::new(false),
            caller_sleeps: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            sleep_lock: Mutex::new(()),
            wake_workers: Condvar::new(),
            wake_unused: Condvar::new(),
            wake_caller: Condvar::new(),
            panic: Mutex::new(None),
        }
    }

    /// The number of workers in use, including the caller.
    pub(super) fn active(&self) -> usize {
        self.active.load(Relaxed)
    }

    /// Uses so many workers from the next job on.
    pub(super) fn set_active(&self, workers: usize) {
        if self.active.swap(workers, SeqCst) < workers {
            drop(lock(&self.sleep_lock));
            self.wake_unused.notify_all();
        }
    }

    /// Ends all threads in [`work`](Self::work).
    pub(super) fn shut_down(&self) {
        self.shut_down.store(true, SeqCst);
        drop(lock(&self.sleep_lock));
        self.wake_workers.notify_all();
        self.wake_unused.notify_all();
    }

    /// Calls `work` with each of up to [`MAX_TASKS`] items, on any thread, and passes its panics on. Must not be called by two
    /// threads at once.
    pub(super) fn for_each<T: Send>(&self, items: &mut [T], work: &(impl Fn(&mut T) + Sync)) {
        let tasks = items.len();
        let items = Items(items.as_mut_ptr());
        // SAFETY: `run` calls with each number below `tasks` once.
        self.run(tasks, &|task| work(unsafe { items.get(task) }));
        if let Some(panic) = lock(&self.panic).take() {
            resume_unwind(panic);
        }
    }

    /// Calls `work` once with each of `0..tasks` and returns when all calls have returned.
    fn run<W: Fn(usize) + Sync>(&self, tasks: usize, work: &W) {
        /// # Safety
        /// `closure` points to a `W`.
        unsafe fn call<W: Fn(usize)>(closure: *const (), task: usize) {
            // SAFETY: the caller's promise.
            (unsafe { &*closure.cast::<W>() })(task);
        }
        let mut job = Job { call: call::<W>, closure: ptr::from_ref(work).cast() };
        self.publish(&mut job, tasks);
        while self.run_next() {}
        // The job is on this stack, so this function must not be left before the wait ends. Neither call above panics.
        self.wait_until_done(tasks);
    }

    /// Publishes the tasks of `job`, and wakes the sleeping workers.
    fn publish(&self, job: &mut Job, tasks: usize) {
        self.job.store(job, Relaxed);
        self.done.0.store(0, Relaxed);
        self.cursor.0.store(self.cursor().next_job(tasks).0, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            drop(lock(&self.sleep_lock));
            self.wake_workers.notify_all();
        }
    }

    /// Takes the next task and runs it; `false` where there is none.
    fn run_next(&self) -> bool {
        let mut cursor = Cursor(self.cursor.0.load(Acquire));
        while !cursor.is_at_end() {
            let job = self.job.load(Relaxed);
            let incremented = cursor.0 + Cursor::ONE_TASK;
            match self.cursor.0.compare_exchange_weak(cursor.0, incremented, AcqRel, Acquire) {
                Ok(_) => {
                    // SAFETY: the cursor had the same value before and after `job` was read, so `job` is the job of the
                    // task: the next job is published only after all tasks of this one are done, and one of them was
                    // taken only now. For the same reason the job and its closure are still on the stack of the caller,
                    // who published them before the cursor.
                    let call = || unsafe { ((*job).call)((*job).closure, cursor.task()) };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                        lock(&self.panic).get_or_insert(panic);
                    }
                    self.task_done(cursor.tasks());
                    return true;
                }
                Err(now) => cursor = Cursor(now),
            }
        }
        false
    }

    fn task_done(&self, tasks: usize) {
        let done = self.done.0.fetch_add(1, SeqCst) + 1;
        if done == tasks && self.caller_sleeps.load(SeqCst) {
            drop(lock(&self.sleep_lock));
            self.wake_caller.notify_one();
        }
    }

    fn wait_until_done(&self, tasks: usize) {
        let is_done = || self.done.0.load(SeqCst) == tasks;
        for attempt in 0..SPINS + CALLER_YIELDS {
            if is_done() {
                return;
            }
            pause(attempt);
        }
        let mut guard = lock(&self.sleep_lock);
        self.caller_sleeps.store(true, SeqCst);
        while !is_done() {
            guard = self.wake_caller.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_sleeps.store(false, SeqCst);
    }

    /// The loop of worker `number`, counted from 1, until [`shut_down`](Self::shut_down).
    pub(super) fn work(&self, number: usize) {
        let mut attempt = 0;
        while !self.shut_down.load(Relaxed) {
            if !self.is_active(number) {
                self.sleep_unused(number);
            } else if self.run_next() {
                attempt = 0;
            } else if attempt < SPINS + WORKER_YIELDS {
                pause(attempt);
                attempt += 1;
            } else {
                self.sleep(number);
                attempt = 0;
            }
        }
    }

    fn is_active(&self, number: usize) -> bool {
        number < self.active.load(SeqCst)
    }

    /// Sleeps until there is a task.
    fn sleep(&self, number: usize) {
        let mut guard = lock(&self.sleep_lock);
        self.sleepers.fetch_add(1, SeqCst);
        while self.cursor().is_at_end() && self.is_active(number) && !self.shut_down.load(SeqCst) {
            guard = self.wake_workers.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    /// Sleeps until worker `number` is in use; no job wakes it.
    fn sleep_unused(&self, number: usize) {
        let mut guard = lock(&self.sleep_lock);
        while !self.is_active(number) && !self.shut_down.load(SeqCst) {
            guard = self.wake_unused.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.cursor.0.load(SeqCst))
    }
}

/// A slice whose items are given to several threads, each to one.
struct Items<T>(*mut T);

// SAFETY: the items are `Send`, and `get` gives each to one thread only.
unsafe impl<T: Send> Sync for Items<T> {}

impl<T> Items<T> {
    /// # Safety
    /// `n` is within the slice, which is borrowed for as long as the result, and no other call has the same `n`.
    #[allow(clippy::mut_from_ref)] // The caller promises that no other reference exists.
    unsafe fn get(&self, n: usize) -> &mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.add(n) }
    }
}

/// Waits for a moment: spins at first, yields after [`SPINS`] attempts.
fn pause(attempt: u32) {
    if attempt < SPINS { hint::spin_loop() } else { thread::yield_now() }
}

/// Locks a mutex, poisoned or not: the state here stays valid when a task panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
