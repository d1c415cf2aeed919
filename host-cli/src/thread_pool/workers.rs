//! The parts of a job, and the threads that take them.
//!
//! The parts are numbered, and one atomic word, the *ticket*, holds the job's number, the next part and how many there
//! are. Whoever is free takes the next part by raising it, the caller too: a worker that the system holds up delays the
//! others by the one part it holds. Who waits spins for about two microseconds, then yields to other processes, then
//! sleeps: a worker after half a millisecond, the caller soon, since a caller that sleeps makes room for the worker that
//! it waits for.
#![allow(unsafe_code)]

use std::any::Any;
use std::hint;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The most parts of a job.
pub(super) const MOST: usize = 0xfff;
/// Spins before anyone yields: about two microseconds.
const SPINS: u32 = 100;
/// Yields before a worker sleeps: about half a millisecond where nobody else wants the core.
const WORKER_YIELDS: u32 = 1000;
/// Yields before the caller sleeps.
const CALLER_YIELDS: u32 = 20;

/// What the threads of a thread pool share.
#[derive(Debug)]
pub(super) struct Parts {
    ticket: Alone<AtomicU64>,
    done: Alone<AtomicUsize>,
    /// The ticket's job, valid while a part of it is not done.
    job: AtomicPtr<Job>,
    /// Workers in use, the caller included.
    active: AtomicUsize,
    quit: AtomicBool,
    /// Whether the caller sleeps, or is about to.
    caller_sleeps: AtomicBool,
    /// Workers in use that sleep, or are about to.
    sleepers: AtomicUsize,
    /// Held to fall asleep, and between a change and the waking of those who wait for it, so that none sleeps through.
    door: Mutex<()>,
    /// Wakes workers for a job.
    wake_workers: Condvar,
    /// Wakes workers that were not in use.
    call_up: Condvar,
    wake_caller: Condvar,
    /// The first panic of a job, which the caller passes on.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A value with its cache lines to itself.
#[derive(Debug)]
#[repr(align(128))]
struct Alone<T>(T);

/// A job's number in the upper bits, then the next part and the number of parts, twelve bits each. The number tells a
/// worker that was held up that the job it looked at is over; it repeats after a year of jobs.
#[derive(Debug, Clone, Copy)]
struct Ticket(u64);

impl Ticket {
    const ONE_PART: u64 = 1 << 12;

