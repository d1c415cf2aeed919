//! The samples of a step: gathered where they lie, or pictures that are flipped and shifted first; and what they should
//! become.

use selvedge::{self, Backend};

use super::Pipeline;
use crate::data::normalise::Inputs;
use crate::data::{Features, Images, Samples, Targets};
use crate::model::TargetScale;
use crate::sampling::stream_at;

/// Makes batches of the samples of a set.
pub struct Batches<'a> {
    set: &'a Samples,
    inputs: &'a Inputs<'a>,
    flip: bool,
    shift: usize,
    seed: u64,
    index: Vec<u32>,
    labels: Vec<u8>,
    /// What the outputs should be, where these are no classes.
    values: Vec<f32>,
    target_scale: Option<&'a TargetScale>,
    /// The weight of each class, and of each sample of the batch; empty where all count the same.
    class_weights: &'a [f32],
    weights: Vec<f32>,
    /// The images of the batch, where they are changed.
    changed: Vec<u8>,
}

impl<'a> Batches<'a> {
    /// Batches as the recipe says.
    pub fn new(pipeline: &'a Pipeline<'a>, inputs: &'a Inputs<'a>) -> Self {
        let Pipeline { recipe, set, .. } = pipeline;
        Self {
            set,
            inputs,
            flip: recipe.flip,
            shift: recipe.shift,
            seed: recipe.seed,
            index: Vec::with_capacity(recipe.batch),
            labels: Vec::with_capacity(recipe.batch),
            values: Vec::new(),
            target_scale: pipeline.target_scale.as_ref(),
            class_weights: &pipeline.class_weights,
            weights: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Takes the samples at `index` for step `step` of the run; what is changed about them follows from both.
    pub fn load(&mut self, backend: Backend, step: u64, index: &[u32]) {
        self.load_targets(backend, index);
        self.index.clear();
        if !self.flip && self.shift == 0 {
            self.index.extend(index);
            return;
        }
        self.index.extend(0..index.len() as u32);
        let Features::Images(Images { rows, cols, channels, .. }) = self.set.features else { return };
        let size = rows * cols * channels;
        self.changed.clear();
        self.changed.resize(index.len() * size, 0);
        let mut rng = stream_at(self.seed, "augment", step);
        for (to, &n) in self.changed.chunks_exact_mut(size).zip(index) {
            let from = &self.inputs.pixels()[n as usize * size..][..size];
            let flip = self.flip && rng.below(2) == 1;
            let mut draw = || rng.below(2 * self.shift as u32 + 1) as isize - self.shift as isize;
            let (down, right) = (draw(), draw());
            change(from, to, (cols, channels), flip, down, right);
        }
    }

    fn load_targets(&mut self, backend: Backend, index: &[u32]) {
        self.values.clear();
        match (&self.set.targets, self.target_scale) {
            (Targets::Classes(labels), _) => {
                self.labels.clear();
                self.labels.extend(index.iter().map(|&n| labels[n as usize]));
                if !self.class_weights.is_empty() {
                    self.weights.clear();
                    self.weights
                        .extend(self.labels.iter().map(|&label| self.class_weights[usize::from(label)]));
                }
            }
            (Targets::Values(matrix), Some(scale)) => {
                index.iter().for_each(|&n| scale.standardise(matrix.row(n as usize), &mut self.values));
            }
            (Targets::Values(matrix), None) => {
                index.iter().for_each(|&n| self.values.extend_from_slice(matrix.row(n as usize)));
            }
            (Targets::Inputs(_) | Targets::Unknown, _) => {
                self.values.resize(index.len() * self.set.features.width(), 0.0);
                self.inputs.fill(backend, index, &mut self.values);
            }
        }
    }

    /// What the batch should become.
    pub fn targets(&self) -> selvedge::Targets<'_> {
        match self.set.targets {
            Targets::Classes(_) if self.class_weights.is_empty() => selvedge::Targets::labels(&self.labels),
            Targets::Classes(_) => selvedge::Targets::labels(&self.labels).with_weights(&self.weights),
            _ => selvedge::Targets::values(&self.values),
        }
    }

    /// Writes rows `first..` of the batch.
    pub fn fill(&self, backend: Backend, first: usize, rows: &mut [f32]) {
        let inputs = self.set.features.width();
        let index = &self.index[first..][..rows.len() / inputs];
        if self.changed.is_empty() {
            self.inputs.fill(backend, index, rows);
        } else {
            self.inputs.fill_from(backend, &self.changed, index, rows);
        }
    }
}

/// Copies an image, mirrored and moved; what comes in at the edges stays as it is.
fn change(
    from: &[u8],
    to: &mut [u8],
    (cols, channels): (usize, usize),
    flip: bool,
    down: isize,
    right: isize,
) {
    let (cols, right) = (cols * channels, right * channels as isize);
    let rows = from.len() / cols;
    // Of each row as many pixels stay, from this one on, and move to there.
    let stay = cols.saturating_sub(right.unsigned_abs());
    let (first, there) = if right < 0 { (cols - stay, 0) } else { (0, cols - stay) };
    let first = if flip { cols - first - stay } else { first };
    for (r, to) in to.chunks_exact_mut(cols).enumerate() {
        let Some(source) = r.checked_add_signed(-down).filter(|&s| s < rows) else { continue };
        let to = &mut to[there..][..stay];
        to.copy_from_slice(&from[source * cols + first..][..stay]);
        if flip {
            to.reverse();
            to.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn images_move_and_mirror() {
        let from = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let changed = |flip, down, right| {
            let mut to = [0; 9];
            change(&from, &mut to, (3, 1), flip, down, right);
            to
        };
        assert_eq!(changed(false, 0, 0), from);
        assert_eq!(changed(true, 0, 0), [3, 2, 1, 6, 5, 4, 9, 8, 7]);
        assert_eq!(changed(false, 1, 0), [0, 0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(changed(false, 0, -1), [2, 3, 0, 5, 6, 0, 8, 9, 0]);
        assert_eq!(changed(true, -2, 1), [0, 9, 8, 0, 0, 0, 0, 0, 0]);
        assert_eq!(changed(true, 0, -1), [2, 1, 0, 5, 4, 0, 8, 7, 0]);
        assert_eq!(changed(false, 0, 3), [0; 9]);
        assert_eq!(changed(true, 5, -4), [0; 9]);
    }

    #[test]
    fn channels_stay_together() {
        let from = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let mut to = [0; 12];
        change(&from, &mut to, (2, 3), true, 0, 0);
        assert_eq!(to, [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
        let mut to = [0; 12];
        change(&from, &mut to, (2, 3), false, 0, 1);
        assert_eq!(to, [0, 0, 0, 1, 2, 3, 0, 0, 0, 7, 8, 9]);
    }
}
