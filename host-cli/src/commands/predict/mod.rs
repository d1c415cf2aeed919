//! `selvedge predict`: one image, its class and its picture; or the rows of a table, and the answer for each.

mod rows;

use std::path::Path;

use serde_json::json;

use super::{check_columns, check_fit, check_image, check_reject, load_data};
use crate::cli::Predict;
use crate::data::idx;
use crate::data::pictures::{self, Channels, PictureOptions};
use crate::data::{Features, Images, Reading, Source, is_transposed};
use crate::error::{Error, ErrorKind, Result};
use crate::files::kind;
use crate::inference::answers::Answers;
use crate::inference::network::Network;
use crate::recipe::Recipe;
use crate::terminal::{Output, Warnings, picture, table};
use crate::thread_pool::{ThreadPool, Threads};

/// The image to predict.
struct Image {
    /// One image.
    images: Images,
    /// Its class, where the data set says it.
    truth: Option<u8>,
    /// Whether a warning has said that it is dark on a light ground.
    warned_of_ground: bool,
}

/// Predicts one image.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Predict) -> Result<()> {
    let model = Network::load(&args.model)?.with_schema(args.schema.as_deref())?;
    check_columns(&model, &args.model)?;
    check_reject(&model, args.reject)?;
    if let Some(schema) = model.about().and_then(|about| about.schema.as_ref()) {
        let named = match &args.data.data {
            Some(Source::Path(path)) => Some(path),
            _ => None,
        };
        if args.image.is_some() && named.is_some() {
            return Err(Error::usage("one table at a time: name it by --data, or without a flag"));
        }
        let path = args.image.as_ref().or(named).ok_or_else(|| {
            Error::usage("which rows? name a table with the model's columns, such as `--data rows.csv`")
        })?;
        return rows::run(args, &model, schema, path);
    }
    if args.out.is_some() {
        return Err(Error::usage("--out goes with the rows of a table; the answer for a picture is printed"));
    }
    let mut warnings = Warnings::default();
    let image = load(args, &model, &mut warnings)?;
    warn(args, &image, &mut warnings);
    let features = Features::Images(image.images);
    let answers = model.answers(&ThreadPool::new(Threads::ONE), &features, &[0])?;
    let unknown = model.unknown(&features, &[0])?;
    let reader = rows::Reader::new(&model, args.reject, unknown);
    let mut output = Output::default();
    if args.json {
        let mut line = reader.json(&answers, 0);
        line["warnings"] = json!(warnings.list());
        return output.json(&line);
    }
    let images = features.images()?;
    output.line(picture(&pictures::grey(&images.pixels, images.channels), images.cols))?;
    let Answers::Classes(probabilities) = &answers else {
        let named = reader.names(&answers).into_iter().zip(reader.cells(&answers, 0));
        return output
            .line(table(["answer", "value"].map(String::from), named.map(|(name, value)| [name, value])));
    };
    let truth =
        image.truth.map_or_else(String::new, |t| format!(" (it is: {})", model.class(usize::from(t))));
    let (class, row) = reader.class(probabilities, 0);
    let said = class.map_or(rows::UNKNOWN.into(), |class| model.class(class));
    let top = row.iter().copied().fold(0.0, f64::max);
    output.line(format!("{said}, {:.1}%{truth}\n", 100.0 * top))?;
    let mut ranked: Vec<usize> = (0..row.len()).collect();
    ranked.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    let rows = ranked.into_iter().map(|c| [model.class(c), format!("{:.1}%", 100.0 * row[c])]);
    output.line(table(["class", "probability"].map(String::from), rows))
}

/// The image that the arguments name: in a file, or of the test images.
fn load(args: &Predict, model: &Network, warnings: &mut Warnings) -> Result<Image> {
    let (images, n, truth, warned_of_ground) = match &args.image {
        Some(path) => {
            let (images, warned) = read(args, path, model, warnings)?;
            (images, args.index.unwrap_or(0), None, warned)
        }
        None => {
            let n = args.index.ok_or_else(|| {
                Error::usage(
                    "which image? name a PNG or IDX file, or a test image by its --index, such as --index 0",
                )
            })?;
            let of = args.schema.as_deref().unwrap_or(&args.model);
            let dataset = load_data(&args.data, of, model.about(), warnings)?;
            check_fit(model.shape(), |c| model.class(c), &dataset, &[&dataset.test], warnings)?;
            let truth = dataset.test.labels().get(n).copied();
            (dataset.test.images()?.clone(), n, truth, false)
        }
    };
    let pixels = images.image(n).ok_or_else(|| {
        Error::usage(match images.count {
            1 => format!("--index {n}: there is one image, at 0"),
            count => format!("--index {n}: there are {count} images, 0 to {}", count - 1),
        })
    })?;
    let images = Images { pixels: pixels.to_vec(), count: 1, ..images };
    Ok(Image { images, truth, warned_of_ground })
}

