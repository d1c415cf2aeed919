//! `selvedge import`: a model from another program, and which tensor became which.

use serde_json::json;

use crate::cli::Import;
use crate::data::classes::read_names;
use crate::error::{Error, Result};
use crate::files;
use crate::import::{self, ImportOptions, Imported};
use crate::model::fit::check_names;
use crate::terminal::{Output, Warnings, listing};

/// Imports a model.
///
/// # Errors
/// `Usage` for a standard deviation that nothing can be divided by, `Data` for class names that cannot be read, `Model` for a file that
/// is no multilayer perceptron.
pub fn run(args: &Import) -> Result<()> {
    if !args.mean.is_finite() || !args.std.is_finite() || args.std <= 0.0 {
        return Err(Error::usage(format!(
            "--mean {} --std {}: the mean is a number, the deviation one above 0",
            args.mean, args.std
        )));
    }
    if args.mean.abs() > 1.0 {
        return Err(Error::usage(format!(
            "--mean {} --std {}: pixels are of 0 to 1 here; divide both by 255 where they are of pixels of 0 to 255",
            args.mean, args.std
        )));
    }
    files::check_output(&args.out, &args.file)?;
    let options = ImportOptions {
        order: args.order.clone(),
        inputs: args.inputs,
        activation: args.activation.clone(),
        task: args.task,
        is_normalised: (args.mean, args.std) != (0.0, 1.0),
    };
    let mut imported = import::import(&args.file, &options)?;
    if (args.mean, args.std) != (0.0, 1.0) {
        import::fold_normalisation(&mut imported, args.mean, args.std)?;
    }
    let Imported { mut model, names, mut notes, defines_inputs, is_own } = imported;
    if !(is_own || defines_inputs) && args.inputs.is_none() && (args.mean, args.std) == (0.0, 1.0) {
        notes.push(
            "the file does not say what its inputs are: pixels of 0 to 1 were taken; `--inputs byte` says 0 to 255, `--mean` \
             and `--std` how they were normalised, `--inputs table` that they are columns of a table"
                .into(),
        );
    }
    if let Some(path) = &args.classes {
        let classes = read_names(path)?;
        check_names(&classes, model.shape).map_err(|_| {
            Error::data(format!(
                "{}: {} class names, but {} has {} outputs",
                path.display(),
                classes.len(),
                args.file.display(),
                model.shape.outputs()
            ))
        })?;
        model.about.classes = classes;
    }
    let mut warnings = Warnings::default();
    notes.into_iter().for_each(|note| warnings.add(note));
    model.save(&args.out)?;

    let shape = model.shape;
    let tensors = names.into_iter().enumerate().flat_map(|(n, names)| {
        let [weights, biases] = names;
        let (i, o) = (shape.width(n), shape.width(n + 1));
        let fc = n + 1;
        let biases = Some(biases).filter(|name| !name.is_empty());
        [(Some(weights), format!("fc{fc}.weight"), vec![o, i]), (biases, format!("fc{fc}.bias"), vec![o])]
    });
    let mut output = Output::default();
    if args.json {
        let tensors: Vec<_> =
            tensors.map(|(from, to, dims)| json!({"from": from, "to": to, "shape": dims})).collect();
        let out = args.out.display().to_string();
        return output.json(&json!({
            "model": out, "shape": shape.to_string(), "tensors": tensors, "warnings": warnings.list(),
        }));
    }
    // A map folded into a layer without biases gives it biases that come from no tensor.
    let rows = tensors.map(|(from, to, dims)| [from.unwrap_or("(none)".into()), to, format!("{dims:?}")]);
    output.line(listing(["tensor", "became", "shape"].map(String::from), rows))?;
    output.line(format!("\nModel = {}, {shape}, {} parameters", args.out.display(), shape.params()))
}
