//! Whether a run has learned anything: a network that has not says the most frequent class of every image, or every class
//! as often as it occurs.
//!
//! An accuracy is measured on so many images and no more, so one that lies within two standard errors of the most frequent
//! class's share cannot be told from it; a loss counts as a guess's where it is within one part in a hundred of it.

use crate::data::{Dataset, Samples, Task};
use crate::inference::assess::Assessment;
use crate::inference::evaluate::Evaluation;
use crate::inference::metrics::regression::{Errors, TargetErrors};
use crate::pipeline::{Epoch, Pipeline};
use crate::recipe::ClassWeights;

/// A loss that is smaller than a guess's by less than this fraction is no better.
const LOSS_MARGIN: f64 = 0.01;

/// A class of a smaller part of the samples is warned of before training.
const VERY_RARE: f64 = 0.03;
/// A class of less than this fraction of an even share is rare.
const MAX_RARE_OF_EVEN: f64 = 0.5;
/// A class of a larger part of the samples is not rare.
const MAX_RARE: f64 = 0.1;

/// What to warn of after the last epoch. `val` is the model's accuracy on the validation images; `tested` that on
/// the test images, which counts where there are none.
pub(super) fn warnings(
    pipeline: &Pipeline<'_>,
    dataset: &Dataset,
    epochs: &[Epoch],
    val: Option<f64>,
    tested: &Assessment,
) -> Vec<String> {
    match tested {
        Assessment::Classes(figures) => {
            let accuracy = figures.evaluation.accuracy();
            let guess = of_classes(pipeline, dataset, epochs, val, accuracy);
            guess.or_else(|| one_sided(dataset, &figures.evaluation)).into_iter().collect()
        }
        Assessment::Regression(errors) => of_numbers(dataset, errors),
        Assessment::Multilabel(_) | Assessment::Reconstruction(_) => Vec::new(),
    }
}

/// What to warn of before the first step: a class so rare that an accuracy says nothing of it.
pub(super) fn rare_class(pipeline: &Pipeline<'_>) -> Option<String> {
    let Pipeline { recipe, dataset, set, split, .. } = pipeline;
    if dataset.task != Task::Classify || recipe.class_weights != ClassWeights::None {
        return None;
    }
    let counts = frequencies(set, &split.train, dataset.classes.len());
    let samples = counts.iter().sum::<usize>();
    let (class, &count) = counts.iter().enumerate().filter(|(_, n)| **n > 0).min_by_key(|(_, n)| **n)?;
    let share = count as f64 / samples as f64;
    (share < VERY_RARE.min(MAX_RARE_OF_EVEN / counts.len() as f64)).then(|| {
        format!(
            "{} is {:.1}% of the training {}: a network that never answers it is {:.1}% accurate; go by its recall and by the \
             balanced accuracy, and try --class-weights balanced",
            dataset.classes[class],
            100.0 * share,
            dataset.plural(),
            100.0 * (1.0 - share)
        )
    })
}

/// Whether a class that is rare is never found, which an accuracy does not show.
fn one_sided(dataset: &Dataset, evaluation: &Evaluation) -> Option<String> {
    let rows = evaluation.images as f64;
    let even = MAX_RARE.min(MAX_RARE_OF_EVEN / evaluation.confusion.len() as f64);
    let rare = |&c: &usize| f64::from(evaluation.of_class(c)) < even * rows && evaluation.of_class(c) > 0;
    let missed = |&c: &usize| 2 * evaluation.confusion[c][c] < evaluation.of_class(c);
    let class = (0..evaluation.confusion.len()).filter(rare).find(missed)?;
    Some(format!(
        "{} is {:.1}% of the test {}, and {:.0}% of it is found: the accuracy hides that; look at the recall and the macro F1 of \
         `selvedge eval`, and try --class-weights balanced",
        dataset.classes.get(class).map_or_else(|| format!("class {class}"), Clone::clone),
        100.0 * f64::from(evaluation.of_class(class)) / rows,
        dataset.plural(),
        100.0 * evaluation.recall(class)
    ))
}

/// The targets that the mean answers as well.
fn of_numbers(dataset: &Dataset, errors: &Errors) -> Vec<String> {
    let targets = dataset.classes.iter().zip(&errors.targets);
    let bad = targets.filter(|(_, target)| target.rmse >= target.baseline_rmse);
    let warning = |(name, target): (&String, &TargetErrors)| {
        format!(
            "the error of {name}, RMSE {:.5}, is no smaller than that of always answering the mean, {:.5}; try another --lr, \
             more --epochs, or fewer units",
            target.rmse, target.baseline_rmse
        )
    };
    bad.map(warning).collect()
}

