//! `selvedge inspect`: describes a model file, or the backends of this CPU.

use selvedge::{Activations, Backend, Workspace};
use serde::Serialize;
use serde_json::json;

use crate::cli::Inspect;
use crate::data::Task;
use crate::error::Result;
use crate::flash;
use crate::inference::network::Network;
use crate::memory::size;
use crate::model::Model;
use crate::recipe::Recipe;
use crate::terminal::{Output, listing, table};

/// Shows a model or the backends.
///
/// # Errors
/// `Model` for an invalid model.
pub fn run(args: &Inspect) -> Result<()> {
    let mut output = Output::default();
    let Some(path) = &args.model else {
        return if args.json { output.json(&backends_json()) } else { output.line(backends()) };
    };
    match Network::load(path)? {
        Network::Float(model) if args.json => output.json(&ModelDescription::new(&model)),
        Network::Float(model) => output.line(describe(&model)),
        Network::Flash(flash) => {
            let description = flash::Description::new(&flash.image());
            if args.json { output.json(&description) } else { output.line(description.text()) }
        }
    }
}

fn backends_json() -> serde_json::Value {
    let all: Vec<_> = Backend::available().map(|b| json!({"name": b.name(), "lanes": b.lanes()})).collect();
    json!({"kind": "cpu", "auto": Backend::detect().name(), "backends": all})
}

fn backends() -> String {
    let best = Backend::detect();
    let rows = Backend::available().map(|b| {
        let note = if b == best { "auto picks this one" } else { "" };
        [b.name().to_string(), b.lanes().to_string(), note.to_string()]
    });
    listing(["backend", "lanes", ""].map(String::from), rows)
}

/// The batch size for which the memory of training is given.
const TRAIN_BATCH: usize = 64;

/// A model as JSON; the keys are the fields' names.
#[derive(Serialize)]
struct ModelDescription<'a> {
    kind: &'static str,
    shape: String,
    widths: Vec<usize>,
    dtype: &'static str,
    parameters: usize,
    macs: usize,
    predict_bytes: usize,
    train_bytes: usize,
    train_batch: usize,
    /// Rows and columns.
    image: Option<[usize; 2]>,
    gamma: f32,
    standardised: bool,
    activation: String,
    task: Task,
    classes: &'a [String],
    recipe: Option<&'a Recipe>,
    epochs_done: usize,
    val_accuracy: Option<f64>,
    version: Option<&'a str>,
    layers: Vec<serde_json::Value>,
}

impl<'a> ModelDescription<'a> {
    fn new(Model { shape, about, .. }: &'a Model) -> Self {
        let layers = (0..shape.layers()).map(|l| {
            let (i, o) = (shape.width(l), shape.width(l + 1));
            let (name, bytes) = (format!("fc{}", l + 1), 4 * (i + 1) * o);
            json!({"name": name, "inputs": i, "outputs": o, "parameters": (i + 1) * o, "bytes": bytes})
        });
        Self {
            kind: "model",
            shape: shape.to_string(),
            widths: shape.widths().collect(),
            dtype: "f32",
            parameters: shape.params(),
            macs: shape.macs(),
            predict_bytes: 4 * Activations::floats(*shape, 1),
            train_bytes: 4 * Workspace::floats(*shape, TRAIN_BATCH),
            train_batch: TRAIN_BATCH,
            image: about.image.map(|(rows, cols)| [rows, cols]),
            gamma: about.normalisation.gamma(),
            standardised: about.normalisation.standardises(),
            activation: about.activation.to_string(),
            task: about.task,
            classes: &about.classes,
            recipe: about.recipe.as_ref(),
            epochs_done: about.epochs_done,
            val_accuracy: about.val_accuracy,
            version: Some(&about.version[..]).filter(|version| !version.is_empty()),
            layers: layers.collect(),
        }
    }
}

fn describe(model: &Model) -> String {
    let Model { shape, about, .. } = model;
    let floats = |n: usize| size(4 * n as u64);
    let mut lines = vec![
        format!("shape        {shape}"),
        format!("parameters   {} ({} as f32)", shape.params(), floats(shape.params())),
        format!("multiplies   {} an image", shape.macs()),
        format!(
            "memory       {} to predict one image, {} to train at batch {TRAIN_BATCH}",
            floats(Activations::floats(*shape, 1)),
            floats(Workspace::floats(*shape, TRAIN_BATCH))
        ),
    ];
    if shape.layers() > 1 {
        lines.push(format!("activation   {}", about.activation));
    }
    if !about.classes.is_empty() {
        lines.push(format!("classes      {}", about.classes.join(", ")));
    }
    if let Some((rows, cols)) = about.image {
        lines.push(format!("input        {cols} x {rows} pixels, {}", about.normalisation.describe()));
    }
    if let Some(recipe) = &about.recipe {
        let text = toml::to_string(recipe).unwrap_or_default();
        lines.push(format!("recipe       {}", text.trim_end().replace('\n', "\n             ")));
        lines.push(format!("epochs done  {}", about.epochs_done));
    }
    if let Some(accuracy) = about.val_accuracy {
        lines.push(format!("validation   {:.2}%", 100.0 * accuracy));
    }
    if !about.version.is_empty() {
        lines.push(format!("written by   selvedge {}", about.version));
    }
    let layers = (0..shape.layers()).map(|l| {
        let (i, o) = (shape.width(l), shape.width(l + 1));
        [format!("fc{}", l + 1), i.to_string(), o.to_string(), ((i + 1) * o).to_string()]
    });
    let header = ["layer", "inputs", "outputs", "parameters"].map(String::from);
    format!("{}\n\n{}", lines.join("\n"), table(header, layers))
}
