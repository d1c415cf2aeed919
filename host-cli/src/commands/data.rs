//! `selvedge data`: fetch, verify, show.

use std::path::Path;

use crate::cli::Data;
use crate::data::fetch::{FASHION_MNIST, MIRRORS, Status, fetch, verify};
use crate::data::{Source, fashion_mnist_folder};
use crate::error::{Error, Result};
use crate::terminal::{Output, count, listing, picture};

/// Carries a `data` command out.
///
/// # Errors
/// As the command line documents.
pub fn run(command: Data) -> Result<()> {
    match command {
        Data::Fetch { dir, mirror } => {
            let folder = fashion_mnist_folder(dir.as_deref())?;
            let web =
                |address: &String| ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
            if let Some(address) = mirror.as_ref().filter(|address| !web(address)) {
                return Err(Error::misused(format!(
                    "--mirror {address}: write the address of the folder of the files, such as https://example.org/data/"
                )));
            }
            let mirrors = mirror.as_ref().map_or(MIRRORS.to_vec(), |m| vec![m.as_str()]);
            let fetched = fetch(&folder, &FASHION_MNIST, &mirrors)?;
            Output::default().line(format!(
                "{}: {} fetched, {} there already",
                folder.display(),
                count(fetched, "file"),
                FASHION_MNIST.len() - fetched
            ))
        }
        Data::Verify { dir } => check(&fashion_mnist_folder(dir.as_deref())?, dir.as_deref()),
        Data::Show { data, dir, count } => show(&data, dir.as_deref(), count),
    }
}

fn check(folder: &Path, named: Option<&Path>) -> Result<()> {
    let found = verify(folder, &FASHION_MNIST)?;
    let rows = FASHION_MNIST.iter().zip(&found).map(|(file, status)| {
        let state = match status {
            Status::Good => "good",
            Status::Missing => "missing",
            Status::Corrupt => "wrong SHA-256",
        };
        [file.name.to_string(), state.to_string()]
    });
    Output::default().line(listing(["file", "state"].map(String::from), rows))?;
    match found.iter().filter(|&&s| s != Status::Good).count() {
        0 => Ok(()),
        n => Err(Error::data(format!(
            "{n} of {} files in {} are missing or corrupt; run `selvedge data fetch{}`",
            found.len(),
            folder.display(),
            named.map_or_else(String::new, |dir| format!(" --dir {}", dir.display()))
        ))),
    }
}

fn show(source: &Source, dir: Option<&Path>, count: usize) -> Result<()> {
    let dataset = source.load(dir)?;
    let mut output = Output::default();
    let set = &dataset.train;
    output.line(format!(
        "{}: {} training and {} test images of {} x {} pixels, {} classes",
        dataset.name,
        set.labels.len(),
        dataset.test.labels.len(),
        set.images.cols,
        set.images.rows,
        dataset.classes.len()
    ))?;
    for (class, name) in dataset.classes.iter().enumerate() {
        let of_class = set.labels.iter().enumerate().filter(|&(_, &l)| usize::from(l) == class);
        output.line(format!("\n{class} {name}, {} images", of_class.clone().count()))?;
        for (n, _) in of_class.take(count) {
            output.line(picture(set.images.image(n).unwrap_or_default(), set.images.cols))?;
        }
    }
    Ok(())
}