/// What to warn of classes.
fn of_classes(
    pipeline: &Pipeline<'_>,
    dataset: &Dataset,
    epochs: &[Epoch],
    val: Option<f64>,
    tested: f64,
) -> Option<String> {
    let Pipeline { recipe, set, split, .. } = pipeline;
    // Weighted classes have another loss, and cost accuracy on purpose.
    if recipe.class_weights != ClassWeights::None {
        return None;
    }
    let classes = &dataset.classes;
    let (accuracy, images, of) = match val {
        Some(accuracy) => (accuracy, frequencies(set, &split.val, classes.len()), "validation"),
        None => (tested, frequencies(&dataset.test, &dataset.test.indices(), classes.len()), "test"),
    };
    let loss = epochs.last()?.loss;
    let trained = frequencies(set, &split.train, classes.len());
    let of_guess = loss_of_guess(&trained, f64::from(recipe.label_smoothing));
    let what = no_better(accuracy, &images)
        .map(|(class, share)| {
            format!(
                "the {of} accuracy, {:.2}%, {} a guess: {:.2}% of the {} are {}",
                100.0 * accuracy,
                if accuracy > share { "is too close to be told from" } else { "is no better than" },
                100.0 * share,
                dataset.plural(),
                classes.get(class).map_or_else(|| format!("class {class}"), Clone::clone),
            )
        })
        .or_else(|| {
            (loss >= (1.0 - LOSS_MARGIN) * of_guess)
                .then(|| format!("the loss, {loss:.4}, is no better than a guess, which loses {of_guess:.4}"))
        })?;
    Some(format!(
        "{what}; try another --lr, more --epochs, or another --init, and see what `selvedge eval` says of each class"
    ))
}

/// Images of each class.
fn frequencies(set: &Samples, index: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    index.iter().for_each(|&n| counts[usize::from(set.labels()[n as usize])] += 1);
    counts
}

/// The most frequent class and its share, where an accuracy on these images cannot be told from it.
fn no_better(accuracy: f64, counts: &[usize]) -> Option<(usize, f64)> {
    let images: usize = counts.iter().sum();
    let (class, &most) = counts.iter().enumerate().max_by_key(|&(class, &n)| (n, usize::MAX - class))?;
    let share = most as f64 / images.max(1) as f64;
    let error = (share * (1.0 - share) / images.max(1) as f64).sqrt();
    (accuracy <= share + 2.0 * error).then_some((class, share))
}

/// The mean loss of the best guess: the entropy of the classes' frequencies, each label spread as the recipe spreads it.
fn loss_of_guess(counts: &[usize], smoothing: f64) -> f64 {
    let images = counts.iter().sum::<usize>().max(1) as f64;
    let share = |&n: &usize| (1.0 - smoothing) * n as f64 / images + smoothing / counts.len() as f64;
    counts.iter().map(share).filter(|&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::{loss_of_guess, no_better};

    #[test]
    fn accuracies_near_the_largest_class_are_guesses() {
        let even = [100; 10];
        // A tenth of 1,000 images, with a standard error of 0.95 %.
        assert_eq!(no_better(0.1, &even), Some((0, 0.1)));
        assert_eq!(no_better(0.118, &even), Some((0, 0.1)));
        assert_eq!(no_better(0.12, &even), None);
        assert_eq!(no_better(0.05, &even), Some((0, 0.1)));
        // 99 % of one class: its share is what a guess reaches, not one half.
        assert_eq!(no_better(0.99, &[10, 990]), Some((1, 0.99)));
        assert_eq!(no_better(0.996, &[10, 990]), Some((1, 0.99)));
        assert_eq!(no_better(0.998, &[10, 990]), None);
        // Few images say little, and where all are of one class nothing can be learned.
        assert_eq!(no_better(0.75, &[2, 2]), Some((0, 0.5)));
        assert_eq!(no_better(1.0, &[0, 9]), Some((1, 1.0)));
    }

    #[test]
    fn a_guess_loses_the_entropy_of_the_classes() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(loss_of_guess(&[7; 10], 0.0), 10f64.ln()));
        assert!(near(loss_of_guess(&[7; 10], 0.3), 10f64.ln()));
        assert!(near(loss_of_guess(&[3, 0], 0.0), 0.0));
        assert!(near(loss_of_guess(&[1, 3], 0.0), -(0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln())));
        assert!(near(loss_of_guess(&[1, 0], 0.5), -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln())));
    }
}
