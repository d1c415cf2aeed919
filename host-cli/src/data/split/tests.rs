//! Every plan: the parts are disjoint, together all rows, and balanced.

use selvedge::Rng;

use super::{Classes, Parts, SplitPlan, TestPart, split};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("class {n}")).collect()
}

fn check_partition(parts: &Parts, rows: usize) {
    for part in [&parts.train, &parts.val, &parts.test] {
        assert!(part.is_sorted());
    }
    let mut all = [&parts.train[..], &parts.val, &parts.test].concat();
    all.sort_unstable();
    assert_eq!(all, (0..rows as u32).collect::<Vec<_>>());
}

#[test]
fn fractions_are_kept_in_every_class() {
    let (names, rows) = (names(3), 1000);
    // 100, 200 and 700 rows.
    let codes: Vec<u32> = (0..rows).map(|n| [0, 1, 1, 2, 2, 2, 2, 2, 2, 2][n % 10]).collect();
    let classes = Classes { codes: &codes, names: &names };
    let parts = split(rows, Some(classes), None, &SplitPlan::DEFAULT, &mut Rng::new(1)).unwrap();
    check_partition(&parts, rows);
    let count = |part: &[u32]| [0, 1, 2].map(|c| part.iter().filter(|&&r| codes[r as usize] == c).count());
    assert_eq!(count(&parts.test), [15, 30, 105]);
    assert_eq!(count(&parts.val), [15, 30, 105]);
    assert_eq!(parts, split(rows, Some(classes), None, &SplitPlan::DEFAULT, &mut Rng::new(1)).unwrap());
    assert_ne!(parts, split(rows, Some(classes), None, &SplitPlan::DEFAULT, &mut Rng::new(2)).unwrap());
    let plan = SplitPlan { test: TestPart::None, val_fraction: 0.2 };
    let parts = split(rows, Some(classes), None, &plan, &mut Rng::new(1)).unwrap();
    check_partition(&parts, rows);
    assert_eq!((parts.train.len(), parts.val.len()), (800, 200));
}

#[test]
fn small_classes_train_and_a_single_row_is_refused() {
    let names = names(3);
    let codes = [vec![0; 50], vec![1, 1], vec![2; 3]].concat();
    let classes = Classes { codes: &codes, names: &names };
    let folds = (0..10).map(|index| TestPart::Fold { index, of: 10 });
    for test in folds.chain([TestPart::Fraction(0.15), TestPart::Fraction(0.8), TestPart::None]) {
        let plan = SplitPlan { test, val_fraction: 0.15 };
        let parts = split(55, Some(classes), None, &plan, &mut Rng::new(3)).unwrap();
        check_partition(&parts, 55);
        for class in 0..3 {
            assert!(parts.train.iter().any(|&r| codes[r as usize] == class), "{test:?}: no {class}");
        }
        if test == TestPart::Fraction(0.15) {
            let of_third = |part: &[u32]| part.iter().filter(|&&r| codes[r as usize] == 2).count();
            assert_eq!([&parts.train, &parts.val, &parts.test].map(|p| of_third(p)), [1, 1, 1]);
        }
    }
    let codes = [vec![0; 50], vec![1]].concat();
    let classes = Classes { codes: &codes, names: &names };
    let error = split(51, Some(classes), None, &SplitPlan::DEFAULT, &mut Rng::new(3)).unwrap_err();
    assert!(error.message.contains("\"class 1\" has one row"), "{error}");
}

#[test]
fn folds_are_disjoint_and_cover_all_rows() {
    let (names, rows) = (names(2), 103);
    let codes: Vec<u32> = (0..rows as u32).map(|n| u32::from(n % 5 == 0)).collect();
    let groups: Vec<u32> = (0..rows as u32).map(|n| n / 5).collect();
    for groups in [None, Some(&groups[..])] {
        let mut tested = Vec::new();
        for index in 0..5 {
            let plan = SplitPlan { test: TestPart::Fold { index, of: 5 }, val_fraction: 0.15 };
            let classes = Classes { codes: &codes, names: &names };
            let parts = split(rows, Some(classes), groups, &plan, &mut Rng::new(4)).unwrap();
            check_partition(&parts, rows);
            assert!(
                (15..=26).contains(&parts.test.len()) && (10..=21).contains(&parts.val.len()),
                "{parts:?}"
            );
            let rare = parts.test.iter().filter(|&&r| codes[r as usize] == 1).count();
            assert!((3..=6).contains(&rare), "{rare}");
            tested.extend(parts.test);
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..rows as u32).collect::<Vec<_>>());
    }
}

