//! Single test samples with what the model says of them: pictures, or rows of a table with the values of their columns.

use std::fmt::Write;

use super::context::Context;
use super::features::columns;
use super::{escape, picture, table};
use crate::data::Features;
use crate::error::Result;

/// The number of examples that are shown.
pub(super) const MAX_EXAMPLES_SHOWN: usize = 24;
/// The number of columns of a row that are shown.
const MAX_COLUMNS_SHOWN: usize = 40;

/// A test sample.
pub(super) struct Example {
    /// Its index.
    pub sample: usize,
    /// What a picture's caption says.
    pub caption: String,
    /// What is said before a row's values.
    pub cells: Vec<String>,
}

/// Some test samples; `header` names the cells.
///
/// # Errors
/// `Failed` where a picture cannot be encoded.
pub(super) fn examples(context: &Context<'_>, header: &[&str], examples: &[Example]) -> Result<String> {
    let examples = &examples[..examples.len().min(MAX_EXAMPLES_SHOWN)];
    let matrix = match &context.test.features {
        Features::Images(images) => {
            let mut text = String::from("<div class=\"grid\">\n");
            for Example { sample, caption, .. } in examples {
                let _ = writeln!(
                    text,
                    "<figure class=\"mistake\">{}<figcaption>{}</figcaption></figure>",
                    picture::image(images, *sample, &format!("test image {sample}: {caption}"))?,
                    escape(caption)
                );
            }
            return Ok(text + "</div>\n");
        }
        Features::Table(matrix) => matrix,
    };
    let schema = context.model.about.schema.as_ref();
    let mut columns = columns(schema, matrix);
    let (all, window) = (columns.len(), schema.and_then(|schema| schema.window));
    columns.truncate(MAX_COLUMNS_SHOWN);
    let mut names = vec!["test row".to_string()];
    names.extend(header.iter().map(|name| (*name).to_string()));
    names.extend(columns.iter().map(|column| column.name.clone()));
    let rows = examples.iter().map(|Example { sample, cells, .. }| {
        let mut row = vec![sample.to_string()];
        row.extend(cells.iter().cloned());
        row.extend(columns.iter().map(|column| column.value(matrix.row(*sample))));
        row
    });
    let mut text = table(&names, rows);
    if window.is_some() {
        text += "<p>The values are those of the last row of each window.</p>\n";
    }
    if all > columns.len() {
        let _ = writeln!(text, "<p>The first {} of {all} columns are shown.</p>", columns.len());
    }
    Ok(text)
}
