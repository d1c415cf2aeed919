//! Temperature scaling (Guo et al., 2017): one number T by which logits are divided, so that probabilities mean what they
//! say. The order of the classes, and so every answer, stays the same.
//!
//! The mean cross entropy of softmax(s z) is convex in s = 1 / T, since its second derivative is the mean variance of the
//! logits under the softmax. So Newton's method on the derivative, kept inside a shrinking bracket, finds the one minimum.

use super::rows_of;

/// T is looked for from 1 / `RANGE` to `RANGE`.
pub const RANGE: f64 = 100.0;

/// With fewer rows than this T stays 1: a handful of mistakes would decide it.
pub const MIN_ROWS: usize = 50;

/// Steps at which the search ends at the latest; bisection alone needs about sixty.
const STEPS: usize = 100;

/// How a temperature was found, or why it stays 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It minimises the cross entropy.
    Minimum,
    /// It stays 1: there are fewer than [`MIN_ROWS`] rows.
    TooFewRows,
    /// It stays 1: the cross entropy has no minimum inside the range. Either (nearly) every answer is right, and the smaller
    /// T the better, or the logits say nothing of the classes.
    NoMinimum,
    /// It stays 1, which is the minimum already.
    NoGain,
}

/// A temperature, and what it does on the rows that chose it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature {
    /// What logits are divided by; above 0.
    pub value: f64,
    /// Where it comes from.
    pub fit: Fit,
    /// The mean cross entropy at 1, in nats; 0 without rows.
    pub loss_before: f64,
    /// The mean cross entropy at this temperature, in nats; never above the one before.
    pub loss_after: f64,
}

/// The temperature that minimises the mean cross entropy of `logits (rows, columns)` on rows that were not trained on. One
/// column is the logit of class 1 of two, as for a sigmoid; so it also serves several labels, as rows of one column with
/// the labels 0 and 1. Deterministic: sums in the order of the rows.
///
/// # Errors
/// Where a logit is not finite.
///
/// # Panics
/// If there is not a label for each row, or a label has no logit.
pub fn temperature<T: Copy + Into<f64>>(
    logits: &[T],
    columns: usize,
    labels: &[u8],
) -> Result<Temperature, String> {
    assert_eq!(rows_of(logits, columns), labels.len(), "a label for each row");
    let classes = columns.max(2);
    assert!(labels.iter().all(|&label| usize::from(label) < classes), "a logit for each label");
    if !logits.iter().all(|&z| z.into().is_finite()) {
        return Err("a temperature needs finite logits, and one is not".into());
    }
    if labels.is_empty() {
        return Ok(Temperature { value: 1.0, fit: Fit::TooFewRows, loss_before: 0.0, loss_after: 0.0 });
    }
    let at = |s: f64| Point::mean(logits, columns, labels, s);
    let loss = at(1.0).loss;
    let stays = |fit| Temperature { value: 1.0, fit, loss_before: loss, loss_after: loss };
    if labels.len() < MIN_ROWS {
        return Ok(stays(Fit::TooFewRows));
    }
    let Some(s) = root(at) else { return Ok(stays(Fit::NoMinimum)) };
    let after = at(s).loss;
    let found = Temperature { value: 1.0 / s, fit: Fit::Minimum, loss_before: loss, loss_after: after };
    Ok(if after < loss { found } else { stays(Fit::NoGain) })
}

/// The mean cross entropy at an inverse temperature, and its derivatives by it.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    loss: f64,
    slope: f64,
    curvature: f64,
}

impl Point {
    fn mean<T: Copy + Into<f64>>(logits: &[T], columns: usize, labels: &[u8], s: f64) -> Self {
        let mut sum = Self::default();
        for (row, &label) in logits.chunks_exact(columns).zip(labels) {
            match *row {
                [z] => sum.add([0.0, z.into()].into_iter(), usize::from(label), s),
                _ => sum.add(row.iter().map(|&z| z.into()), usize::from(label), s),
            }
        }
        let rows = labels.len() as f64;
        Self { loss: sum.loss / rows, slope: sum.slope / rows, curvature: sum.curvature / rows }
    }

    /// Adds a row: ln Σ exp(s z) − s z_label; its slope is the mean of z under the softmax less z_label, its curvature the
    /// variance of z. Logits are taken from their largest, so that no exponential overflows.
    fn add(&mut self, logits: impl Iterator<Item = f64> + Clone, label: usize, s: f64) {
        let max = logits.clone().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut first, mut second, mut own) = (0.0, 0.0, 0.0, 0.0);
        for (class, z) in logits.enumerate() {
            let z = z - max;
            let weight = (s * z).exp();
            sum += weight;
            first += weight * z;
            second += weight * z * z;
            if class == label {
                own = z;
            }
        }
        let mean = first / sum;
        self.loss += sum.ln() - s * own;
        self.slope += mean - own;
        self.curvature += (second / sum - mean * mean).max(0.0);
    }
}

