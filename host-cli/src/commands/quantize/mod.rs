//! `selvedge quantize`: a flash file of integers, and what it loses.

mod comparison;

use selvedge::format::{InputType, Packing};
use serde_json::json;

use super::{check_fit, load_data, protect};
use crate::cli::Quantize;
use crate::data::{Dataset, Features, Task};
use crate::error::{Error, Result, typed};
use crate::files;
use crate::flash;
use crate::inference::network::Network;
use crate::model::{self, Model};
use crate::pipeline;
use crate::quantize::bits::InputBits;
use crate::quantize::{self, Options, Quantized};
use crate::terminal::{self, Output, Warnings, log};
use comparison::Comparison;

/// Calibration images below which a warning says so. The quantizer itself is careful with up to
/// [`MIN_TRUSTED_IMAGES`](crate::quantize::calibrate::MIN_TRUSTED_IMAGES), which costs little accuracy from here on.
const FEW_IMAGES: usize = 32;

/// Quantizes a model.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Quantize) -> Result<()> {
    if args.calibrate == 0 {
        return Err(Error::usage("--calibrate 0: scales are taken from at least 1 image"));
    }
    files::check_output(&args.out, &model::file_of(&args.model))?;
    let model = Model::load(&args.model)?;
    let mut warnings = Warnings::default();
    let dataset = load_data(&args.data, &args.model, Some(&model.about), &mut warnings)?;
    Some(&*args.out).map_or(Ok(()), |out| protect(out, &dataset))?;
    check_fit(model.shape, |c| model.class(c), &dataset, &[&dataset.train, &dataset.test], &mut warnings)?;
    let dtype = args.dtype.dtype();
    flash::check_packing(dtype, args.packing.unwrap_or(Packing::Generic))?;
    let seed = model.about.recipe.as_ref().map_or(pipeline::SEED, |r| r.seed);
    let split = pipeline::split(&model.about, &dataset.train);
    let qat = args.qat;
    check_flags(args, &model, &dataset)?;
    let options = Options {
        calibrate: args.calibrate,
        clip: args.clip,
        qat,
        seed,
        raw: args.input.unwrap_or(InputType::F32),
        bits: args.input_bits,
        reject: args.reject,
        ..Options::new(dtype)
    };
    let Quantized { bytes, float, order, .. } =
        quantize::quantize(&model, &dataset.train, &split.train, options, &mut |epoch, loss| {
            log(format!("fine-tuning {epoch}/{qat}: mean loss {loss:.4}"));
        })?;
    let bytes = match args.packing {
        Some(packing) => flash::repack(&flash::parse_own(&bytes)?, dtype, packing)?,
        None => bytes,
    };
    let image = flash::parse_own(&bytes)?;
    let networks = [Network::Float(Box::new(model)), Network::of_flash(&bytes)?];
    let comparison = Comparison::new(networks.each_ref(), (&float, &order, &image), &dataset, &split)?;
    files::write_atomic(&args.out, &bytes)?;

    let calibrated = args.calibrate.min(split.train.len());
    if calibrated < FEW_IMAGES {
        warnings.add(format!(
            "the range of the activations is that of {}; {}",
            terminal::count(calibrated, dataset.singular()),
            if args.calibrate < FEW_IMAGES {
                "take more with --calibrate"
            } else {
                "the training set has no more"
            }
        ));
    }
    if let Some(warning) = comparison.loss(args) {
        warnings.add(warning);
    }
    comparison.useless(&image).into_iter().for_each(|warning| warnings.add(warning));
    let mut output = Output::default();
    if args.json {
        let mut line = comparison.json(args, &image);
        line["warnings"] = json!(warnings.list());
        return output.json(&line);
    }
    output.line(comparison.summary(&args.out.display().to_string(), &image))?;
    if args.report {
        output.line(format!("\n{}", comparison.report(&networks[0].names(&dataset), &image)))?;
    }
    let file = typed(&args.out);
    log(format!(
        "next: selvedge estimate {file} --target m4   or   selvedge export {file} --format firmware --board mps2-an386 -o \
         firmware"
    ));
    Ok(())
}

/// Refuses flags of rows for pictures, and a probability of classes for other answers.
fn check_flags(args: &Quantize, model: &Model, dataset: &Dataset) -> Result<()> {
    if matches!(dataset.train.features, Features::Images(_)) {
        let flag = match (args.input, args.input_bits) {
            (Some(_), _) => Some("--input"),
            (None, InputBits::Auto) => None,
            _ => Some("--input-bits"),
        };
        if let Some(flag) = flag {
            return Err(Error::usage(format!(
                "{flag} goes with the rows of a table; pictures are bytes, of which a device takes 7 bits: leave {flag} out"
            )));
        }
    }
    match args.reject {
        Some(_) if model.about.task != Task::Classify => Err(Error::usage(format!(
            "--reject goes with classes, and the model answers the task {}; leave --reject out",
            model.about.task.name()
        ))),
        _ => Ok(()),
    }
}
