//! The data set: two sets of grey images with a class each, read from IDX files or drawn by code.
//!
//! Everything goes through the same parser, the drawn demo too. Nothing here shuffles or scales; see
//! [`draws`](crate::draws).

pub mod demo;
pub mod fetch;
pub mod idx;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::error::{Error, Exit, Result, typed};
use idx::Images;

/// Where a data set comes from: `fashion-mnist`, `demo` or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Fashion-MNIST in the folder of [`fashion_mnist_folder`].
    FashionMnist,
    /// Silhouettes drawn by code.
    Demo,
    /// A folder of four IDX files with the standard names.
    Folder(PathBuf),
}

/// Images and the class of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The images.
    pub images: Images,
    /// A class for each.
    pub labels: Vec<u8>,
}

impl Set {
    /// The positions of all its images.
    pub fn indices(&self) -> Vec<u32> {
        (0..self.labels.len() as u32).collect()
    }

    /// SHA-256 of its labels and pixels.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.labels);
        hash.update(&self.images.pixels);
        hex(&hash.finalize())
    }
}

/// A data set in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// What `--data` called it.
    pub name: String,
    /// To train and validate on.
    pub train: Set,
    /// To test on.
    pub test: Set,
    /// The classes' names.
    pub classes: Vec<String>,
}

impl Dataset {
    /// SHA-256 of the fingerprints of its training and its test images: the same wherever they lie, however they are
    /// packed.
    pub fn fingerprint(&self) -> String {
        fingerprint_of(&self.train.fingerprint(), &self.test.fingerprint())
    }
}

/// A data set's [fingerprint](Dataset::fingerprint), of those of its training and its test images.
pub fn fingerprint_of(train: &str, test: &str) -> String {
    hex(&Sha256::digest([train, test].concat()))
}

/// Fashion-MNIST's classes, by label.
const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// The standard names: training images and labels, test images and labels.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// SHA-256 of Fashion-MNIST's 60,000 training labels, without the header: how a folder of it is recognised.
const FASHION_LABELS: &str = "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7";

/// Training and test images of the demo, and the seed that they are drawn from.
const DEMO: (usize, usize, u64) = (24_000, 2_000, 20_170_828);

