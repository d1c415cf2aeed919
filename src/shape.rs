//! The shape of a network: its widths, and the layout of the one flat parameter vector.
//!
//! Layer `l` of a shape `[w0, w1, .., wn]` has `i = w[l]` inputs and `o = w[l+1]` outputs. Its parameters are the
//! weights `(i, o)` row-major, so that the forward pass is `x @ W + b`, followed by the `o` biases; there are no
//! gaps between layers. Gradients and optimizer state share this layout. Each hidden layer has an [`Activation`], which has
//! no parameters; the last layer has none, since the loss reads its sums.

use core::fmt;

use heapless::Vec;

use crate::activation::Activation;
use crate::error::Error;

/// The maximum number of layers of a network, and of a flash file.
pub const MAX_LAYERS: usize = 32;
/// The maximum width of a layer.
pub const MAX_WIDTH: usize = 32_768;

/// The widths of a network, valid by construction: 2 to 33 of them, each 1..=[`MAX_WIDTH`]; and the activation of each hidden
/// layer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    widths: [u16; MAX_LAYERS + 1],
    layers: u8,
    /// Those of the hidden layers; ReLU after them, so that equal networks are equal.
    activations: [Activation; MAX_LAYERS - 1],
}

/// The parameters of one layer.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// `(i, o)` row-major.
    pub weights: &'a [f32],
    /// `(o)`.
    pub biases: &'a [f32],
}

/// The parameters of one layer, to write.
#[derive(Debug)]
pub struct LayerMut<'a> {
    /// `(i, o)` row-major.
    pub weights: &'a mut [f32],
    /// `(o)`.
    pub biases: &'a mut [f32],
}

impl Shape {
    /// A shape from its widths, the input first. Its hidden layers have ReLU.
    ///
    /// # Errors
    /// [`Error::Layers`] and [`Error::Width`] outside the limits, [`Error::TooLarge`] where the parameters cannot be
    /// addressed.
    pub const fn new(widths: &[usize]) -> Result<Self, Error> {
        if widths.len() < 2 || widths.len() > MAX_LAYERS + 1 {
            return Err(Error::Layers { layers: widths.len().saturating_sub(1), max: MAX_LAYERS });
        }
        let mut stored = [0; MAX_LAYERS + 1];
        let mut total: usize = 0;
        let mut l = 0;
        while l < widths.len() {
            if widths[l] == 0 || widths[l] > MAX_WIDTH {
                return Err(Error::Width { position: l, width: widths[l], max: MAX_WIDTH });
            }
            stored[l] = widths[l] as u16;
            if l > 0 {
                // Widths are at most 2^15, so the product fits 32 bits; only the sum can outgrow a 32-bit machine.
                let params = (widths[l - 1] + 1) as u64 * widths[l] as u64;
                let sum = total as u64 + params;
                if sum > (isize::MAX as usize / size_of::<f32>()) as u64 {
                    return Err(Error::TooLarge);
                }
                total = sum as usize;
            }
            l += 1;
        }
        let activations = [Activation::Relu; MAX_LAYERS - 1];
        Ok(Self { widths: stored, layers: (widths.len() - 1) as u8, activations })
    }

    /// The same widths, with another activation in all hidden layers.
    #[must_use]
    pub const fn with_activation(mut self, activation: Activation) -> Self {
        let mut l = 0;
        while l + 1 < self.layers() {
            self.activations[l] = activation;
            l += 1;
        }
        self
    }

    /// The same widths, with an activation for each hidden layer.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of activations than of hidden layers.
    pub const fn with_activations(mut self, activations: &[Activation]) -> Result<Self, Error> {
        let expected = self.layers() - 1;
        if activations.len() != expected {
            return Err(Error::Length { what: "activations", expected, actual: activations.len() });
        }
        let mut l = 0;
        while l < expected {
            self.activations[l] = activations[l];
            l += 1;
        }
        Ok(self)
    }

    /// Layers, 1 to [`MAX_LAYERS`].
    #[must_use]
    pub const fn layers(&self) -> usize {
        self.layers as usize
    }

