//! How many classes a data set has and what they are called: as `labels.txt` says, or else as many as its labels need.
//!
//! Labels say no more than their largest value, so what is odd about them is warned of: classes without images, labels that
//! start above 0. A data set of one class is refused.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The file of class names in a data set's folder, in any case.
pub const FILE: &str = "labels.txt";

/// The most classes, since a label is a byte.
const MOST: usize = 256;

/// The classes of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Their names; those without one are called by their label.
    pub names: Vec<String>,
    /// What to warn of.
    pub warnings: Vec<String>,
}

impl Classes {
    /// As many classes as the labels need, called by the labels as the files have them: class 0 is `first`.
    ///
    /// # Errors
    /// Exit code 3 where all labels are one.
    pub fn counted(train: &[u8], test: &[u8], first: usize) -> Result<Self> {
        let seen = Seen::new(train, test);
        let classes = seen.most() + 1;
        if seen.classes() == 1 {
            return Err(Error::data(format!(
                "every label is {}: a classifier needs images of two classes or more; name the classes in {FILE} where this \
                 is part of a larger data set",
                first + seen.most()
            )));
        }
        let names = (first..first + classes).map(|label| label.to_string()).collect::<Vec<_>>();
        let taken = format!("{classes} classes are taken, {} to {}", names[0], names[classes - 1]);
        let warnings = seen.warnings(classes, first, &taken);
        Ok(Self { names, warnings })
    }

    /// The classes that `file` names.
    ///
    /// # Errors
    /// Exit code 3 where the labels need more.
    pub fn named(train: &[u8], test: &[u8], first: usize, file: &Path, names: Vec<String>) -> Result<Self> {
        let seen = Seen::new(train, test);
        let (needed, file) = (seen.most() + 1, file.display());
        if names.len() < needed {
            let from_one = seen.least() == 1 && names.len() + 1 == needed;
            let hint = if from_one {
                format!(
                    "labels start at {}: `--first-label {}` makes that the first class",
                    first + 1,
                    first + 1
                )
            } else {
                format!("write a line for each class from {first} to {}", first + seen.most())
            };
            return Err(Error::data(format!(
                "{file} names {} classes, but the largest label is {}; {hint}",
                names.len(),
                first + seen.most()
            )));
        }
        let warnings = seen.warnings(names.len(), first, &format!("{file} names {} classes", names.len()));
        Ok(Self { names, warnings })
    }
}

/// How many images each class has.
struct Seen {
    train: [usize; MOST],
    test: [usize; MOST],
}

impl Seen {
    fn new(train: &[u8], test: &[u8]) -> Self {
        let count = |labels: &[u8]| {
            let mut counts = [0; MOST];
            labels.iter().for_each(|&l| counts[usize::from(l)] += 1);
            counts
        };
        Self { train: count(train), test: count(test) }
    }

    fn has(&self, class: usize) -> bool {
        self.train[class] + self.test[class] > 0
    }

    fn least(&self) -> usize {
        (0..MOST).find(|&c| self.has(c)).unwrap_or(0)
    }

    fn most(&self) -> usize {
        (0..MOST).rev().find(|&c| self.has(c)).unwrap_or(0)
    }

    fn classes(&self) -> usize {
        (0..MOST).filter(|&c| self.has(c)).count()
    }

    /// What is odd about labels that make `classes` classes; `taken` says so.
    fn warnings(&self, classes: usize, first: usize, taken: &str) -> Vec<String> {
        let (mut warnings, least) = (Vec::new(), self.least());
        let empty: Vec<usize> = (0..classes).filter(|&c| !self.has(c)).collect();
        if least > 0 {
            let label = first + least;
            warnings.push(format!(
                "labels start at {label}: no image has {}; {taken}; `--first-label {label}` makes {label} the first class",
                ranges(&empty, first)
            ));
        } else if !empty.is_empty() {
            warnings.push(format!("no image has {}; {taken}", ranges(&empty, first)));
        }
        let untrained: Vec<usize> =
            (0..classes).filter(|&c| self.train[c] == 0 && self.test[c] > 0).collect();
        if !untrained.is_empty() {
            warnings.push(format!(
                "test images have {}, but no training image has: what has it cannot be learned",
                ranges(&untrained, first)
            ));
        }
        warnings
    }
}

/// `label 0, 3-7`, of classes in order.
fn ranges(classes: &[usize], first: usize) -> String {
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for &class in classes {
        match runs.last_mut() {
            Some([_, end]) if *end + 1 == class => *end = class,
            _ => runs.push([class, class]),
        }
    }
    let run = |[from, to]: &[usize; 2]| {
        if from == to { (first + from).to_string() } else { format!("{}-{}", first + from, first + to) }
    };
    format!("label {}", runs.iter().map(run).collect::<Vec<_>>().join(", "))
}

/// Class names, one a line, in UTF-8 with or without a byte order mark, with any ends of lines.
///
/// # Errors
/// Exit code 3 where the file cannot be read, is not UTF-8, leaves out a class, or names fewer than 2 or more than 256.
pub fn read_names(path: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    parse_names(&bytes).map_err(|why| Error::data(format!("{}: {why}", path.display())))
}

