//! File types by their bytes alone, for errors that name what was given instead of a model or data, and the next step.
//!
//! Names and extensions are ignored, since they are what is wrong most often. [`of`] reads signatures, the names in zip
//! archives and the outermost fields of protobuf messages; it allocates nothing and accepts any bytes.

mod detect;

use std::path::Path;

use crate::error::typed;

pub use detect::{is_gzip, is_jpeg, is_png, looks_like_safetensors, may_be_gzip, of};

/// The file types that people give to programs of this field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No bytes.
    Empty,
    /// A flash file.
    Flash,
    /// A safetensors file, of this program or another.
    Safetensors,
    /// The index of a safetensors model in several files.
    SafetensorsIndex,
    /// An ONNX model, whole or cut short.
    Onnx,
    /// A TensorFlow Lite flatbuffer.
    Tflite,
    /// A TensorFlow SavedModel, or a frozen graph.
    SavedModel,
    /// The pointer that Git leaves where a large file was not fetched.
    GitLfs,
    /// A page, or an error message of a server.
    Html,
    /// An XML document.
    Xml,
    /// Any other JSON.
    Json,
    /// Any other text.
    Text,
    /// HDF5: Keras' `.h5`, newer MATLAB files.
    Hdf5,
    /// Keras' `.keras`: a zip of a configuration and weights in HDF5.
    Keras,
    /// PyTorch's zip of a pickle.
    Torch,
    /// A bare pickle: old PyTorch, joblib, scikit-learn.
    Pickle,
    /// One array of numpy's.
    Npy,
    /// Numpy's zip of arrays.
    Npz,
    /// Any other zip.
    Zip,
    /// gzip.
    Gzip,
    /// A tar, bzip2, xz, zstd or 7z archive.
    Archive,
    /// A picture in PNG.
    Png,
    /// A picture in another format.
    Picture,
    /// IDX images or labels, not compressed.
    Idx,
    /// MATLAB before 7.3.
    Matlab,
    /// A Parquet table.
    Parquet,
    /// A model of llama.cpp.
    Gguf,
    /// A PDF document.
    Pdf,
    /// None of these.
    Unknown,
}

impl Kind {
    /// Its name with an article.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::Flash => "a flash file",
            Self::Safetensors => "a safetensors file",
            Self::SafetensorsIndex => "the index of a safetensors model in several files",
            Self::Onnx => "an ONNX file",
            Self::Tflite => "a TensorFlow Lite file",
            Self::SavedModel => "a TensorFlow graph (SavedModel)",
            Self::GitLfs => "a Git LFS pointer, which stands for a file that was not fetched",
            Self::Html => "an HTML page, which a failed download leaves",
            Self::Xml => "an XML document, which a failed download may leave",
            Self::Json => "a JSON file",
            Self::Text => "a text file",
            Self::Hdf5 => "an HDF5 file (Keras' .h5)",
            Self::Keras => "a .keras archive",
            Self::Torch => "a PyTorch checkpoint (.pt, .pth), a pickle that can run code when it is opened",
            Self::Pickle => "a Python pickle, which can run code when it is opened",
            Self::Npy => "an array of numpy's (.npy)",
            Self::Npz => "an archive of numpy's (.npz)",
            Self::Zip => "a zip archive",
            Self::Gzip => "a gzip file",
            Self::Archive => "a compressed archive",
            Self::Png => "a PNG picture",
            Self::Picture => "a picture",
            Self::Idx => "an IDX file of images or labels",
            Self::Matlab => "a MATLAB file (.mat)",
            Self::Parquet => "a Parquet table",
            Self::Gguf => "a GGUF file of llama.cpp",
            Self::Pdf => "a PDF document",
            Self::Unknown => "a file of no known kind",
        }
    }

    /// What to do about a file that was not fetched properly, whatever it should have been.
    pub fn fetch_again(self) -> Option<&'static str> {
        match self {
            Self::Empty => Some("copy or download it again"),
            Self::GitLfs => Some("fetch the file itself with `git lfs pull`"),
            Self::Html | Self::Xml => {
                Some("download the file itself: on GitHub and Hugging Face, the link named raw or download")
            }
            _ => None,
        }
    }

    /// Why a file at `path` is no model, and what to type next; a clause without the file's name.
    pub fn no_model(self, path: &Path) -> String {
        match self {
            Self::Onnx | Self::Tflite | Self::Safetensors | Self::SafetensorsIndex => {
                format!("{}; `selvedge import {} -o net` makes a model of it", self.name(), typed(path))
            }
            _ => self.no_import(),
        }
    }

    /// Why a file cannot be imported as a model, and what to type next; a clause without the file's name.
    pub fn no_import(self) -> String {
        let next = match self {
            Self::SavedModel | Self::Hdf5 | Self::Keras => {
                "in Keras, write it with model.export(\"model.onnx\", format=\"onnx\"), or convert it to TensorFlow Lite with \
                 tf.lite.TFLiteConverter.from_keras_model(model).convert(), then `selvedge import FILE -o net`"
            }
            Self::Torch => {
                "in PyTorch, write the weights with \
                            safetensors.torch.save_file(model.state_dict(), \"model.safetensors\"), then \
                            `selvedge import model.safetensors -o net`"
            }
            Self::Pickle => {
                "in PyTorch, write the weights with \
                             safetensors.torch.save_file(model.state_dict(), \"model.safetensors\"); of scikit-learn, \
                             skl2onnx.to_onnx makes an ONNX file; then `selvedge import FILE -o net`"
            }
            Self::Npz => {
                "write its arrays with safetensors.numpy.save_file(dict(numpy.load(\"net.npz\")), \
                          \"model.safetensors\"), then `selvedge import model.safetensors -o net`"
            }
            Self::Gzip | Self::Zip | Self::Archive => "unpack it and name the model in it",
            Self::Png | Self::Picture | Self::Idx => "a model comes first, and images after it",
            _ => self.fetch_again().unwrap_or(
                "neither a safetensors, an ONNX nor a TensorFlow Lite file, of which models are made, nor a flash file",
            ),
        };
        format!("{}; {next}", self.name())
    }
}

/// What a folder that another program wrote holds instead of a model, and what to type next.
pub fn of_folder(folder: &Path) -> Option<String> {
    let index = folder.join("model.safetensors.index.json");
    if folder.join("saved_model.pb").is_file() {
        return Some(format!("the folder is {}", Kind::SavedModel.no_import()));
    }
    index.is_file().then(|| format!("the folder holds {}", Kind::SafetensorsIndex.no_model(&index)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Kind;

    #[test]
    fn refusals_say_what_to_type_next() {
        let path = Path::new("my net.onnx");
        assert_eq!(
            Kind::Onnx.no_model(path),
            "an ONNX file; `selvedge import 'my net.onnx' -o net` makes a model of it"
        );
        assert!(Kind::GitLfs.no_model(path).ends_with("`git lfs pull`"));
        assert!(Kind::Html.no_model(path).contains("download the file itself"));
    }
}
