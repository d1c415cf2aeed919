//! What a flash file holds, in words and a table.

use selvedge::format::{Dtype, Image, Stored};
use selvedge::{float, quant};

use super::self_test;
use crate::memory::size;
use crate::terminal::table;

/// Everything that there is to see: sizes, scales, multipliers, packing, CRC, self-test.
pub fn describe(image: &Image<'_>) -> String {
    let header = image.header();
    let shape = header.shape();
    let integer = header.dtype().is_integer();
    let ram = if integer { quant::ram_bytes(header) } else { float::ram_bytes(header) };
    let mut lines = vec![
        format!("shape        {shape}"),
        format!("parameters   {} as {}", shape.params(), header.dtype().name()),
        format!("packing      {}", header.packing().name()),
        format!("multiplies   {} an image", shape.macs()),
        format!("flash        {} bytes ({})", header.file_bytes(), size(header.file_bytes() as u64)),
        format!("memory       {ram} bytes to predict one image"),
        format!("CRC-32       {:08x}, as it should be", header.crc()),
        format!("self-test    {}", tested(image)),
    ];
    if let Some((rows, cols)) = header.image() {
        lines.push(format!("input        {cols} x {rows} pixels, {}", input(image)));
    }
    let names: Vec<&str> = image.labels().collect();
    if !names.is_empty() {
        lines.push(format!("classes      {}", names.join(", ")));
    }
    if integer {
        lines.push(format!("logits       one unit is {:.4e}", image.scale(shape.layers())));
    }
    let rows = image.layers().iter().enumerate().map(|(l, layer)| row(image, l, layer));
    let header = ["layer", "inputs", "outputs", "bytes", "one unit in", "row scales", "multipliers"];
    let columns = if integer { header.len() } else { 4 };
    let rows = rows.map(|row| row.into_iter().take(columns).collect::<Vec<_>>());
    format!("{}\n\n{}", lines.join("\n"), table(header.map(String::from).into_iter().take(columns), rows))
}

fn tested(image: &Image<'_>) -> String {
    match image.header().self_test() {
        None => "none".into(),
        Some(test) => match self_test(test.seed, image) {
            Ok(crc) if crc == test.crc => format!("seed {}, logits {crc:08x}, passed here", test.seed),
            Ok(crc) => format!("seed {}, logits {:08x}, FAILED here with {crc:08x}", test.seed, test.crc),
            Err(e) => format!("FAILED here: {e}"),
        },
    }
}

fn input(image: &Image<'_>) -> String {
    match image.table() {
        Some(t) => format!("through a table from {} to {}", t[0], t[255]),
        None if image.header().dtype().is_integer() => "halved".into(),
        None => "u8/255".into(),
    }
}

fn row(image: &Image<'_>, l: usize, layer: &Stored<'_>) -> [String; 7] {
    let spans = image.header().layout().layers[l];
    let bytes = spans.weights.len + spans.biases.len + spans.multipliers.len;
    let multipliers: Vec<u16> = match layer.multipliers().is_empty() {
        true => Vec::new(),
        false => (0..layer.outputs()).map(|r| layer.multiplier(r)).collect(),
    };
    // A row's multiplier is its scale, in units of what comes in and goes out.
    let per_unit = f64::from(image.scale(l + 1)) / f64::from(image.scale(l)) / f64::from(1 << 24);
    // The stored i4 is a sixteenth of the weight that is multiplied.
    let step = if image.header().dtype() == Dtype::I4 { 16.0 } else { 1.0 };
    let scales = match (multipliers.iter().min(), multipliers.iter().max()) {
        (Some(&least), Some(&most)) => {
            let of = |r: u16| step * per_unit * f64::from(r);
            format!("{:.3e} to {:.3e}", of(least), of(most))
        }
        _ => format!("{:.3e}", step * f64::from(image.scale(l + 1)) / f64::from(image.scale(l))),
    };
    let range = match (multipliers.iter().min(), multipliers.iter().max()) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "none".into(),
    };
    [
        format!("fc{}", l + 1),
        layer.inputs().to_string(),
        layer.outputs().to_string(),
        bytes.to_string(),
        format!("{:.3e}", image.scale(l)),
        scales,
        range,
    ]
}
