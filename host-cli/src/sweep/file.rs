//! A sweep's TOML file: alternatives, a grid, random search. It alone determines what each recipe changes.

use selvedge::Rng;
use serde::Deserialize;
use toml::{Table, Value};

use super::{MAX_RECIPES, Tested};

/// A sweep's TOML file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) preset: Option<String>,
    #[serde(default)]
    pub(super) base: Table,
    #[serde(default)]
    list: Vec<Table>,
    #[serde(default)]
    grid: Table,
    random: Option<Random>,
    pub(super) seeds: Option<usize>,
    #[serde(default = "best")]
    pub(super) test: Tested,
}

fn best() -> Tested {
    Tested::Best
}

/// Random search over some keys: `key = [a, b, c]` picks one, `key = { low, high }` draws log-uniformly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Random {
    trials: usize,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    keys: Table,
}

impl File {
    /// The changes to the base that make each recipe.
    pub(super) fn combinations(&self) -> std::result::Result<Vec<Table>, String> {
        let mut all = if self.list.is_empty() { vec![Table::new()] } else { self.list.clone() };
        for (key, values) in &self.grid {
            let values = values.as_array().filter(|v| !v.is_empty());
            let values = values.ok_or_else(|| format!("grid.{key}: write the values in brackets"))?;
            let with = |table: &Table, value: &Value| {
                let mut table = table.clone();
                table.insert(key.clone(), value.clone());
                table
            };
            all = all.iter().flat_map(|t| values.iter().map(move |v| with(t, v))).collect();
            if all.len() > MAX_RECIPES {
                return Err(format!("more than {MAX_RECIPES} recipes"));
            }
        }
        if let Some(random) = &self.random {
            if random.trials == 0 || random.trials > MAX_RECIPES {
                return Err(format!("random.trials: 1 to {MAX_RECIPES}"));
            }
            if random.keys.is_empty() {
                return Err(
                    "random.keys is empty: say what is drawn, such as lr = { low = 0.001, high = 0.1 }"
                        .into(),
                );
            }
            let mut rng = Rng::new(random.seed);
            let mut drawn = Vec::new();
            for n in 0..random.trials {
                let mut table = all[n % all.len()].clone();
                for (key, range) in &random.keys {
                    table.insert(key.clone(), draw(key, range, &mut rng)?);
                }
                drawn.push(table);
            }
            all = drawn;
        }
        Ok(all)
    }
}

fn draw(key: &str, range: &Value, rng: &mut Rng) -> std::result::Result<Value, String> {
    let bad = || format!("random.keys.{key}: write values in brackets, or {{ low = 0.001, high = 0.1 }}");
    if let Some(values) = range.as_array().filter(|v| !v.is_empty()) {
        return Ok(values[rng.below(values.len() as u32) as usize].clone());
    }
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
    let end = |name: &str| range.get(name).and_then(number).filter(|x| *x > 0.0 && x.is_finite());
    let (low, high) = (end("low").ok_or_else(bad)?, end("high").ok_or_else(bad)?);
    if low > high {
        return Err(format!("random.keys.{key}: low {low} is above high {high}"));
    }
    let exact = low * (high / low).powf(f64::from(rng.uniform()));
    // Three significant digits suffice for a comparison.
    let rounded: f64 = format!("{exact:.2e}").parse().expect("a number that was printed");
    Ok(Value::Float(rounded))
}
