//! `selvedge verify`: checks that two files compute the same, sample by sample and layer by layer. The hidden units may stand in
//! another order.

use serde_json::json;

use super::{check_fit, load_data};
use crate::cli::Verify;
use crate::error::{Error, ErrorKind, Result};
use crate::flash::{Difference, NaiveNetwork, first_difference, same_in_another_order};
use crate::inference::argmax;
use crate::inference::network::Network;
use crate::terminal::{Output, Warnings};

/// Compares two networks.
///
/// # Errors
/// `Mismatch` where they differ, `Model` where they cannot be compared.
pub fn run(args: &Verify) -> Result<()> {
    let (a, b) = (Network::load(&args.a)?.with_schema(args.schema.as_deref())?, Network::load(&args.b)?);
    if a.shape() != b.shape() {
        return Err(Error::model(format!(
            "{} is {} and {} is {}: there is nothing to compare",
            args.a.display(),
            a.shape(),
            args.b.display(),
            b.shape()
        )));
    }
    let mut warnings = Warnings::default();
    // A flash file does not name its data set, so the other file is asked.
    if a.takes_rows() && a.about().is_none() && b.about().is_none() {
        return Err(Error::model(
            "two flash files do not say which columns they take; name the model that they were made of: --schema MODEL",
        ));
    }
    let of = args.schema.as_ref().unwrap_or(&args.a);
    let (path, known) = if a.about().is_some() { (of, &a) } else { (&args.b, &b) };
    let dataset = load_data(&args.data, path, known.about(), &mut warnings)?;
    check_fit(a.shape(), |c| a.class(c), &dataset, &[&dataset.test], &mut warnings)?;
    let (plural, singular) = (dataset.plural(), dataset.singular());
    let test = dataset.test;
    // Numbers that a file of raw integers does not take are refused before they are rounded.
    for network in [&a, &b] {
        network.exact_logits(&test.features, &[])?;
    }
    let (left, right) = (NaiveNetwork::new(&a)?, NaiveNetwork::new(&b)?);
    let real = !(left.is_integer() && right.is_integer());
    let (mut reordered, mut differing, mut classes) = (false, 0, 0);
    let mut first = None::<(usize, Difference)>;
    let images = test.len();
    for n in 0..images {
        let of = |network: &NaiveNetwork<'_>| network.layer_outputs(&test.features, n, real);
        let (of_a, of_b) = (of(&left)?, of(&right)?);
        let Some(difference) = first_difference(&of_a, &of_b) else { continue };
        if same_in_another_order(&of_a, &of_b) {
            reordered = true;
        } else {
            differing += 1;
            first.get_or_insert((n, difference));
            let class = |layers: &[Vec<f64>]| layers.last().map(|z| argmax(z));
            classes += usize::from(class(&of_a) != class(&of_b));
        }
    }
    let mut output = Output::default();
    if args.json {
        let first = first.map(
            |(image, d)| json!({"image": image, "layer": d.layer, "index": d.index, "a": d.a, "b": d.b}),
        );
        output.json(&json!({
            "equal": differing == 0, "reordered": reordered, "images": images, "differing": differing, "first": first,
            "warnings": warnings.list(),
        }))?;
    } else if differing == 0 {
        let order = if reordered { "; hidden units stand in another order" } else { "" };
        output.line(format!("bit-exact on {images} {plural}, in every layer{order}"))?;
    }
    let Some((image, Difference { layer, index, a, b })) = first else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Mismatch,
        format!(
            "{differing} of {images} {plural} differ, {classes} of them in their class; the first is {singular} {image}, in \
             output {index} of layer fc{}: {a} and {b}",
            layer + 1
        ),
    ))
}
