//! The data set: two sets of grey images with a class each, read from IDX files or drawn by code.
//!
//! Everything goes through the same parser, the drawn demo too. What the files do not say is assumed and warned of, or
//! refused. Nothing here shuffles; see [`draws`](crate::sampling).

pub mod classes;
pub mod demo;
pub mod fetch;
pub mod find;
mod folder;
mod foreign;
pub mod idx;
pub mod normalise;
pub mod png;
pub mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result, typed};
use folder::RawSet;
use idx::Images;

pub use folder::is_transposed;

/// Where a data set comes from: `fashion-mnist`, `demo` or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Fashion-MNIST in the folder of [`fashion_mnist_folder`].
    FashionMnist,
    /// Silhouettes drawn by code.
    Demo,
    /// A folder of four IDX files, or a folder and what the names of one data set in it start with.
    Folder(PathBuf),
}

/// How the files of a data set are to be read, where they do not say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Whether rows and columns of the images are swapped, as EMNIST needs; `None` where nobody said so, which is taken as
    /// no.
    pub transpose: Option<bool>,
    /// The label of the first class.
    pub first_label: usize,
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
    /// Whether the number of classes was counted from the labels, for want of names.
    pub counted: bool,
    /// The label of the first class.
    pub first_label: usize,
    /// What was assumed or looks wrong.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Adds classes without images until there are `classes`, where none are named.
    pub fn widen(&mut self, classes: usize) {
        if self.counted {
            let more = self.classes.len()..classes;
            self.classes.extend(more.map(|class| (self.first_label + class).to_string()));
        }
    }
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

/// The standard names: training images and labels, test images and labels. [`find`] takes others too.
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
    pub fn load(&self, data_dir: Option<&Path>, reading: Reading) -> Result<Dataset> {
        let mut dataset = match self {
            Self::FashionMnist => {
                let folder = fashion_mnist_folder(data_dir)?;
                let dir = data_dir.map_or_else(String::new, |dir| format!(" --dir {}", typed(dir)));
                folder::load(
                    &folder,
                    &format!("run `selvedge data fetch{dir}`, or try `--data demo`"),
                    reading,
                )?
            }
            Self::Demo => draw_demo(reading)?,
            Self::Folder(folder) => folder::load(folder, &folder::advice(folder), reading)?,
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

/// The demo, through the IDX files that it would be in.
fn draw_demo(reading: Reading) -> Result<Dataset> {
    let (train, test, seed) = DEMO;
    let set = |seed: u64, count: usize| {
        let (pixels, labels) = demo::generate(seed, count);
        let images = idx::write_images(&Images { pixels, count, rows: 28, cols: 28 });
        let labels = idx::write_labels(&labels);
        RawSet::parse(("demo images", &images), ("demo labels", &labels), reading.first_label)
    };
    let (train, test) = (set(seed, train)?.into_set(reading), set(seed + 1, test)?.into_set(reading));
    Ok(Dataset {
        name: String::new(),
        train,
        test,
        classes: FASHION.map(String::from).to_vec(),
        counted: false,
        first_label: reading.first_label,
        warnings: Vec::new(),
    })
}

fn is_fashion(labels: &[u8]) -> bool {
    hex(&Sha256::digest(labels)) == FASHION_LABELS
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