    fn part(self) -> usize {
        (self.0 >> 12) as usize & MOST
    }
    fn parts(self) -> usize {
        self.0 as usize & MOST
    }
    fn is_spent(self) -> bool {
        self.part() >= self.parts()
    }
    fn next_job(self, parts: usize) -> Self {
        Self((((self.0 >> 24) + 1) << 24) | parts as u64)
    }
}

/// A closure with its type erased, on the stack of the caller.
struct Job {
    /// Calls the closure behind the pointer with the number of a part.
    call: unsafe fn(*const (), usize),
    closure: *const (),
}

impl Parts {
    /// For `workers`, none of whom has started.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            ticket: Alone(AtomicU64::new(0)),
            done: Alone(AtomicUsize::new(0)),
            job: AtomicPtr::new(ptr::null_mut()),
            active: AtomicUsize::new(workers),
            quit: AtomicBool::new(false),
            caller_sleeps: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            door: Mutex::new(()),
            wake_workers: Condvar::new(),
            call_up: Condvar::new(),
            wake_caller: Condvar::new(),
            panic: Mutex::new(None),
        }
    }

    /// Workers in use, the caller included.
    pub(super) fn active(&self) -> usize {
        self.active.load(Relaxed)
    }

    /// Uses so many workers from the next job on.
    pub(super) fn set_active(&self, workers: usize) {
        if self.active.swap(workers, SeqCst) < workers {
            drop(lock(&self.door));
            self.call_up.notify_all();
        }
    }

    /// Ends all threads in [`serve`](Self::serve).
    pub(super) fn quit(&self) {
        self.quit.store(true, SeqCst);
        drop(lock(&self.door));
        self.wake_workers.notify_all();
        self.call_up.notify_all();
    }

    /// Calls `work` with each of up to [`MOST`] jobs, on any thread, and passes its panics on. Not for two callers at
    /// once.
    pub(super) fn for_each<J: Send>(&self, jobs: &mut [J], work: &(impl Fn(&mut J) + Sync)) {
        let parts = jobs.len();
        let jobs = Jobs(jobs.as_mut_ptr());
        // SAFETY: `run` calls with each number below `parts` once.
        self.run(parts, &|part| work(unsafe { jobs.get(part) }));
        if let Some(panic) = lock(&self.panic).take() {
            resume_unwind(panic);
        }
    }

    /// Calls `work` once with each of `0..parts` and returns when all calls have.
    fn run<W: Fn(usize) + Sync>(&self, parts: usize, work: &W) {
        /// # Safety
        /// `closure` points to a `W`.
        unsafe fn call<W: Fn(usize)>(closure: *const (), part: usize) {
            // SAFETY: the caller's promise.
            (unsafe { &*closure.cast::<W>() })(part);
        }
        let mut job = Job { call: call::<W>, closure: ptr::from_ref(work).cast() };
        self.publish(&mut job, parts);
        while self.take() {}
        // The job lies on this stack, so nothing may leave this function before. Neither call above panics.
        self.wait_until_done(parts);
    }

    /// Offers the parts of `job`, and wakes who sleeps.
    fn publish(&self, job: &mut Job, parts: usize) {
        self.job.store(job, Relaxed);
        self.done.0.store(0, Relaxed);
        self.ticket.0.store(self.ticket().next_job(parts).0, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            drop(lock(&self.door));
            self.wake_workers.notify_all();
        }
    }

    /// Takes the next part, if there is one, and does it.
    fn take(&self) -> bool {
        let mut ticket = Ticket(self.ticket.0.load(Acquire));
        while !ticket.is_spent() {
            let job = self.job.load(Relaxed);
            let raised = ticket.0 + Ticket::ONE_PART;
            match self.ticket.0.compare_exchange_weak(ticket.0, raised, AcqRel, Acquire) {
                Ok(_) => {
                    // SAFETY: the ticket was the same at both looks, so `job` is the job that it was raised for: the
                    // next one is published only after all parts of this one are done, and one of them was taken only
                    // now. For the same reason the job and its closure are still on the stack of the caller, who
                    // published them before the ticket.
                    let call = || unsafe { ((*job).call)((*job).closure, ticket.part()) };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
                        lock(&self.panic).get_or_insert(panic);
                    }
                    self.part_done(ticket.parts());
                    return true;
                }
                Err(now) => ticket = Ticket(now),
            }
        }
        false
    }

    fn part_done(&self, parts: usize) {
        let done = self.done.0.fetch_add(1, SeqCst) + 1;
        if done == parts && self.caller_sleeps.load(SeqCst) {
            drop(lock(&self.door));
            self.wake_caller.notify_one();
        }
    }

    fn wait_until_done(&self, parts: usize) {
        let is_done = || self.done.0.load(SeqCst) == parts;
        for turn in 0..SPINS + CALLER_YIELDS {
            if is_done() {
                return;
            }
            pause(turn);
        }
        let mut door = lock(&self.door);
        self.caller_sleeps.store(true, SeqCst);
        while !is_done() {
            door = self.wake_caller.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_sleeps.store(false, SeqCst);
    }

    /// The life of worker `number`, counted from 1, until [`quit`](Self::quit).
    pub(super) fn serve(&self, number: usize) {
        let mut turn = 0;
        while !self.quit.load(Relaxed) {
            if !self.is_active(number) {
                self.stand_by(number);
            } else if self.take() {
                turn = 0;
            } else if turn < SPINS + WORKER_YIELDS {
                pause(turn);
                turn += 1;
            } else {
                self.sleep(number);
                turn = 0;
            }
        }
    }

    fn is_active(&self, number: usize) -> bool {
        number < self.active.load(SeqCst)
    }

    /// Sleeps until there is a part to take.
    fn sleep(&self, number: usize) {
        let mut door = lock(&self.door);
        self.sleepers.fetch_add(1, SeqCst);
        while self.ticket().is_spent() && self.is_active(number) && !self.quit.load(SeqCst) {
            door = self.wake_workers.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    /// Sleeps until worker `number` is in use; no job wakes it.
    fn stand_by(&self, number: usize) {
        let mut door = lock(&self.door);
        while !self.is_active(number) && !self.quit.load(SeqCst) {
            door = self.call_up.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.ticket.0.load(SeqCst))
    }
}

/// Jobs for several threads, each of which takes its own.
struct Jobs<J>(*mut J);

// SAFETY: the jobs are `Send`, and `get` hands each to one thread only.
unsafe impl<J: Send> Sync for Jobs<J> {}

impl<J> Jobs<J> {
    /// # Safety
    /// `part` is within the slice, which is borrowed for as long, and nobody else asks for the same.
    #[allow(clippy::mut_from_ref)] // That is what the promise is for.
    unsafe fn get(&self, part: usize) -> &mut J {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.add(part) }
    }
}

/// One turn of waiting.
fn pause(turn: u32) {
    if turn < SPINS { hint::spin_loop() } else { thread::yield_now() }
}

/// Locks; what the locks here guard stays sound when a thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
