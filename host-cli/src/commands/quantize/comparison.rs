//! A model and its quantized file on the same samples, by the measures of their task.

use selvedge::format::{ModelView, Packing};
use selvedge::infer::integer::Engine;
use selvedge::naive::integer::largest_code;
use serde_json::{Value, json};

use crate::cli::{IntegerType, Quantize};
use crate::data::{Dataset, Samples, Task};
use crate::error::{Result, typed};
use crate::inference::answers::Answers;
use crate::inference::assess::{Assessment, assess};
use crate::inference::metrics::classes::{Rejection, top};
use crate::inference::network::Network;
use crate::memory::size;
use crate::model::fold::Folded;
use crate::quantize::evaluation::noise;
use crate::quantize::order::{self, Activity, BLOCK, GROUP, Order};
use crate::sampling::Split;
use crate::terminal::table;
use crate::thread_pool::{ThreadPool, Threads};

/// The fraction of accuracy, F1 or R² that a file may lose without a warning, or that a mean score may grow by.
const MAX_LOSS: f64 = 0.02;
/// The samples that the noise of a layer is measured on.
const NOISE_SAMPLES: usize = 1024;

/// The measures of the model and of its file, `[before, after]`.
pub(super) struct Comparison {
    task: Task,
    /// What a sample is called.
    singular: &'static str,
    /// Whether samples are rows of a table.
    rows_of_a_table: bool,
    /// None where the model was trained on all samples.
    val: Option<[Assessment; 2]>,
    test: [Assessment; 2],
    /// Test samples whose class or any of whose labels changes; `None` of numbers.
    flips: Option<usize>,
    noise: Vec<f64>,
    /// Where there are hidden layers, the share of the groups and of the blocks of their outputs that are not zero on test
    /// samples, in the order of the model and in that of the file.
    nonzero: [Option<[f64; 2]>; 2],
}

