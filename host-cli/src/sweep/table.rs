//! The table of a sweep: the notebook's columns, then statistics over the seeds. It depends on the trials alone, so that
//! one machine and many give the same bytes.

use serde::Serialize;
use toml::Table as Keys;

use super::reference;
use super::trials::TrialResult;
use super::{SweepPlan, Tested};
use crate::estimate::Requirements;
use crate::files::checksum;

/// A mean and a standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Of the sample; 0 for one value.
    #[serde(rename = "deviation")]
    pub standard_deviation: f64,
    /// The number of values.
    pub count: usize,
}

impl Spread {
    /// The spread of some values; `None` for none.
    pub fn new(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let standard_deviation = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Some(Self { mean, standard_deviation, count })
    }

    /// The variance of the mean.
    fn variance_of_mean(&self) -> f64 {
        self.standard_deviation.powi(2) / self.count as f64
    }

    /// `86.09`, or `84.03 ± 1.68`, in percent.
    pub(super) fn percent(&self) -> String {
        if self.count == 1 {
            return format!("{:.2}", 100.0 * self.mean);
        }
        format!("{:.2} ± {:.2}", 100.0 * self.mean, 100.0 * self.standard_deviation)
    }
}

/// One recipe and the results of its trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Counted from 1.
    pub config: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// The learning rate.
    pub lr: f32,
    /// Images of a step.
    pub batch: usize,
    /// Epochs.
    pub epochs: usize,
    /// The other keys in which the sweep's recipes differ.
    pub varied: Keys,
    /// Parameters of the network.
    pub parameters: usize,
    /// Bytes of flash of its i8 file and the code on the plan's target.
    pub flash_bytes: usize,
    /// Instructions of an image there.
    pub instructions: Option<u64>,
    /// On the validation images, over the seeds; `None` where every run diverged.
    pub validation: Option<Spread>,
    /// Runs that diverged before their first epoch was done.
    pub diverged: usize,
    /// Counted from 1, by the mean on the validation images.
    pub rank: usize,
    /// Whether its mean on the validation images lies within two standard errors of the best one's.
    pub like_the_best: bool,
    /// On the test images, where the row is tested.
    pub test: Option<Spread>,
}

/// The keys of a table as JSON.
const KEYS: [&str; 4] = ["rows", "seeds", "target", "left_out"];

/// The table in the bytes of a `table.json`, as JSON, whose checksum is checked if it has one.
///
/// # Errors
/// One clause, where it is damaged.
pub fn read(bytes: &[u8]) -> std::result::Result<serde_json::Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let (table, _) = checksum::read_json(text, 0)?;
    let mut keys = table.as_object().into_iter().flat_map(|members| members.keys());
    match keys.find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key}")),
        None => Ok(table),
    }
}

/// The table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// In the plan's order.
    pub rows: Vec<Row>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The core that costs are computed for.
    pub target: String,
    /// Recipes that would not fit there.
    pub left_out: Vec<String>,
    #[serde(skip)]
    pub(super) notebook: bool,
}

