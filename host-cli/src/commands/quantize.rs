//! `selvedge quantize`: a flash file of integers, and its loss of accuracy.

use selvedge::format::{ModelView, Packing};
use selvedge::infer::integer::Engine;
use serde_json::{Value, json};

use super::{check_fit, load_data, protect};
use crate::cli::{IntegerType, Quantize};
use crate::data::Dataset;
use crate::error::{Error, Result, typed};
use crate::files;
use crate::flash;
use crate::inference::{float_classes, integer_classes};
use crate::memory::size;
use crate::model::fold::Folded;
use crate::model::{self, Model};
use crate::pipeline;
use crate::quantize::evaluation::noise;
use crate::quantize::{self, Options, Quantized};
use crate::sampling::Split;
use crate::terminal::{self, Output, Warnings, log, table};

/// Calibration images below which a warning says so. The quantizer itself is careful with up to
/// [`ENOUGH`](crate::quantize::calibrate::MIN_TRUSTED_IMAGES), which costs little accuracy from here on.
const FEW_IMAGES: usize = 32;
/// The accuracy that a file may lose without a warning.
const MAX_LOSS: f64 = 0.02;

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
    model.check_device()?;
    let mut warnings = Warnings::default();
    let dataset = load_data(&args.data, &args.model, Some(&model.about), &mut warnings)?;
    Some(&*args.out).map_or(Ok(()), |out| protect(out, &dataset))?;
    check_fit(model.shape, |c| model.class(c), &dataset, &[&dataset.train, &dataset.test], &mut warnings)?;
    let dtype = args.dtype.dtype();
    flash::check_packing(dtype, args.packing.unwrap_or(Packing::Generic))?;
    let seed = model.about.recipe.as_ref().map_or(pipeline::SEED, |r| r.seed);
    let split = pipeline::split(&model.about, &dataset.train);
    let qat = args.qat;
    let options = Options { dtype, calibrate: args.calibrate, clip: args.clip, qat, seed };
    let Quantized { bytes, float, .. } =
        quantize::quantize(&model, &dataset.train, &split.train, options, &mut |epoch, loss| {
            log(format!("fine-tuning {epoch}/{qat}: mean loss {loss:.4}"));
        })?;
    let bytes = match args.packing {
        Some(packing) => flash::repack(&flash::parse_own(&bytes)?, dtype, packing)?,
        None => bytes,
    };
    let image = flash::parse_own(&bytes)?;
    let comparison = Comparison::new(&model, &float, &image, &dataset, &split)?;
    files::write_atomic(&args.out, &bytes)?;

    let calibrated = args.calibrate.min(split.train.len());
    if calibrated < FEW_IMAGES {
        warnings.add(format!(
            "the range of the activations is that of {}; {}",
            terminal::count(calibrated, "image"),
            if args.calibrate < FEW_IMAGES {
                "take more with --calibrate"
            } else {
                "the training set has no more"
            }
        ));
    }
    if let Some(warning) = comparison.loss_of_accuracy(args) {
        warnings.add(warning);
    }
    let mut output = Output::default();
    if args.json {
        let mut line = comparison.json(args, &image);
        line["warnings"] = json!(warnings.list());
        return output.json(&line);
    }
    output.line(comparison.summary(&args.out.display().to_string(), &image))?;
    if args.report {
        output.line(format!("\n{}", comparison.report(&model, &image)))?;
    }
    let file = typed(&args.out);
    log(format!(
        "next: selvedge estimate {file} --target m4   or   selvedge export {file} --format firmware --board mps2-an386 -o \
         firmware"
    ));
    Ok(())
}

/// The model and its quantized file on the same images; accuracies are `[before, after]`.
struct Comparison {
    /// None where the model was trained on all images.
    val: Option<[f64; 2]>,
    test: [f64; 2],
    images: usize,
    flips: usize,
    per_class: Vec<[f64; 2]>,
    noise: Vec<f64>,
}

