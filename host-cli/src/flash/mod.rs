//! Writes flash files: of a trained model in a float type, or of another flash file in another packing.
//!
//! Repacking moves bytes and changes no weight, so the new file computes the same. Integer weights are made by `quantize`,
//! which needs images; here they come from integer files only.

mod compare;
mod describe;
mod rust_module;

use selvedge::format::{Builder, Dtype, HeaderBuf, InputMap, ModelView, Packing, Task, ValueScale};
use selvedge::infer::float;

use crate::data;
use crate::error::{Error, Result};
use crate::inference::self_test;
use crate::memory::Bytes;
use crate::model::Model;
use crate::model::fold::{Folded, fold};
use crate::quantize::SELF_TEST;

pub use compare::{Difference, NaiveNetwork, first_difference, same_in_another_order};
pub use describe::Description;
pub use rust_module::module;

/// A flash file of a trained model, in a float type. Rows of a table are taken as f32.
///
/// # Errors
/// `Usage` for an integer type or a packing of integers, `Model` if a parameter is beyond the type's range, or for an
/// autoencoder of standardised pictures.
pub fn of_model(model: &Model, dtype: Dtype, packing: Packing) -> Result<Bytes> {
    if dtype.is_integer() {
        return Err(Error::usage(format!(
            "--dtype {0}: integers need images to find their scales; `selvedge quantize MODEL --dtype {0} -o FILE.selv` \
             makes a flash file, which can be exported",
            dtype.name()
        )));
    }
    check_packing(dtype, packing)?;
    if model.about.schema.is_none()
        && model.about.task == data::Task::Reconstruct
        && model.about.normalisation.standardises()
    {
        return Err(Error::model(
            "a flash file of floats compares the outputs of an autoencoder with pixels, and this one reconstructs standardised \
             pixels: `selvedge quantize` makes a file of integers, or train it with --standardise none",
        ));
    }
    let Folded { shape, table, params, .. } = fold(model)?;
    let names = model.about.classes.join("\n");
    let header = model.about.header(shape, dtype, packing).map_err(|e| Error::usage(e.to_string()))?;
    let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
    let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
    float::store(&mut builder, &params).map_err(refused)?;
    if let Some(table) = &table {
        builder.table(table);
    }
    meaning(&mut builder, model).map_err(refused)?;
    builder.labels(&names).map_err(refused)?;
    builder.finish_with(SELF_TEST, self_test).map_err(refused)?;
    Ok(bytes)
}

/// Writes what turns the rows of a table into inputs, and outputs into answers.
fn meaning(builder: &mut Builder<'_>, model: &Model) -> std::result::Result<(), selvedge::Error> {
    let about = &model.about;
    if about.schema.is_some() {
        let (mean, scale) = match about.normalisation.mean_and_scale() {
            ([], _) => (&[0.0][..], &[1.0][..]),
            columns => columns,
        };
        for (feature, (&mean, &scale)) in mean.iter().zip(scale).enumerate() {
            builder.map_floats(feature, mean, scale)?;
        }
    }
    match about.task {
        data::Task::Classify => {}
        // A label applies at a probability above ½, where its output is above 0.
        data::Task::Multilabel => builder.label_threshold_bits(f32::MIN_POSITIVE.to_bits())?,
        data::Task::Regress => {
            for output in 0..model.shape.outputs() {
                let units = about.target_scale.as_ref();
                let (scale, offset) =
                    units.map_or((1.0, 0.0), |u| (u.deviations()[output], u.means()[output]));
                builder.value_scale(output, ValueScale::Float { scale, offset })?;
            }
        }
        data::Task::Reconstruct => {
            if let Some(threshold) = about.threshold {
                builder.float_score_threshold(threshold)?;
            }
        }
    }
    Ok(())
}

/// Parses a flash file that this program has just made.
///
/// # Errors
/// `Failed` if it is not valid.
pub fn parse_own(bytes: &[u8]) -> Result<ModelView<'_>> {
    ModelView::parse(bytes).map_err(|e| Error::failed(format!("the file is not sound: {e}")))
}

/// Refuses the packings of cores for weights of floats.
///
/// # Errors
/// `Usage`.
pub fn check_packing(dtype: Dtype, packing: Packing) -> Result<()> {
    if dtype.is_integer() || packing == Packing::Generic {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--packing {}: only integer weights are packed for a core, and these are {}; leave --packing out, or make them \
         with `selvedge quantize`",
        packing.name(),
        dtype.name()
    )))
}

/// The network of a flash file in another packing, or in another float type.
///
/// # Errors
/// `Usage` if the weights cannot be converted to that type or packing.
pub fn repack(from: &ModelView<'_>, dtype: Dtype, packing: Packing) -> Result<Bytes> {
    let old = from.header();
    if dtype != old.dtype() && (dtype.is_integer() || old.dtype().is_integer()) {
        return Err(Error::usage(format!(
            "--dtype {}: the file holds {} weights; start from the model that it was made of",
            dtype.name(),
            old.dtype().name()
        )));
    }
    let names: Vec<&str> = from.labels().collect();
    let names = names.join("\n");
    check_packing(dtype, packing)?;
    let header = HeaderBuf::like(old, dtype, packing).map_err(|e| Error::usage(e.to_string()))?;
    let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
    let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
    if dtype == old.dtype() {
        builder.copy(from).map_err(refused)?;
    } else {
        let Folded { params, .. } = crate::model::fold::from_file(from)?;
        float::store(&mut builder, &params).map_err(refused)?;
        if let Some(table) = from.table() {
            builder.table(table);
        }
        copy_meaning(&mut builder, from).map_err(refused)?;
    }
    builder.labels(&names).map_err(refused)?;
    let seed = old.self_test().map_or(SELF_TEST, |test| test.seed);
    builder.finish_with(seed, self_test).map_err(refused)?;
    Ok(bytes)
}

/// Copies the input maps and the units of the answers of a file of floats.
fn copy_meaning(builder: &mut Builder<'_>, from: &ModelView<'_>) -> std::result::Result<(), selvedge::Error> {
    let header = from.header();
    let maps = match header.input_map() {
        InputMap::Affine => 1,
        InputMap::AffinePerFeature => header.inputs(),
        _ => 0,
    };
    for feature in 0..maps {
        let (offset, scale) = from.float_map(feature);
        builder.map_floats(feature, offset, scale)?;
    }
    if header.task() == Task::Values {
        for output in 0..header.outputs() {
            builder.value_scale(output, from.value_scale(output))?;
        }
    }
    Ok(())
}

fn refused(e: selvedge::Error) -> Error {
    Error::model(format!("the network does not go into a flash file: {e}"))
}
