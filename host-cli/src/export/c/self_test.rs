//! The self-test of a network in C: a sample that is stored with the logits that the desktop's engine gives it. A core whose
//! flash is damaged, or a compiler that computes otherwise, is found out before its answers are trusted.

use std::fmt::Debug;
use std::str::FromStr;

use selvedge::Rng;
use selvedge::format::{InputType, ModelView, RawValue, SelfTest};
use selvedge::infer;
use selvedge::naive::integer::largest_code;

use super::Storage;
use super::interface::Interface;
use super::literal::{array, float};
use crate::error::{Error, Result};

/// What the header says of the function.
pub(super) const DECLARATION: &str = "
/* 1 if a stored sample gets the logits that it had when this file was written, 0 if flash or compiler changed them. */
int @_selftest(void);
";

/// The sample, its logits, and the function that compares.
///
/// # Errors
/// `Model` for a file that the engine does not run.
pub(super) fn write(of: &Interface<'_>) -> Result<String> {
    let row = row(of.model);
    let logits = match of.header().input_type() {
        InputType::I16 => logits::<i16>(of.model, &row),
        InputType::U16 => logits::<u16>(of.model, &row),
        InputType::F32 => logits::<f32>(of.model, &row),
        _ => logits::<u8>(of.model, &row),
    };
    let logits = logits.map_err(|error| {
        Error::model(format!("cannot export the model: {error}; train it again with a lower --lr"))
    })?;
    let mut text = String::new();
    array(&mut text, &format!("static const {}", of.raw()), "@_sample", row.into_iter());
    array(&mut text, &format!("static const {}", of.logit()), "@_expected", logits.into_iter());
    let (sample, copy) = match of.storage {
        Storage::Const => ("@_sample", String::new()),
        Storage::Progmem => ("sample", COPY.replace("RAW", of.raw())),
    };
    let (variables, copied) = copy.split_once("START").unwrap_or_default();
    let call = of.call(&format!("@_logits{}({sample}, logits)", of.suffix()), "0");
    let body = BODY.replace("VARIABLES", variables).replace("COPIED", copied).replace("CALL", &call);
    Ok(text + &of.fill(&body))
}

/// The functions take samples in RAM.
const COPY: &str = "    RAW sample[INPUTS];
START    for (i = 0; i < INPUTS; i++) {
        sample[i] = READ(RAW, @_sample, i);
    }
";

const BODY: &str = "
int @_selftest(void)
{
VARIABLES    LOGIT logits[OUTPUTS];
    uint32_t i;
COPIEDCALL    for (i = 0; i < OUTPUTS; i++) {
        if (logits[i] != READ(LOGIT, @_expected, i)) {
            return 0;
        }
    }
    return 1;
}
";

/// The logits of a sample, as C writes them.
fn logits<T>(model: &ModelView<'_>, row: &[String]) -> std::result::Result<Vec<String>, String>
where
    T: RawValue + FromStr<Err: Debug>,
{
    let value = |text: &String| text.trim_end_matches('f').parse().expect("the sample is of the file's type");
    let sample: Vec<T> = row.iter().map(value).collect();
    let (header, text) = (model.header(), |error: selvedge::Error| error.to_string());
    if header.dtype().is_integer() {
        let (mut scratch, mut logits) =
            (vec![0; infer::integer::Engine::scratch_words(header)], vec![0; header.outputs()]);
        let engine = infer::integer::Engine::new(model.clone()).map_err(text)?;
        engine.logits(&sample, &mut scratch, &mut logits).map_err(text)?;
        return Ok(logits.iter().map(i32::to_string).collect());
    }
    let (mut scratch, mut logits) =
        (vec![0.0; infer::float::Engine::scratch_words(header)], vec![0.0; header.outputs()]);
    let engine = infer::float::Engine::new(model.clone()).map_err(text)?;
    engine.logits(&sample, &mut scratch, &mut logits).map_err(text)?;
    match logits.iter().all(|z| z.is_finite()) {
        true => Ok(logits.iter().map(|&z| float(z)).collect()),
        false => Err("its weights are so large that it answers a sample with infinite logits".into()),
    }
}

/// A sample of raw values as C writes them; the same for the same file.
pub(in crate::export) fn row(model: &ModelView<'_>) -> Vec<String> {
    let header = model.header();
    if !header.input_map().is_affine() {
        return SelfTest::pixels(1).take(header.inputs()).map(|pixel| pixel.to_string()).collect();
    }
    let rng = &mut Rng::new(1);
    // A unit of the network's input, in integer files the whole range of the map.
    let steps =
        if header.dtype().is_integer() { 2.0 * f32::from(largest_code(header.input_bits())) } else { 1.0 };
    let of_float_map = |feature: usize, rng: &mut Rng| {
        let (offset, scale) = model.float_map(feature);
        let x = offset + steps / scale * rng.uniform();
        if x.is_finite() { x } else { offset }
    };
    let value = |feature: usize| match (header.input_type(), header.dtype().is_integer()) {
        (InputType::F32, _) => format!("{:e}f", of_float_map(feature, rng)),
        (_, true) => {
            let (lo, span, _) = model.integer_map(feature);
            (lo + rng.below(u32::from(span) + 1) as i32).to_string()
        }
        (of, false) => {
            let (least, most) = match of {
                InputType::I16 => (f32::from(i16::MIN), f32::from(i16::MAX)),
                InputType::U16 => (0.0, f32::from(u16::MAX)),
                _ => (0.0, f32::from(u8::MAX)),
            };
            of_float_map(feature, rng).clamp(least, most).round().to_string()
        }
    };
    (0..header.inputs()).map(value).collect()
}
