//! `selvedge predict`: one image, its class and its picture.

use std::path::Path;

use selvedge::{Backend, Mlp, naive};
use serde_json::json;

use super::{check_image, load_data};
use crate::cli::Predict;
use crate::crew::{Crew, Threads};
use crate::data::idx::{self, Images};
use crate::error::{Error, Result};
use crate::evaluate::{Predictor, check_fit};
use crate::model::Model;
use crate::png;
use crate::terminal::{Output, picture, table};

/// Predicts one image.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Predict) -> Result<()> {
    let model = Model::load(&args.model)?;
    let mlp = Mlp { shape: model.shape, backend: Backend::detect() };
    let (images, n, truth) = match &args.image {
        Some(path) => {
            let images = read(path)?;
            check_image(&model, images.rows, images.cols, path)?;
            (images, args.index.unwrap_or(0), None)
        }
        None => {
            let dataset = load_data(&args.data, model.about.recipe.as_ref())?;
            check_fit(&mlp, &dataset.test)?;
            let n = args.index.unwrap_or(0);
            let truth = dataset.test.labels.get(n).copied();
            (dataset.test.images, n, truth)
        }
    };
    let pixels = images.image(n).ok_or_else(|| {
        Error::misused(format!("--index {n}: there are {} images, counted from 0", images.count))
    })?;
    let inputs = model.about.normalisation.inputs(pixels);
    let logits = Predictor::new(mlp, 1)?.logits(&Crew::new(Threads::ONE), &model.params, &inputs, &[0])?;
    let probabilities = softmax(&logits);
    let class = naive::argmax(&logits);

    let mut output = Output::default();
    if args.json {
        let label = model.class(class);
        return output.json(&json!({"class": class, "label": label, "probabilities": probabilities}));
    }
    output.line(picture(pixels, images.cols))?;
    let truth = truth.map_or_else(String::new, |t| format!(" (it is: {})", model.class(usize::from(t))));
    output.line(format!("{}, {:.1}%{truth}\n", model.class(class), 100.0 * probabilities[class]))?;
    let mut ranked: Vec<usize> = (0..probabilities.len()).collect();
    ranked.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let rows = ranked.into_iter().map(|c| [model.class(c), format!("{:.1}%", 100.0 * probabilities[c])]);
    output.line(table(["class", "probability"].map(String::from), rows))
}

/// The images of a PNG or IDX file.
fn read(path: &Path) -> Result<Images> {
    let bytes =
        std::fs::read(path).map_err(|e| Error::data(format!("cannot read {}: {e}", path.display())))?;
    let name = path.display().to_string();
    if png::is_png(&bytes) { png::parse(&name, &bytes) } else { idx::parse_images(&name, &bytes) }
}

/// Probabilities in f64, so that they add up to 1 as printed.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|e| e / sum).collect()
}
