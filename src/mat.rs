//! Views of matrices in caller-provided memory: a slice, a shape and strides.
//!
//! The constructors check once that every element is inside the slice; kernels rely on it. A transposed view is the same
//! memory with the strides swapped. There is no owned matrix: the caller provides all memory.

/// A read-only view, element `(r, c)` at `r * row_stride + c * col_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A writable row-major view, element `(r, c)` at `r * row_stride + c`, with `row_stride >= cols`.
#[derive(Debug)]
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

/// Whether the last element of a `(rows, cols)` view is inside `len` elements.
fn fits(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> bool {
    if rows == 0 || cols == 0 {
        return true;
    }
    let last_row = (rows - 1).checked_mul(row_stride);
    let last_col = (cols - 1).checked_mul(col_stride);
    match (last_row, last_col) {
        (Some(r), Some(c)) => r.checked_add(c).is_some_and(|last| last < len),
        _ => false,
    }
}

/// The accessors that both kinds of view have.
macro_rules! dimensions {
    () => {
        /// Rows.
        #[must_use]
        pub fn rows(&self) -> usize {
            self.rows
        }

        /// Columns.
        #[must_use]
        pub fn cols(&self) -> usize {
            self.cols
        }

        /// Elements from one row to the next.
        #[must_use]
        pub fn row_stride(&self) -> usize {
            self.row_stride
        }
    };
}

impl<'a> Mat<'a> {
    /// A dense row-major `(rows, cols)` view.
    ///
    /// # Panics
    /// If `data` holds fewer than `rows * cols` elements.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::with_strides(data, rows, cols, cols, 1)
    }

    /// A view with any strides, in elements.
    ///
    /// # Panics
    /// If an element is outside `data`.
    #[must_use]
    pub fn with_strides(
        data: &'a [f32],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Self {
        assert!(
            fits(data.len(), rows, cols, row_stride, col_stride),
            "a ({rows}, {cols}) view with strides ({row_stride}, {col_stride}) leaves its {} elements",
            data.len()
        );
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The transposed view, of the same memory.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Element `(r, c)`.
    ///
    /// # Panics
    /// If it is outside the view: always with debug assertions, without them only where it is outside the memory too.
    #[must_use]
    pub fn at(&self, r: usize, c: usize) -> f32 {
        debug_assert!(r < self.rows && c < self.cols);
        self.data[r * self.row_stride + c * self.col_stride]
    }

    dimensions!();

    /// Elements from one column to the next.
    #[must_use]
    pub fn col_stride(&self) -> usize {
        self.col_stride
    }

    /// The memory of the view.
    #[must_use]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// Row `r` as a slice.
    ///
    /// # Panics
    /// If the columns are not adjacent, or there is no such row.
    #[must_use]
    pub fn row(&self, r: usize) -> &'a [f32] {
        assert!(self.col_stride == 1 || self.cols <= 1, "a row of a strided view is not a slice");
        assert!(r < self.rows);
        if self.cols == 0 { &[] } else { &self.data[r * self.row_stride..][..self.cols] }
    }
}

impl<'a> MatMut<'a> {
    /// A dense `(rows, cols)` view.
    ///
    /// # Panics
    /// If `data` holds fewer than `rows * cols` elements.
    #[must_use]
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::with_stride(data, rows, cols, cols)
    }

    /// A view whose rows are `row_stride >= cols` elements apart.
    ///
    /// # Panics
    /// If an element is outside `data`, or rows overlap.
    #[must_use]
    pub fn with_stride(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(row_stride >= cols, "rows of {cols} elements, {row_stride} apart, overlap");
        assert!(
            fits(data.len(), rows, cols, row_stride, 1),
            "a ({rows}, {cols}) view with row stride {row_stride} leaves its {} elements",
            data.len()
        );
        Self { data, rows, cols, row_stride }
    }

    dimensions!();

    /// The memory of the view.
    pub fn data_mut(&mut self) -> &mut [f32] {
        self.data
    }

    /// Row `r` as a slice.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, r: usize) -> &mut [f32] {
        assert!(r < self.rows);
        if self.cols == 0 { &mut [] } else { &mut self.data[r * self.row_stride..][..self.cols] }
    }

    /// The same view, reborrowed.
    pub fn reborrow(&mut self) -> MatMut<'_> {
        MatMut { data: self.data, rows: self.rows, cols: self.cols, row_stride: self.row_stride }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mat, MatMut};

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let data = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let m = Mat::new(&data, 2, 3);
        assert_eq!((m.at(0, 2), m.at(1, 0)), (2.0, 3.0));
        assert_eq!((m.t().rows(), m.t().cols(), m.t().at(2, 0)), (3, 2, 2.0));
        assert_eq!(m.row(1), [3.0, 4.0, 5.0]);
    }

    #[test]
    #[should_panic(expected = "leaves its 5 elements")]
    fn a_view_outside_its_memory_is_refused() {
        let _ = Mat::new(&[0.0; 5], 2, 3);
    }

    #[test]
    #[should_panic(expected = "leaves its 5 elements")]
    fn strides_that_overflow_are_refused() {
        let _ = Mat::with_strides(&[0.0; 5], 3, 3, usize::MAX / 2, usize::MAX / 2);
    }

    #[test]
    #[should_panic(expected = "overlap")]
    fn overlapping_rows_are_refused() {
        let _ = MatMut::with_stride(&mut [0.0; 9], 3, 3, 2);
    }
}
