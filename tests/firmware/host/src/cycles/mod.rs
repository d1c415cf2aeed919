//! Models the cycles of what a program counts, from a trace of the emulator.
//!
//! QEMU with `-d exec,nochain` writes a line for each block of instructions that it runs, in the order of execution. A block goes
//! to its first branch, unless QEMU cut it before; the next line says where the program went from there. Between the places that
//! `count::Counter` marks in a program, each instruction takes what its core's manual says ([`Timing`]), given the one before it
//! and where the program goes on. These cycles are modelled, never measured.
//!
//! Flash with wait states is a model of its own: one line is buffered, nothing is fetched ahead, and every line of code that is
//! not the one before it costs the same. What a program reads from flash as data is not in the trace.

mod class;
mod listing;
mod mnemonics;
mod timing;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use clap::ValueEnum;
use host_cli::error::{Error, Result};
use object::{Object, ObjectSection};

use crate::read;
use class::Instruction;
use listing::Listing;
pub use timing::Timing;

/// The most instructions that QEMU puts into a block.
const BLOCK: usize = 512;
/// QEMU cuts blocks at the ends of its pages, which have at least these bytes.
const PAGE: u32 = 1024;

/// The sums of one place in a program, or of one run through it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    runs: u64,
    instructions: u64,
    cycles: u64,
    /// Refills of the pipeline behind taken branches, calls and returns.
    refills: u64,
    /// Lines of flash that were fetched.
    lines: u64,
}

/// Prints what the counted places take, a line for each of `groups` that follow each other in turn, as means over the trace.
///
/// # Errors
/// An instruction whose cycles are not known, a trace that is not of the program, or that holds no counted place.
pub fn report(timing: Timing, elf: &Path, trace: &Path, groups: usize, line_bytes: u32) -> Result<()> {
    let program = read(elf)?;
    let places = places(elf, &program)?;
    let listing = Listing::of(elf, timing)?;
    let file = std::fs::File::open(trace).map_err(|e| Error::io("read", trace, &e))?;
    let counted = follow(timing, &places, &listing, BufReader::with_capacity(1 << 20, file), line_bytes)?;
    if counted.is_empty() || counted.len() % groups != 0 {
        return Err(Error::failed(format!(
            "{}: {} counted places in {}, which are not {groups} for each answer",
            elf.display(),
            counted.len(),
            trace.display()
        )));
    }
    for group in 0..groups {
        let mut sum = Sums::default();
        for run in counted.iter().skip(group).step_by(groups) {
            sum.add(run);
        }
        let mean = |of: u64| (of + sum.runs / 2) / sum.runs;
        println!(
            "core={} runs={} instructions={} cycles={} refills={} lines={}",
            timing.to_possible_value().map(|v| v.get_name().to_string()).unwrap_or_default(),
            sum.runs,
            mean(sum.instructions),
            mean(sum.cycles),
            mean(sum.refills),
            mean(sum.lines)
        );
    }
    Ok(())
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.instructions += other.instructions;
        self.cycles += other.cycles;
        self.refills += other.refills;
        self.lines += other.lines;
    }
}

/// Addresses at which counting begins (`true`) and ends, as the section `.counted` has them.
fn places(path: &Path, program: &[u8]) -> Result<HashMap<u32, bool>> {
    let file = object::File::parse(program).map_err(|e| Error::failed(format!("{}: {e}", path.display())))?;
    let marks = file.section_by_name(".counted").and_then(|section| section.data().ok()).unwrap_or_default();
    let words = |bytes: &[u8]| {
        let word = |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).expect("four bytes");
        // Thumb addresses may carry the bit of their state.
        (word(0) & !1, word(4) == 1)
    };
    let places: HashMap<u32, bool> = marks.chunks_exact(8).map(words).collect();
    if places.is_empty() {
        return Err(Error::failed(format!(
            "{} counts nothing: it has no section `.counted`",
            path.display()
        )));
    }
    Ok(places)
}

/// What a line of the trace says.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// The block at this address is about to run.
    Runs(u32),
    /// The one before was interrupted before it ran.
    Stopped,
    Other,
}

