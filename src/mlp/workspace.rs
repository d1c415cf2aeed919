//! The memory of a pass: activations and their gradients, cut from an [`Arena`]. The size is a `const fn`.

use heapless::Vec;

use crate::arena::{Arena, padded};
use crate::error::Error;
use crate::parallel::{Divide, portion};
use crate::shape::{MAX_LAYERS, Shape};
use crate::targets::Targets;

/// The memory of a forward pass: the input rows, the activations of the hidden layers and the logits, for batches of up to
/// `capacity` rows.
#[derive(Debug)]
pub struct Activations<'m> {
    shape: Shape,
    capacity: usize,
    x: &'m mut [f32],
    hidden: Vec<&'m mut [f32], MAX_LAYERS>,
    logits: &'m mut [f32],
}

/// The memory of a training step: the activations, a gradient for each of them, the sums of the layers with hard swish, and
/// the losses of the rows.
#[derive(Debug)]
pub struct Workspace<'m> {
    activations: Activations<'m>,
    /// Gradients of the sums of the hidden layers; that of the logits replaces the logits.
    deltas: Vec<&'m mut [f32], MAX_LAYERS>,
    /// The sums of the hidden layers whose derivative needs them; empty for the others.
    sums: Vec<&'m mut [f32], MAX_LAYERS>,
    losses: &'m mut [f32],
}

/// Floats for a slice of `per_row` floats for each of `rows` rows; saturates where no machine has that much.
const fn block(rows: usize, per_row: usize) -> usize {
    padded(rows.saturating_mul(per_row))
}

/// Floats for one block per hidden layer.
const fn hidden_blocks(shape: Shape, rows: usize) -> usize {
    let mut sum = 0usize;
    let mut l = 1;
    while l < shape.layers() {
        sum = sum.saturating_add(block(rows, shape.width(l)));
        l += 1;
    }
    sum
}

/// Sums to keep of the layer of width `l`, for each row.
const fn sums_width(shape: &Shape, l: usize) -> usize {
    if shape.activation(l - 1).needs_sums() { shape.width(l) } else { 0 }
}

/// Floats for the sums that are kept.
const fn sums_blocks(shape: Shape, rows: usize) -> usize {
    let mut sum = 0usize;
    let mut l = 1;
    while l < shape.layers() {
        sum = sum.saturating_add(block(rows, sums_width(&shape, l)));
        l += 1;
    }
    sum
}

impl<'m> Activations<'m> {
    /// Floats of memory that [`new`](Self::new) takes; about `usize::MAX` where no machine has that much.
    #[must_use]
    pub const fn floats(shape: Shape, capacity: usize) -> usize {
        block(capacity, shape.inputs())
            .saturating_add(hidden_blocks(shape, capacity))
            .saturating_add(block(capacity, shape.outputs()))
    }

    /// Takes the memory for batches of up to `capacity` rows.
    ///
    /// # Errors
    /// [`Error::Batch`] for a capacity of 0, [`Error::ArenaTooSmall`] where fewer than [`floats`](Self::floats) are left;
    /// nothing is taken then.
    pub fn new(shape: Shape, capacity: usize, arena: &mut Arena<'m>) -> Result<Self, Error> {
        check(Self::floats(shape, capacity), capacity, arena)?;
        let x = arena.take(capacity * shape.inputs())?;
        let hidden = take_blocks(shape, capacity, arena, |l| shape.width(l))?;
        let logits = arena.take(capacity * shape.outputs())?;
        Ok(Self { shape, capacity, x, hidden, logits })
    }

    /// The maximum number of rows of a batch.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The logits `(b, o)` of the last forward pass of `b` rows.
    ///
    /// # Panics
    /// If `b` is above the capacity.
    #[must_use]
    pub fn logits(&self, b: usize) -> &[f32] {
        &self.logits[..b * self.shape.outputs()]
    }

    /// The activations `(b, w)` after `l` layers of the last forward pass; 0 is the input.
    ///
    /// # Panics
    /// If `l` is not below the number of layers, or `b` above the capacity.
    #[must_use]
    pub fn activation(&self, l: usize, b: usize) -> &[f32] {
        let a: &[f32] = if l == 0 { self.x } else { self.hidden[l - 1] };
        &a[..b * self.shape.width(l)]
    }

