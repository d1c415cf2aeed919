//! The model quantized to i8: histograms of its weights and activations with their clip limits, and the test images whose
//! class changes.

use std::fmt::Write;

use selvedge::format::Dtype;
use selvedge::{Backend, Mlp};

use super::svg::{Chart, counts};
use super::{escape, picture, section};
use crate::data::{Dataset, Samples};
use crate::error::Result;
use crate::flash::parse_own;
use crate::inference::float::{DeviceInputs, forward};
use crate::inference::integer_classes;
use crate::model::Model;
use crate::model::fold::Folded;
use crate::pipeline;
use crate::quantize::{self, ClipLimits, Options, Quantized};

/// The number of changed images that are shown.
const MAX_CHANGED_SHOWN: usize = 24;
/// Bins of a histogram.
const BINS: usize = 60;
/// The number of test images in the histograms of activations.
const ACTIVATION_IMAGES: usize = 1000;

/// The sections of a model that predicts the classes `float` for the test images.
///
/// # Errors
/// `Failed` without the memory, `Model` where the model cannot be quantized.
pub(super) fn sections(model: &Model, dataset: &Dataset, float: &[u8]) -> Result<String> {
    let split = pipeline::split(&model.about, &dataset.train);
    let Quantized { bytes, limits, float: rounded, .. } =
        quantize::quantize(model, &dataset.train, &split.train, Options::new(Dtype::I8), &mut |_, _| ())?;
    let image = parse_own(&bytes)?;
    let test = &dataset.test;
    let integer = integer_classes(&image, &test.features, &test.indices())?;
    Ok(section("histograms", "Weights and activations", &histograms(&rounded, test, &limits)?)
        + &section("flips", "Float and integer predictions", &changed(model, test, float, &integer)?))
}

/// The images for which the integer network predicts another class than the float network.
fn changed(model: &Model, set: &Samples, float: &[u8], integer: &[u8]) -> Result<String> {
    let changed: Vec<usize> = (0..set.len()).filter(|&n| float[n] != integer[n]).collect();
    let count = |of: fn([bool; 2]) -> bool| {
        let right = |n: usize| [float, integer].map(|classes| classes[n] == set.labels()[n]);
        changed.iter().filter(|&&n| of(right(n))).count()
    };
    let mut text = format!(
        "<p>Quantized to i8, the predicted class of {} of {} test images changes: {} from right to wrong, {} from wrong to \
         right, {} from one wrong class to another.</p>\n<div class=\"grid\">\n",
        changed.len(),
        set.len(),
        count(|right| right == [true, false]),
        count(|right| right == [false, true]),
        count(|right| right == [false, false])
    );
    for &n in changed.iter().take(MAX_CHANGED_SHOWN) {
        let [truth, before, after] = [set.labels()[n], float[n], integer[n]].map(|c| model.class(c.into()));
        let caption = format!("test image {n}, {truth}: float network {before}, integer network {after}");
        let _ = writeln!(
            text,
            "<figure class=\"mistake\">{}<figcaption>{}: {} → {}</figcaption></figure>",
            picture::image(set.images()?, n, &caption)?,
            escape(&truth),
            escape(&before),
            escape(&after)
        );
    }
    Ok(text + "</div>\n")
}

/// Weights as fractions of the clip limit of their output, activations with the clip limit of their layer.
fn histograms(net: &Folded, set: &Samples, limits: &ClipLimits) -> Result<String> {
    let shape = net.shape;
    let mut plots = String::new();
    let layers = shape.split(&net.params)?;
    for (l, (layer, limits)) in layers.iter().zip(&limits.weights).enumerate() {
        let rows = || layer.weights.chunks_exact(limits.len());
        let fractions: Vec<f32> =
            rows().flat_map(|row| row.iter().zip(limits).map(|(w, limit)| w / limit)).collect();
        let (min, max) = range(limits);
        let title = format!(
            "Quantized weights of layer {}, as a fraction of each output's clip limit. The limits are {} to {}; {} of {} \
             weights exceed them",
            l + 1,
            short(min),
            short(max),
            fractions.iter().filter(|fraction| fraction.abs() > 1.0 + 1e-6).count(),
            fractions.len()
        );
        plots += &histogram(&title, &fractions, &[-1.0, 1.0], "fraction of the clip limit");
    }
    let mlp = Mlp::new(shape, Backend::detect());
    let index: Vec<u32> = (0..ACTIVATION_IMAGES.min(set.len()) as u32).collect();
    let mut outputs = vec![Vec::new(); shape.layers() - 1];
    forward(&mlp, &net.params, &DeviceInputs::new(net, &set.features)?, &index, |activations, index| {
        for (l, outputs) in (1..).zip(&mut outputs) {
            outputs.extend_from_slice(activations.activation(l, index.len()));
        }
    })?;
    for (l, (all, &limit)) in outputs.iter().zip(&limits.activations).enumerate() {
        let positive: Vec<f32> = all.iter().copied().filter(|a| *a > 0.0).collect();
        let percent = |count: usize| 100.0 * count as f64 / all.len().max(1) as f64;
        let title = format!(
            "Activations of layer {} above 0. {:.0} % are 0; {:.2} % exceed the clip limit of {}",
            l + 1,
            percent(all.len() - positive.len()),
            percent(positive.iter().filter(|a| **a > limit).count()),
            short(limit)
        );
        plots += &histogram(&title, &positive, &[limit], "activation");
    }
    Ok(format!("<div class=\"plots\">{plots}</div>\n"))
}

fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)))
}

/// Three significant digits.
fn short(x: f32) -> String {
    format!("{x:.2e}").parse::<f32>().map_or_else(|_| x.to_string(), |x| x.to_string())
}

/// A histogram with lines at the limits; `x` names the axis.
fn histogram(title: &str, values: &[f32], limits: &[f32], x: &str) -> String {
    let (low, high) = range(&[values, limits].concat());
    if values.is_empty() || low >= high {
        return format!("<p>{}: no values.</p>", escape(title));
    }
    let [low, high] = [low, high].map(f64::from);
    let counts = counts(values.iter().map(|&v| v.into()), low, high, BINS);
    let chart = Chart::histogram(title, low, high, &counts);
    limits.iter().fold(chart, |chart, &limit| chart.mark(f64::from(limit), "clips")).finish(x)
}
