//! `selvedge estimate`: what a model takes on a microcontroller, or on each, and whether that is there.

use selvedge::format::{Dtype, Header};
use serde_json::{Value, json};

use crate::cli::Estimate;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::estimate::{Budget, CORES, Core, target};
use crate::flash;
use crate::memory::Bytes;
use crate::model::{self, Model};
use crate::terminal::{Output, listing, say, table};

/// Estimates for one core, or for all.
///
/// # Errors
/// Exit code 2 for an unknown target, 4 for an invalid model, 6 where it does not fit, or fits no core.
pub fn run(args: &Estimate) -> Result<()> {
    match &args.target {
        Some(name) => one(args, target(name)?),
        None => all(args),
    }
}

/// What a file takes on a core, and why it does not fit.
struct Estimated {
    core: &'static Core,
    header: Header,
    budget: Budget,
    over: Option<String>,
}

impl Estimated {
    fn new(args: &Estimate, core: &'static Core, header: Header) -> Self {
        let budget = Budget::new(&header, core);
        Self { core, header, budget, over: over(args, &header, &budget) }
    }

    fn json(&self) -> Value {
        json!({
            "target": self.core.name,
            "flash_bytes": self.budget.flash,
            "ram_bytes": self.budget.ram,
            "macs": self.budget.macs,
            "instructions": self.budget.instructions,
            "fits": self.over.is_none(),
        })
    }
}

fn one(args: &Estimate, core: &'static Core) -> Result<()> {
    let estimated = Estimated::new(args, core, header_of(args, core)?);
    let mut output = Output::default();
    if args.json {
        output.json(&estimated.json())?;
    } else {
        let Estimated { header, budget, .. } = &estimated;
        output.line(text(args, header, core, budget))?;
        if let Some(hint) = faster(args, header, core, budget)? {
            say(hint);
        }
    }
    estimated.over.map_or(Ok(()), |short| Err(too_large(format!("over budget: {short}"))))
}

/// A row for each core, with the file packed for it.
fn all(args: &Estimate) -> Result<()> {
    let bytes = model::flash(&args.model)?;
    let header = |core| match &bytes {
        Some(bytes) => packed_for(args, bytes, core),
        None => header_of(args, core),
    };
    let estimates: Result<Vec<_>> =
        CORES.iter().map(|core| Ok(Estimated::new(args, core, header(core)?))).collect();
    let (estimates, mut output) = (estimates?, Output::default());
    if args.json {
        estimates.iter().try_for_each(|estimated| output.json(&estimated.json()))?;
    } else {
        let (shape, dtype) = (estimates[0].header.shape(), estimates[0].header.dtype());
        let packed = if dtype.is_integer() { ", packed for each core" } else { "" };
        let table = table(columns(args), estimates.iter().map(|estimated| row(args, estimated)));
        output.line(format!("{shape}, {dtype}{packed}\n\n{table}"))?;
    }
    let fits = estimates.iter().any(|estimated| estimated.over.is_none());
    match estimates.into_iter().next() {
        Some(Estimated { core, over: Some(short), .. }) if !fits => {
            Err(too_large(format!("over budget on every core, on {} for one: {short}", core.name)))
        }
        _ => Ok(()),
    }
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::Budget, message)
}

fn columns(args: &Estimate) -> Vec<String> {
    let fits = has_budget(args).then_some("fits");
    let names = ["", "flash", "RAM", "instructions", "milliseconds"].into_iter().chain(fits);
    names.map(String::from).collect()
}

fn row(args: &Estimate, Estimated { core, budget, over, .. }: &Estimated) -> Vec<String> {
    let unknown = || "not measured".to_string();
    let time = budget.seconds(core, core.clock).map_or_else(unknown, |[best, worst]| {
        format!("{:.2} to {:.2} at {} MHz", 1e3 * best, 1e3 * worst, core.clock / 1e6)
    });
    let mut row = vec![
        format!("{:5} {}", core.name, core.processors),
        budget.flash.to_string(),
        budget.ram.to_string(),
        budget.instructions.map_or_else(unknown, |n| n.to_string()),
        time,
    ];
    if has_budget(args) {
        row.push(if over.is_none() { "yes" } else { "no" }.into());
    }
    row
}

fn has_budget(args: &Estimate) -> bool {
    args.flash.is_some() || args.ram.is_some()
}

