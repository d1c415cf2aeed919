//! `selvedge predict`: one image, its class and its picture.

use std::path::Path;

use selvedge::naive;
use serde_json::json;

use super::{check_image, load_data};
use crate::cli::Predict;
use crate::data::idx::{self, Images};
use crate::error::{Error, Exit, Result};
use crate::network::{Network, softmax};
use crate::png;
use crate::terminal::{Output, Warnings, picture, table};

/// Predicts one image.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Predict) -> Result<()> {
    let model = Network::load(&args.model)?;
    let mut warnings = Warnings::default();
    let (images, n, truth) = match &args.image {
        Some(path) => {
            let mut images = read(path)?;
            check_image(&model, images.rows, images.cols, path)?;
            if args.invert {
                images.pixels.iter_mut().for_each(|p| *p = !*p);
            }
            (images, args.index.unwrap_or(0), None)
        }
        None => {
            let n = args.index.ok_or_else(|| {
                Error::misused(
                    "which image? name a PNG or IDX file, or a test image by its --index, such as --index 0",
                )
            })?;
            let dataset = load_data(&args.data, &args.model, model.about(), &mut warnings)?;
            model.check_fit(&dataset.test)?;
            let truth = dataset.test.labels.get(n).copied();
            (dataset.test.images, n, truth)
        }
    };
    let pixels = images.image(n).ok_or_else(|| {
        Error::misused(match images.count {
            1 => format!("--index {n}: there is one image, at 0"),
            count => format!("--index {n}: there are {count} images, 0 to {}", count - 1),
        })
    })?;
    if args.image.is_some() && border(pixels, images.cols) > 128 {
        warnings.add(
            "the border is light, and models are trained on light on black; add --invert to turn it round",
        );
    }
    let logits = model.logits(pixels, &[0])?;
    let probabilities = softmax(&logits);
    let class = naive::argmax(&logits);

    let mut output = Output::default();
    if args.json {
        return output.json(&json!({
            "class": class,
            "label": model.class(class),
            "probabilities": probabilities,
            "warnings": warnings.list(),
        }));
    }
    output.line(picture(pixels, images.cols))?;
    let truth = truth.map_or_else(String::new, |t| format!(" (it is: {})", model.class(usize::from(t))));
    output.line(format!("{}, {:.1}%{truth}\n", model.class(class), 100.0 * probabilities[class]))?;
    let mut ranked: Vec<usize> = (0..probabilities.len()).collect();
    ranked.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let rows = ranked.into_iter().map(|c| [model.class(c), format!("{:.1}%", 100.0 * probabilities[c])]);
    output.line(table(["class", "probability"].map(String::from), rows))
}

/// The mean of the pixels around a picture, where what it shows seldom reaches.
fn border(pixels: &[u8], cols: usize) -> usize {
    let rows = pixels.len() / cols;
    let outside = |n: &usize| [0, rows - 1].contains(&(n / cols)) || [0, cols - 1].contains(&(n % cols));
    let around: Vec<usize> = (0..pixels.len()).filter(outside).map(|n| usize::from(pixels[n])).collect();
    around.iter().sum::<usize>() / around.len().max(1)
}

/// The images of a PNG or IDX file.
fn read(path: &Path) -> Result<Images> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(Exit::Data, path, &e))?;
    let name = path.display().to_string();
    if png::is_png(&bytes) {
        return png::parse(&name, &bytes);
    }
    if !idx::is_idx(&bytes) {
        return Err(Error::data(format!(
            "{name}: neither a PNG nor an IDX file of images; save the picture as PNG, of the size that the model takes"
        )));
    }
    idx::parse_images(&name, &bytes)
}
