//! The last rows of a time series, in caller-provided memory.

use crate::error::Error;
use crate::format::{Header, RawValue};

/// A ring buffer of the rows that a network sees at once: samples go in one by one, and every stride rows there is an answer
/// to ask an engine for, to which the window is passed as any other sample.
///
/// ```
/// # use selvedge::infer::Window;
/// let mut memory = [0_i16; 6];
/// let mut window = Window::of(3, 2, &mut memory)?; // three rows, a new window every two
/// let due: Vec<bool> = (0..6).map(|t| window.push(&[t, 10 * t]).unwrap()).collect();
/// assert_eq!(due, [false, false, true, false, true, false]);
/// assert!(window.values().eq([3, 30, 4, 40, 5, 50])); // the oldest row first
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Debug)]
pub struct Window<'m, T> {
    memory: &'m mut [T],
    /// Values of a row.
    channels: usize,
    stride: usize,
    /// Where the next row goes, which is where the oldest one lies.
    next: usize,
    /// Rows until the next answer.
    missing: usize,
}

impl<'m, T: RawValue> Window<'m, T> {
    /// The window of a file, in as many values as the network has inputs.
    ///
    /// # Errors
    /// [`Error::Window`] for a file of single rows, [`Error::InputType`] for raw values of another type, [`Error::Length`] for
    /// another number of values.
    pub fn new(header: &Header<'_>, memory: &'m mut [T]) -> Result<Self, Error> {
        let (rows, stride) = header.window().ok_or(Error::Window)?;
        if header.input_type() as u8 != T::TYPE as u8 {
            return Err(Error::InputType { expected: header.input_type().name(), found: T::TYPE.name() });
        }
        let (expected, actual) = (header.inputs(), memory.len());
        if actual != expected {
            return Err(Error::Length { what: "values of a window", expected, actual });
        }
        Self::of(rows, stride, memory)
    }

    /// A window of so many rows, every `stride` rows; the memory's length says how many values a row has.
    ///
    /// # Errors
    /// [`Error::Length`] where the memory is not a whole number of rows, [`Error::Window`] for no rows or no stride.
    pub fn of(rows: usize, stride: usize, memory: &'m mut [T]) -> Result<Self, Error> {
        let channels = memory.len().checked_div(rows).unwrap_or(0);
        if channels == 0 || stride == 0 {
            return Err(Error::Window);
        }
        if channels * rows != memory.len() {
            let (expected, actual) = (channels * rows, memory.len());
            return Err(Error::Length { what: "values of a window", expected, actual });
        }
        Ok(Self { memory, channels, stride, next: 0, missing: rows })
    }

    /// Adds the next row; says whether a window is complete, `stride` rows after the one before.
    ///
    /// # Errors
    /// [`Error::Length`] for a row of another number of values.
    pub fn push(&mut self, row: &[T]) -> Result<bool, Error> {
        let (expected, actual) = (self.channels, row.len());
        let place = self.memory.get_mut(self.next..).and_then(|m| m.get_mut(..expected));
        match place {
            Some(place) if expected == actual => place.iter_mut().zip(row).for_each(|(to, x)| *to = *x),
            _ => return Err(Error::Length { what: "values of a row", expected, actual }),
        }
        self.next += expected;
        if self.next >= self.memory.len() {
            self.next = 0;
        }
        self.missing -= 1;
        let due = self.missing == 0;
        if due {
            self.missing = self.stride;
        }
        Ok(due)
    }

    /// Starts anew: the rows before are of another recording.
    pub fn clear(&mut self) {
        self.next = 0;
        self.missing = self.memory.len().checked_div(self.channels).unwrap_or(1);
    }

    /// The rows from the oldest one on, and those that lie in front of them.
    pub(super) fn slices(&self) -> [&[T]; 2] {
        let (new, old) = self.memory.split_at_checked(self.next).unwrap_or_default();
        [old, new]
    }

    /// The values of the rows, the oldest row first.
    pub fn values(&self) -> impl ExactSizeIterator<Item = T> {
        let [old, new] = self.slices();
        Chained { first: old.iter(), second: new.iter() }
    }
}

/// Two slices one after the other, of which the number of values is known.
struct Chained<'m, T> {
    first: core::slice::Iter<'m, T>,
    second: core::slice::Iter<'m, T>,
}

impl<T: Copy> Iterator for Chained<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.first.next().or_else(|| self.second.next()).copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.first.len() + self.second.len();
        (left, Some(left))
    }
}

impl<T: Copy> ExactSizeIterator for Chained<'_, T> {}