/// Warns of a blank image, and of one from a file that is dark on a light ground.
fn warn(args: &Predict, image: &Image, warnings: &mut Warnings) {
    let Images { cols, channels, .. } = image.images;
    let pixels = pictures::grey(&image.images.pixels, channels);
    let (darkest, lightest) = pixels.iter().fold((u8::MAX, 0), |(low, high), &p| (low.min(p), high.max(p)));
    if lightest - darkest < MIN_CONTRAST {
        warnings.add(format!(
            "the picture is blank: its pixels are all of grey {darkest} to {lightest}; look at it, and save it again with \
             its ink on a ground of another grey"
        ));
    } else if args.image.is_some() && channels == 1 && !image.warned_of_ground && border(&pixels, cols) > 128
    {
        warnings.add(
            "the border is light, and models are trained on light on black; add --invert to turn it round",
        );
    }
}

/// The mean of the pixels at the border of an image.
fn border(pixels: &[u8], cols: usize) -> usize {
    let rows = pixels.len() / cols;
    let outside = |n: &usize| [0, rows - 1].contains(&(n / cols)) || [0, cols - 1].contains(&(n % cols));
    let around: Vec<usize> = (0..pixels.len()).filter(outside).map(|n| usize::from(pixels[n])).collect();
    around.iter().sum::<usize>() / around.len().max(1)
}

/// An image whose greys differ by less is blank.
const MIN_CONTRAST: u8 = 8;

/// The images of a PNG, JPEG or IDX file, of the model's size, transposed and inverted as the flags say, and whether a picture is
/// dark on a transparent ground. Warns of assumptions.
fn read(args: &Predict, path: &Path, model: &Network, warnings: &mut Warnings) -> Result<(Images, bool)> {
    let bytes = std::fs::read(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    let name = path.display().to_string();
    let reading = &args.data.reading;
    let mut dark_on_transparent = false;
    let (mut images, transpose) = if pictures::is_picture(&bytes) {
        let options = options(model);
        let picture = pictures::read_file(path, &bytes, &options)?;
        if let Some(size) = options.size.filter(|size| *size != picture.file_size) {
            let ((w, h), (width, height)) = (picture.file_size, size);
            warnings.add(format!(
                "{name} is {w} x {h} pixels and is resized by --size {width}x{height}, as the pictures were in training"
            ));
        }
        dark_on_transparent = picture.dark_on_transparent;
        if dark_on_transparent && !args.invert {
            warnings.add(
                "the picture is dark on a transparent ground, which is taken as white, and models are trained on light on \
                 black; add --invert to turn it round",
            );
        }
        (picture.images, reading.transpose == Some(true))
    } else if idx::is_idx(&bytes) {
        let (images, warning) = idx::parse_images(&name, &bytes)?;
        warning.into_iter().for_each(|text| warnings.add(text));
        (images, idx_is_transposed(args, path, model, warnings))
    } else {
        let kind = kind::of(&bytes).name();
        return Err(Error::data(format!(
            "{name}: {kind}, neither a PNG, a JPEG nor an IDX file of images; save the picture as PNG, of the size that the model takes"
        )));
    };
    if transpose {
        images.transpose();
    }
    check_image(model, &images, path)?;
    if args.invert {
        images.pixels.iter_mut().for_each(|p| *p = !*p);
    }
    if images.count > 1 && args.index.is_none() {
        warnings.add(format!(
            "{name} holds {} images, and the first is taken; --index N takes another, counted from 0",
            images.count
        ));
    }
    Ok((images, dark_on_transparent))
}

/// How pictures become inputs of a model: as those that it was trained on. A model that says nothing of that takes grey
/// pictures of its size.
fn options(model: &Network) -> PictureOptions {
    let size = model.recipe().and_then(|recipe| recipe.reading().pictures.size);
    let rgb = model.about().is_some_and(|about| about.channels == 3);
    PictureOptions { size, channels: Some(if rgb { Channels::Rgb } else { Channels::Grey }) }
}

/// Whether to transpose the images of an IDX file: as the flag says, or else as the model's data were, with a warning.
fn idx_is_transposed(args: &Predict, path: &Path, model: &Network, warnings: &mut Warnings) -> bool {
    let reading = args.data.reading.over(model.recipe().map(Recipe::reading).unwrap_or_default());
    if args.data.reading.transpose.is_none() && reading.transpose == Some(true) {
        warnings.add(format!(
            "{} is read with --transpose, as the model's data was in training; --transpose=false takes it as it is",
            path.display()
        ));
    }
    let said = Reading {
        transpose: args.data.reading.transpose.or(reading.transpose.filter(|yes| *yes)),
        ..reading
    };
    is_transposed(path, &said).into_iter().for_each(|text| warnings.add(text));
    reading.transpose == Some(true)
}
