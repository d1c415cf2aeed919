//! The thread_pool does every job once, whatever its size and whoever is asleep, and survives what goes wrong in a job.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_cli::thread_pool::{ThreadPool, Threads, Workload};
use selvedge::Executor;

fn thread_pool(workers: usize) -> ThreadPool {
    ThreadPool::new(Threads::Count(NonZero::new(workers).unwrap()))
}

/// Adds 1 to each of some counters and checks that it was added once.
fn count(thread_pool: &ThreadPool, jobs: usize) {
    let mut counters = vec![0; jobs];
    thread_pool.for_each(&mut counters, &|counter| *counter += 1);
    assert!(counters.iter().all(|&c| c == 1), "{} workers, {jobs} jobs: {counters:?}", thread_pool.size());
}

#[test]
fn every_job_is_done_once() {
    for workers in [1, 2, 3, 4, 8] {
        let thread_pool = thread_pool(workers);
        assert_eq!((thread_pool.size(), thread_pool.workers()), (workers, workers));
        for round in 0..300 {
            count(&thread_pool, round % 40);
        }
        count(&thread_pool, 5000);
    }
}

#[test]
fn sleepers_wake_up() {
    let thread_pool = thread_pool(3);
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        let together = AtomicUsize::new(0);
        // Each job waits for another one, so that a single thread would never end.
        thread_pool.for_each(&mut [(); 2], &|()| {
            together.fetch_add(1, Ordering::SeqCst);
            while together.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
        });
    }
}

#[test]
fn a_caller_that_sleeps_is_woken() {
    let thread_pool = thread_pool(2);
    let caller = std::thread::current().id();
    for _ in 0..5 {
        let started = AtomicUsize::new(0);
        thread_pool.for_each(&mut [(); 2], &|()| {
            started.fetch_add(1, Ordering::SeqCst);
            while started.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
            if std::thread::current().id() != caller {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }
}

#[test]
fn a_panic_is_passed_on_and_the_crew_goes_on() {
    let thread_pool = thread_pool(2);
    for bad in 0..4 {
        let mut jobs = [0, 1, 2, 3];
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            thread_pool.for_each(&mut jobs, &|job| assert_ne!(*job, bad, "job {bad} fails"));
        }));
        let message = *outcome.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains(&format!("job {bad} fails")), "{message}");
        count(&thread_pool, 10);
    }
}

#[test]
fn two_callers_and_a_job_within_a_job() {
    let thread_pool = thread_pool(3);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..200).for_each(|round| count(&thread_pool, round % 10)));
        }
    });
    thread_pool.for_each(&mut [(); 4], &|()| count(&thread_pool, 7));
}

#[test]
fn auto_settles_within_the_machine() {
    let thread_pool = ThreadPool::new(Threads::Auto);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    assert_eq!(thread_pool.size(), cores.min(64));
    for round in 0..1000 {
        thread_pool.beat(Workload::Step, || count(&thread_pool, round % 5));
        thread_pool.beat(Workload::Forward, || count(&thread_pool, round % 3));
    }
    // Jobs of nothing are never worth a second thread.
    assert_eq!(thread_pool.beat(Workload::Step, || thread_pool.workers()), 1);
}

#[test]
fn threads_as_people_write_them() {
    for text in ["auto", "1", "64"] {
        assert_eq!(text.parse::<Threads>().unwrap().to_string(), text);
    }
    for text in ["", "0", "65", "-1", "two"] {
        assert!(text.parse::<Threads>().unwrap_err().contains("1 to 64"), "{text}");
    }
}
