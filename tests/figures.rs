//! Lines of code, and how much of them is unsafe. Every unsafe block must have its `// SAFETY:`.
//!
//! `cargo test -p selvedge --test figures -- --nocapture` prints the figures.

use std::fs;
use std::path::{Path, PathBuf};

/// The lines of a source file before its tests, whole and without comments.
struct Source {
    path: PathBuf,
    lines: Vec<String>,
    code: Vec<String>,
}

/// The sources of the crate in a folder.
fn sources(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("src"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.split("#[cfg(test)]").next().unwrap().lines().map(String::from).collect();
        let code = lines.iter().map(|l| l.split("//").next().unwrap().trim().to_string()).collect();
        Source { path, lines, code }
    };
    files.into_iter().map(read).collect()
}

impl Source {
    /// The number of lines of code, without blank lines and comments.
    fn length(&self) -> usize {
        self.code.iter().filter(|l| !l.is_empty()).count()
    }

    /// First line and number of lines of each item that starts with `unsafe` and `what`.
    fn unsafe_spans(&self, what: &str) -> Vec<(usize, usize)> {
        let start = format!("unsafe {what}");
        let mut spans = Vec::new();
        for (first, line) in self.code.iter().enumerate() {
            for (at, _) in line.match_indices(&start) {
                let (mut depth, mut opened, mut lines) = (0, false, 0);
                for (n, text) in self.code[first..].iter().enumerate() {
                    lines += usize::from(!text.is_empty());
                    let text = if n == 0 { &text[at..] } else { text };
                    // The item ends after the brace that matches its first one.
                    let mut ended = false;
                    for c in text.chars() {
                        match c {
                            '{' => (depth, opened) = (depth + 1, true),
                            '}' => depth -= 1,
                            ';' if !opened => ended = true,
                            _ => {}
                        }
                        ended |= opened && depth == 0;
                        if ended {
                            break;
                        }
                    }
                    if ended {
                        break;
                    }
                }
                spans.push((first, lines));
            }
        }
        spans
    }

    /// Whether a comment shortly before a line gives the reason why it is sound.
    fn has_reason(&self, line: usize) -> bool {
        self.lines[line.saturating_sub(8)..=line]
            .iter()
            .any(|l| l.contains("SAFETY:") || l.contains("# Safety"))
    }
}

#[test]
fn every_unsafe_block_has_its_reason() {
    for source in ["", "host-cli"].into_iter().flat_map(sources) {
        for (line, _) in ["{", "impl"].into_iter().flat_map(|what| source.unsafe_spans(what)) {
            assert!(source.has_reason(line), "{}:{}", source.path.display(), line + 1);
        }
    }
}

#[test]
fn figures() {
    for (name, folder) in [("core", ""), ("program", "host-cli")] {
        let sources = sources(folder);
        let length: usize = sources.iter().map(Source::length).sum();
        let count = |what: &str| -> (usize, usize) {
            let spans: Vec<_> = sources.iter().flat_map(|s| s.unsafe_spans(what)).collect();
            (spans.len(), spans.iter().map(|(_, lines)| lines).sum())
        };
        let ((blocks, lines), (functions, function_lines), (impls, _)) =
            (count("{"), count("fn"), count("impl"));
        println!(
            "{name}: {} files, {length} lines of code without comments and tests; {blocks} unsafe blocks of {lines} \
             lines, {functions} unsafe functions of {function_lines} lines, {impls} unsafe impls",
            sources.len()
        );
        assert!(blocks > 0 && lines >= blocks && lines + function_lines < length);
    }
}