impl Table {
    /// The table of a plan: `results` of its trials and `costs` of its recipes, in its order. No row is tested yet.
    pub fn new(plan: &SweepPlan, results: &[TrialResult], costs: &[Requirements]) -> Self {
        let varied = plan.varied();
        let of = |config: usize| &results[config * plan.seeds.len()..][..plan.seeds.len()];
        let mut rows: Vec<Row> = (plan.recipes.iter().enumerate())
            .map(|(config, recipe)| {
                let values: Vec<f64> = of(config).iter().filter_map(|o| o.val_accuracy).collect();
                let keys = Keys::try_from(recipe).expect("a recipe is a table");
                Row {
                    config: config + 1,
                    hidden: recipe.hidden.clone(),
                    lr: recipe.lr,
                    batch: recipe.batch,
                    epochs: recipe.epochs,
                    varied: keys.into_iter().filter(|(k, _)| varied.contains(k)).collect(),
                    parameters: of(config)[0].parameters,
                    flash_bytes: costs[config].flash,
                    instructions: costs[config].instructions,
                    validation: Spread::new(&values),
                    diverged: plan.seeds.len() - values.len(),
                    rank: 0,
                    like_the_best: false,
                    test: None,
                }
            })
            .collect();
        let mean = |row: &Row| row.validation.map_or(f64::NEG_INFINITY, |v| v.mean);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| mean(&rows[b]).total_cmp(&mean(&rows[a])));
        let best = rows[order[0]].validation;
        for (rank, &n) in order.iter().enumerate() {
            rows[n].rank = rank + 1;
            rows[n].like_the_best = match (best, rows[n].validation) {
                (Some(best), Some(v)) if v.count > 1 && best.count > 1 => {
                    best.mean - v.mean <= 2.0 * (best.variance_of_mean() + v.variance_of_mean()).sqrt()
                }
                _ => rank == 0,
            };
        }
        let (target, left_out) = (plan.target.clone(), plan.left_out.clone());
        Self { rows, seeds: plan.seeds.clone(), target, left_out, notebook: plan.notebook }
    }

    /// The rows to test, by their position.
    pub fn to_test(&self, tested: Tested) -> Vec<usize> {
        let chosen = |row: &Row| tested == Tested::All || row.rank == 1;
        (0..self.rows.len()).filter(|&n| chosen(&self.rows[n])).collect()
    }
}

/// Whether a mean agrees with PyTorch's, in percent, within two standard errors of the difference.
pub fn agrees(ours: &Spread, mean: f64, standard_deviation: f64) -> bool {
    let error = (1e4 * ours.variance_of_mean() + standard_deviation.powi(2) / reference::SEEDS).sqrt();
    (100.0 * ours.mean - mean).abs() <= 2.0 * error
}

#[cfg(test)]
mod tests {
    use super::{Spread, Table, TrialResult, agrees};
    use crate::estimate::Requirements;
    use crate::sweep::{SweepPlan, Tested};

    #[test]
    fn spreads() {
        let s = Spread::new(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((s.mean, s.standard_deviation, s.count), (2.0, 1.0, 3));
        assert_eq!(Spread::new(&[]), None);
        assert!(agrees(&Spread { mean: 0.84, standard_deviation: 0.017, count: 10 }, 84.03, 1.68));
        assert!(!agrees(&Spread { mean: 0.80, standard_deviation: 0.005, count: 10 }, 84.03, 1.0));
    }

    #[test]
    fn validation_picks() {
        let plan = SweepPlan::notebook(Some(2), &toml::Table::new()).unwrap();
        let results: Vec<TrialResult> = [0.8, 0.81, 0.9, 0.91, 0.7, 0.7, 0.89, 0.93, 0.5, 0.5, 0.0, 0.0]
            .iter()
            .map(|&v| TrialResult { val_accuracy: (v > 0.0).then_some(v), epochs: 5, parameters: 1 })
            .collect();
        let costs = [Requirements {
            flash: 100_000,
            ram: 2000,
            stack: 300,
            macs: 1,
            instructions: None,
            cycles: None,
        }; 6];
        let table = Table::new(&plan, &results, &costs);
        let ranks: Vec<_> = table.rows.iter().map(|r| r.rank).collect();
        assert_eq!(ranks, [3, 2, 4, 1, 5, 6]);
        assert!(table.rows[1].like_the_best && !table.rows[0].like_the_best);
        assert_eq!((table.rows[5].diverged, table.rows[5].validation), (2, None));
        assert_eq!((table.to_test(Tested::Best), table.to_test(Tested::All).len()), (vec![3], 6));
        let text = table.markdown();
        assert!(
            text.contains(
                "| **4** | **[128]** | **0.05** | **64** | **5** | **–** | **91.00 ± 2.83** | **1** |"
            ),
            "{text}"
        );
        assert_eq!(table.csv().lines().count(), 7);
    }
}