    /// Width `position`, 0 for the input.
    ///
    /// # Panics
    /// If `position` is above the number of layers.
    #[must_use]
    pub const fn width(&self, position: usize) -> usize {
        assert!(position <= self.layers());
        self.widths[position] as usize
    }

    /// Width `position`, 0 after the last, for code in which no panic may remain.
    pub(crate) const fn width_or_zero(&self, position: usize) -> usize {
        if position <= MAX_LAYERS { self.widths[position] as usize } else { 0 }
    }

    /// The activation of layer `l`, counted from 0.
    #[must_use]
    pub const fn activation(&self, l: usize) -> Activation {
        if l + 1 < self.layers() { self.activations[l] } else { Activation::Identity }
    }

    /// All widths, the input first.
    #[must_use]
    pub fn widths(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.widths[..=self.layers()].iter().map(|&w| usize::from(w))
    }

    /// Inputs of the network.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.width_or_zero(0)
    }

    /// Outputs of the network.
    #[must_use]
    pub const fn outputs(&self) -> usize {
        self.width_or_zero(self.layers())
    }

    /// The widest of the hidden layers, 0 where there is none.
    #[must_use]
    pub const fn widest_hidden(&self) -> usize {
        let mut widest = 0;
        let mut l = 1;
        while l < self.layers() {
            if self.width(l) > widest {
                widest = self.width(l);
            }
            l += 1;
        }
        widest
    }

    /// The sum of the hidden widths.
    #[must_use]
    pub const fn hidden_sum(&self) -> usize {
        let mut sum = 0;
        let mut l = 1;
        while l < self.layers() {
            sum += self.width(l);
            l += 1;
        }
        sum
    }

    /// Length of the parameter vector, in floats.
    #[must_use]
    pub const fn params(&self) -> usize {
        self.products(1)
    }

    /// Multiply-adds of a forward pass, for each row.
    #[must_use]
    pub const fn macs(&self) -> usize {
        self.products(0)
    }

    /// Σ (i + more) · o over the layers.
    const fn products(&self, more: usize) -> usize {
        let mut sum = 0;
        let mut l = 0;
        while l < self.layers() {
            sum += (self.width(l) + more) * self.width(l + 1);
            l += 1;
        }
        sum
    }

    /// The layers of a parameter vector.
    ///
    /// # Errors
    /// [`Error::Length`] if `params` is not [`params`](Self::params) long.
    pub fn split<'a>(&self, params: &'a [f32]) -> Result<Vec<Layer<'a>, MAX_LAYERS>, Error> {
        self.check(params)?;
        Ok((0..self.layers()).map(|l| self.layer(params, l)).collect())
    }

    /// Layer `l` of a parameter vector that was checked: for a step on a microcontroller, to which moving a list of the
    /// largest number of layers is dear.
    pub(crate) fn layer<'a>(&self, params: &'a [f32], l: usize) -> Layer<'a> {
        let first: usize = (0..l).map(|l| (self.width(l) + 1) * self.width(l + 1)).sum();
        let (weights, tail) = params[first..].split_at(self.width(l) * self.width(l + 1));
        Layer { weights, biases: &tail[..self.width(l + 1)] }
    }

    /// The layers of a parameter vector, to write.
    ///
    /// # Errors
    /// [`Error::Length`] if `params` is not [`params`](Self::params) long.
    pub fn split_mut<'a>(&self, params: &'a mut [f32]) -> Result<Vec<LayerMut<'a>, MAX_LAYERS>, Error> {
        self.check(params)?;
        Ok(self.layers_mut(params).collect())
    }

    /// The layers of a parameter vector that was checked, to write, one after the other.
    pub(crate) fn layers_mut<'a>(&self, params: &'a mut [f32]) -> impl Iterator<Item = LayerMut<'a>> {
        let mut rest = params;
        (0..self.layers()).map(move |l| {
            let taken = core::mem::take(&mut rest);
            let (weights, tail) = taken.split_at_mut(self.width(l) * self.width(l + 1));
            let (biases, tail) = tail.split_at_mut(self.width(l + 1));
            rest = tail;
            LayerMut { weights, biases }
        })
    }

    /// Refuses a parameter vector of another length.
    pub(crate) fn check(&self, params: &[f32]) -> Result<(), Error> {
        match params.len() {
            actual if actual == self.params() => Ok(()),
            actual => Err(Error::Length { what: "params", expected: self.params(), actual }),
        }
    }
}

