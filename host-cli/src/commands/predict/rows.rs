//! The answers for the rows of a table, beside them in a file or one JSON object each.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Predict;
use crate::data::sources::{Rows, read_as};
use crate::data::table::{Schema, copy_with};
use crate::error::{Error, Result};
use crate::files;
use crate::inference::answers::Answers;
use crate::inference::metrics::{classes, reconstruction};
use crate::inference::network::Network;
use crate::model;
use crate::terminal::{Output, Warnings, count, log};
use crate::thread_pool::{ThreadPool, Threads};

/// The answer where the most probable class is not probable enough.
pub(super) const UNKNOWN: &str = "unknown";

/// Predicts the rows of the table at `path`.
pub(super) fn run(args: &Predict, network: &Network, schema: &Schema, path: &Path) -> Result<()> {
    if args.index.is_some() || args.invert {
        let flag = if args.invert { "--invert" } else { "--index" };
        return Err(Error::usage(format!("{flag} goes with pictures, and the model takes rows of a table")));
    }
    if let Some(out) = &args.out {
        files::check_output(out, &model::file_of(&args.model))?;
        files::check_output(out, path)?;
    }
    let about = network.about().ok_or_else(|| Error::model("a flash file has no columns"))?;
    let Rows { samples, last_rows, notes } = read_as(path, schema, about.task, false)?;
    let mut warnings = Warnings::default();
    notes.into_iter().for_each(|note| warnings.add(note));
    let answers = network.answers(&ThreadPool::new(Threads::Auto), &samples.features, &samples.indices())?;
    let unknown = network.unknown(&samples.features, &samples.indices())?;
    let reader = Reader::new(network, args.reject, unknown);
    let rows = samples.len();
    if args.json {
        let mut output = Output::default();
        return (0..rows).try_for_each(|n| output.json(&reader.json(&answers, n)));
    }
    // A window answers for its last row.
    let sample_of: Vec<Option<usize>> = match &last_rows {
        Some(last) => {
            let mut of = vec![None; last.iter().max().map_or(0, |&row| row as usize + 1)];
            last.iter().enumerate().for_each(|(n, &row)| of[row as usize] = Some(n));
            of
        }
        None => Vec::new(),
    };
    let cells = |row: usize| {
        let sample = if last_rows.is_some() { sample_of.get(row).copied().flatten() } else { Some(row) };
        sample.map(|n| reader.cells(&answers, n))
    };
    let mut bytes = Vec::new();
    copy_with(path, schema, &reader.names(&answers), cells, &mut bytes)?;
    match &args.out {
        Some(out) => {
            files::write_atomic(out, &bytes)?;
            log(format!(
                "{}: {} beside the rows of {}",
                out.display(),
                count(rows, "answer"),
                path.display()
            ));
            Ok(())
        }
        None => {
            let text = String::from_utf8_lossy(&bytes);
            Output::default().raw(text.strip_suffix('\n').unwrap_or(&text))
        }
    }
}

/// Reads answers.
pub(super) struct Reader {
    /// The names of the outputs.
    outputs: Vec<String>,
    /// The threshold of scores.
    threshold: Option<f64>,
    reject: Option<f64>,
    /// The samples that are unknown to a flash file with a margin.
    unknown: Option<Vec<bool>>,
}

impl Reader {
    /// Answers of a network; classes less probable than `reject` are not given, nor those of `unknown` samples.
    pub(super) fn new(network: &Network, reject: Option<f32>, unknown: Option<Vec<bool>>) -> Self {
        // Taken here, since each is a look into the whole file.
        let outputs = (0..network.shape().outputs()).map(|o| network.class(o)).collect();
        Self { outputs, threshold: network.score_threshold(), reject: reject.map(f64::from), unknown }
    }

    /// The names of the columns of an answer.
    pub(super) fn names(&self, answers: &Answers) -> Vec<String> {
        let each = |of: &dyn Fn(&String) -> String| self.outputs.iter().map(of).collect::<Vec<_>>();
        match answers {
            Answers::Classes(_) => {
                [vec!["prediction".into()], each(&|name| format!("probability_{name}"))].concat()
            }
            Answers::Values(_) => each(&|name| format!("predicted_{name}")),
            Answers::Labels(_) => {
                [each(&|name| format!("predicted_{name}")), each(&|name| format!("probability_{name}"))]
                    .concat()
            }
            Answers::Scores(_) => ["score", "anomaly"].map(String::from).to_vec(),
        }
    }

    /// The class of sample `n`, unless it is rejected, and the probabilities.
    pub(super) fn class<'a>(&self, probabilities: &'a [f64], n: usize) -> (Option<usize>, &'a [f64]) {
        let classes = self.outputs.len();
        let row = &probabilities[n * classes..][..classes];
        let (class, probability) = classes::top(row);
        let answered = match &self.unknown {
            Some(unknown) => !unknown[n],
            None => self.reject.is_none_or(|least| classes::answers_at(probability, least)),
        };
        (answered.then_some(class), row)
    }

    fn is_anomaly(&self, score: f64) -> Option<bool> {
        self.threshold.map(|threshold| reconstruction::is_anomaly(score, threshold))
    }

    /// The columns of the answer for sample `n`.
    pub(super) fn cells(&self, answers: &Answers, n: usize) -> Vec<String> {
        let outputs = self.outputs.len();
        match answers {
            Answers::Classes(probabilities) => {
                let (class, row) = self.class(probabilities, n);
                let label = class.map_or(UNKNOWN.into(), |class| self.outputs[class].clone());
                [label].into_iter().chain(row.iter().map(|p| format!("{p:.6}"))).collect()
            }
            Answers::Values(values) => values[n * outputs..][..outputs].iter().map(f32::to_string).collect(),
            Answers::Labels(probabilities) => {
                let row = &probabilities[n * outputs..][..outputs];
                let applies = row.iter().map(|&p| u8::from(p > 0.5).to_string());
                applies.chain(row.iter().map(|p| format!("{p:.6}"))).collect()
            }
            Answers::Scores(scores) => {
                let anomaly =
                    self.is_anomaly(scores[n]).map_or(String::new(), |yes| u8::from(yes).to_string());
                vec![scores[n].to_string(), anomaly]
            }
        }
    }

    /// The answer for sample `n`.
    pub(super) fn json(&self, answers: &Answers, n: usize) -> Value {
        let outputs = self.outputs.len();
        match answers {
            Answers::Classes(probabilities) => {
                let (class, row) = self.class(probabilities, n);
                let label = class.map_or(UNKNOWN, |class| &self.outputs[class]);
                json!({"class": class, "label": label, "probabilities": row})
            }
            Answers::Values(values) => json!({"values": &values[n * outputs..][..outputs]}),
            Answers::Labels(probabilities) => {
                let row = &probabilities[n * outputs..][..outputs];
                let labels = self.outputs.iter().zip(row).filter(|(_, p)| **p > 0.5);
                let labels: Vec<_> = labels.map(|(name, _)| name).collect();
                json!({"labels": labels, "probabilities": row})
            }
            Answers::Scores(scores) => json!({"score": scores[n], "anomaly": self.is_anomaly(scores[n])}),
        }
    }
}
