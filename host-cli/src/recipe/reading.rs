//! How a recipe reads its data set.

use selvedge::shape::MAX_WIDTH;

use super::{Recipe, TaskChoice};
use crate::data::Reading;
use crate::data::pictures::PictureOptions;
use crate::data::table::TableOptions;
use crate::error::{Error, Result};

impl Recipe {
    /// How the files of the data set are read.
    pub fn reading(&self) -> Reading {
        Reading {
            transpose: Some(self.transpose),
            first_label: self.first_label,
            seed: self.seed,
            task: self.task.task(),
            test: (!self.test.is_empty()).then(|| self.test.clone().into()),
            pictures: PictureOptions {
                size: self.picture_size().ok().flatten(),
                channels: Some(self.channels),
            },
            table: TableOptions {
                target: self.target.clone(),
                unsupervised: self.task == TaskChoice::Reconstruct,
                drop: self.drop.clone(),
                categorical: self.categorical.clone(),
                missing: self.missing,
                time: self.time.clone(),
                group: self.group.clone(),
                window: self.window,
                stride: self.stride,
            },
            fold: None,
        }
    }

    /// Width and height that pictures are resized to, if they are.
    ///
    /// # Errors
    /// `Usage` where the size cannot be read.
    pub(super) fn picture_size(&self) -> Result<Option<(usize, usize)>> {
        if self.size.is_empty() {
            return Ok(None);
        }
        let parts = self.size.split_once(['x', 'X']);
        let parts = parts.and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
        parts.filter(|&(w, h): &(usize, usize)| w > 0 && h > 0 && w.saturating_mul(h) <= MAX_WIDTH).map(Some).ok_or_else(|| {
            Error::usage(format!(
                "--size {}: write the width and the height in pixels, such as 28x28, of {MAX_WIDTH} pixels at most",
                self.size
            ))
        })
    }
}
