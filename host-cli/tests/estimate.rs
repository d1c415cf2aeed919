//! The model of instructions against the counts that `tests/firmware/run` printed, which are in its README.

use host_cli::estimate::{Requirements, core};
use selvedge::format::{Dtype, Header, HeaderBuf, InputMap, InputType, Task};
use selvedge::{Activation, Shape};

const README: &str = include_str!("../../tests/firmware/README.md");

/// What the model may be off, in parts of the count.
const BOUND: f64 = 0.10;

/// The networks of `tests/firmware/host/src/samples.rs` as estimates see them: names, widths, activations, input, task.
type Network = (&'static str, &'static [usize], &'static [Activation], (InputType, u32), Task);

const NETWORKS: [Network; 8] = [
    (
        "class, f32",
        &[13, 24, 16, 3],
        &[Activation::Relu, Activation::Relu6],
        (InputType::F32, 7),
        Task::Class,
    ),
    (
        "class, i16",
        &[13, 24, 16, 3],
        &[Activation::Relu, Activation::HardSwish],
        (InputType::I16, 14),
        Task::Class,
    ),
    ("window", &[48, 24, 5], &[Activation::Relu], (InputType::I16, 7), Task::Class),
    ("values", &[8, 32, 2], &[Activation::LeakyRelu], (InputType::U16, 14), Task::Values),
    ("labels", &[20, 16, 11], &[Activation::Relu], (InputType::U8, 7), Task::Labels),
    ("score", &[16, 6, 16], &[Activation::Identity], (InputType::I16, 7), Task::Reconstruction),
    ("tanh", &[10, 20, 20, 4], &[Activation::Tanh, Activation::Sigmoid], (InputType::F32, 14), Task::Class),
    ("unknown", &[13, 24, 4], &[Activation::Relu], (InputType::U16, 7), Task::Class),
];

fn header(network: &Network, packing: selvedge::format::Packing) -> HeaderBuf {
    let &(name, widths, activations, (of, bits), task) = network;
    let shape = Shape::new(widths).and_then(|shape| shape.with_activations(activations)).unwrap();
    let dtype = if name == "unknown" { Dtype::I4 } else { Dtype::I8 };
    let header = HeaderBuf::new(shape, dtype, packing).unwrap().with_task(task).unwrap();
    let header = header.with_input(of, InputMap::AffinePerFeature, bits).unwrap();
    if name == "window" { header.with_window(16, 4).unwrap() } else { header }
}

/// The cells of the table's row that starts with a text.
fn cells(start: &str) -> Vec<&'static str> {
    let line = README.lines().filter(|line| line.starts_with(start) && line.contains(" + "));
    let found: Vec<_> = line.collect();
    assert_eq!(found.len(), 1, "{start}");
    found[0].trim_matches('|').split(" | ").map(str::trim).skip(1).collect()
}

fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn modelled_instructions_are_near_the_counted_ones() {
    let names = README.lines().find(|line| line.starts_with("| core | class, f32")).unwrap();
    let names: Vec<&str> = names.trim_matches('|').split(" | ").map(str::trim).skip(1).collect();
    let mut worst = (0.0, String::new());
    for (start, targets) in [
        ("| Cortex-M4, M7 |", &["m4", "m7"][..]),
        ("| Cortex-M55 |", &["m55"]),
        ("| Cortex-M3 |", &["m3"]),
        ("| Cortex-M0 |", &["m0"]),
        ("| RV32IMC |", &["rv32"]),
    ] {
        for (cell, (name, network)) in cells(start).into_iter().zip(names.iter().zip(&NETWORKS)) {
            assert_eq!(*name, network.0);
            let (answer, map) = cell.split_once(" + ").unwrap();
            let counted = number(answer) + number(map);
            for target in targets {
                let core = core(target).unwrap();
                let header = header(network, core.packing);
                let header: Header<'_> = header.header();
                let modelled = Requirements::new(&header, core).instructions.unwrap() as f64;
                let off = modelled / counted - 1.0;
                println!(
                    "{target:5} {name:10} counted {counted:6}, modelled {modelled:6}, {:+.1} %",
                    100.0 * off
                );
                if off.abs() > worst.0 {
                    worst = (off.abs(), format!("{target}, {name}: {modelled}, counted {counted}"));
                }
            }
        }
    }
    assert!(worst.0 > 0.0 && worst.0 <= BOUND, "{worst:?}");
}

/// Of the table of modelled cycles in the README, which `tests/firmware/run` prints.
#[test]
fn cycles_are_near_the_modelled_ones() {
    let (_, section) = README.split_once("## Modelled cycles").unwrap();
    let shape = Shape::new(&[784, 128, 10]).unwrap();
    let mut rows = 0;
    for (of, target) in [("Cortex-M4", "m4"), ("Cortex-M3", "m3"), ("Cortex-M0+", "m0"), ("RV32IMC", "rv32")]
    {
        for (start, dtype) in [(format!("| {of} | "), Dtype::I8), (format!("| i4: {of} | "), Dtype::I4)] {
            let row = section.lines().find(|line| line.starts_with(&start)).unwrap();
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let core = core(target).unwrap();
            let header = HeaderBuf::new(shape, dtype, core.packing).unwrap();
            let estimated = Requirements::new(&header.header(), core).cycles.unwrap();
            for (cell, cycles) in [cells[1], cells[4]].into_iter().zip(estimated) {
                let off = cycles as f64 / number(cell) - 1.0;
                assert!(off.abs() <= 0.05, "{start}: {cycles}, the table says {cell}");
            }
            rows += 1;
        }
    }
    assert_eq!(rows, 8);
}
