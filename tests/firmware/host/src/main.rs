//! The host's side of the firmware tests: writes what the devices read, and compares what they wrote with the desktop.
//!
//! Everything that a device computes is computed here by the same crate on this machine; files agree to the byte or the
//! test fails.

mod anomaly;
mod answers;
mod cycles;
mod elf;
mod head;
mod images;
mod samples;
mod train;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use host_cli::data::{Reading, Source};
use host_cli::error::{Error, Result};
use host_cli::memory::Bytes;
use selvedge::format::ModelView;

#[derive(Debug, Parser)]
#[command(about = "What tests/firmware/run needs on the host")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the files that the devices read, and what they must answer
    Prepare {
        /// The folder to write to
        dir: PathBuf,
        /// The flash file of i8 that is deployed
        #[arg(long)]
        model: PathBuf,
        /// A flash file of i4
        #[arg(long)]
        half: PathBuf,
        /// The data set
        #[arg(long)]
        data: Source,
        /// Test images to classify: the first so many of each class
        #[arg(long, default_value_t = 20)]
        per_class: usize,
    },
    /// Write a network for each task and kind of input, its rows, and what it must answer
    Samples {
        /// The folder to write to
        dir: PathBuf,
    },
    /// Write the rows of a table as a flash file takes them
    Rows {
        /// The table
        data: Source,
        /// The flash file
        model: PathBuf,
        /// Where to write the raw values
        out: PathBuf,
    },
    /// Write what a flash file of integers answers to rows of raw values
    Answers {
        /// The flash file
        model: PathBuf,
        /// The raw values, as the file's type says, one row after the other
        rows: PathBuf,
        /// Where to write the answers, four bytes each
        out: PathBuf,
    },
    /// Write the windows of MLPerf Tiny's anomaly detection as a table and as rows that devices read
    Anomaly {
        /// The folder to write to
        dir: PathBuf,
        /// The clip, little-endian f32; drawn from a seed where none is given
        #[arg(long)]
        clip: Option<PathBuf>,
    },
    /// Compare a device's scores with those of the floats
    Scores {
        /// The answers of the device
        answers: PathBuf,
        /// What `selvedge predict` wrote for the network of floats
        floats: PathBuf,
        /// How far the means may be apart
        #[arg(long, default_value_t = 2.0)]
        percent: f64,
        /// The least correlation of the scores
        #[arg(long, default_value_t = 0.99)]
        correlation: f64,
    },
    /// Compare logits with the desktop's; prints how many differ
    Compare {
        /// The bytes that a device wrote
        device: PathBuf,
        /// Those of the desktop
        desktop: PathBuf,
    },
    /// Print flash, RAM and the size of the inference code of an ELF file; fails where a panic is linked
    Elf {
        /// The program
        file: PathBuf,
        /// The flash file in it, to say what is code
        #[arg(long)]
        model: Option<PathBuf>,
    },
    /// Print the modelled cycles of what a program counts, from a trace of QEMU with `-d exec,nochain`
    Cycles {
        /// The core
        timing: cycles::Timing,
        /// The program
        elf: PathBuf,
        /// The trace, which may be a named pipe
        trace: PathBuf,
        /// What the program counts for each answer, one after the other
        #[arg(long, default_value = "1")]
        groups: NonZeroUsize,
        /// Bytes of a line of flash
        #[arg(long, default_value = "16")]
        line_bytes: NonZeroU32,
    },
    /// Flip one bit of the flash file inside an ELF file
    Flip {
        /// The program
        file: PathBuf,
        /// Where to write the damaged one
        out: PathBuf,
        /// The flash file in it
        #[arg(long)]
        model: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Prepare { dir, model, half, data, per_class } => {
            let data = data.load(None, &Reading::default())?;
            images::prepare(&dir, &model, &half, &data, per_class)?;
            train::prepare(&dir, &data)?;
            head::prepare(&dir, &data)
        }
        Command::Samples { dir } => samples::prepare(&dir),
        Command::Rows { data, model, out } => {
            let data = data.load(None, &Reading::default())?;
            let bytes = Bytes::copy_of(&read(&model)?, "the flash file")?;
            let view = ModelView::parse(&bytes).map_err(core)?;
            write(&out, &samples::of_table(&data, view.header())?)
        }
        Command::Answers { model, rows, out } => {
            let bytes = Bytes::copy_of(&read(&model)?, "the flash file")?;
            let view = ModelView::parse(&bytes).map_err(core)?;
            write(&out, &answers::answers(&view, &read(&rows)?)?)
        }
        Command::Anomaly { dir, clip } => anomaly::prepare(&dir, clip.as_deref()),
        Command::Scores { answers, floats, percent, correlation } => {
            anomaly::scores(&answers, &floats, percent, correlation)
        }
        Command::Compare { device, desktop } => compare(&read(&device)?, &read(&desktop)?),
        Command::Elf { file, model } => elf::report(&file, model.as_deref()),
        Command::Cycles { timing, elf, trace, groups, line_bytes } => {
            cycles::report(timing, &elf, &trace, groups.get(), line_bytes.get())
        }
        Command::Flip { file, out, model } => elf::flip(&file, &out, &model),
    }
}

/// Fails unless both are the same numbers, four bytes each.
fn compare(device: &[u8], desktop: &[u8]) -> Result<()> {
    if device.len() != desktop.len() {
        return Err(Error::failed(format!(
            "{} bytes from the device, {} expected",
            device.len(),
            desktop.len()
        )));
    }
    let differing = device.chunks(4).zip(desktop.chunks(4)).filter(|(a, b)| a != b).count();
    println!("{} numbers, {differing} differing", device.len() / 4);
    if differing == 0 { Ok(()) } else { Err(Error::failed(format!("{differing} numbers differ"))) }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, &e))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| Error::io("write", path, &e))
}

fn failed(why: &str) -> Error {
    Error::failed(why)
}

/// The core's refusal as the program's.
fn core(e: selvedge::Error) -> Error {
    Error::failed(e.to_string())
}

/// The positions of the first `per_class` images of each class, class after class in turn.
fn of_each_class(labels: &[u8], classes: usize, per_class: usize) -> Vec<usize> {
    let of = |class: usize| {
        labels.iter().enumerate().filter(move |(_, l)| usize::from(**l) == class).map(|(n, _)| n)
    };
    let mut each: Vec<_> = (0..classes).map(of).collect();
    (0..per_class).flat_map(|_| each.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}