    /// Refuses a batch of `b` rows that does not fit.
    ///
    /// # Panics
    /// If the memory was made for another shape.
    pub(super) fn check(&self, shape: &Shape, b: usize) -> Result<(), Error> {
        assert_eq!(*shape, self.shape, "the workspace was made for another shape");
        if b == 0 || b > self.capacity {
            return Err(Error::Batch { rows: b, capacity: self.capacity });
        }
        Ok(())
    }

    /// The memory of `b` rows, which were checked, and of the sums of hidden layers that a backward pass needs.
    #[inline]
    pub(super) fn rows<'a>(&'a mut self, b: usize, sums: Rows<'a>) -> ForwardRows<'a> {
        let shape = &self.shape;
        ForwardRows {
            first: 0,
            b,
            x: &mut self.x[..b * shape.inputs()],
            hidden: take_rows(&mut self.hidden, b, |l| shape.width(l)),
            sums,
            logits: &mut self.logits[..b * shape.outputs()],
        }
    }
}

impl<'m> Workspace<'m> {
    /// Floats of memory that [`new`](Self::new) takes; about `usize::MAX` where no machine has that much.
    #[must_use]
    pub const fn floats(shape: Shape, capacity: usize) -> usize {
        Activations::floats(shape, capacity)
            .saturating_add(hidden_blocks(shape, capacity))
            .saturating_add(sums_blocks(shape, capacity))
            .saturating_add(block(capacity, 1))
    }

    /// Takes the memory for batches of up to `capacity` rows.
    ///
    /// # Errors
    /// [`Error::Batch`] for a capacity of 0, [`Error::ArenaTooSmall`] where fewer than [`floats`](Self::floats) are left;
    /// nothing is taken then.
    pub fn new(shape: Shape, capacity: usize, arena: &mut Arena<'m>) -> Result<Self, Error> {
        check(Self::floats(shape, capacity), capacity, arena)?;
        Ok(Self {
            activations: Activations::new(shape, capacity, arena)?,
            deltas: take_blocks(shape, capacity, arena, |l| shape.width(l))?,
            sums: take_blocks(shape, capacity, arena, |l| sums_width(&shape, l))?,
            losses: arena.take(capacity)?,
        })
    }

    /// The part that a forward pass needs.
    pub fn activations(&mut self) -> &mut Activations<'m> {
        &mut self.activations
    }

    /// The loss of each of the `b` rows of the last step, times the weight of the row.
    ///
    /// # Panics
    /// If `b` is above the capacity.
    #[must_use]
    pub fn losses(&self, b: usize) -> &[f32] {
        &self.losses[..b]
    }

    /// The sum of the losses of `b` rows, in order.
    pub(super) fn loss_sum(&self, b: usize) -> f64 {
        self.losses(b).iter().copied().map(f64::from).sum::<f64>()
    }

    /// The input `(b, i)` of layer `l`, counted from 0.
    pub(super) fn input(&self, l: usize, b: usize) -> &[f32] {
        self.activations.activation(l, b)
    }

    /// The gradient `(b, o)` of the sums of layer `l`, counted from 0.
    pub(super) fn delta(&self, l: usize, b: usize) -> &[f32] {
        match self.deltas.get(l) {
            Some(delta) => &delta[..b * self.activations.shape.width(l + 1)],
            None => self.activations.logits(b),
        }
    }

    /// The memory of the rows of `targets`, which were checked.
    #[inline]
    pub(super) fn rows<'a>(&'a mut self, targets: Targets<'a>) -> StepRows<'a> {
        let Self { activations, deltas, sums, losses } = self;
        let b = targets.rows(activations.shape.outputs());
        let deltas = take_rows(deltas, b, |l| activations.shape.width(l));
        let sums = take_rows(sums, b, |l| sums_width(&activations.shape, l));
        StepRows { forward: activations.rows(b, sums), deltas, targets, losses: &mut losses[..b] }
    }
}

