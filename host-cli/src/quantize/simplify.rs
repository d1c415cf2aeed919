//! Hidden units that say nothing, as structured pruning leaves them: they cost the others no resolution.
//!
//! A unit without weights is constant, and the layer behind it takes what it adds into its biases. A unit that nothing
//! reads loses its own weights. The network computes the same either way.

use selvedge::Shape;

use crate::error::Result;

/// Takes constant and unread hidden units out of a network: their weights become 0.
///
/// # Errors
/// Exit code 1 where `params` are not those of `shape`.
pub(super) fn simplify(shape: Shape, params: &mut [f32]) -> Result<()> {
    let mut layers = shape.split_mut(params)?;
    for l in 1..layers.len() {
        let (before, after) = layers.split_at_mut(l);
        let (unit, reader) = (&mut before[l - 1], &mut after[0]);
        let (units, outputs) = (unit.biases.len(), reader.biases.len());
        let mut added = vec![0.0; outputs];
        for j in (0..units).filter(|&j| is_zero(column(unit.weights, j, units))) {
            let constant = f64::from(unit.biases[j].max(0.0));
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

/// The weights into unit `j` of a layer of `units`, stored `(i, o)`.
pub(super) fn column(weights: &[f32], j: usize, units: usize) -> impl Iterator<Item = &f32> {
    weights.iter().skip(j).step_by(units)
}

fn is_zero<'a>(mut weights: impl Iterator<Item = &'a f32>) -> bool {
    weights.all(|w| *w == 0.0)
}

#[cfg(test)]
mod tests {
    use selvedge::Shape;

    use super::simplify;

    #[test]
    fn constant_and_unread_units_go_and_the_outputs_stay() {
        let shape = Shape::new(&[2, 3, 1]).unwrap();
        // Unit 0 is constant, unit 1 is unread, unit 2 is ordinary.
        let mut params = [0.0, 5.0, 1.0, 0.0, 6.0, 2.0, 3.0, 1.0, -0.5, 2.0, 0.0, 4.0, 0.25];
        simplify(shape, &mut params).unwrap();
        assert_eq!(params, [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, -0.5, 0.0, 0.0, 4.0, 6.25]);
        // A constant that ReLU cuts off adds nothing; one that makes the next unit constant goes further.
        let shape = Shape::new(&[1, 2, 1, 2]).unwrap();
        let mut params = [0.0, 0.0, -7.0, 2.0, 3.0, 4.0, -1.0, 10.0, 1.0, 0.0, 0.5];
        simplify(shape, &mut params).unwrap();
        assert_eq!(params, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 70.0, 7.5]);
    }
}