impl Comparison {
    /// Measures both networks.
    pub fn new(
        networks: [&Network; 2],
        (float, order, image): (&Folded, &Order, &ModelView<'_>),
        dataset: &Dataset,
        split: &Split,
    ) -> Result<Self> {
        let (train, test) = (&dataset.train, &dataset.test);
        let pool = ThreadPool::new(Threads::ONE);
        let all = test.indices();
        let both = |set: &Samples, index: &[u32]| -> Result<[Assessment; 2]> {
            let [a, b] = networks.map(|network| assess(network, &pool, set, index, None));
            Ok([a?, b?])
        };
        let val = match &split.val[..] {
            [] => None,
            val => Some(both(train, val)?),
        };
        let [before, after] = networks.map(|network| network.answers(&pool, &test.features, &all));
        let activity = Activity::new(image, &test.features, &all[..all.len().min(order::SAMPLES)])?;
        let some = &split.train[..split.train.len().min(NOISE_SAMPLES)];
        Ok(Self {
            task: networks[1].task(),
            singular: dataset.singular(),
            rows_of_a_table: image.header().input_map().is_affine(),
            val,
            test: both(test, &all)?,
            flips: flips(&before?, &after?, networks[1].shape().outputs()),
            noise: noise(float, image, &train.features, some)?,
            nonzero: [GROUP, BLOCK].map(|size| order.nonzero(&activity, size)),
        })
    }

    /// Warnings of answers that are of no use: nothing is known, or a broken sensor may not be noticed.
    pub fn useless(&self, image: &ModelView<'_>) -> Vec<String> {
        let none = self.rejection().filter(|rejection| rejection.answered == 0 && rejection.rows > 0);
        let unknown =
            none.map(|_| "no test sample gets a class: all are unknown; take a smaller --reject".into());
        unknown.into_iter().chain(saturated(image)).collect()
    }

    /// A warning where the file loses more than two points, or a score is more than 2 % off, on the validation samples where there are some.
    pub fn loss(&self, args: &Quantize) -> Option<String> {
        let (split, both) = self.val.as_ref().map_or(("test", &self.test), |val| ("validation", val));
        let [before, after] = both.each_ref().map(measure);
        let (before, after) = (before?, after?);
        let lost = match self.task {
            // Scores that fall hide anomalies as surely as scores that rise invent them.
            Task::Reconstruct => ((after - before) / before).abs(),
            _ => before - after,
        };
        if lost <= MAX_LOSS || lost.is_nan() {
            return None;
        }
        let (dtype, model) = (args.dtype.dtype().name(), typed(&args.model));
        let finer = match args.dtype {
            IntegerType::I4 => "--dtype i8, ",
            IntegerType::I8 => "",
        };
        let tune = if args.qat == 0 { "--qat 3, " } else { "" };
        let rises = after > before;
        let (before, after) = (self.figure(before), self.figure(after));
        let what = match self.task {
            Task::Reconstruct => {
                let direction = if rises { "raises" } else { "lowers" };
                format!("{direction} the mean {split} score by {:.1} %, {before} to {after}", 100.0 * lost)
            }
            _ => format!(
                "loses {:.1} points of {split} {}, {before} to {after}",
                100.0 * lost,
                name(self.task)
            ),
        };
        // Files of floats hold classifiers of pictures.
        let floats = match self.rows_of_a_table {
            true => "--clip percentile:99, or more --calibrate rows".into(),
            false => format!("floats: `selvedge export {model} --format selv --dtype f16 -o FILE`"),
        };
        Some(format!("{dtype} {what}; try {finer}{tune}or {floats}"))
    }

    /// The keys of `--json`, without the warnings.
    pub fn json(&self, args: &Quantize, image: &ModelView<'_>) -> Value {
        let header = image.header();
        let mut line = json!({
            "dtype": header.dtype().name(),
            "file": args.out.display().to_string(),
            "bytes": header.file_bytes(),
            "ram_bytes": Engine::ram_bytes(header),
        });
        let mut put = |key: String, value: Option<f64>| line[key] = json!(value);
        let splits = [("val", self.val.as_ref()), ("test", Some(&self.test))];
        let key = name(self.task).replace(' ', "_").to_lowercase();
        for (split, both) in splits {
            put(format!("{split}_{key}_before"), both.and_then(|both| measure(&both[0])));
            put(format!("{split}_{key}"), both.and_then(|both| measure(&both[1])));
            if self.task == Task::Reconstruct {
                put(format!("{split}_auc_before"), both.and_then(|both| auc(&both[0])));
                put(format!("{split}_auc"), both.and_then(|both| auc(&both[1])));
            }
        }
        for (name, shares) in ["nonzero_groups", "nonzero_blocks"].into_iter().zip(self.nonzero) {
            put(format!("{name}_before"), shares.map(|shares| shares[0]));
            put(name.into(), shares.map(|shares| shares[1]));
        }
        if let Some(flips) = self.flips {
            line["flips"] = json!(flips);
        }
        if header.input_map().is_affine() {
            line["input"] = json!(header.input_type().name());
            line["input_bits"] = json!(header.input_bits());
        }
        if let Some(rejection) = self.rejection() {
            line["unknown"] = json!(rejection.rows - rejection.answered);
            line["coverage"] = json!(rejection.coverage());
            line["accuracy_answered"] = json!(rejection.accuracy());
        }
        if args.report {
            if self.task == Task::Classify {
                line["per_class"] = json!(self.recalls());
            }
            line["noise_db"] = json!(self.noise);
        }
        line
    }

    /// The measures of both parts, what changes, and the size of the file.
    pub fn summary(&self, file: &str, image: &ModelView<'_>) -> String {
        let header = image.header();
        let change = if self.task == Task::Reconstruct { "change" } else { "points" };
        let row = |split: &str, both: &[Assessment; 2]| {
            let [before, after] = both.each_ref().map(measure);
            let figure = |value: Option<f64>| value.map_or("-".into(), |value| self.figure(value));
            let change = before.zip(after).map_or("-".into(), |(before, after)| match self.task {
                Task::Reconstruct => format!("{:+.2} %", 100.0 * (after / before - 1.0)),
                _ => format!("{:+.2}", 100.0 * (after - before)),
            });
            [split.into(), figure(before), figure(after), change]
        };
        let head = [name(self.task), "before", header.dtype().name(), change].map(String::from);
        let val = self.val.as_ref().map(|val| row("validation", val));
        let mut lines = vec![table(head, val.into_iter().chain([row("test", &self.test)])), String::new()];
        let (rows, plural) = (self.test[0].rows(), format!("{}s", self.singular));
        match (self.task, self.flips) {
            (Task::Classify, Some(flips)) => {
                lines.push(format!("{flips} of {rows} test {plural} are classified otherwise"));
            }
            (_, Some(flips)) => lines.push(format!("{flips} of {rows} test {plural} get other labels")),
            _ => {}
        }
        if let (Some(before), Some(after)) = (auc(&self.test[0]), auc(&self.test[1])) {
            lines.push(format!("area under the ROC curve: {before:.4}, in integers {after:.4}"));
        }
        if let Some(rejection) = self.rejection() {
            let accuracy = rejection
                .accuracy()
                .map_or(String::new(), |accuracy| format!(", {} of the others are right", percent(accuracy)));
            lines.push(format!("{} of {rows} are unknown{accuracy}", rows - rejection.answered));
        }
        if header.input_map().is_affine() {
            lines.push(format!(
                "inputs: raw {} to {} bits by {}",
                header.input_type().name(),
                header.input_bits(),
                if header.input_map() == selvedge::format::InputMap::Affine {
                    "one map"
                } else {
                    "a map for each column"
                }
            ));
        }
        lines.extend(self.ordered(header.packing()));
        lines.push(format!(
            "{file}: {} of flash, {} of RAM",
            size(header.file_bytes() as u64),
            size(Engine::ram_bytes(header) as u64)
        ));
        lines.join("\n")
    }

    /// What the order of the hidden units gives a core that runs this packing; nothing where it is that of the model.
    fn ordered(&self, packing: Packing) -> Option<String> {
        let share = |[before, after]: [f64; 2]| format!("{:.0} % -> {:.0} %", 100.0 * before, 100.0 * after);
        let [groups, blocks] = self.nonzero;
        let groups = groups.filter(|[before, after]| before != after)?;
        let blocks = blocks.filter(|_| packing == Packing::CortexM55);
        let blocks = blocks.map_or(String::new(), |blocks| format!(", blocks of {BLOCK} {}", share(blocks)));
        Some(format!("hidden units ordered: groups of four that are not zero {}{blocks}", share(groups)))
    }

    /// Recalls by class, and the noise of each layer.
    pub fn report(&self, names: &[String], image: &ModelView<'_>) -> String {
        let rows = self.noise.iter().enumerate().map(|(l, noise)| {
            let spans = image.header().layer_spans(l);
            let bytes = spans.weights.len + spans.biases.len + spans.multipliers.len + spans.table.len;
            [format!("fc{}", l + 1), format!("{noise:.1} dB"), bytes.to_string()]
        });
        let layers = table(["layer", "signal to noise", "bytes"].map(String::from), rows);
        if self.task != Task::Classify {
            return layers;
        }
        let rows = self.recalls().into_iter().zip(names).map(|([before, after], name)| {
            [name.clone(), percent(before), percent(after), format!("{:+.1}", 100.0 * (after - before))]
        });
        format!("{}\n\n{layers}", table(["class", "before", "after", "points"].map(String::from), rows))
    }

    /// The recall of each class.
    fn recalls(&self) -> Vec<[f64; 2]> {
        let [Assessment::Classes(before), Assessment::Classes(after)] = &self.test else { return Vec::new() };
        let recall = |c| [before, after].map(|figures| figures.evaluation.recall(c));
        (0..before.evaluation.confusion.len()).map(recall).collect()
    }

    /// What is answered of the test samples, where the file has a margin.
    fn rejection(&self) -> Option<Rejection> {
        match &self.test[1] {
            Assessment::Classes(figures) => figures.rejection,
            _ => None,
        }
    }

    fn figure(&self, value: f64) -> String {
        match self.task {
            Task::Classify => percent(value),
            Task::Reconstruct => format!("{value:.5}"),
            _ => format!("{value:.4}"),
        }
    }
}

/// A warning where one input at the end of its range does not reach the threshold of an anomaly: whatever lies beyond counts as
/// that end.
fn saturated(image: &ModelView<'_>) -> Option<String> {
    let header = image.header();
    let threshold = header.score_threshold().filter(|_| header.input_map().is_affine())?;
    let half = u32::from(largest_code(header.input_bits())) / 2;
    let square =
        |input: usize| (u64::from(half * image.error_scale(input).mul) >> 8 >> header.score_shift()).pow(2);
    let least = (0..header.inputs()).map(square).min()?;
    let real = |score: u64| score as f64 * f64::from(header.score_unit());
    (least <= threshold).then(|| {
        format!(
            "an input far outside of what was trained on counts as the end of its range, which adds about {:.3} to the score, and an \
             anomaly has more than {:.3}: one broken sensor may not be noticed; check its range in your program",
            real(least),
            real(threshold)
        )
    })
}

/// What the quality of the answers is called.
fn name(task: Task) -> &'static str {
    match task {
        Task::Classify => "accuracy",
        Task::Regress => "R2",
        Task::Multilabel => "macro F1",
        Task::Reconstruct => "score mean",
    }
}

