//! The number of classes of a data set and their names: those of `labels.txt`, or else as many as its labels need.
//!
//! The largest label is all that labels tell about the number of classes, so oddities cause a warning: classes without
//! images, labels that start above 0. A data set of one class is refused.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The file of class names in the folder of a data set; upper and lower case count as the same.
pub const FILE: &str = "labels.txt";

/// The maximum number of classes, since a label is a byte.
const MAX_CLASSES: usize = 256;

/// The classes of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// Their names; the label where a class has none.
    pub names: Vec<String>,
    /// The warnings about the labels.
    pub warnings: Vec<String>,
}

impl Classes {
    /// As many classes as the labels need, named after the labels in the files: class 0 is `first`.
    ///
    /// # Errors
    /// `Data` where all labels are the same.
    pub fn counted(train: &[u8], test: &[u8], first: usize) -> Result<Self> {
        let counts = LabelCounts::new(train, test);
        let classes = counts.largest() + 1;
        if counts.classes() == 1 {
            return Err(Error::data(format!(
                "every label is {}: a classifier needs images of two classes or more; name the classes in {FILE} where this \
                 is part of a larger data set",
                first + counts.largest()
            )));
        }
        let names = (first..first + classes).map(|label| label.to_string()).collect::<Vec<_>>();
        let assumed = format!("assuming {classes} classes, {} to {}", names[0], names[classes - 1]);
        let warnings = counts.warnings(classes, first, &assumed);
        Ok(Self { names, warnings })
    }

    /// The classes that `file` names.
    ///
    /// # Errors
    /// `Data` where the labels need more.
    pub fn named(train: &[u8], test: &[u8], first: usize, file: &Path, names: Vec<String>) -> Result<Self> {
        let counts = LabelCounts::new(train, test);
        let (needed, file) = (counts.largest() + 1, file.display());
        if names.len() < needed {
            let from_one = counts.smallest() == 1 && names.len() + 1 == needed;
            let hint = if from_one {
                format!(
                    "labels start at {}: `--first-label {}` makes that the first class",
                    first + 1,
                    first + 1
                )
            } else {
                format!("write a line for each class from {first} to {}", first + counts.largest())
            };
            return Err(Error::data(format!(
                "{file} names {} classes, but the largest label is {}; {hint}",
                names.len(),
                first + counts.largest()
            )));
        }
        let warnings = counts.warnings(names.len(), first, &format!("{file} names {} classes", names.len()));
        Ok(Self { names, warnings })
    }
}

/// The number of images of each class.
struct LabelCounts {
    train: [usize; MAX_CLASSES],
    test: [usize; MAX_CLASSES],
}

impl LabelCounts {
    fn new(train: &[u8], test: &[u8]) -> Self {
        let count = |labels: &[u8]| {
            let mut counts = [0; MAX_CLASSES];
            labels.iter().for_each(|&l| counts[usize::from(l)] += 1);
            counts
        };
        Self { train: count(train), test: count(test) }
    }

    fn has(&self, class: usize) -> bool {
        self.train[class] + self.test[class] > 0
    }

    fn smallest(&self) -> usize {
        (0..MAX_CLASSES).find(|&c| self.has(c)).unwrap_or(0)
    }

    fn largest(&self) -> usize {
        (0..MAX_CLASSES).rev().find(|&c| self.has(c)).unwrap_or(0)
    }

    fn classes(&self) -> usize {
        (0..MAX_CLASSES).filter(|&c| self.has(c)).count()
    }

    /// The oddities of labels that make `classes` classes. `reason` says why there are so many.
    fn warnings(&self, classes: usize, first: usize, reason: &str) -> Vec<String> {
        let (mut warnings, smallest) = (Vec::new(), self.smallest());
        let empty: Vec<usize> = (0..classes).filter(|&c| !self.has(c)).collect();
        if smallest > 0 {
            let label = first + smallest;
            warnings.push(format!(
                "labels start at {label}: no image has {}; {reason}; `--first-label {label}` makes {label} the first class",
                ranges(&empty, first)
            ));
        } else if !empty.is_empty() {
            warnings.push(format!("no image has {}; {reason}", ranges(&empty, first)));
        }
        let untrained: Vec<usize> =
            (0..classes).filter(|&c| self.train[c] == 0 && self.test[c] > 0).collect();
        if !untrained.is_empty() {
            warnings.push(format!(
                "test images have {}, but no training image has it, so it cannot be learned",
                ranges(&untrained, first)
            ));
        }
        warnings
    }
}

/// `label 0, 3-7`: classes in order as ranges of labels.
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

/// Reads class names, one a line, in UTF-8 with or without a byte order mark, with line ends of any system.
///
/// # Errors
/// `Data` where the file cannot be read, is not UTF-8, has an empty line, or names fewer than 2 or more than 256
/// classes.
pub fn read_names(path: &Path) -> Result<Vec<String>> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    parse_names(&bytes).map_err(|why| Error::data(format!("{}: {why}", path.display())))
}

/// Parses the bytes of a file of class names.
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
    if !(2..=MAX_CLASSES).contains(&count) {
        return Err(format!("{count} class names, expected 2 to {MAX_CLASSES}, one a line"));
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
            ["test images have label 3, but no training image has it, so it cannot be learned"]
        );
        assert_eq!(Classes::counted(&[0, 255], &[0], 0).unwrap().names.len(), 256);
        assert_eq!(Classes::counted(&[0, 1, 2], &[0], 0).unwrap().warnings, [""; 0]);
    }

    #[test]
    fn labels_that_start_at_one_and_gaps_cause_a_warning() {
        let classes = Classes::counted(&(1..=26).collect::<Vec<u8>>(), &[1], 0).unwrap();
        assert_eq!(classes.names.len(), 27);
        assert_eq!(
            classes.warnings,
            [
                "labels start at 1: no image has label 0; assuming 27 classes, 0 to 26; `--first-label 1` makes 1 the first \
              class"
            ]
        );
        // The same labels, counted from 1.
        let classes = Classes::counted(&(0..=25).collect::<Vec<u8>>(), &[0], 1).unwrap();
        assert_eq!((classes.names, classes.warnings.len()), (numbers(1..=26), 0));
        let classes = Classes::counted(&[0, 1, 4, 9], &[1], 0).unwrap();
        assert_eq!(classes.warnings, ["no image has label 2-3, 5-8; assuming 10 classes, 0 to 9"]);
    }

    #[test]
    fn a_single_class_is_refused() {
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