/// Of a flash file its own, of a model that of the file that `quantize` and `export` would make for the target.
fn header_of(args: &Estimate, core: &Core) -> Result<Header> {
    if let Some(bytes) = model::flash(&args.model)? {
        return Ok(*model::parse_flash(&args.model, &bytes)?.header());
    }
    let model = Model::load(&args.model)?;
    let header = model.about.header(model.shape, Dtype::I8, core.packing);
    header.map_err(|e| Error::model(format!("{}: {e}", args.model.display())))
}

/// Of a flash file packed for the core, if there is a packing of its type for cores.
fn packed_for(args: &Estimate, bytes: &Bytes, core: &Core) -> Result<Header> {
    let image = model::parse_flash(&args.model, bytes)?;
    let header = *image.header();
    if !header.dtype().is_integer() {
        return Ok(header);
    }
    let packed = flash::repack(&image, header.dtype(), core.packing)?;
    Ok(*model::parse_flash(&args.model, &packed)?.header())
}

/// Why it does not fit.
fn over(args: &Estimate, header: &Header, budget: &Budget) -> Option<String> {
    let short = budget.short_of(args.flash, args.ram)?;
    let i4 = args.flash.is_some_and(|flash| budget.flash > flash.0) && header.dtype() != Dtype::I4;
    let hint = if i4 { ", or `selvedge quantize --dtype i4`" } else { "" };
    Some(format!("{short}; take fewer or narrower layers{hint}"))
}

/// How the core's own kernel would do better, where the file is packed for others.
fn faster(args: &Estimate, header: &Header, core: &Core, budget: &Budget) -> Result<Option<String>> {
    if !header.dtype().is_integer() || core.runs(header) {
        return Ok(None);
    }
    let Some(bytes) = model::flash(&args.model)? else { return Ok(None) };
    let packed = Budget::new(&packed_for(args, &bytes, core)?, core);
    let times = budget.instructions.zip(packed.instructions).map(|(now, then)| now as f64 / then as f64);
    let (file, packing) = (typed(&args.model), core.packing.name());
    Ok(times.map(|times| {
        format!(
            "packed for this core it would take {times:.0} times fewer instructions: selvedge export {file} --format selv \
             --packing {packing} -o {packing}.selv"
        )
    }))
}

fn text(args: &Estimate, header: &Header, core: &Core, budget: &Budget) -> String {
    let clock = args.clock.map_or(core.clock, |c| c.0);
    let way = core.way(header);
    let rows = [
        [
            "flash".into(),
            format!("{} bytes", budget.flash),
            format!("file {}, program {}", header.file_bytes(), way.code),
        ],
        [
            "RAM".into(),
            format!("{} bytes", budget.ram),
            format!("image, activations and logits {}, stack {}", budget.ram - way.stack, way.stack),
        ],
        ["multiply-adds".into(), budget.macs.to_string(), "of an image".into()],
        [
            "instructions".into(),
            budget.instructions.map_or("not measured".into(), |n| format!("about {n}")),
            assumption(header, core),
        ],
        [
            "time".into(),
            budget.seconds(core, clock).map_or("not measured".into(), |[best, worst]| {
                format!("{:.2} to {:.2} ms", 1e3 * best, 1e3 * worst)
            }),
            format!("at {} MHz, {} to {} cycles an instruction", clock / 1e6, core.cycles[0], core.cycles[1]),
        ],
    ];
    let head = [core.name.into(), String::new(), format!("{}, {}", core.processors, core.about)];
    format!(
        "{}, {}, packing {}\n\n{}",
        header.shape(),
        header.dtype().name(),
        header.packing().name(),
        listing(head, rows)
    )
}

/// Where the figure comes from, and what takes fewer.
fn assumption(header: &Header, core: &Core) -> String {
    let dtype = header.dtype();
    let busy = || {
        let cost = core.way(header).cost;
        let of =
            if cost.together == 1 { "pixels".into() } else { format!("groups of {} pixels", cost.together) };
        format!("{:.0} % of the image's {of} not all 0", 100.0 * cost.busy)
    };
    match dtype {
        Dtype::I8 | Dtype::I4 if !core.runs(header) => {
            "in the loops of every core, since the file is packed for others".into()
        }
        Dtype::I8 | Dtype::I4 | Dtype::F32 => busy(),
        Dtype::F16 | Dtype::Bf16 => format!("{} was never counted; of floats, f32 was", dtype.name()),
    }
}