/// Writes widths as `784-128-10`.
pub(crate) fn write_widths(widths: impl Iterator<Item = usize>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, width) in widths.enumerate() {
        if position > 0 {
            f.write_str("-")?;
        }
        write!(f, "{width}")?;
    }
    Ok(())
}

/// `784-128-10`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_widths(self.widths(), f)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::{Activation, MAX_WIDTH, Shape};
    use crate::error::Error;

    const NOTEBOOK: Shape = match Shape::new(&[784, 128, 10]) {
        Ok(shape) => shape,
        Err(_) => panic!(),
    };

    #[test]
    fn numbers_of_the_notebook() {
        const PARAMS: usize = NOTEBOOK.params();
        assert_eq!(PARAMS, 784 * 128 + 128 + 128 * 10 + 10);
        assert_eq!(NOTEBOOK.macs(), 784 * 128 + 128 * 10);
        assert_eq!((NOTEBOOK.layers(), NOTEBOOK.inputs(), NOTEBOOK.outputs()), (2, 784, 10));
        assert_eq!((NOTEBOOK.widest_hidden(), NOTEBOOK.hidden_sum()), (128, 128));
        assert_eq!(NOTEBOOK.to_string(), "784-128-10");
    }

    #[test]
    fn limits() {
        assert_eq!(Shape::new(&[3]), Err(Error::Layers { layers: 0, max: 32 }));
        assert_eq!(Shape::new(&[]), Err(Error::Layers { layers: 0, max: 32 }));
        assert_eq!(Shape::new(&[1; 34]), Err(Error::Layers { layers: 33, max: 32 }));
        assert_eq!(Shape::new(&[1, 0]), Err(Error::Width { position: 1, width: 0, max: MAX_WIDTH }));
        assert_eq!(
            Shape::new(&[MAX_WIDTH + 1, 1]),
            Err(Error::Width { position: 0, width: MAX_WIDTH + 1, max: MAX_WIDTH })
        );
        let widest = Shape::new(&[MAX_WIDTH; 33]).map(|shape| shape.params() as u64);
        let params = 32 * (MAX_WIDTH as u64 + 1) * MAX_WIDTH as u64;
        assert_eq!(widest, if size_of::<usize>() == 8 { Ok(params) } else { Err(Error::TooLarge) });
    }

    #[test]
    fn activations_belong_to_hidden_layers() {
        let shape = Shape::new(&[3, 2, 4, 2]).unwrap();
        assert_eq!(shape.with_activation(Activation::Relu), shape);
        let mixed = shape.with_activations(&[Activation::Tanh, Activation::Relu6]).unwrap();
        let found = [0, 1, 2].map(|l| mixed.activation(l));
        assert_eq!(found, [Activation::Tanh, Activation::Relu6, Activation::Identity]);
        assert_ne!(mixed, shape);
        let error = Error::Length { what: "activations", expected: 2, actual: 1 };
        assert_eq!(shape.with_activations(&[Activation::Tanh]), Err(error));
        let flat = Shape::new(&[3, 2]).unwrap();
        assert_eq!(flat.with_activation(Activation::Tanh), flat);
    }

    #[test]
    fn split_covers_the_vector_without_gaps() {
        let shape = Shape::new(&[3, 2, 4]).unwrap();
        let mut params = [0.0; 20];
        assert_eq!(shape.params(), params.len());
        for (l, layer) in shape.split_mut(&mut params).unwrap().into_iter().enumerate() {
            layer.weights.fill(l as f32 + 1.0);
            layer.biases.fill(-(l as f32 + 1.0));
        }
        let layers = shape.split(&params).unwrap();
        assert_eq!((layers[0].weights.len(), layers[0].biases.len()), (6, 2));
        assert_eq!((layers[1].weights.len(), layers[1].biases.len()), (8, 4));
        assert!(params.iter().all(|&p| p != 0.0));
        assert_eq!(
            shape.split(&params[1..]).err(),
            Some(Error::Length { what: "params", expected: 20, actual: 19 })
        );
    }
}
