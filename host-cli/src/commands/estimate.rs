//! `selvedge estimate`: flash, RAM, instructions and time of a model on one core or on all, checked against a budget.

use selvedge::format::{Dtype, Header, HeaderBuf};
use serde_json::{Value, json};

use crate::cli::Estimate;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::estimate::{CORES, CObject, Core, Requirements, classifies_pictures, target};
use crate::memory::Bytes;
use crate::model::{self, Model};
use crate::terminal::{Output, listing, log, table};

/// Estimates for one core, or for all.
///
/// # Errors
/// `Usage` for an unknown target, `Model` for an invalid model, `Budget` where it does not fit, or fits no core.
pub fn run(args: &Estimate) -> Result<()> {
    match &args.target {
        Some(name) => one(args, target(name)?),
        None => all(args),
    }
}

/// The estimate for one core, and why it exceeds the budget.
struct Estimated {
    core: &'static Core,
    header: HeaderBuf,
    requirements: Requirements,
    over: Option<String>,
}

impl Estimated {
    fn new(args: &Estimate, core: &'static Core, header: HeaderBuf) -> Self {
        let requirements = Requirements::new(&header.header(), core);
        let over = over(args, &header.header(), &requirements);
        Self { core, header, requirements, over }
    }

    fn json(&self, args: &Estimate) -> Value {
        let header = &self.header.header();
        let c = CObject::new(header, self.core);
        let clock = args.clock.map_or(self.core.clock, |clock| clock.0);
        let (cycles, seconds) = (self.requirements.cycles, self.requirements.seconds(clock));
        json!({
            "target": self.core.name,
            "flash_bytes": self.requirements.flash,
            "file_bytes": header.file_bytes(),
            "inference_bytes": self.core.inference_bytes(header),
            "c_constant_bytes": c.map(|c| c.constants),
            "c_code_bytes": c.map(|c| c.code),
            "ram_bytes": self.requirements.ram,
            "macs": self.requirements.macs,
            "instructions": self.requirements.instructions,
            "modelled": self.requirements.instructions.map(|_| !header.is_plain()),
            "cycles": cycles.map(|c| c[0]),
            "cycles_waiting": cycles.map(|c| c[1]),
            "cycles_modelled": cycles.map(|_| self.core.cycles.flash.is_some()),
            "wait_states": self.core.cycles.flash.map(|flash| flash.wait_states),
            "line_bytes": self.core.cycles.flash.map(|flash| flash.line_bytes),
            "clock_hz": clock,
            "seconds": seconds.map(|s| s[0]),
            "seconds_waiting": seconds.map(|s| s[1]),
            "fits": self.over.is_none(),
        })
    }
}

