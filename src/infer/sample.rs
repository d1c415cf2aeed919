//! What an engine runs on: a sample of raw values, in a slice, an array or a [`Window`].

use crate::format::{InputType, ModelView, Raw, RawValue, SelfTest};
use crate::infer::Window;
use crate::naive;

/// A sample of raw values of the type that a file takes: `[T]`, `[T; N]`, `Vec<T>` or a [`Window`] of `u8`, `i16`, `u16` or `f32`.
pub trait Sample: source::Source {}

impl<S: source::Source + ?Sized> Sample for S {}

/// Not public: what kernels read.
pub(crate) mod source {
    use crate::format::{InputType, ModelView};

    /// A sample, as kernels read it.
    pub trait Source {
        /// The type of the raw values; `None` of what suits every file.
        const TYPE: Option<InputType>;

        /// How many there are; `None` of what is as long as every file wants.
        fn len(&self) -> Option<usize>;

        /// The first value that is not a number.
        fn nan(&self) -> Option<usize>;

        /// The raw values, where they are bytes.
        fn bytes(&self) -> impl Iterator<Item = u8>;

        /// The codes of an integer file with an affine map.
        fn codes(&self, view: &ModelView<'_>) -> impl Iterator<Item = u16>;

        /// Writes the codes of the values from `first` on, as many as `high` has room for: of 14 bits their high digits and, into the
        /// second slice, the low ones, which is empty otherwise.
        fn write_codes(&self, view: &ModelView<'_>, first: usize, high: &mut [u8], low: &mut [u8]);

        /// The inputs of a float file with an affine map.
        fn floats(&self, view: &ModelView<'_>) -> impl Iterator<Item = f32>;
    }
}

use source::Source;

/// Raw values one after the other.
pub(super) trait Values {
    type Value: RawValue + Raw;
    fn values(&self) -> impl Iterator<Item = Self::Value>;
    /// The values in one slice or two.
    fn slices(&self) -> [&[Self::Value]; 2];
    fn count(&self) -> usize;
}

impl<T: RawValue> Values for [T] {
    type Value = T;
    #[inline]
    fn values(&self) -> impl Iterator<Item = T> {
        self.iter().copied()
    }
    #[inline]
    fn slices(&self) -> [&[T]; 2] {
        [self, &[]]
    }
    #[inline]
    fn count(&self) -> usize {
        self.len()
    }
}

impl<T: RawValue, const N: usize> Values for [T; N] {
    type Value = T;
    #[inline]
    fn values(&self) -> impl Iterator<Item = T> {
        self.iter().copied()
    }
    #[inline]
    fn slices(&self) -> [&[T]; 2] {
        [self, &[]]
    }
    #[inline]
    fn count(&self) -> usize {
        N
    }
}

#[cfg(feature = "alloc")]
impl<T: RawValue> Values for alloc::vec::Vec<T> {
    type Value = T;
    #[inline]
    fn values(&self) -> impl Iterator<Item = T> {
        self.iter().copied()
    }
    #[inline]
    fn slices(&self) -> [&[T]; 2] {
        [self, &[]]
    }
    #[inline]
    fn count(&self) -> usize {
        self.len()
    }
}

impl<T: RawValue> Values for Window<'_, T> {
    type Value = T;
    #[inline]
    fn values(&self) -> impl Iterator<Item = T> {
        Window::values(self)
    }
    #[inline]
    fn slices(&self) -> [&[T]; 2] {
        Window::slices(self)
    }
    #[inline]
    fn count(&self) -> usize {
        Window::values(self).len()
    }
}

impl<S: Values + ?Sized> Source for S {
    const TYPE: Option<InputType> = Some(S::Value::TYPE);

    #[inline]
    fn len(&self) -> Option<usize> {
        Some(self.count())
    }

    #[inline]
    fn nan(&self) -> Option<usize> {
        self.values().position(|x| x.is_nan())
    }

    #[inline]
    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.values().map(|x| x.to_byte())
    }

    #[inline]
    fn codes(&self, view: &ModelView<'_>) -> impl Iterator<Item = u16> {
        let maps = view.maps();
        self.values().enumerate().map(move |(feature, x)| maps.code(feature, x))
    }

    #[inline]
    fn write_codes(&self, view: &ModelView<'_>, first: usize, high: &mut [u8], low: &mut [u8]) {
        let mut start = 0;
        for values in self.slices() {
            let end = start + values.len();
            // What is wanted of this slice, and where its codes go.
            let (from, to) = (first.max(start), start.max(first) - first);
            let values = values.get(from - start..).unwrap_or_default();
            if !values.is_empty()
                && let Some(high) = high.get_mut(to..)
            {
                S::Value::write_codes(view, from, values, high, low.get_mut(to..).unwrap_or_default());
            }
            start = end;
        }
    }

    #[inline]
    fn floats(&self, view: &ModelView<'_>) -> impl Iterator<Item = f32> {
        self.values().enumerate().map(|(feature, x)| view.mapped(feature, x))
    }
}

/// The sample of a self-test: its pixels; of other files the codes are made of them, and the map is left out.
impl Source for SelfTest {
    const TYPE: Option<InputType> = None;

    fn len(&self) -> Option<usize> {
        None
    }

    fn nan(&self) -> Option<usize> {
        None
    }

    #[inline]
    fn bytes(&self) -> impl Iterator<Item = u8> {
        Self::pixels(self.seed)
    }

    fn codes(&self, view: &ModelView<'_>) -> impl Iterator<Item = u16> {
        let fine = view.header().input_bits() == 14;
        Self::pixels(self.seed).zip(Self::pixels(!self.seed)).map(move |(high, low)| {
            let (high, low) = (u16::from(high >> 1), u16::from(low >> 1));
            if fine { high << 7 | low } else { high }
        })
    }

    #[inline(never)]
    fn write_codes(&self, view: &ModelView<'_>, first: usize, high: &mut [u8], low: &mut [u8]) {
        let shift = view.header().input_bits() - 7;
        for ((feature, digit), q) in high.iter_mut().enumerate().zip(self.codes(view).skip(first)) {
            *digit = (q >> shift) as u8;
            low.get_mut(feature).into_iter().for_each(|digit| *digit = (q & 127) as u8);
        }
    }

    fn floats(&self, _: &ModelView<'_>) -> impl Iterator<Item = f32> {
        Self::pixels(self.seed).map(naive::unit)
    }
}
