//! Removes constant and unread hidden units, as structured pruning leaves them, so that they cost no resolution.
//!
//! A unit without weights is constant: its contribution moves into the biases of the next layer. A unit that nothing reads
//! gets weights of 0. The network computes the same either way.

use selvedge::Shape;

use super::range::output;
use crate::error::Result;

/// Removes constant and unread hidden units from a network by setting their weights to 0.
///
/// # Errors
/// `Failed` where `params` are not those of `shape`.
pub(super) fn simplify(shape: Shape, params: &mut [f32]) -> Result<()> {
    let mut layers = shape.split_mut(params)?;
    for l in 1..layers.len() {
        let (before, after) = layers.split_at_mut(l);
        let (unit, reader) = (&mut before[l - 1], &mut after[0]);
        let (units, outputs) = (unit.biases.len(), reader.biases.len());
        let mut added = vec![0.0; outputs];
        for j in (0..units).filter(|&j| is_zero(column(unit.weights, j, units))) {
            let constant = output(shape.activation(l - 1), unit.biases[j].into());
            for (added, w) in added.iter_mut().zip(&mut reader.weights[j * outputs..][..outputs]) {
                *added += constant * f64::from(std::mem::take(w));
            }
            unit.biases[j] = 0.0;
        }
        for (bias, added) in reader.biases.iter_mut().zip(added) {
            *bias = (f64::from(*bias) + added) as f32;
        }
    }
    for l in (1..layers.len()).rev() {
        let (before, after) = layers.split_at_mut(l);
        let (unit, reader) = (&mut before[l - 1], &after[0]);
        let (units, outputs) = (unit.biases.len(), reader.biases.len());
        for j in (0..units).filter(|&j| is_zero(reader.weights[j * outputs..][..outputs].iter())) {
            unit.weights.iter_mut().skip(j).step_by(units).for_each(|w| *w = 0.0);
            unit.biases[j] = 0.0;
        }
    }
    Ok(())
}

/// The weights of unit `j` of a layer of `units`, stored `(i, o)`.
pub(super) fn column(weights: &[f32], j: usize, units: usize) -> impl Iterator<Item = &f32> {
    weights.iter().skip(j).step_by(units)
}

fn is_zero<'a>(mut weights: impl Iterator<Item = &'a f32>) -> bool {
    weights.all(|w| *w == 0.0)
}

#[cfg(test)]
mod tests {
    use selvedge::{Activation, Shape};

    use super::simplify;

    #[test]
    fn constant_and_unread_units_go_and_the_outputs_stay() {
        let shape = Shape::new(&[2, 3, 1]).unwrap();
        // Unit 0 is constant, unit 1 is unread, unit 2 is ordinary.
        let mut params = [0.0, 5.0, 1.0, 0.0, 6.0, 2.0, 3.0, 1.0, -0.5, 2.0, 0.0, 4.0, 0.25];
        simplify(shape, &mut params).unwrap();
        assert_eq!(params, [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, -0.5, 0.0, 0.0, 4.0, 6.25]);
        // The constant of another activation is what it makes of the bias, ½ for a sigmoid of 0.
        let shape = Shape::new(&[1, 1, 1]).unwrap().with_activation(Activation::Sigmoid);
        let mut params = [0.0, 0.0, 4.0, 1.0];
        simplify(shape, &mut params).unwrap();
        assert_eq!(params, [0.0, 0.0, 0.0, 3.0]);
        // A negative constant is 0 after ReLU; one that makes the next unit constant is propagated.
        let shape = Shape::new(&[1, 2, 1, 2]).unwrap();
        let mut params = [0.0, 0.0, -7.0, 2.0, 3.0, 4.0, -1.0, 10.0, 1.0, 0.0, 0.5];
        simplify(shape, &mut params).unwrap();
        assert_eq!(params, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 70.0, 7.5]);
    }
}
