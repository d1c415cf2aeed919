//! MLPerf Tiny's anomaly detection: the windows of a clip as rows, and the scores of a device beside those of the floats.

use std::fmt::Write as _;
use std::path::Path;

use host_cli::error::Result;
use selvedge::Rng;

use super::{failed, read, write};

/// Values of a window: five frames of 128 log-mel values.
const WINDOW: usize = 640;
/// Values from one window to the next: a frame.
const STRIDE: usize = 128;
/// Windows of the clip that is drawn where there is none.
const DRAWN: usize = 196;

/// Writes the windows of a clip of little-endian f32, or of one drawn from a seed, as `anomaly.csv`, with a column for each value,
/// and as `anomaly.rows`, as devices read them.
pub fn prepare(dir: &Path, clip: Option<&Path>) -> Result<()> {
    let values = match clip {
        Some(path) => read(path)?.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        None => drawn(),
    };
    let windows: Vec<&[f32]> = values.windows(WINDOW).step_by(STRIDE).collect();
    if windows.is_empty() {
        return Err(failed("the clip is shorter than a window"));
    }
    let names: Vec<String> = (0..WINDOW).map(|column| format!("x{column}")).collect();
    let mut table = names.join(",");
    for window in &windows {
        let row: Vec<String> = window.iter().map(f32::to_string).collect();
        let _ = write!(table, "\n{}", row.join(","));
    }
    write(&dir.join("anomaly.csv"), table.as_bytes())?;
    let rows: Vec<u8> = windows.iter().flat_map(|row| row.iter().flat_map(|x| x.to_le_bytes())).collect();
    write(&dir.join("anomaly.rows"), &rows)
}

/// Frames that follow one another as those of a machine do: a spectrum that wanders.
fn drawn() -> Vec<f32> {
    let mut rng = Rng::new(18);
    let mut frame: Vec<f32> = (0..STRIDE).map(|band| -10.0 - band as f32 / 4.0).collect();
    let mut values = Vec::new();
    for _ in 0..DRAWN + WINDOW / STRIDE - 1 {
        for (band, x) in frame.iter_mut().enumerate() {
            let rest = -10.0 - band as f32 / 4.0;
            *x += 0.2 * (rest - *x) + 2.0 * rng.normal();
        }
        values.extend_from_slice(&frame);
    }
    values
}

/// Prints the mean of a device's scores, how far it is from that of the floats, and the correlation of both; fails where it is
/// further than `percent`, or the correlation below `correlation`.
pub fn scores(answers: &Path, floats: &Path, percent: f64, correlation: f64) -> Result<()> {
    // A score and a verdict.
    let device: Vec<f64> = read(answers)?
        .as_chunks::<8>()
        .0
        .iter()
        .map(|a| f32::from_le_bytes([a[0], a[1], a[2], a[3]]).into())
        .collect();
    let floats = column(&read(floats)?, "score")?;
    if device.len() != floats.len() || device.is_empty() {
        return Err(failed("not a score for each row"));
    }
    let n = device.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (of_device, of_floats) = (mean(&device), mean(&floats));
    let products = |x: &[f64], x_mean: f64, y: &[f64], y_mean: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum()
    };
    let both = products(&device, of_device, &floats, of_floats);
    let squares =
        products(&device, of_device, &device, of_device) * products(&floats, of_floats, &floats, of_floats);
    let (found, off) = (both / squares.sqrt(), 100.0 * (of_device / of_floats - 1.0));
    println!("mean score {of_device:.5}, of floats {of_floats:.5} ({off:+.2} %), correlation {found:.4}");
    if off.abs() > percent || found.is_nan() || found < correlation {
        return Err(failed("the scores of integers are too far from those of floats"));
    }
    Ok(())
}

/// The numbers of a column of a table that `selvedge predict` wrote.
fn column(table: &[u8], name: &str) -> Result<Vec<f64>> {
    let text = String::from_utf8_lossy(table);
    let mut lines = text.lines();
    let at = lines.next().and_then(|header| header.split(',').position(|column| column == name));
    let at = at.ok_or_else(|| failed("the table has no scores"))?;
    let number = |line: &str| line.split(',').nth(at).and_then(|field| field.parse().ok());
    lines.map(|line| number(line).ok_or_else(|| failed("a score is no number"))).collect()
}
