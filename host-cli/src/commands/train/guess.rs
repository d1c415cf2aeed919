//! Whether a run has learned anything: a network that has not says the most frequent class of every image, or every class
//! as often as it occurs.
//!
//! An accuracy is measured on so many images and no more, so one that lies within two standard errors of the most frequent
//! class's share cannot be told from it; a loss counts as a guess's where it is within one part in a hundred of it.

use crate::data::{Dataset, Samples};
use crate::pipeline::{Epoch, Pipeline};

/// A loss that is smaller than a guess's by less than this fraction is no better.
const LOSS_MARGIN: f64 = 0.01;

/// What to warn of after the last epoch, if anything. `val` is the model's accuracy on the validation images; `tested` that on
/// the test images, which counts where there are none.
pub(super) fn warning(
    pipeline: &Pipeline<'_>,
    dataset: &Dataset,
    epochs: &[Epoch],
    val: Option<f64>,
    tested: f64,
) -> Option<String> {
    let Pipeline { recipe, set, split, .. } = pipeline;
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
                "the {of} accuracy, {:.2}%, is no better than a guess: {:.2}% of the images are {}",
                100.0 * accuracy,
                100.0 * share,
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