fn check(needed: usize, capacity: usize, arena: &Arena<'_>) -> Result<(), Error> {
    if capacity == 0 {
        return Err(Error::Batch { rows: 0, capacity: 0 });
    }
    if needed > arena.available() {
        return Err(Error::ArenaTooSmall { needed, available: arena.available() });
    }
    Ok(())
}

/// A block for each hidden layer, of `width(1)` floats a row and so on.
fn take_blocks<'m>(
    shape: Shape,
    rows: usize,
    arena: &mut Arena<'m>,
    width: impl Fn(usize) -> usize,
) -> Result<Vec<&'m mut [f32], MAX_LAYERS>, Error> {
    (1..shape.layers()).map(|l| arena.take(rows * width(l))).collect()
}

/// The first `b` rows of each block.
#[inline]
fn take_rows<'a>(
    blocks: &'a mut Vec<&mut [f32], MAX_LAYERS>,
    b: usize,
    width: impl Fn(usize) -> usize,
) -> Rows<'a> {
    blocks.iter_mut().zip(1..).map(|(block, l)| &mut block[..b * width(l)]).collect()
}

/// Rows of a batch, for each hidden layer.
pub(super) type Rows<'a> = Vec<&'a mut [f32], MAX_LAYERS>;

/// Rows of a batch in the forward pass.
pub(super) struct ForwardRows<'a> {
    /// The first of them, counted in the batch.
    pub first: usize,
    /// How many.
    pub b: usize,
    pub x: &'a mut [f32],
    pub hidden: Rows<'a>,
    /// The sums of the hidden layers where a backward pass follows; empty slices where it does not need them.
    pub sums: Rows<'a>,
    pub logits: &'a mut [f32],
}

/// Rows of a batch in the forward and the backward pass.
pub(super) struct StepRows<'a> {
    pub forward: ForwardRows<'a>,
    pub deltas: Rows<'a>,
    pub targets: Targets<'a>,
    pub losses: &'a mut [f32],
}

/// The first `rows` of `of` rows of a block, and the rest.
fn cut(block: &mut [f32], rows: usize, of: usize) -> (&mut [f32], &mut [f32]) {
    block.split_at_mut(block.len().checked_div(of).unwrap_or(0) * rows)
}

/// The first `rows` of `of` rows of every block, and the rest.
fn cut_all(blocks: Rows<'_>, rows: usize, of: usize) -> (Rows<'_>, Rows<'_>) {
    blocks.into_iter().map(|block| cut(block, rows, of)).unzip()
}

impl Divide for ForwardRows<'_> {
    fn rows(&self) -> usize {
        self.b
    }
    fn divide(self, part: usize, of: usize) -> (Self, Self) {
        let rows = portion(self.b, part, of);
        self.cut(rows)
    }
}

impl ForwardRows<'_> {
    fn cut(self, rows: usize) -> (Self, Self) {
        let (x, x2) = cut(self.x, rows, self.b);
        let (hidden, hidden2) = cut_all(self.hidden, rows, self.b);
        let (sums, sums2) = cut_all(self.sums, rows, self.b);
        let (logits, logits2) = cut(self.logits, rows, self.b);
        let (first, b) = (self.first + rows, self.b - rows);
        (
            Self { b: rows, x, hidden, sums, logits, ..self },
            Self { first, b, x: x2, hidden: hidden2, sums: sums2, logits: logits2 },
        )
    }
}

impl Divide for StepRows<'_> {
    fn rows(&self) -> usize {
        self.forward.b
    }
    fn divide(self, part: usize, of: usize) -> (Self, Self) {
        let b = self.forward.b;
        let rows = portion(b, part, of);
        let outputs = self.forward.logits.len().checked_div(b).unwrap_or(0);
        let (forward, forward2) = self.forward.cut(rows);
        let (deltas, deltas2) = cut_all(self.deltas, rows, b);
        let (targets, targets2) = self.targets.split_at(rows, outputs);
        let (losses, losses2) = self.losses.split_at_mut(rows);
        (
            Self { forward, deltas, targets, losses },
            Self { forward: forward2, deltas: deltas2, targets: targets2, losses: losses2 },
        )
    }
}
