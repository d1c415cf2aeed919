//! Asks a deployed network of any kind what its file says: a class or unknown, labels, numbers, the score of a reconstruction.
//!
//! `MODEL`, when it is built, names the file. At boot the file is checked and its self-test run. Then raw values of the file's
//! type are read from the host's file `rows`, one sample at a time, or one row of a window. The answers go into the file
//! `answers`, four bytes each (`tests/firmware/host/src/answers.rs` says which), and instructions and memory are printed, those of
//! the input map apart from the rest. The program contains no panic: its handler cannot be linked.
#![no_std]
#![no_main]

use core::hint::black_box;

use selvedge::Error;
use selvedge::format::{Dtype, InputType, ModelView, RawValue, Task};
use selvedge::infer::{Sample, Window, mcu};
use selvedge_firmware::{File, StaticBuffer, console, count, entry, field, stack};

selvedge_firmware::no_panics!();
selvedge_firmware::deployed!("MODEL");

type Engine = mcu::AnyEngine<'static, { matches!(HEADER.dtype(), Dtype::I4) }>;
const WORDS: usize = Engine::scratch_words(&HEADER);
/// Values of a row: a sample, or what is pushed into the window.
const ROW: usize = match HEADER.window() {
    Some((rows, _)) => INPUTS / rows,
    None => INPUTS,
};
const TASK: Task = HEADER.task();
const LABEL_BYTES: usize = CLASSES.div_ceil(8);
/// Low digits in memory: codes of 14 bits have some.
const LOW_DIGITS: usize = if HEADER.input_bits() == 14 { INPUTS } else { 0 };
/// Logits in memory: a score needs none.
const LOGITS: usize = if matches!(TASK, Task::Reconstruction) { 0 } else { CLASSES };

