//! `selvedge data`: fetch, verify, show.

mod table;

use std::path::Path;

use indicatif::ProgressBar;
use serde_json::json;

use crate::cli::{Data, DataShow};
use crate::data::arrays::is_arrays;
use crate::data::fetch::{FASHION_MNIST, MIRRORS, Progress, fetch};
use crate::data::pictures::grey;
use crate::data::table::is_table;
use crate::data::verify::verify;
use crate::data::{Features, Reading, Source, fashion_mnist_folder};
use crate::error::{Error, Result, typed};
use crate::terminal::{Output, Warnings, count, download_bar, listing, picture};

/// Carries a `data` command out.
///
/// # Errors
/// As the command line documents.
pub fn run(command: Data) -> Result<()> {
    match command {
        Data::Fetch { dir, mirror, json } => {
            let folder = fashion_mnist_folder(dir.as_deref())?;
            let web =
                |address: &String| ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
            if let Some(address) = mirror.as_ref().filter(|address| !web(address)) {
                return Err(Error::usage(format!(
                    "--mirror {address}: write the address of the folder of the files, such as https://example.org/data/"
                )));
            }
            let mirrors = mirror.as_ref().map_or(MIRRORS.to_vec(), |m| vec![m.as_str()]);
            let fetched = fetch(&folder, &FASHION_MNIST, &mirrors, &mut progress_bar())?;
            let (there, folder) = (FASHION_MNIST.len() - fetched, folder.display().to_string());
            let mut output = Output::default();
            if json {
                return output.json(&json!({"folder": folder, "fetched": fetched, "there_already": there}));
            }
            output.line(format!("{folder}: {} fetched, {there} there already", count(fetched, "file")))
        }
        Data::Verify { dir, json } => check(&fashion_mnist_folder(dir.as_deref())?, dir.as_deref(), json),
        Data::Show(args) => show(&args),
    }
}

/// Shows the progress of a download as a bar on a terminal.
fn progress_bar() -> impl FnMut(Progress<'_>) {
    let mut bar = None;
    move |progress| match progress {
        Progress::Started { file, done } => bar = Some(download_bar(file.name, file.size, done)),
        Progress::Received(bytes) => bar.iter().for_each(|bar| bar.set_position(bytes)),
        Progress::Ended => bar.iter().for_each(ProgressBar::finish_and_clear),
    }
}

fn check(folder: &Path, named: Option<&Path>, json: bool) -> Result<()> {
    let found = verify(folder)?;
    let states = found.iter().map(|(name, state)| [name, state.name()]);
    let mut output = Output::default();
    if json {
        let files: Vec<_> = states.map(|[name, state]| json!({"name": name, "state": state})).collect();
        output.json(&json!({"folder": folder.display().to_string(), "files": files}))?;
    } else {
        let rows = states.map(|row| row.map(String::from));
        output.line(listing(["file", "state"].map(String::from), rows))?;
    }
    match found.iter().filter(|(_, state)| !state.is_good()).count() {
        0 => Ok(()),
        n => Err(Error::data(format!(
            "{n} of {} files in {} are missing or corrupt; run `selvedge data fetch{}`",
            found.len(),
            folder.display(),
            named.map_or_else(String::new, |dir| format!(" --dir {}", typed(dir)))
        ))),
    }
}

fn show(args: &DataShow) -> Result<()> {
    let source = args.data.as_ref().or(args.source.as_ref()).unwrap_or(&Source::FashionMnist);
    let reading = args.reading.over(Reading { transpose: None, ..args.table.reading()? });
    let (count, json) = (args.count, args.json);
    if let Source::Path(path) = source
        && !(path.is_file() && is_arrays(path))
        && is_table(path)
    {
        return table::run(path, &reading, json);
    }
    let dataset = source.load(args.dir.as_deref(), &reading)?;
    if matches!(dataset.train.features, Features::Table(_)) {
        return table::run_arrays(&dataset, json);
    }
    let mut warnings = Warnings::default();
    dataset.warnings.iter().for_each(|text| warnings.add(text));
    let mut output = Output::default();
    let set = &dataset.train;
    let of_class = |class: usize| {
        let all = set.labels().iter().enumerate();
        all.filter(move |&(_, &l)| usize::from(l) == class).map(|(n, _)| n)
    };
    let classes = dataset.classes.iter().enumerate();
    if json {
        let classes = classes.map(|(class, name)| {
            let shown: Vec<_> = of_class(class).take(count).collect();
            json!({"name": name, "train_images": of_class(class).count(), "shown": shown})
        });
        return output.json(&json!({
            "data": dataset.name,
            "train_images": set.len(),
            "test_images": dataset.test.len(),
            "image": [set.images()?.rows, set.images()?.cols],
            "classes": classes.collect::<Vec<_>>(),
            "warnings": warnings.list(),
        }));
    }
    output.line(format!(
        "{}: {} training and {} test images of {} x {} pixels, {} classes",
        dataset.name,
        set.len(),
        dataset.test.len(),
        set.images()?.cols,
        set.images()?.rows,
        dataset.classes.len()
    ))?;
    for (class, name) in classes {
        output.line(format!("\n{class} {name}, {} images", of_class(class).count()))?;
        for n in of_class(class).take(count) {
            let images = set.images()?;
            let grey = grey(images.image(n).unwrap_or_default(), images.channels);
            output.line(picture(&grey, images.cols))?;
        }
    }
    Ok(())
}
