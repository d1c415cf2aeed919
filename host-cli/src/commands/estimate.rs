//! `selvedge estimate`: what a model takes on a microcontroller, and whether that is there.

use selvedge::format::{Dtype, Header};
use serde_json::json;

use crate::budget::{Budget, Core, target};
use crate::cli::Estimate;
use crate::error::{Error, Exit, Result, typed};
use crate::flash;
use crate::model::{self, Model};
use crate::terminal::{Output, listing, say};

/// Estimates.
///
/// # Errors
/// Exit code 2 for an unknown target, 4 for an invalid model, 6 where it does not fit.
pub fn run(args: &Estimate) -> Result<()> {
    let core = target(&args.target)?;
    let header = header_of(args, core)?;
    let budget = Budget::new(&header, core);
    let over = over(args, &header, &budget);
    let mut output = Output::default();
    if args.json {
        output.json(&json!({
            "target": core.name,
            "flash_bytes": budget.flash,
            "ram_bytes": budget.ram,
            "macs": budget.macs,
            "instructions": budget.instructions,
            "fits": over.is_none(),
        }))?;
    } else {
        output.line(text(args, &header, core, &budget))?;
        if let Some(hint) = faster(args, &header, core, &budget)? {
            say(hint);
        }
    }
    over.map_or(Ok(()), |message| Err(Error { exit: Exit::Budget, message }))
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

/// Why it does not fit.
fn over(args: &Estimate, header: &Header, budget: &Budget) -> Option<String> {
    let short = budget.short_of(args.flash, args.ram)?;
    let i4 = args.flash.is_some_and(|flash| budget.flash > flash.0) && header.dtype() != Dtype::I4;
    let hint = if i4 { ", or `selvedge quantize --dtype i4`" } else { "" };
    Some(format!("over budget: {short}; take fewer or narrower layers{hint}"))
}

/// How the core's own kernel would do better, where the file is packed for others.
fn faster(args: &Estimate, header: &Header, core: &Core, budget: &Budget) -> Result<Option<String>> {
    if !header.dtype().is_integer() || core.runs(header) {
        return Ok(None);
    }
    let Some(bytes) = model::flash(&args.model)? else { return Ok(None) };
    let packed = flash::repack(&model::parse_flash(&args.model, &bytes)?, header.dtype(), core.packing)?;
    let packed = Budget::new(model::parse_flash(&args.model, &packed)?.header(), core);
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
    let head = [core.name, "", core.about].map(String::from);
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
