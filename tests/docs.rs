//! The docs name paths that exist: every file and folder that README, CONTRIBUTING and the pages on architecture and
//! performance mention. README's library example is the one that the crate's front page runs as a test.

use std::fs;
use std::path::Path;

/// The pages, and the fewest paths that each must name, so that a change of its form cannot make the test empty.
const PAGES: [(&str, usize); 4] =
    [("README.md", 15), ("CONTRIBUTING.md", 40), ("docs/architecture.md", 25), ("docs/performance.md", 8)];

/// The paths that a page names: link targets and first words of code spans with a slash or a known ending, and words of
/// text pictures with a known ending or a slash at their end. Other blocks hold commands and code.
fn named_paths(page: &str) -> Vec<&str> {
    let is_file =
        |word: &str| [".rs", ".md", ".toml"].iter().any(|end| word.len() > end.len() && word.ends_with(end));
    let is_path = |word: &str| {
        word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c)) && !word.starts_with(['-', '/'])
    };
    let mut paths = Vec::new();
    for (n, block) in page.split("```").enumerate() {
        if n % 2 == 1 {
            let words = block
                .strip_prefix("text\n")
                .into_iter()
                .flat_map(|t| t.split([' ', '\n', ',', ';', ':', '(', ')']));
            paths.extend(words.filter(|w| is_path(w) && (is_file(w) || w.ends_with('/'))));
            continue;
        }
        let spans = block.split('`').skip(1).step_by(2).filter_map(|span| span.split_whitespace().next());
        let links = block.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
        paths.extend(
            spans
                .chain(links.filter(|link| !link.contains("://")))
                .filter(|w| is_path(w) && (is_file(w) || w.contains('/'))),
        );
    }
    paths
}

#[test]
fn named_paths_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (page, fewest) in PAGES {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let paths = named_paths(&text);
        assert!(paths.len() >= fewest, "{page} names only {}: {paths:?}", paths.len());
        // Pictures and tables of a crate's modules start paths at its sources, links at the page.
        let bases = ["", "src", "host-cli/src"].map(|base| root.join(base));
        let bases =
            [root.join(page).parent().unwrap().to_path_buf()].into_iter().chain(bases).collect::<Vec<_>>();
        let exists = |path: &&str| bases.iter().any(|base| base.join(path).exists());
        missing.extend(paths.into_iter().filter(|path| !exists(path)).map(|path| format!("{page}: {path}")));
    }
    assert!(missing.is_empty(), "these do not exist: {missing:#?}");
}

#[test]
fn paths_are_told_from_commands() {
    let page = "See [a](docs/a.md#b), `src/x/`, `cargo test -p b/c`, `tests/fuzz/run SECONDS`, `x.rs`, `-lr / b`, https://c.d/e.\n\
                ```sh\nselvedge eval runs/a\n```\n```text\nloss  kernel/a.rs, host-cli/src/ a/b\n```\n";
    assert_eq!(
        named_paths(page),
        ["src/x/", "tests/fuzz/run", "x.rs", "docs/a.md", "kernel/a.rs", "host-cli/src/"]
    );
}

#[test]
fn the_library_example_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let [readme, lib] = ["README.md", "src/lib.rs"].map(|file| fs::read_to_string(root.join(file)).unwrap());
    let docs: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let example = readme.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let lines: Vec<_> = example.lines().map(str::trim).collect();
    assert!(example.contains("Network::new") && lines.len() <= 15, "{example}");
    let found = docs.windows(lines.len()).any(|window| window == lines);
    assert!(found, "the front page of the crate docs does not have README's example:\n{example}");
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(text.lines().count() <= 180, "README.md has {} lines", text.lines().count());
}
