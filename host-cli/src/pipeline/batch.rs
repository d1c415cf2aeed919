//! The images of a step: gathered where they lie, or flipped and shifted first.

use selvedge::Backend;

use crate::data::normalise::Inputs;
use crate::data::{Features, Images, Samples};
use crate::recipe::Recipe;
use crate::sampling::stream_at;

/// Makes batches of the images of a set.
pub struct Batches<'a> {
    set: &'a Samples,
    inputs: &'a Inputs<'a>,
    flip: bool,
    shift: usize,
    seed: u64,
    index: Vec<u32>,
    labels: Vec<u8>,
    /// The images of the batch, where they are changed.
    changed: Vec<u8>,
}

impl<'a> Batches<'a> {
    /// Batches as the recipe says.
    pub fn new(recipe: &Recipe, set: &'a Samples, inputs: &'a Inputs<'a>) -> Self {
        Self {
            set,
            inputs,
            flip: recipe.flip,
            shift: recipe.shift,
            seed: recipe.seed,
            index: Vec::with_capacity(recipe.batch),
            labels: Vec::with_capacity(recipe.batch),
            changed: Vec::new(),
        }
    }

    /// Takes the images at `index` for step `step` of the run; what is changed about them follows from both.
    pub fn load(&mut self, step: u64, index: &[u32]) {
        self.labels.clear();
        self.labels.extend(index.iter().map(|&n| self.set.labels()[n as usize]));
        self.index.clear();
        if !self.flip && self.shift == 0 {
            self.index.extend(index);
            return;
        }
        self.index.extend(0..index.len() as u32);
        let Features::Images(Images { rows, cols, .. }) = self.set.features else { return };
        self.changed.clear();
        self.changed.resize(index.len() * rows * cols, 0);
        let mut rng = stream_at(self.seed, "augment", step);
        for (to, &n) in self.changed.chunks_exact_mut(rows * cols).zip(index) {
            let from = &self.inputs.pixels()[n as usize * rows * cols..][..rows * cols];
            let flip = self.flip && rng.below(2) == 1;
            let mut draw = || rng.below(2 * self.shift as u32 + 1) as isize - self.shift as isize;
            let (down, right) = (draw(), draw());
            change(from, to, cols, flip, down, right);
        }
    }

    /// The classes of the batch.
    pub fn labels(&self) -> &[u8] {
        &self.labels
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
fn change(from: &[u8], to: &mut [u8], cols: usize, flip: bool, down: isize, right: isize) {
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
            change(&from, &mut to, 3, flip, down, right);
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
}
