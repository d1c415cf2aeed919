//! `selvedge predict`: one image, its class and its picture.

use std::path::Path;

use selvedge::naive;
use serde_json::json;

use super::{check_classes, check_image, load_data};
use crate::cli::Predict;
use crate::data::idx::{self, Images};
use crate::data::png;
use crate::data::{Reading, is_transposed};
use crate::error::{Error, Exit, Result};
use crate::files::kind;
use crate::model::network::{Network, softmax};
use crate::recipe::Recipe;
use crate::terminal::{Output, Warnings, picture, table};

/// Predicts one image.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Predict) -> Result<()> {
    let model = Network::load(&args.model)?;
    let mut warnings = Warnings::default();
    let mut said_of_ground = false;
    let (images, n, truth) = match &args.image {
        Some(path) => {
            let (images, ground) = read(args, path, &model, &mut warnings)?;
            said_of_ground = ground;
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
            check_classes(model.shape().outputs(), |c| model.class(c), &dataset, &mut warnings)?;
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
    let (darkest, lightest) = pixels.iter().fold((u8::MAX, 0), |(low, high), &p| (low.min(p), high.max(p)));
    if lightest - darkest < FLAT {
        warnings.add(format!(
            "the picture is blank: its pixels are all of grey {darkest} to {lightest}; look at it, and save it again with \
             its ink on a ground of another grey"
        ));
    } else if args.image.is_some() && !said_of_ground && border(pixels, images.cols) > 128 {
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

/// A picture whose greys differ by less shows nothing.
const FLAT: u8 = 8;

/// The images of a PNG or IDX file, of the model's size, as the flags turn them, and whether they are dark on a transparent ground. What is
/// assumed is warned of.
fn read(args: &Predict, path: &Path, model: &Network, warnings: &mut Warnings) -> Result<(Images, bool)> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(Exit::Data, path, &e))?;
    let name = path.display().to_string();
    let reading = &args.data.reading;
    let mut dark_on_transparent = false;
    let (mut images, transpose) = if png::is_png(&bytes) {
        let picture = png::parse(&name, &bytes)?;
        dark_on_transparent = picture.dark_on_transparent;
        if dark_on_transparent && !args.invert {
            warnings.add(
                "the picture is dark on a transparent ground, which is taken as white, and models are trained on light on \
                 black; add --invert to turn it round",
            );
        }
        (picture.images, reading.transpose == Some(true))
    } else if idx::is_idx(&bytes) {
        let (images, warning) = idx::parse_images(&name, &bytes)?;
        warning.into_iter().for_each(|text| warnings.add(text));
        (images, idx_is_transposed(args, path, model, warnings))
    } else {
        let kind = kind::of(&bytes).name();
        return Err(Error::data(format!(
            "{name}: {kind}, neither a PNG nor an IDX file of images; save the picture as PNG, of the size that the model takes"
        )));
    };
    if transpose {
        images.transpose();
    }
    check_image(model, images.rows, images.cols, path)?;
    if args.invert {
        images.pixels.iter_mut().for_each(|p| *p = !*p);
    }
    if images.count > 1 && args.index.is_none() {
        warnings.add(format!(
            "{name} holds {} images, and the first is taken; --index N takes another, counted from 0",
            images.count
        ));
    }
    Ok((images, dark_on_transparent))
}

/// Whether the images of an IDX file are transposed: as the flag says, or else as the model's data was, which is warned of.
fn idx_is_transposed(args: &Predict, path: &Path, model: &Network, warnings: &mut Warnings) -> bool {
    let reading = args.data.reading.over(model.recipe().map(Recipe::reading).unwrap_or_default());
    if args.data.reading.transpose.is_none() && reading.transpose == Some(true) {
        warnings.add(format!(
            "{} is read with --transpose, as the model's data was in training; --transpose=false takes it as it is",
            path.display()
        ));
    }
    let said = Reading {
        transpose: args.data.reading.transpose.or(reading.transpose.filter(|yes| *yes)),
        ..reading
    };
    is_transposed(path, said).into_iter().for_each(|text| warnings.add(text));
    reading.transpose == Some(true)
}