/// The quality of the answers; the mean score of reconstructions, of which less is better.
fn measure(assessment: &Assessment) -> Option<f64> {
    match assessment {
        Assessment::Classes(figures) => Some(figures.evaluation.accuracy()),
        Assessment::Regression(errors) => errors.r2(),
        Assessment::Multilabel(counts) => Some(counts.macro_f1()),
        Assessment::Reconstruction(figures) => Some(figures.mean()),
    }
}

fn auc(assessment: &Assessment) -> Option<f64> {
    match assessment {
        Assessment::Reconstruction(figures) => figures.auc,
        _ => None,
    }
}

/// The samples whose class or any of whose labels differ.
fn flips(before: &Answers, after: &Answers, outputs: usize) -> Option<usize> {
    let classes = matches!(before, Answers::Classes(_));
    let (before, after) = match (before, after) {
        (Answers::Classes(a), Answers::Classes(b)) | (Answers::Labels(a), Answers::Labels(b)) => (a, b),
        _ => return None,
    };
    let rows = before.chunks_exact(outputs).zip(after.chunks_exact(outputs));
    let differ = |a: &[f64], b: &[f64]| match classes {
        true => top(a).0 != top(b).0,
        false => a.iter().zip(b).any(|(a, b)| (*a > 0.5) != (*b > 0.5)),
    };
    Some(rows.filter(|(a, b)| differ(a, b)).count())
}

fn percent(fraction: f64) -> String {
    format!("{:.2}%", 100.0 * fraction)
}