fn one(args: &Estimate, core: &'static Core) -> Result<()> {
    let estimated = Estimated::new(args, core, header_of(args, core)?);
    let mut output = Output::default();
    if args.json {
        output.json(&estimated.json(args))?;
    } else {
        let Estimated { header, requirements, .. } = &estimated;
        let header = &header.header();
        output.line(text(args, header, core, requirements))?;
        if let Some(hint) = faster(args, header, core, requirements)? {
            log(hint);
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
        estimates.iter().try_for_each(|estimated| output.json(&estimated.json(args)))?;
    } else {
        let header = estimates[0].header.header();
        let (shape, dtype) = (header, header.dtype());
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

fn row(args: &Estimate, Estimated { core, requirements, over, .. }: &Estimated) -> Vec<String> {
    let unknown = || "not measured".to_string();
    let time = requirements.seconds(core.clock).map_or_else(unknown, |[best, worst]| {
        format!("{:.2} to {:.2} at {} MHz", 1e3 * best, 1e3 * worst, core.clock / 1e6)
    });
    let mut row = vec![
        format!("{:5} {}", core.name, core.processors),
        requirements.flash.to_string(),
        requirements.ram.to_string(),
        requirements.instructions.map_or_else(unknown, |n| n.to_string()),
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

/// The header of a flash file, or of the file that `quantize` and `export` would make of a model for the core.
fn header_of(args: &Estimate, core: &Core) -> Result<HeaderBuf> {
    if let Some(bytes) = model::flash(&args.model)? {
        let view = model::parse_flash(&args.model, &bytes)?;
        return Ok(HeaderBuf::like(view.header(), view.header().dtype(), view.header().packing())?);
    }
    let model = Model::load(&args.model)?;
    let header = model.about.header(model.shape, Dtype::I8, core.packing);
    header.map_err(|e| Error::model(format!("{}: {e}", args.model.display())))
}

/// The header of a flash file packed for the core; floats have one packing only.
fn packed_for(args: &Estimate, bytes: &Bytes, core: &Core) -> Result<HeaderBuf> {
    let model = model::parse_flash(&args.model, bytes)?;
    let header = model.header();
    let packing = if header.dtype().is_integer() { core.packing } else { header.packing() };
    Ok(HeaderBuf::like(header, header.dtype(), packing)?)
}

/// Why the estimate exceeds the budget; `None` if it does not.
fn over(args: &Estimate, header: &Header<'_>, requirements: &Requirements) -> Option<String> {
    let short = requirements.short_of(args.flash, args.ram)?;
    let i4 = args.flash.is_some_and(|flash| requirements.flash > flash.0) && header.dtype() != Dtype::I4;
    let hint = if i4 { ", or `selvedge quantize --dtype i4`" } else { "" };
    Some(format!("{short}; take fewer or narrower layers{hint}"))
}

/// A hint to pack the file for the core, if it is packed for others.
fn faster(
    args: &Estimate,
    header: &Header<'_>,
    core: &Core,
    requirements: &Requirements,
) -> Result<Option<String>> {
    if !header.dtype().is_integer() || core.runs(header) {
        return Ok(None);
    }
    let Some(bytes) = model::flash(&args.model)? else { return Ok(None) };
    let packed = Requirements::new(&packed_for(args, &bytes, core)?.header(), core);
    let times =
        requirements.instructions.zip(packed.instructions).map(|(now, then)| now as f64 / then as f64);
    let (file, packing) = (typed(&args.model), core.packing.name());
    if let (None, Some(instructions)) = (requirements.instructions, packed.instructions) {
        return Ok(Some(format!(
            "packed for this core it would take about {instructions} instructions: selvedge export {file} --format selv \
             --packing {packing} -o {packing}.selv"
        )));
    }
    Ok(times.map(|times| {
        format!(
            "packed for this core it would take {times:.0} times fewer instructions: selvedge export {file} --format selv \
             --packing {packing} -o {packing}.selv"
        )
    }))
}

fn text(args: &Estimate, header: &Header<'_>, core: &Core, requirements: &Requirements) -> String {
    let clock = args.clock.map_or(core.clock, |c| c.0);
    let memory = requirements.ram - requirements.stack;
    let c_bytes = CObject::new(header, core).map_or_else(
        || ("not measured".into(), String::new()),
        |c| {
            let made = "object by gcc -O2";
            (
                format!("{} bytes", c.constants + c.code),
                format!("{made}: constants {}, code about {}", c.constants, c.code),
            )
        },
    );
    let sample = if header.input_map().is_affine() { "a sample" } else { "an image" };
    let rows = [
        ["flash".into(), format!("{} bytes", requirements.flash), parts(header, core)],
        ["as C".into(), c_bytes.0, c_bytes.1],
        [
            "RAM".into(),
            format!("{} bytes", requirements.ram),
            format!(
                "{}, stack {}",
                match (classifies_pictures(header), header.window()) {
                    (true, _) => format!("image, activations and logits {memory}"),
                    (false, None) => format!("sample, activations and answers {memory}"),
                    (false, Some(_)) => format!("window, row, activations and answers {memory}"),
                },
                requirements.stack
            ),
        ],
        ["multiply-adds".into(), requirements.macs.to_string(), format!("of {sample}")],
        [
            "instructions".into(),
            requirements.instructions.map_or("not measured".into(), |n| format!("about {n}")),
            assumption(header, core),
        ],
        [
            "cycles".into(),
            requirements.cycles.map_or("not measured".into(), |[best, worst]| format!("{best} to {worst}")),
            origin_of_cycles(header, core),
        ],
        [
            "time".into(),
            requirements.seconds(clock).map_or("not measured".into(), |[best, worst]| {
                format!("{:.2} to {:.2} ms", 1e3 * best, 1e3 * worst)
            }),
            format!("of these cycles at {} MHz", clock / 1e6),
        ],
    ];
    let head = [core.name.into(), String::new(), format!("{}, {}", core.processors, core.about)];
    format!(
        "{}, {}, packing {}\n\n{}",
        header,
        header.dtype().name(),
        header.packing().name(),
        listing(head, rows)
    )
}

/// What the flash of a firmware project holds.
fn parts(header: &Header<'_>, core: &Core) -> String {
    let (file, program) = (header.file_bytes(), core.program_bytes(header));
    let about = if header.is_plain() { "" } else { "about " };
    match core.inference_bytes(header) {
        Some(code) => format!(
            "model {file}, inference code {about}{code}, rest of the Rust project (start, checks, console) {about}{}",
            program - code
        ),
        None => format!("model {file}, program {about}{program}"),
    }
}

/// Where the numbers of cycles come from.
fn origin_of_cycles(header: &Header<'_>, core: &Core) -> String {
    let [best, worst] = core.cycles(header);
    match core.cycles.flash {
        Some(flash) => format!(
            "modelled, never measured: without wait states; with {} for each new {} bytes of flash, no cache",
            flash.wait_states, flash.line_bytes
        ),
        None => format!("assumed: {best} to {worst} an instruction, for which no manual has a table"),
    }
}

/// The assumption behind the number of instructions.
fn assumption(header: &Header<'_>, core: &Core) -> String {
    let dtype = header.dtype();
    let busy = || {
        let cost = core.profile(header).cost;
        let of = if cost.group_inputs == 1 {
            "pixels".into()
        } else {
            format!("groups of {} pixels", cost.group_inputs)
        };
        format!("{:.0} % of the image's {of} not all 0", 100.0 * cost.busy)
    };
    match dtype {
        _ if !header.is_plain() => match core.runs(header) {
            true => "modelled: within 10 % of the networks that were counted".into(),
            false => {
                "raw values, activations and scores were counted in files packed for the core alone".into()
            }
        },
        Dtype::I8 | Dtype::I4 if !core.runs(header) => {
            "in the loops of every core, since the file is packed for others".into()
        }
        Dtype::I8 | Dtype::I4 | Dtype::F32 => busy(),
        Dtype::F16 | Dtype::Bf16 => format!("{} was never counted; of floats, f32 was", dtype.name()),
    }
}