#[test]
fn groups_stay_whole_and_balanced() {
    // Forty subjects with 5 to 24 rows, a fifth of them of the rare class.
    let groups: Vec<u32> = (0..40u32).flat_map(|g| vec![g; 5 + (g as usize * 7) % 20]).collect();
    let codes: Vec<u32> = groups.iter().map(|g| u32::from(g % 5 == 0)).collect();
    let (names, rows) = (names(2), groups.len());
    let classes = Classes { codes: &codes, names: &names };
    for seed in 0..20 {
        let parts =
            split(rows, Some(classes), Some(&groups), &SplitPlan::DEFAULT, &mut Rng::new(seed)).unwrap();
        check_partition(&parts, rows);
        let of = |part: &[u32]| {
            part.iter().map(|&r| groups[r as usize]).collect::<std::collections::BTreeSet<_>>()
        };
        let (train, val, test) = (of(&parts.train), of(&parts.val), of(&parts.test));
        assert!(train.is_disjoint(&val) && train.is_disjoint(&test) && val.is_disjoint(&test));
        for part in [&parts.val, &parts.test] {
            let share = part.len() as f64 / rows as f64;
            assert!((0.10..0.20).contains(&share), "seed {seed}: {share}");
            let rare = part.iter().filter(|&&r| codes[r as usize] == 1).count() as f64 / part.len() as f64;
            assert!((0.05..0.45).contains(&rare), "seed {seed}: {rare}");
        }
    }
}

#[test]
fn few_groups_fill_every_part_or_are_refused() {
    let plan = SplitPlan::DEFAULT;
    let three = [vec![0; 10], vec![1; 10], vec![2; 10]].concat();
    for seed in 0..10 {
        let parts = split(30, None, Some(&three), &plan, &mut Rng::new(seed)).unwrap();
        assert_eq!([&parts.train, &parts.val, &parts.test].map(Vec::len), [10, 10, 10]);
    }
    let error = split(20, None, Some(&three[..20]), &plan, &mut Rng::new(0)).unwrap_err();
    assert!(error.message.contains("2 groups, too few for 3 parts"), "{error}");
    let folds = SplitPlan { test: TestPart::Fold { index: 0, of: 5 }, val_fraction: 0.0 };
    let error = split(30, None, Some(&three), &folds, &mut Rng::new(0)).unwrap_err();
    assert!(error.message.contains("fewer --folds"), "{error}");
    // Each class in one group of its own: no part beside the training rows can have any.
    let names = names(3);
    let classes = Classes { codes: &three, names: &names };
    let fold = SplitPlan { test: TestPart::Fold { index: 0, of: 3 }, val_fraction: 0.15 };
    for plan in [plan, fold] {
        assert!(split(30, Some(classes), Some(&three), &plan, &mut Rng::new(0)).is_err(), "{plan:?}");
    }
}

#[test]
fn plans_that_leave_nothing_to_train_on_are_refused() {
    for (test, val_fraction) in [(0.5, 0.5), (1.0, 0.0), (-0.1, 0.2), (f64::NAN, 0.1)] {
        let plan = SplitPlan { test: TestPart::Fraction(test), val_fraction };
        assert!(split(100, None, None, &plan, &mut Rng::new(0)).is_err(), "{plan:?}");
    }
    let plan = SplitPlan { test: TestPart::Fold { index: 0, of: 1 }, val_fraction: 0.0 };
    assert!(split(100, None, None, &plan, &mut Rng::new(0)).is_err());
}
