//! Files whose exported packages have an example, and what the example must print.

use std::process::Command;

use selvedge::Activation::{LeakyRelu, Tanh};
use selvedge::format::{Dtype, InputMap, InputType, ModelView, RawValue, Task};
use selvedge::infer::{Score, float, integer};

use super::files::Spec;

/// Files of every task and kind of raw values, and what they are called.
pub fn specs() -> Vec<(&'static str, Spec)> {
    use InputMap::{Affine, AffinePerFeature, Plain};
    use InputType::{F32, I16, U8, U16};
    let with = |input, widths: &[usize]| Spec { input, ..Spec::new(widths) };
    vec![
        ("rows", Spec { activations: vec![Tanh], ..with((F32, AffinePerFeature, 14), &[6, 17, 3]) }),
        ("unsure", Spec { bound: u32::MAX / 4, ..with((F32, AffinePerFeature, 7), &[6, 9, 3]) }),
        ("flags", Spec { task: Task::Labels, dtype: Dtype::I4, ..with((U16, Affine, 7), &[9, 15, 11]) }),
        (
            "numbers",
            Spec { task: Task::Values, activations: vec![LeakyRelu], ..with((F32, Affine, 7), &[5, 21, 2]) },
        ),
        ("rebuilt", Spec { task: Task::Reconstruction, ..with((I16, AffinePerFeature, 14), &[6, 9, 6]) }),
        ("windows", Spec { window: Some((6, 2)), ..with((I16, Affine, 7), &[18, 12, 4]) }),
        ("pixels", Spec { ..with((U8, Plain, 7), &[16, 12, 4]) }),
        (
            "floats",
            Spec { dtype: Dtype::F32, task: Task::Values, ..with((F32, AffinePerFeature, 7), &[7, 9, 3]) },
        ),
    ]
}

/// An answer with its number and, where the file has names, its name.
fn named(view: &ModelView<'_>, what: &str, n: usize) -> String {
    view.label(n).map_or(format!("{what} {n}"), |name| format!("{what} {n}: {name}"))
}

/// What the example prints of an answer, in the numbers of the engine.
macro_rules! lines {
    ($engine:ty, $zero:expr, $view:expr, $sample:expr, |$of:ident, $scratch:ident, $z:ident| $score:expr) => {{
        let (engine, header) = (<$engine>::new($view.clone()).unwrap(), $view.header());
        let mut scratch = vec![$zero; <$engine>::scratch_words(header)];
        let mut z = vec![$zero as _; header.outputs()];
        match header.task() {
            Task::Class => {
                let class = engine.classify($sample, &mut scratch, &mut z).unwrap();
                vec![class.map_or("unknown".into(), |class| named($view, "class", class))]
            }
            Task::Labels => {
                let mut bits = vec![0; z.len().div_ceil(8)];
                engine.labels($sample, &mut scratch, &mut z, &mut bits).unwrap();
                (0..z.len())
                    .filter(|o| bits[o / 8] >> (o % 8) & 1 == 1)
                    .map(|o| named($view, "label", o))
                    .collect()
            }
            Task::Values => {
                let mut values = vec![0.0; z.len()];
                engine.predict($sample, &mut scratch, &mut z, &mut values).unwrap();
                values
                    .iter()
                    .enumerate()
                    .map(|(o, value)| {
                        format!("{}: {value:?}", $view.label(o).map_or(format!("number {o}"), String::from))
                    })
                    .collect()
            }
            _ => {
                let ($of, $scratch, $z) = (engine, &mut scratch, &mut z);
                let score: Score = $score.unwrap();
                vec![format!("score: {:?}", score.mean_squared_error)]
            }
        }
    }};
}
fn expected<T: RawValue>(view: &ModelView<'_>, sample: &[T]) -> Vec<String> {
    match view.header().dtype().is_integer() {
        true => lines!(integer::Engine, 0, view, sample, |engine, scratch, _z| engine.score(sample, scratch)),
        false => {
            lines!(float::Engine, 0.0, view, sample, |engine, scratch, z| engine
                .score_of_floats(sample, scratch, z))
        }
    }
}

/// The values of the example's row.
pub fn row(main: &str) -> Vec<&str> {
    let (_, rest) = main.split_once("] = {").unwrap();
    let (row, _) = rest.split_once("};").unwrap();
    row.split(',').map(|value| value.trim().trim_end_matches('f')).filter(|value| !value.is_empty()).collect()
}

/// What the example prints of the answer to a row, as the core's engine gives it.
pub fn answer(view: &ModelView<'_>, row: &[&str]) -> Vec<String> {
    macro_rules! of {
        ($type:ty) => {{
            let sample: Vec<$type> = row.iter().map(|value| value.parse().unwrap()).collect();
            expected(view, &sample)
        }};
    }
    match view.header().input_type() {
        InputType::U8 => of!(u8),
        InputType::I16 => of!(i16),
        InputType::U16 => of!(u16),
        _ => of!(f32),
    }
}

/// Runs a program and expects success; returns what it printed.
pub fn done(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What the example printed, its numbers as Rust writes them.
pub fn printed(text: &str) -> Vec<String> {
    let number = |line: &str| match line.split_once(": ").map(|(what, number)| (what, number.parse::<f32>()))
    {
        Some((what, Ok(number))) => format!("{what}: {number:?}"),
        _ => line.into(),
    };
    text.lines().filter(|line| !line.starts_with("time:")).map(number).collect()
}