/// The inverse temperature at which the slope is 0; `None` where that is not inside the range.
fn root(at: impl Fn(f64) -> Point) -> Option<f64> {
    let (mut low, mut high) = (1.0 / RANGE, RANGE);
    if at(low).slope >= 0.0 || at(high).slope <= 0.0 {
        return None;
    }
    let mut s = 1.0;
    for _ in 0..STEPS {
        let point = at(s);
        if point.slope > 0.0 {
            high = s
        } else {
            low = s
        }
        let newton = s - point.slope / point.curvature;
        // The middle of the bracket on a logarithmic scale where Newton's step leaves it or is not a number.
        let next = if newton > low && newton < high { newton } else { (low * high).sqrt() };
        if (next - s).abs() <= 1e-12 * s {
            return Some(next);
        }
        s = next;
    }
    Some(s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixty rows of three confident logits, of which every fifth is wrong.
    fn three_classes() -> (Vec<f32>, Vec<u8>) {
        let labels: Vec<u8> = (0..60).map(|n| (n % 3) as u8).collect();
        let row = |n: usize| {
            let guess = (n % 3 + usize::from(n.is_multiple_of(5))) % 3;
            let mut row = [0.0; 3];
            row[guess] = 4.0 + (n % 7) as f32 * 0.5;
            row[(guess + 1) % 3] = (n % 4) as f32 * 0.25;
            row
        };
        ((0..60).flat_map(row).collect(), labels)
    }

    fn close(found: f64, expected: f64, bound: f64) {
        assert!((found - expected).abs() <= bound, "{found} is not {expected}");
    }

    #[test]
    fn confident_logits_are_cooled() {
        let (logits, labels) = three_classes();
        let found = temperature(&logits, 3, &labels).unwrap();
        // scipy.optimize.minimize_scalar(method="bounded") over ln T, whose T is good to half the digits of the loss.
        close(found.value, 2.643_106_328_679_241, 1e-6);
        close(found.loss_after, 0.670_483_374_351_635, 1e-12);
        close(found.loss_before, 1.116_422_225_183_838_3, 1e-12);
        assert_eq!(found.fit, Fit::Minimum);
    }

    #[test]
    fn one_logit_is_a_sigmoid() {
        let labels: Vec<u8> = (0..60).map(|n| (n % 2) as u8).collect();
        let logit = |n: usize| {
            let positive = (n % 2 == 1) != n.is_multiple_of(5);
            (3.0 + (n % 6) as f32 * 0.5) * if positive { 1.0 } else { -1.0 }
        };
        let logits: Vec<f32> = (0..60).map(logit).collect();
        let found = temperature(&logits, 1, &labels).unwrap();
        // The same function of SciPy.
        close(found.value, 3.141_450_283_189_482_4, 1e-6);
        close(found.loss_after, 0.506_523_028_969_888_1, 1e-12);
        close(found.loss_before, 0.869_721_539_062_075_8, 1e-12);
        let pairs: Vec<f32> = logits.iter().flat_map(|&z| [0.0, z]).collect();
        assert_eq!(temperature(&pairs, 2, &labels), Ok(found));
    }

    #[test]
    fn logits_of_any_scale() {
        let (logits, labels) = three_classes();
        let own = temperature(&logits, 3, &labels).unwrap();
        for factor in [0.05_f32, 0.5, 4.0, 30.0] {
            let scaled: Vec<f32> = logits.iter().map(|z| factor * z).collect();
            let found = temperature(&scaled, 3, &labels).unwrap();
            close(found.value / f64::from(factor), own.value, 1e-5);
            close(found.loss_after, own.loss_after, 1e-7);
        }
        // Scaled by its own temperature, 1 is the minimum, up to rounding.
        let scaled: Vec<f64> = logits.iter().map(|&z| f64::from(z) / own.value).collect();
        close(temperature(&scaled, 3, &labels).unwrap().value, 1.0, 1e-6);
    }

    #[test]
    fn it_stays_1_where_there_is_no_minimum_or_too_little_to_go_by() {
        let (logits, labels) = three_classes();
        let few = temperature(&logits[..3 * 49], 3, &labels[..49]).unwrap();
        assert_eq!((few.value, few.fit), (1.0, Fit::TooFewRows));
        assert_eq!(few.loss_before, few.loss_after);
        assert_eq!(temperature::<f32>(&[], 3, &[]).unwrap().fit, Fit::TooFewRows);
        // Every answer right: the loss falls to 0 with T.
        let right: Vec<f32> =
            labels.iter().flat_map(|&l| [0, 1, 2].map(|c| f32::from(u8::from(c == l)))).collect();
        let all = temperature(&right, 3, &labels).unwrap();
        assert_eq!((all.value, all.fit), (1.0, Fit::NoMinimum));
        // Every answer wrong, and logits that are all equal.
        let wrong: Vec<f32> = right.iter().map(|z| -z).collect();
        assert_eq!(temperature(&wrong, 3, &labels).unwrap().fit, Fit::NoMinimum);
        assert_eq!(temperature(&[2.0_f32; 180], 3, &labels).unwrap().fit, Fit::NoMinimum);
        assert!(temperature(&[f32::NAN; 180], 3, &labels).unwrap_err().contains("finite"));
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let (logits, labels) = three_classes();
        let huge: Vec<f64> = logits.iter().map(|&z| f64::from(z) * 1e30).collect();
        let found = temperature(&huge, 3, &labels).unwrap();
        assert!(found.value == 1.0 && found.loss_before.is_finite(), "{found:?}");
    }
}
