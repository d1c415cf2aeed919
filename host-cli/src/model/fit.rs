//! Whether a network, its class names and a data set belong together.

use selvedge::Shape;

use crate::data::{Dataset, Features, Images, Samples, Task};
use crate::error::{Error, Result};

/// Why a network of one output is refused.
pub const ONE_OUTPUT: &str = "it has one output, as for regression or a yes-or-no decision, and a model here tells \
    classes apart: the softmax of one output is 1 whatever the image; train it with an output for each of the two classes";

/// Refuses a network that tells classes apart, but whose softmax is 1 whatever its input.
///
/// # Errors
/// One clause without the file's name.
pub fn check_outputs(shape: Shape, task: Task) -> std::result::Result<(), String> {
    if shape.outputs() > 1 || task != Task::Classify { Ok(()) } else { Err(ONE_OUTPUT.into()) }
}

/// Refuses class names whose number is not that of the network's outputs; a network may have none.
///
/// # Errors
/// One clause without the file's name.
pub fn check_names(classes: &[String], shape: Shape) -> std::result::Result<(), String> {
    match classes.len() {
        0 => Ok(()),
        n if n == shape.outputs() => Ok(()),
        n => Err(format!("{n} class names for {} outputs", shape.outputs())),
    }
}

/// Refuses images of another size than the network's inputs, and labels beyond its outputs.
///
/// # Errors
/// `Model` with both numbers.
pub fn check_set(shape: Shape, set: &Samples) -> Result<()> {
    let (inputs, width) = (shape.inputs(), set.features.width());
    if inputs != width {
        return Err(Error::model(match &set.features {
            Features::Images(Images { rows, cols, .. }) => {
                format!(
                    "the model takes {inputs} inputs, but the images have {rows} x {cols} = {width} pixels"
                )
            }
            Features::Table(_) => {
                format!("the model takes {inputs} inputs, but the rows have {width} columns")
            }
        }));
    }
    match set.labels().iter().max() {
        Some(&label) if usize::from(label) >= shape.outputs() => {
            Err(other_classes(shape, format_args!("the data has class {label}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a data set with other classes than the network's, which `class` names; a warning where the names differ, or
/// where the data has fewer classes and does not name them.
///
/// # Errors
/// `Model` with both numbers.
pub fn check_classes(
    shape: Shape,
    class: impl Fn(usize) -> String,
    dataset: &Dataset,
) -> Result<Option<String>> {
    let (outputs, classes) = (shape.outputs(), dataset.classes.len());
    if classes > outputs || (classes < outputs && !dataset.counted) {
        return Err(other_classes(shape, format_args!("{} has {classes}", dataset.name)));
    }
    if classes < outputs {
        return Ok(Some(format!(
            "the model has {outputs} classes, but the labels of {} go up to {} only: is this the data set that it was \
             trained on? --data names another",
            dataset.name,
            dataset.classes[classes - 1]
        )));
    }
    let named = !dataset.counted && (0..outputs).any(|c| class(c) != c.to_string());
    let differs = (0..outputs).find(|&c| named && class(c) != dataset.classes[c]);
    Ok(differs.map(|c| {
        format!(
            "class {c} is {} to the model, but {} in {}: is this the data set that it was trained on? --data names another",
            class(c),
            dataset.classes[c],
            dataset.name
        )
    }))
}

fn other_classes(shape: Shape, data: std::fmt::Arguments<'_>) -> Error {
    Error::model(format!(
        "the model has {} classes, but {data}; name the data set that it was trained on with --data, or train a model on \
         this one",
        shape.outputs()
    ))
}