/// Reads `Trace 0: 0x7f.. [00000000/00000102/..] name`, of which the second number is the address.
fn line(text: &[u8]) -> Line {
    if text.starts_with(b"Stopped") {
        return Line::Stopped;
    }
    let address = || {
        let (_, from_bracket) = text.starts_with(b"Trace").then(|| split(text, b'['))??;
        let (_, from_address) = split(from_bracket, b'/')?;
        let (digits, _) = split(from_address, b'/')?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    // Addresses have 64 bits in the traces of RV32.
    address().map_or(Line::Other, |address| Line::Runs(address as u32))
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let found = text.iter().position(|&byte| byte == at)?;
    Some((&text[..found], &text[found + 1..]))
}

/// The sums of each run through a counted place, in the order of the trace.
fn follow(
    timing: Timing,
    places: &HashMap<u32, bool>,
    listing: &Listing,
    mut trace: impl BufRead,
    line_bytes: u32,
) -> Result<Vec<Sums>> {
    let mut counter = Counter { timing, places, listing, line_bytes, run: None, runs: Vec::new() };
    // A block is known to run when the next line does not take it back, which also says where it went.
    let (mut pending, mut text) = (None, Vec::new());
    loop {
        text.clear();
        let unread = |e| Error::failed(format!("the trace cannot be read: {e}"));
        if trace.read_until(b'\n', &mut text).map_err(unread)? == 0 {
            break;
        }
        match line(&text) {
            Line::Runs(address) => {
                if let Some(before) = pending.replace(address) {
                    counter.block(before, address)?;
                }
            }
            Line::Stopped => pending = None,
            Line::Other => {}
        }
    }
    Ok(counter.runs)
}

/// A run through a counted place.
struct Run {
    sums: Sums,
    before: Option<Instruction>,
    line: Option<u32>,
}

struct Counter<'l> {
    timing: Timing,
    places: &'l HashMap<u32, bool>,
    listing: &'l Listing,
    line_bytes: u32,
    run: Option<Run>,
    runs: Vec<Sums>,
}