/// The class names in the bytes of a file.
///
/// # Errors
/// One clause without the file's name.
pub fn parse_names(bytes: &[u8]) -> std::result::Result<Vec<String>, String> {
    if [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| bytes.starts_with(mark)) || bytes.contains(&0) {
        return Err("the text is UTF-16; save it as UTF-8".into());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the text is not UTF-8; save it as UTF-8")?;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let lines = text.trim_end().split(['\n', '\r']).map(|line| line.trim().to_string());
    let names: Vec<String> = lines.collect();
    if let Some(n) = names.iter().position(String::is_empty).filter(|_| names.len() > 1) {
        return Err(format!(
            "line {} is empty; write a class name on every line, its number where it has none",
            n + 1
        ));
    }
    let count = names.iter().filter(|name| !name.is_empty()).count();
    if !(2..=MOST).contains(&count) {
        return Err(format!("{count} class names, expected 2 to {MOST}, one a line"));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{Classes, parse_names};
    use std::path::Path;

    fn numbers(range: std::ops::RangeInclusive<usize>) -> Vec<String> {
        range.map(|n| n.to_string()).collect()
    }

    #[test]
    fn the_largest_label_of_both_sets_counts() {
        let classes = Classes::counted(&[0, 1, 2], &[3, 0], 0).unwrap();
        assert_eq!(classes.names, numbers(0..=3));
        assert_eq!(
            classes.warnings,
            ["test images have label 3, but no training image has: what has it cannot be learned"]
        );
        assert_eq!(Classes::counted(&[0, 255], &[0], 0).unwrap().names.len(), 256);
        assert_eq!(Classes::counted(&[0, 1, 2], &[0], 0).unwrap().warnings, [""; 0]);
    }

    #[test]
    fn labels_that_start_at_one_and_gaps_are_said() {
        let classes = Classes::counted(&(1..=26).collect::<Vec<u8>>(), &[1], 0).unwrap();
        assert_eq!(classes.names.len(), 27);
        assert_eq!(
            classes.warnings,
            [
                "labels start at 1: no image has label 0; 27 classes are taken, 0 to 26; `--first-label 1` makes 1 the first \
              class"
            ]
        );
        // The same labels, counted from 1.
        let classes = Classes::counted(&(0..=25).collect::<Vec<u8>>(), &[0], 1).unwrap();
        assert_eq!((classes.names, classes.warnings.len()), (numbers(1..=26), 0));
        let classes = Classes::counted(&[0, 1, 4, 9], &[1], 0).unwrap();
        assert_eq!(classes.warnings, ["no image has label 2-3, 5-8; 10 classes are taken, 0 to 9"]);
    }

    #[test]
    fn one_class_is_none() {
        let error = Classes::counted(&[3, 3], &[3], 0).unwrap_err();
        assert!(error.message.starts_with("every label is 3: a classifier needs images of two"), "{error}");
    }

    #[test]
    fn names_decide_and_must_suffice() {
        let named = |train: &[u8], names: usize| {
            Classes::named(train, &[], 0, Path::new("labels.txt"), numbers(1..=names))
        };
        assert_eq!(named(&[0, 1, 2], 3).unwrap().warnings, [""; 0]);
        let more = named(&[0, 1, 2], 4).unwrap();
        assert_eq!(
            (more.names.len(), &more.warnings[..]),
            (4, &["no image has label 3; labels.txt names 4 classes".into()][..])
        );
        let error = named(&[0, 9], 3).unwrap_err().message;
        assert_eq!(
            error,
            "labels.txt names 3 classes, but the largest label is 9; write a line for each class from 0 to 9"
        );
        let error = named(&[1, 2, 3], 3).unwrap_err().message;
        assert!(
            error.ends_with("labels start at 1: `--first-label 1` makes that the first class"),
            "{error}"
        );
        let shifted = named(&[1, 2], 3).unwrap().warnings;
        assert!(
            shifted[0].starts_with("labels start at 1: no image has label 0; labels.txt names 3"),
            "{shifted:?}"
        );
    }

    #[test]
    fn text_of_any_editor() {
        for text in ["cat\ndog\n", "\u{feff}cat\r\ndog\r\n\r\n", "cat\rdog", " cat \n\tdog\n\n\n"] {
            assert_eq!(parse_names(text.as_bytes()).unwrap(), ["cat", "dog"], "{text:?}");
        }
        let utf16 = |mark: &[u8]| parse_names(&[mark, b"c\0a\0t\0"].concat()).unwrap_err();
        assert_eq!([utf16(&[0xff, 0xfe]), utf16(&[])], ["the text is UTF-16; save it as UTF-8"; 2]);
        assert_eq!(parse_names(b"caf\xe9\nx").unwrap_err(), "the text is not UTF-8; save it as UTF-8");
        assert!(parse_names(b"a\n\nb").unwrap_err().starts_with("line 2 is empty; write a class name"));
        assert!(parse_names(b"").unwrap_err().starts_with("0 class names, expected 2"));
        assert!(parse_names(b"one\n").unwrap_err().starts_with("1 class names"));
    }
}
