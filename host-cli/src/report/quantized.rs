//! What i8 would make of the model: its weights and activations with the limits at which the quantizer clips them, and the
//! test images that change their class.

use std::fmt::Write;

use selvedge::format::Dtype;
use selvedge::{Backend, Mlp};

use super::svg::Chart;
use super::{escape, picture, section};
use crate::data::{Dataset, Set};
use crate::error::Result;
use crate::flash::parse_own;
use crate::inference::float::TableInputs;
use crate::inference::integer_classes;
use crate::model::Model;
use crate::model::fold::Folded;
use crate::pipeline;
use crate::quantize::clip::Clip;
use crate::quantize::{self, CALIBRATE, Limits, Options, Quantized};

/// Flipped images shown.
const FLIPS: usize = 24;
/// Bins of a histogram.
const BINS: usize = 60;
/// Images behind the activations' histograms.
const SAMPLE: usize = 1000;

/// The sections of a model whose classes of the test images are `float`.
///
/// # Errors
/// Exit code 1 without the memory, 4 where the model cannot be quantized.
pub(super) fn sections(model: &Model, dataset: &Dataset, float: &[u8]) -> Result<String> {
    let split = pipeline::split(&model.about, dataset.train.labels.len());
    let options = Options { dtype: Dtype::I8, calibrate: CALIBRATE, clip: Clip::Mse, qat: 0, seed: 0 };
    let Quantized { bytes, limits, float: rounded } =
        quantize::quantize(model, &dataset.train, &split.train, options, &mut |_, _| ())?;
    let image = parse_own(&bytes)?;
    let test = &dataset.test;
    let integer = integer_classes(&image, &test.images.pixels, &test.indices())?;
    Ok(section("histograms", "Weights and activations", &histograms(&rounded, test, &limits)?)
        + &section("flips", "Float against integer", &flips(model, test, float, &integer)?))
}

/// The images whose class by integers is another than by floats.
fn flips(model: &Model, set: &Set, float: &[u8], integer: &[u8]) -> Result<String> {
    let flipped: Vec<usize> = (0..set.labels.len()).filter(|&n| float[n] != integer[n]).collect();
    let count = |of: fn([bool; 2]) -> bool| {
        let right = |n: usize| [float, integer].map(|classes| classes[n] == set.labels[n]);
        flipped.iter().filter(|&&n| of(right(n))).count()
    };
    let mut text = format!(
        "<p>As i8, {} of {} test images change their class: {} from right to wrong, {} from wrong to right, {} from one \
         wrong class to another.</p>\n<div class=\"grid\">\n",
        flipped.len(),
        set.labels.len(),
        count(|right| right == [true, false]),
        count(|right| right == [false, true]),
        count(|right| right == [false, false])
    );
    for &n in flipped.iter().take(FLIPS) {
        let [truth, before, after] = [set.labels[n], float[n], integer[n]].map(|c| model.class(c.into()));
        let words = format!("test image {n}, {truth}: {before} by floats, {after} by integers");
        let _ = writeln!(
            text,
            "<figure class=\"mistake\">{}<figcaption>{}: {} → {}</figcaption></figure>",
            picture::grey(set.images.image(n).unwrap_or_default(), set.images.cols, &words)?,
            escape(&truth),
            escape(&before),
            escape(&after)
        );
    }
    Ok(text + "</div>\n")
}

/// Weights as parts of what their row's integers reach, activations with their layer's limit.
fn histograms(net: &Folded, set: &Set, limits: &Limits) -> Result<String> {
    let shape = net.shape;
    let mut plots = String::new();
    let layers = shape.split(&net.params)?;
    for (l, (layer, limits)) in layers.iter().zip(&limits.rows).enumerate() {
        let rows = || layer.weights.chunks_exact(limits.len());
        let parts: Vec<f32> =
            rows().flat_map(|row| row.iter().zip(limits).map(|(w, limit)| w / limit)).collect();
        let (least, most) = ends(limits);
        let words = format!(
            "Weights of layer {}, a chip's, as parts of the limit of their row; the limits are {} to {}, {} of {} weights \
             lie beyond",
            l + 1,
            short(least),
            short(most),
            parts.iter().filter(|part| part.abs() > 1.0 + 1e-6).count(),
            parts.len()
        );
        plots += &histogram(&words, &parts, &[-1.0, 1.0], "part of the limit");
    }
    let mlp = Mlp { shape, backend: Backend::detect() };
    let values = net.input_values();
    let index: Vec<u32> = (0..SAMPLE.min(set.labels.len()) as u32).collect();
    let mut outputs = vec![Vec::new(); shape.layers() - 1];
    TableInputs { pixels: &set.images.pixels, index: &index, values: &values }.forward(
        &mlp,
        &net.params,
        |activations, index| {
            for (l, outputs) in (1..).zip(&mut outputs) {
                outputs.extend_from_slice(activations.activation(l, index.len()));
            }
        },
    )?;
    for (l, (all, &limit)) in outputs.iter().zip(&limits.activations).enumerate() {
        let positive: Vec<f32> = all.iter().copied().filter(|a| *a > 0.0).collect();
        let share = |count: usize| 100.0 * count as f64 / all.len().max(1) as f64;
        let words = format!(
            "Activations above 0 behind layer {}; {:.0} % are 0, {:.2} % lie beyond the limit of {}",
            l + 1,
            share(all.len() - positive.len()),
            share(positive.iter().filter(|a| **a > limit).count()),
            short(limit)
        );
        plots += &histogram(&words, &positive, &[limit], "activation");
    }
    Ok(format!("<div class=\"plots\">{plots}</div>\n"))
}

fn ends(values: &[f32]) -> (f32, f32) {
    values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)))
}

/// Three figures.
fn short(x: f32) -> String {
    format!("{x:.2e}").parse::<f32>().map_or_else(|_| x.to_string(), |x| x.to_string())
}

/// How often values occur, with lines at the limits.
fn histogram(words: &str, values: &[f32], limits: &[f32], x: &str) -> String {
    let (low, high) = ends(&[values, limits].concat());
    if values.is_empty() || low >= high {
        return format!("<p>{}: nothing to count.</p>", escape(words));
    }
    let mut counts = vec![0; BINS];
    for v in values {
        counts[(((v - low) / (high - low) * BINS as f32) as usize).min(BINS - 1)] += 1;
    }
    let chart = Chart::histogram(words, f64::from(low), f64::from(high), &counts);
    limits.iter().fold(chart, |chart, &limit| chart.mark(f64::from(limit), "clips")).finish(x)
}