impl Counter<'_> {
    /// The block at an address ran, and the program went on at another.
    fn block(&mut self, mut at: u32, next: u32) -> Result<()> {
        for _ in 0..BLOCK {
            match self.places.get(&at) {
                Some(true) => self.run = Some(Run { sums: Sums::default(), before: None, line: None }),
                Some(false) => self.runs.extend(self.run.take().map(|run| Sums { runs: 1, ..run.sums })),
                None => {}
            }
            let instruction = match self.listing.at(at) {
                Ok(instruction) => instruction,
                // Only what is counted must be known.
                Err(_) if self.run.is_none() => return Ok(()),
                Err(unknown) => return Err(unknown),
            };
            let through = at.wrapping_add(instruction.bytes);
            let ends = instruction.class.branches() || through == next && self.cut_behind(instruction, next);
            self.ran(at, instruction, (ends && next != through).then_some(next))?;
            if ends {
                return Ok(());
            }
            at = through;
        }
        match &self.run {
            Some(_) => Err(Error::failed(format!("{next:#x} does not follow in the trace"))),
            None => Ok(()),
        }
    }

    /// Whether QEMU may have ended a block behind an instruction that does not branch.
    fn cut_behind(&self, instruction: &Instruction, next: u32) -> bool {
        // The last two bytes of a page may begin an instruction that is on both; QEMU does not look.
        let crosses = || next % PAGE == PAGE - 2;
        let page = |at: u32| at / PAGE;
        page(next) != page(next - instruction.bytes) || crosses() || instruction.class.cuts()
    }

    /// An instruction ran; `to` is where it branched.
    fn ran(&mut self, address: u32, instruction: &'_ Instruction, to: Option<u32>) -> Result<()> {
        let Some(run) = &mut self.run else { return Ok(()) };
        if let (Some(to), Some(target)) = (to, instruction.target)
            && to != target
        {
            return Err(Error::failed(format!(
                "{address:#x} branches to {target:#x}, in the trace to {to:#x}"
            )));
        }
        let target = match to {
            None => None,
            Some(to) => {
                Some(timing::Target { unaligned: !to.is_multiple_of(4) && self.listing.at(to)?.bytes == 4 })
            }
        };
        run.sums.instructions += 1;
        run.sums.cycles += self.timing.cycles(instruction, run.before.as_ref(), target).ok_or_else(|| {
            Error::failed(format!("{address:#x}: {:?} has no cycles on this core", instruction.class))
        })?;
        run.sums.refills += u64::from(target.is_some());
        for byte in [address, address + instruction.bytes - 2] {
            let line = byte / self.line_bytes;
            run.sums.lines += u64::from(run.line.replace(line) != Some(line));
        }
        run.before = Some(*instruction);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use host_cli::error::Result;

    use super::{Line, Listing, Sums, Timing, follow, line};

    const LOOP: &str = "
 100:\t2002      \tmovs\tr0, #2
 102:\t3801      \tsubs\tr0, #1
 104:\td1fd      \tbne.n\t102 <known_loop>
 106:\t6808      \tldr\tr0, [r1, #0]
 108:\te000      \tb.n\t10c <known_loop>
 10c:\tbf00      \tnop
 10e:\t4770      \tbx\tlr
";

    fn trace(addresses: &[&str]) -> String {
        addresses
            .iter()
            .map(|a| match *a {
                "stopped" => "Stopped execution of TB chain before 0x7f0 [00000102] known_loop\n".into(),
                a => format!("Trace 0: 0x7f90a0 [00000000/{a}/00000110/ff000000] known_loop\n"),
            })
            .collect()
    }

    fn sums(timing: Timing, begin: u32, addresses: &[&str]) -> Result<Vec<Sums>> {
        let listing = Listing::parse(LOOP, timing);
        follow(timing, &[(begin, true), (0x10c, false)].into(), &listing, trace(addresses).as_bytes(), 4)
    }

    #[test]
    fn follows_a_loop() {
        // Two rounds of the loop, of which the second begins in the middle of the first's block.
        let blocks = ["00000100", "00000102", "stopped", "00000102", "00000106", "0000010c", "00000200"];
        let runs = sums(Timing::CortexM4, 0x100, &blocks).unwrap();
        // 1 + (1 + 2) + (1 + 1) + 2 + 2; the words are those at 100, 104, 100, 104, 108.
        assert_eq!(runs, [Sums { runs: 1, instructions: 7, cycles: 10, refills: 2, lines: 5 }]);
        let runs = sums(Timing::CortexM0plus, 0x106, &["0000000000000106", "000000000000010c", "00000200"]);
        assert_eq!(runs.unwrap(), [Sums { runs: 1, instructions: 2, cycles: 4, refills: 1, lines: 2 }]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let unknown = Listing::parse(" 100:\tbf00      \tfrobnicate\tr0\n", Timing::CortexM4);
        let refused = |begin: u32| {
            let text = trace(&["00000100", "00000300", "00000102"]);
            follow(Timing::CortexM4, &[(begin, true)].into(), &unknown, text.as_bytes(), 8)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(0x100).contains("frobnicate"));
        assert!(refused(0x300).contains("0x300"));
        // A branch that goes elsewhere, and a block that ends where nothing branches.
        let elsewhere = sums(Timing::CortexM4, 0x100, &["00000100", "00000108"]).unwrap_err();
        assert!(elsewhere.to_string().contains("0x104 branches to 0x102"), "{elsewhere}");
    }

    #[test]
    fn lines_of_a_trace() {
        assert_eq!(line(b"Trace 0: 0x7f [0/0000abce/1/2] f\n"), Line::Runs(0xabce));
        assert_eq!(line(b"Stopped execution of TB chain before 0x7 [0/1/2]\n"), Line::Stopped);
        assert_eq!(line(b"Linking TBs 0x7 [0/1/2]\n"), Line::Other);
        assert_eq!(line(b"Trace 0: 0x7f [0/xyz/1]\n"), Line::Other);
    }
}
