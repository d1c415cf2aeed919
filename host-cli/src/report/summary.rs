//! The summary at the top of a run's page: what the model answers and how well, its size, and what it takes on devices.

use std::path::Path;

use selvedge::format::Dtype;

use super::context::{Context, Fact};
use super::{escape, section, table};
use crate::data::Task;
use crate::estimate::{CORES, Requirements};
use crate::memory::size;
use crate::terminal::count;

/// The section with the figures of the task.
pub(super) fn summary(context: &Context<'_>, results: &[Fact]) -> String {
    let model = context.model;
    let parameters = model.shape.params();
    let mut facts = vec![Fact::new("Task", task(context), data_name(context))];
    facts.extend(results.iter().map(|f| Fact::new(&f.name, &f.value, &f.note)));
    facts.push(Fact::new("Tested on", count(context.test.len(), context.singular()), ""));
    facts.push(Fact::new(
        "Network",
        model.shape.to_string(),
        format!("{} activation", model.about.activation),
    ));
    let bytes = size(4 * parameters as u64);
    facts.push(Fact::new("Parameters", parameters.to_string(), format!("{bytes} as 32-bit floats")));
    let text = format!(
        "<dl class=\"facts\">{}</dl>\n{}",
        facts.iter().map(tile).collect::<String>(),
        devices(context)
    );
    section("summary", "Summary", &text)
}

fn tile(fact: &Fact) -> String {
    let Fact { name, value, note } = fact;
    let note = if note.is_empty() { String::new() } else { format!("<small>{}</small>", escape(note)) };
    format!("<div><dt>{}</dt><dd>{}{note}</dd></div>\n", escape(name), escape(value))
}

/// The name of the data set: of a file or folder without the folders above it.
fn data_name(context: &Context<'_>) -> String {
    let name = &context.dataset.name;
    Path::new(name).file_name().map_or_else(|| name.clone(), |file| file.to_string_lossy().into_owned())
}

/// What the model is asked.
fn task(context: &Context<'_>) -> String {
    let outputs = context.names.len();
    match context.model.about.task {
        Task::Classify => format!("{outputs} classes"),
        Task::Regress if outputs == 1 => format!("regression of {}", context.names[0]),
        Task::Regress => format!("regression of {outputs} targets"),
        Task::Multilabel => format!("{outputs} labels"),
        Task::Reconstruct => "reconstruct".into(),
    }
}

/// Flash, RAM and time on each core of a classifier of pictures.
fn devices(context: &Context<'_>) -> String {
    let model = context.model;
    if model.more_than_layers().is_some() {
        return String::new();
    }
    let row = |core: &'static crate::estimate::Core| {
        let header = model.about.header(model.shape, Dtype::I8, core.packing).ok()?;
        let needed = Requirements::new(&header.header(), core);
        let time = needed.seconds(core.clock).map(|[best, worst]| {
            format!("{:.2} to {:.2} at {} MHz", 1e3 * best, 1e3 * worst, core.clock / 1e6)
        });
        let time = time.unwrap_or_else(|| "not measured".into());
        Some(vec![core.processors.into(), size(needed.flash as u64), size(needed.ram as u64), time])
    };
    let rows: Vec<_> = CORES.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["quantized to i8, on", "flash", "RAM", "milliseconds"].map(String::from);
    table(&header, rows)
}