impl Comparison {
    fn new(
        model: &Model,
        float: &Folded,
        image: &ModelView<'_>,
        dataset: &Dataset,
        split: &Split,
    ) -> Result<Self> {
        let (train, test) = (&dataset.train, &dataset.test);
        let all = test.indices();
        let both = |pixels: &[u8], index: &[u32]| -> Result<[Vec<u8>; 2]> {
            Ok([float_classes(model, pixels, index)?, integer_classes(image, pixels, index)?])
        };
        let of_val = both(&train.images()?.pixels, &split.val)?;
        let of_test = both(&test.images()?.pixels, &all)?;
        let right = |found: &[u8], labels: &[u8], index: &[u32]| {
            let hits = found.iter().zip(index).filter(|&(&c, &n)| c == labels[n as usize]).count();
            hits as f64 / index.len().max(1) as f64
        };
        let recall = |class: usize| {
            let index: Vec<u32> =
                all.iter().copied().filter(|&n| usize::from(test.labels()[n as usize]) == class).collect();
            of_test.each_ref().map(|found| {
                let found: Vec<u8> = index.iter().map(|&n| found[n as usize]).collect();
                right(&found, test.labels(), &index)
            })
        };
        let some = &split.train[..split.train.len().min(1024)];
        Ok(Self {
            val: (!split.val.is_empty())
                .then(|| of_val.each_ref().map(|found| right(found, train.labels(), &split.val))),
            test: of_test.each_ref().map(|found| right(found, test.labels(), &all)),
            images: all.len(),
            flips: of_test[0].iter().zip(&of_test[1]).filter(|(a, b)| a != b).count(),
            per_class: (0..model.shape.outputs()).map(recall).collect(),
            noise: noise(float, image, &train.images()?.pixels, some)?,
        })
    }

    /// A warning where the file loses more than two points of accuracy, on the validation images where there are some.
    fn loss_of_accuracy(&self, args: &Quantize) -> Option<String> {
        let (split, [before, after]) = self.val.map_or(("test", self.test), |val| ("validation", val));
        if before - after <= MAX_LOSS {
            return None;
        }
        let (dtype, model) = (args.dtype.dtype().name(), typed(&args.model));
        let finer = match args.dtype {
            IntegerType::I4 => "--dtype i8, ",
            IntegerType::I8 => "",
        };
        let tune = if args.qat == 0 { "--qat 3, " } else { "" };
        Some(format!(
            "{dtype} loses {:.1} points of {split} accuracy, {} to {}; try {finer}{tune}or floats: \
             `selvedge export {model} --format selv --dtype f16 -o FILE`",
            100.0 * (before - after),
            percent(before),
            percent(after),
        ))
    }

    fn json(&self, args: &Quantize, image: &ModelView<'_>) -> Value {
        let header = image.header();
        let mut line = json!({
            "dtype": header.dtype().name(),
            "file": args.out.display().to_string(),
            "bytes": header.file_bytes(),
            "ram_bytes": Engine::ram_bytes(header),
            "val_accuracy_before": self.val.map(|v| v[0]),
            "val_accuracy": self.val.map(|v| v[1]),
            "test_accuracy_before": self.test[0],
            "test_accuracy": self.test[1],
            "flips": self.flips,
        });
        if args.report {
            line["per_class"] = json!(self.per_class);
            line["noise_db"] = json!(self.noise);
        }
        line
    }

    fn summary(&self, file: &str, image: &ModelView<'_>) -> String {
        let header = image.header();
        let row = |name: &str, [before, after]: [f64; 2]| {
            let points = 100.0 * (after - before);
            [name.into(), percent(before), percent(after), format!("{points:+.2}")]
        };
        let head = ["accuracy", "before", header.dtype().name(), "points"].map(String::from);
        let val = self.val.map(|val| row("validation", val));
        let accuracies = table(head, val.into_iter().chain([row("test", self.test)]));
        format!(
            "{accuracies}\n\n{} of {} test images are classified otherwise\n{file}: {} of flash, {} of RAM",
            self.flips,
            self.images,
            size(header.file_bytes() as u64),
            size(Engine::ram_bytes(header) as u64)
        )
    }

    fn report(&self, model: &Model, image: &ModelView<'_>) -> String {
        let rows = self.per_class.iter().enumerate().map(|(c, &[before, after])| {
            let points = 100.0 * (after - before);
            [model.class(c), percent(before), percent(after), format!("{points:+.1}")]
        });
        let classes = table(["class", "before", "after", "points"].map(String::from), rows);
        let rows = self.noise.iter().enumerate().map(|(l, noise)| {
            let spans = image.header().layer_spans(l);
            let bytes = spans.weights.len + spans.biases.len + spans.multipliers.len;
            [format!("fc{}", l + 1), format!("{noise:.1} dB"), bytes.to_string()]
        });
        let layers = table(["layer", "signal to noise", "bytes"].map(String::from), rows);
        format!("{classes}\n\n{layers}")
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.2}%", 100.0 * fraction)
}
