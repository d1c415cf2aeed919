//! The table of a sweep as text: Markdown for people, comma-separated values for programs.

use super::reference::{self, Reference};
use super::table::{Row, Spread, Table, agrees};

impl Table {
    /// For people, in the notebook's format, the best row in bold.
    pub fn markdown(&self) -> String {
        let varied: Vec<&String> = self.rows[0].varied.keys().collect();
        let mut header: Vec<String> =
            ["Config", "Hidden Sizes", "Learning Rate", "Batch Size", "Epochs"].map(String::from).to_vec();
        header.extend(varied.iter().map(ToString::to_string));
        header.extend(["Test Accuracy (%)", "Validation Accuracy (%)", "Rank"].map(String::from));
        if self.notebook {
            header.extend(self.reference_header().map(String::from));
        }
        let mut lines = vec![line(&header), line(&vec!["---".to_string(); header.len()])];
        for row in &self.rows {
            let shown = |spread: Option<Spread>| spread.map_or("–".into(), |s| s.percent());
            let mut cells = vec![
                row.config.to_string(),
                format!("{:?}", row.hidden),
                row.lr.to_string(),
                row.batch.to_string(),
                row.epochs.to_string(),
            ];
            cells.extend(varied.iter().map(|&k| short(&row.varied[k])));
            cells.push(shown(row.test));
            cells.push(match row.diverged {
                0 => shown(row.validation),
                n => format!("{}, {n} diverged", shown(row.validation)),
            });
            cells.push(if row.like_the_best && row.rank > 1 {
                format!("{} =", row.rank)
            } else {
                row.rank.to_string()
            });
            if self.notebook {
                cells.extend(self.reference(row));
            }
            if row.rank == 1 {
                cells.iter_mut().for_each(|c| *c = format!("**{c}**"));
            }
            lines.push(line(&cells));
        }
        format!("{}\n\n{}\n", lines.join("\n"), self.notes().join("\n"))
    }

    /// The notes under the table.
    fn notes(&self) -> Vec<String> {
        let best = self.rows.iter().find(|r| r.rank == 1).expect("a sweep has a best row");
        let mut notes = vec![format!(
            "Best by validation: config {}. {} of {} configs lie within two standard errors of it (marked =).",
            best.config,
            self.rows.iter().filter(|r| r.like_the_best && r.rank > 1).count(),
            self.rows.len() - 1
        )];
        if self.seeds.len() == 1 {
            notes[0] = format!(
                "Best by validation: config {}, of one seed each; `--seeds 10` tells how much of that is noise.",
                best.config
            );
        }
        if !self.left_out.is_empty() {
            notes.push(format!(
                "Over the budget on {} and left out: {}.",
                self.target,
                self.left_out.join("; ")
            ));
        }
        let tests: Vec<Spread> = self.rows.iter().filter_map(|r| r.test).collect();
        if self.notebook && self.seeds.len() > 1 && tests.len() == self.rows.len() {
            let (small, steps) = self.small_steps();
            notes.push(format!(
                "The notebook ranked its configs by one run of each. Of the {steps} steps of that ranking, {small} are \
                 smaller than two standard deviations of the difference of two runs, as measured here: {}.",
                if 2 * small > steps { "it lies inside the noise" } else { "it stands out of the noise" }
            ));
        }
        notes
    }

    /// How many steps from one row of the notebook's ranking to the next lie within the noise of two runs, and how many
    /// steps there are.
    fn small_steps(&self) -> (usize, usize) {
        let mut order: Vec<usize> = (0..self.rows.len().min(reference::NOTEBOOK.len())).collect();
        order.sort_by(|&a, &b| reference::NOTEBOOK[b].printed.total_cmp(&reference::NOTEBOOK[a].printed));
        let variance = |n: usize| self.rows[n].test.map_or(0.0, |t| t.standard_deviation.powi(2));
        let small = order.windows(2).filter(|pair| {
            let step = reference::NOTEBOOK[pair[0]].printed - reference::NOTEBOOK[pair[1]].printed;
            step <= 200.0 * (variance(pair[0]) + variance(pair[1])).sqrt()
        });
        (small.count(), order.len() - 1)
    }

    fn reference_header(&self) -> [&'static str; 2] {
        if self.seeds.len() == 1 {
            ["Notebook printed", "PyTorch, run again"]
        } else {
            ["PyTorch, ten seeds", "Within two standard errors"]
        }
    }

    fn reference(&self, row: &Row) -> [String; 2] {
        let Some(Reference { printed, again, mean, standard_deviation }) =
            reference::NOTEBOOK.get(row.config - 1)
        else {
            return [String::new(), String::new()];
        };
        if self.seeds.len() == 1 {
            return [format!("{printed:.2}"), format!("{again:.2}")];
        }
        let agrees = row.test.map(|t| agrees(&t, *mean, *standard_deviation));
        let word = agrees.map_or("–", |yes| if yes { "yes" } else { "no" });
        [format!("{mean:.2} ± {standard_deviation:.2}"), word.into()]
    }

    /// Comma-separated values, fractions of 1.
    pub fn csv(&self) -> String {
        let varied: Vec<&String> = self.rows[0].varied.keys().collect();
        let mut text = String::from("config,hidden,lr,batch,epochs,");
        varied.iter().for_each(|k| text += &format!("{k},"));
        text += "parameters,flash_bytes,instructions,rank,like_the_best,seeds,diverged,val_mean,val_deviation,test_mean,test_deviation\n";
        let number = |spread: Option<Spread>, of: fn(&Spread) -> f64| {
            spread.as_ref().map_or(String::new(), |s| format!("{:.6}", of(s)))
        };
        for row in &self.rows {
            let hidden: Vec<_> = row.hidden.iter().map(usize::to_string).collect();
            let mut cells =
                vec![row.config.to_string(), hidden.join("x"), row.lr.to_string(), row.batch.to_string()];
            cells.push(row.epochs.to_string());
            cells.extend(varied.iter().map(|&k| short(&row.varied[k]).replace(',', "x")));
            cells.extend([row.parameters, row.flash_bytes].map(|n| n.to_string()));
            cells.push(row.instructions.map_or(String::new(), |n| n.to_string()));
            cells.push(row.rank.to_string());
            cells.push(row.like_the_best.to_string());
            cells.extend([self.seeds.len(), row.diverged].map(|n| n.to_string()));
            cells.extend([
                number(row.validation, |s| s.mean),
                number(row.validation, |s| s.standard_deviation),
            ]);
            cells.extend([number(row.test, |s| s.mean), number(row.test, |s| s.standard_deviation)]);
            text += &(cells.join(",") + "\n");
        }
        text
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A value of a recipe, floats as the recipe holds them.
fn short(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(x) => (*x as f32).to_string(),
        value => value.to_string(),
    }
}
