//! `selvedge inspect`: what a model file holds, or what this CPU can do.

use selvedge::{Activations, Backend, Workspace};

use crate::cli::Inspect;
use crate::error::Result;
use crate::flash;
use crate::memory::size;
use crate::model::Model;
use crate::network::Network;
use crate::terminal::{Output, listing, table};

/// Shows a model or the backends.
///
/// # Errors
/// Exit code 4 for an invalid model.
pub fn run(args: &Inspect) -> Result<()> {
    let text = match &args.model {
        Some(path) => match Network::load(path)? {
            Network::Master(model) => describe(&model),
            Network::Flash(flash) => flash::describe(&flash.image()),
        },
        None => backends(),
    };
    Output::default().line(text)
}

fn backends() -> String {
    let best = Backend::detect();
    let rows = Backend::available().map(|b| {
        let note = if b == best { "auto picks this one" } else { "" };
        [b.name().to_string(), b.lanes().to_string(), note.to_string()]
    });
    listing(["backend", "lanes", ""].map(String::from), rows)
}

fn describe(model: &Model) -> String {
    let Model { shape, about, .. } = model;
    let floats = |n: usize| size(4 * n as u64);
    let mut lines = vec![
        format!("shape        {shape}"),
        format!("parameters   {} ({} as f32)", shape.params(), floats(shape.params())),
        format!("multiplies   {} an image", shape.macs()),
        format!(
            "memory       {} to predict one image, {} to train at batch 64",
            floats(Activations::floats(*shape, 1)),
            floats(Workspace::floats(*shape, 64))
        ),
    ];
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
