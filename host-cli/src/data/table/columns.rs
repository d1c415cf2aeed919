//! Which column of a file is what: by the user's options, or by the schema of a model.

use super::options::TableOptions;
use super::profile::Look;
use super::schema::Schema;
use super::source::Source;
use crate::error::{Error, Result};

/// The columns of a file, as indices.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// The features.
    pub features: Vec<usize>,
    /// The targets.
    pub targets: Vec<usize>,
    /// The column of time.
    pub time: Option<usize>,
    /// The column of the group.
    pub group: Option<usize>,
    /// Features and targets whose numbers are names.
    pub categorical: Vec<usize>,
}

impl Columns {
    /// By the options of the user. Notes what they do not say.
    ///
    /// # Errors
    /// `Usage` where a name is not that of a column, or a column would be two things; `Data` where no feature is left.
    pub fn chosen(source: &Source, options: &TableOptions, notes: &mut Vec<String>) -> Result<Self> {
        let find = |flag: &str, name: &str| find(source, name).map_err(|e| e.with_advice(hint(flag)));
        let all = |flag: &str, names: &[String]| {
            names.iter().map(|name| find(flag, name)).collect::<Result<Vec<usize>>>()
        };
        let one = |flag: &str, name: &str| (!name.is_empty()).then(|| find(flag, name)).transpose();
        let drop = all("drop", &options.drop)?;
        let mut columns = Self {
            features: Vec::new(),
            targets: all("target", &options.target)?,
            time: one("time", &options.time)?,
            group: one("group", &options.group)?,
            categorical: all("categorical", &options.categorical)?,
        };
        let special = |c: &Self, n: &usize| c.time == Some(*n) || c.group == Some(*n) || drop.contains(n);
        if columns.targets.is_empty() && !options.unsupervised {
            let last = (0..source.names.len()).rev().find(|n| !special(&columns, n));
            let last = last.ok_or_else(|| source.error("has no column left for the target; drop fewer"))?;
            columns.targets.push(last);
            if source.names.len() > 1 {
                let name = &source.names[last];
                notes.push(format!("the target is the last column, {name:?}; --target names another"));
            }
        }
        let free = |n: &usize| !special(&columns, n) && !columns.targets.contains(n);
        columns.features = (0..source.names.len()).filter(free).collect();
        columns.check(source, &drop)?;
        Ok(columns)
    }

    fn check(&self, source: &Source, drop: &[usize]) -> Result<()> {
        let mut uses = vec![0; source.names.len()];
        let single = self.targets.iter().chain(&self.time).chain(&self.group).chain(drop);
        single.for_each(|&n| uses[n] += 1);
        // The group may also be the column of classes to balance by, but not an input or a column that is left out.
        if let Some(n) = uses.iter().position(|&n| n > 1) {
            return Err(Error::usage(format!(
                "column {:?} is named twice by --target, --drop, --time and --group; name it once",
                source.names[n]
            )));
        }
        if let Some(&n) =
            self.categorical.iter().find(|&n| !self.features.contains(n) && !self.targets.contains(n))
        {
            return Err(Error::usage(format!(
                "--categorical names column {:?}, which is not a feature; leave it out",
                source.names[n]
            )));
        }
        if source.names.len() == 1 && self.features.is_empty() {
            return Err(source.error(
                "has only one column; a table has a column for each feature and one for the target, separated by \
                 commas, semicolons or tabs",
            ));
        }
        if self.features.is_empty() {
            return Err(
                source.error("has no column left for the features; name fewer with --target and --drop")
            );
        }
        Ok(())
    }

    /// By the names in a schema. Targets, time and group are there only if their columns are.
    ///
    /// # Errors
    /// `Data` where a feature's column is missing.
    pub fn matched(source: &Source, schema: &Schema) -> Result<Self> {
        let at = |name: &String| source.names.iter().position(|n| n == name);
        let mut columns = Self { time: schema.time.as_ref().and_then(at), ..Self::default() };
        columns.group = schema.group.as_ref().and_then(at);
        let missing: Vec<&str> =
            schema.features.iter().filter(|f| at(&f.name).is_none()).map(|f| &f.name[..]).collect();
        if let Some(first) = missing.first() {
            let more =
                if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
            let why = if source.header {
                nearest(source, first)
            } else {
                "its first line names no columns; write the names above the rows".into()
            };
            return Err(source.error(format!("has no column {first:?}{more}, which the model needs; {why}")));
        }
        columns.features = schema.features.iter().filter_map(|f| at(&f.name)).collect();
        let targets: Vec<usize> = schema.targets.iter().filter_map(at).collect();
        if targets.len() == schema.targets.len() {
            columns.targets = targets;
        }
        Ok(columns)
    }

    /// Checks that the columns are there that a model needs beside its features.
    ///
    /// # Errors
    /// `Data` where one is missing: a target if they are needed, time or group for windows.
    pub fn need(&self, source: &Source, schema: &Schema, targets: bool) -> Result<()> {
        let absent = |name: &&String| !source.names.contains(name);
        let windows = schema.window.is_some();
        let order = schema.time.iter().chain(&schema.group).filter(|_| windows);
        let mut needed = schema.targets.iter().filter(|_| targets).chain(order);
        match needed.find(absent) {
            Some(name) => Err(source.error(format!("has no column {name:?}; {}", nearest(source, name)))),
            None => Ok(()),
        }
    }

    /// What each column of the file is looked at for.
    pub fn look(&self, source: &Source) -> Vec<Look> {
        let mut look = vec![Look::Skip; source.names.len()];
        for &n in self.features.iter().chain(&self.targets) {
            look[n] = if self.categorical.contains(&n) { Look::Names } else { Look::Values };
        }
        for n in self.time.iter().chain(&self.group) {
            look[*n] = Look::Presence;
        }
        look
    }
}

/// The index of a column that the user names.
fn find(source: &Source, name: &str) -> Result<usize> {
    source.names.iter().position(|n| n == name).ok_or_else(|| {
        let error = source.error(format!("has no column {name:?}; {}", nearest(source, name)));
        Error::usage(error.message)
    })
}

/// The name of a column that is most like `name`, or all names.
fn nearest(source: &Source, name: &str) -> String {
    let lower = name.to_lowercase();
    let distance = |n: &&String| strsim::damerau_levenshtein(&n.to_lowercase(), &lower);
    match source.names.iter().min_by_key(distance) {
        Some(near) if distance(&near) <= 1 + lower.chars().count() / 3 => format!("did you mean {near:?}?"),
        _ => {
            let some: Vec<String> = source.names.iter().take(12).map(|n| format!("{n:?}")).collect();
            let more = if source.names.len() > 12 { ", …" } else { "" };
            format!("its columns are {}{more}", some.join(", "))
        }
    }
}

fn hint(flag: &str) -> String {
    format!("correct --{flag}")
}