/// A raw value as the host's file holds it.
trait Stored: RawValue {
    const EMPTY: Self;
    const BYTES: usize;
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! stored {
    ($($type:ty),+) => {$(
        impl Stored for $type {
            const EMPTY: Self = 0 as $type;
            const BYTES: usize = size_of::<$type>();
            fn read(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(Self::EMPTY, |bytes| Self::from_le_bytes(*bytes))
            }
        }
    )+};
}
stored!(u8, i16, u16, f32);

#[entry]
fn main() -> ! {
    static SCRATCH: StaticBuffer<[u32; WORDS]> = StaticBuffer::new([0; WORDS]);
    let Some(scratch) = SCRATCH.take() else { console::exit(false) };
    let Ok(engine) = ModelView::parse(FILE).and_then(Engine::new) else {
        console::text("the flash file is damaged or packed for another core: no inference\n");
        console::exit(false)
    };
    if engine.self_test(scratch, &mut [0; CLASSES]).is_err() {
        console::text("the self-test failed: no inference\n");
        console::exit(false)
    }
    let measured = match HEADER.input_type() {
        InputType::U8 => measure::<u8>(&engine, scratch),
        InputType::I16 => measure::<i16>(&engine, scratch),
        InputType::U16 => measure::<u16>(&engine, scratch),
        _ => measure::<f32>(&engine, scratch),
    };
    console::exit(measured.is_ok())
}

/// What a network answered, to be written after it was counted.
struct Answer {
    logits: [i32; LOGITS],
    words: [u32; 2],
    values: [f32; CLASSES],
    fixed: [i32; CLASSES],
    bits: [u8; LABEL_BYTES],
}

/// Asks the question of the file, once.
fn ask<S: Sample + ?Sized>(
    engine: &Engine,
    sample: &S,
    scratch: &mut [u32],
    to: &mut Answer,
) -> Result<(), Error> {
    match TASK {
        Task::Labels => engine.labels(sample, scratch, &mut to.logits, &mut to.bits),
        Task::Values => engine.predict(sample, scratch, &mut to.logits, &mut to.values),
        Task::Reconstruction => engine.score(sample, scratch).map(|score| {
            to.words = [score.mean_squared_error.to_bits(), score.anomaly.map_or(2, u32::from)];
        }),
        _ => engine.classify(sample, scratch, &mut to.logits).map(|class| {
            to.words[0] = class.map_or(u32::MAX, |class| class as u32);
        }),
    }
}

/// Writes an answer, and what else is to be the same.
fn write(file: &mut File, answer: &Answer) {
    let mut word = |word: u32| file.write(&word.to_le_bytes());
    match TASK {
        Task::Labels => answer.bits.iter().for_each(|&byte| word(u32::from(byte))),
        Task::Values => {
            answer.values.iter().for_each(|value| word(value.to_bits()));
            answer.fixed.iter().for_each(|&value| word(value as u32));
        }
        Task::Reconstruction => answer.words.iter().for_each(|&w| word(w)),
        _ => word(answer.words[0]),
    }
    answer.logits.iter().for_each(|&z| word(z as u32));
}

/// Sums of what was measured.
struct Sums {
    answers: u32,
    all: u64,
    map: u64,
    stack: u32,
}

fn measure<T: Stored>(engine: &Engine, scratch: &mut [u32]) -> Result<(), Error> {
    let counter = count::Counter::calibrated();
    let (mut rows, mut file) = (File::open(c"rows"), File::create(c"answers"));
    let mut memory = [T::EMPTY; INPUTS];
    let mut window = if HEADER.window().is_some() { Some(Window::new(&HEADER, &mut memory)?) } else { None };
    let mut sums = Sums { answers: 0, all: 0, map: 0, stack: 0 };
    let mut bytes = [0; 4 * ROW];
    let mut row = [T::EMPTY; ROW];
    while bytes.get_mut(..T::BYTES * ROW).is_some_and(|bytes| rows.read(bytes)) {
        row.iter_mut().zip(bytes.chunks_exact(T::BYTES)).for_each(|(x, bytes)| *x = T::read(bytes));
        match &mut window {
            None => one(engine, &row[..], row.iter().copied(), scratch, counter, &mut sums, &mut file)?,
            Some(window) => {
                if window.push(&row)? {
                    one(engine, &*window, window.values(), scratch, counter, &mut sums, &mut file)?;
                }
            }
        }
    }
    let mean = |sum: u64| sum.checked_div(u64::from(sums.answers)).unwrap_or(0) as i32;
    field("answers", sums.answers as i32);
    field("mean", mean(sums.all - sums.map));
    field("map", mean(sums.map));
    field("scratch", 4 * WORDS as i32);
    field("logits", 4 * LOGITS as i32);
    field("window", if window.is_some() { (INPUTS * T::BYTES) as i32 } else { 0 });
    field("stack", sums.stack as i32);
    console::text("\n");
    Ok(())
}

/// Asks twice, for the stack and for the instructions, and counts the input map by itself.
#[inline(always)]
fn one<T: Stored, S: Sample + ?Sized>(
    engine: &Engine,
    sample: &S,
    values: impl Iterator<Item = T>,
    scratch: &mut [u32],
    counter: count::Counter,
    sums: &mut Sums,
    file: &mut File,
) -> Result<(), Error> {
    let mut answer = Answer {
        logits: [0; LOGITS],
        words: [0; 2],
        values: [0.0; CLASSES],
        fixed: [0; CLASSES],
        bits: [0; LABEL_BYTES],
    };
    let mut asked = Ok(());
    let used = stack::used(|| asked = ask(engine, sample, scratch, &mut answer));
    asked?;
    sums.stack = used.max(sums.stack);
    sums.all += u64::from(counter.count(|| asked = ask(engine, sample, scratch, &mut answer)));
    asked?;
    if matches!(TASK, Task::Values) {
        engine.predict_fixed(sample, scratch, &mut answer.fixed)?;
    }
    if HEADER.input_map().is_affine() {
        let (mut high, mut low) = ([0; INPUTS], [0; LOW_DIGITS]);
        let mut row = [T::EMPTY; INPUTS];
        row.iter_mut().zip(values).for_each(|(to, x)| *to = x);
        // A score compares with the codes again.
        let again = matches!(TASK, Task::Reconstruction);
        sums.map += u64::from(counter.count(|| {
            black_box(ModelView::nan(&row));
            for _ in 0..if again { 2 } else { 1 } {
                engine.view().write_codes(0, black_box(&row), &mut high, &mut low);
            }
        }));
        black_box((high, low));
    }
    sums.answers += 1;
    write(file, &answer);
    Ok(())
}