impl FromStr for Source {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text {
            "fashion-mnist" => Self::FashionMnist,
            "demo" => Self::Demo,
            folder => Self::Folder(folder.into()),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FashionMnist => f.write_str("fashion-mnist"),
            Self::Demo => f.write_str("demo"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}

impl Source {
    /// Reads the data set; `data_dir` is where Fashion-MNIST lies, if not in the usual place.
    ///
    /// # Errors
    /// Exit code 3 where it is missing or corrupt.
    pub fn load(&self, data_dir: Option<&Path>) -> Result<Dataset> {
        let mut dataset = match self {
            Self::FashionMnist => {
                let folder = fashion_mnist_folder(data_dir)?;
                let dir = data_dir.map_or_else(String::new, |dir| format!(" --dir {}", typed(dir)));
                load_folder(&folder, &format!("run `selvedge data fetch{dir}`, or try `--data demo`"))?
            }
            Self::Demo => draw_demo()?,
            Self::Folder(folder) => load_folder(folder, &advice(folder))?,
        };
        dataset.name = self.to_string();
        Ok(dataset)
    }
}

/// The folder of Fashion-MNIST: `data_dir`, else `$SELVEDGE_DATA`, else `selvedge/fashion-mnist` in the user's cache.
///
/// # Errors
/// Exit code 3 where the user has no home.
pub fn fashion_mnist_folder(data_dir: Option<&Path>) -> Result<PathBuf> {
    use etcetera::BaseStrategy;
    if let Some(folder) = data_dir {
        return Ok(folder.to_path_buf());
    }
    if let Some(folder) = std::env::var_os("SELVEDGE_DATA").filter(|f| !f.is_empty()) {
        return Ok(folder.into());
    }
    let cache = etcetera::choose_base_strategy()
        .map_err(|_| Error::data("no home folder to keep the data in; name one with --data-dir"))?;
    Ok(cache.cache_dir().join("selvedge").join("fashion-mnist"))
}

/// What to try where a folder that was named holds no data: the set whose name is near, or what makes a folder one.
fn advice(folder: &Path) -> String {
    let said = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let near =
        ["fashion-mnist", "demo"].into_iter().find(|name| strsim::damerau_levenshtein(name, &said) <= 2);
    match (near, folder_inside(folder)) {
        (Some(name), _) => format!("did you mean `--data {name}`?"),
        (None, Some(inside)) => format!("did you mean `--data {}`?", typed(&inside)),
        (None, None) => "name a folder of the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                 t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, or try `--data demo`"
            .into(),
    }
}

/// A folder with data up to two levels below, where other programs keep them: torchvision in `FashionMNIST/raw`.
fn folder_inside(folder: &Path) -> Option<PathBuf> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(100);
        let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let holds = |folder: &PathBuf| {
        [FILES[0].to_string(), format!("{}.gz", FILES[0])].iter().any(|name| folder.join(name).exists())
    };
    let children = below(folder);
    let found = children.iter().find(|child| holds(child)).cloned();
    found.or_else(|| children.iter().flat_map(|child| below(child)).find(holds))
}

/// Reads the four files of a folder, each plain or with `.gz`; `advice` says what to try where they are missing.
fn load_folder(folder: &Path, advice: &str) -> Result<Dataset> {
    if !folder.is_dir() {
        let what = if folder.exists() { "is a file, not a folder" } else { "does not exist" };
        return Err(Error::data(format!("no data: {} {what}; {advice}", folder.display())));
    }
    let read = |name: &str| -> Result<(String, Vec<u8>)> {
        let found = [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|p| p.exists());
        let path = found.ok_or_else(|| {
            Error::data(format!("no data: {} has neither {name} nor {name}.gz; {advice}", folder.display()))
        })?;
        let bytes = std::fs::read(&path).map_err(|e| Error::unreadable(Exit::Data, &path, &e))?;
        Ok((path.display().to_string(), bytes))
    };
    let names = folder.join("labels.txt");
    let names = names.exists().then(|| read_names(&names)).transpose()?;
    let classes = names.as_ref().map_or(10, Vec::len);
    let set = |images: &str, labels: &str| -> Result<Set> {
        let ((images_name, images), (labels_name, labels)) = (read(images)?, read(labels)?);
        parse_set((&images_name, &images), (&labels_name, &labels), classes)
    };
    // The test set inflates beside the training set.
    let (train, test) = std::thread::scope(|scope| {
        let test = scope.spawn(|| set(FILES[2], FILES[3]));
        (set(FILES[0], FILES[1]), test.join().expect("reading a file does not panic"))
    });
    let (train, test) = (train?, test?);
    let classes = match names {
        Some(names) => names,
        None if is_fashion(&train.labels) => FASHION.map(String::from).to_vec(),
        None => (0..10).map(|c| c.to_string()).collect(),
    };
    assemble(train, test, classes)
}

/// The demo, through the IDX files that it would be in.
fn draw_demo() -> Result<Dataset> {
    let (train, test, seed) = DEMO;
    let set = |seed: u64, count: usize| {
        let (pixels, labels) = demo::generate(seed, count);
        let images = idx::write_images(&Images { pixels, count, rows: 28, cols: 28 });
        parse_set(("demo images", &images), ("demo labels", &idx::write_labels(&labels)), FASHION.len())
    };
    assemble(set(seed, train)?, set(seed + 1, test)?, FASHION.map(String::from).to_vec())
}

fn parse_set(images: (&str, &[u8]), labels: (&str, &[u8]), classes: usize) -> Result<Set> {
    let set = Set {
        images: idx::parse_images(images.0, images.1)?,
        labels: idx::parse_labels(labels.0, labels.1, classes)?,
    };
    if set.images.count != set.labels.len() {
        return Err(Error::data(format!(
            "{} holds {} images, but {} holds {} labels",
            images.0,
            set.images.count,
            labels.0,
            set.labels.len()
        )));
    }
    Ok(set)
}

fn assemble(train: Set, test: Set, classes: Vec<String>) -> Result<Dataset> {
    let size = |s: &Set| (s.images.rows, s.images.cols);
    if size(&train) != size(&test) {
        return Err(Error::data(format!(
            "training images are {:?} pixels, test images {:?}",
            size(&train),
            size(&test)
        )));
    }
    Ok(Dataset { name: String::new(), train, test, classes })
}

/// Class names, one a line.
///
/// # Errors
/// Exit code 3 where it cannot be read or holds fewer than 2 or more than 256.
pub fn read_names(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::unreadable(Exit::Data, path, &e))?;
    let names: Vec<String> = text.lines().map(|l| l.trim().to_string()).filter(|l| !l.is_empty()).collect();
    if !(2..=256).contains(&names.len()) {
        return Err(Error::data(format!(
            "{}: {} class names, expected 2 to 256, one a line",
            path.display(),
            names.len()
        )));
    }
    Ok(names)
}

fn is_fashion(labels: &[u8]) -> bool {
    hex(&Sha256::digest(labels)) == FASHION_LABELS
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
