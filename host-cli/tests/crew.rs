//! The crew does every job once, whatever its size and whoever is asleep, and survives what goes wrong in a job.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host_cli::crew::{Beat, Crew, Threads};
use selvedge::Team;

fn crew(workers: usize) -> Crew {
    Crew::new(Threads::Count(NonZero::new(workers).unwrap()))
}

/// Adds 1 to each of some counters and checks that it was added once.
fn count(crew: &Crew, jobs: usize) {
    let mut counters = vec![0; jobs];
    crew.each(&mut counters, &|counter| *counter += 1);
    assert!(counters.iter().all(|&c| c == 1), "{} workers, {jobs} jobs: {counters:?}", crew.size());
}

#[test]
fn every_job_is_done_once() {
    for workers in [1, 2, 3, 4, 8] {
        let crew = crew(workers);
        assert_eq!((crew.size(), crew.workers()), (workers, workers));
        for round in 0..300 {
            count(&crew, round % 40);
        }
        count(&crew, 5000);
    }
}

#[test]
fn sleepers_wake_up() {
    let crew = crew(3);
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        let together = AtomicUsize::new(0);
        // Each job waits for another one, so that a single thread would never end.
        crew.each(&mut [(); 2], &|()| {
            together.fetch_add(1, Ordering::SeqCst);
            while together.load(Ordering::SeqCst) < 2 {
                std::thread::yield_now();
            }
        });
    }
}

#[test]
fn a_caller_that_sleeps_is_woken() {
    let crew = crew(2);
    let caller = std::thread::current().id();
    for _ in 0..5 {
        let started = AtomicUsize::new(0);
        crew.each(&mut [(); 2], &|()| {
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
    let crew = crew(2);
    for bad in 0..4 {
        let mut jobs = [0, 1, 2, 3];
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            crew.each(&mut jobs, &|job| assert_ne!(*job, bad, "job {bad} fails"));
        }));
        let message = *outcome.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains(&format!("job {bad} fails")), "{message}");
        count(&crew, 10);
    }
}

#[test]
fn two_callers_and_a_job_within_a_job() {
    let crew = crew(3);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..200).for_each(|round| count(&crew, round % 10)));
        }
    });
    crew.each(&mut [(); 4], &|()| count(&crew, 7));
}

#[test]
fn auto_settles_within_the_machine() {
    let crew = Crew::new(Threads::Auto);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    assert_eq!(crew.size(), cores.min(64));
    for round in 0..1000 {
        crew.beat(Beat::Step, || count(&crew, round % 5));
        crew.beat(Beat::Forward, || count(&crew, round % 3));
    }
    // Jobs of nothing are never worth a second thread.
    assert_eq!(crew.beat(Beat::Step, || crew.workers()), 1);
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
