//! Flash files for tests: aligned memory, small trained-looking networks, files of every type and packing.

use selvedge::format::crc::Crc;
use selvedge::format::{ALIGN, Builder, Dtype, HeaderBuf, ModelView, Packing};
use selvedge::infer::{float, integer};
use selvedge::quantize::{self, HALVED_PIXELS, Scales, largest_weights};
use selvedge::{Error, Shape};

use super::Problem;

/// Bytes at an aligned address.
#[derive(Clone)]
pub struct Aligned {
    memory: Vec<u8>,
    len: usize,
}

impl Aligned {
    pub fn zeroed(len: usize) -> Self {
        Self { memory: vec![0; len + ALIGN], len }
    }

    pub fn of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.get_mut().copy_from_slice(bytes);
        copy
    }

    fn start(&self) -> usize {
        self.memory.as_ptr().align_offset(ALIGN)
    }

    pub fn get(&self) -> &[u8] {
        &self.memory[self.start()..][..self.len]
    }

    pub fn get_mut(&mut self) -> &mut [u8] {
        let start = self.start();
        &mut self.memory[start..][..self.len]
    }
}

/// What the tests make files of: a network, the largest activations of its hidden layers, class names.
pub struct Network {
    pub problem: Problem,
    pub maxima: Vec<f32>,
    pub image: Option<(usize, usize)>,
    pub labels: String,
    pub table: Option<[u8; 256]>,
}

impl Network {
    /// He weights; the maxima are about what images of uniform pixels reach.
    pub fn new(widths: &[usize], seed: u64) -> Self {
        let shape = Shape::new(widths).unwrap();
        let problem = Problem::new(widths, 1, seed);
        let maxima = vec![3.0; shape.layers() - 1];
        Self { problem, maxima, image: None, labels: String::new(), table: None }
    }

    /// The network of the golden files.
    pub fn golden() -> Self {
        let labels = "shirt\nboot\nbag\ndress\ncoat".to_string();
        let mut table = [0; 256];
        for (p, x) in table.iter_mut().enumerate() {
            *x = ((p * 127 + 127) / 255) as u8;
        }
        let mut network = Self::new(&[64, 19, 5], 2026);
        network.image = Some((8, 8));
        network.labels = labels;
        network.table = Some(table);
        network
    }

    pub fn header(&self, dtype: Dtype, packing: Packing) -> HeaderBuf {
        let header = HeaderBuf::new(self.problem.shape, dtype, packing).unwrap();
        let header = header.with_label_bytes(self.labels.len()).unwrap();
        let header = match self.image {
            Some((rows, cols)) => header.with_image(rows, cols).unwrap(),
            None => header,
        };
        if self.table.is_some() && dtype.is_integer() { header.with_table() } else { header }
    }

    /// A file, with a self-test.
    pub fn file(&self, dtype: Dtype, packing: Packing) -> Aligned {
        let (shape, params) = (self.problem.shape, &self.problem.params);
        let header = self.header(dtype, packing);
        let mut memory = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, memory.get_mut()).unwrap();
        if dtype.is_integer() {
            let mut rows = vec![0.0; Scales::rows_of(shape)];
            largest_weights(shape, dtype, params, &mut rows).unwrap();
            let mut activations = vec![HALVED_PIXELS];
            activations.extend(self.maxima.iter().map(|m| m / 127.0));
            let mut scales =
                Scales { activations: &mut activations, offsets: &[], sums: &mut [], rows: &mut rows };
            quantize::quantize(&mut builder, params, &mut scales).unwrap();
        } else {
            float::store(&mut builder, params).unwrap();
        }
        if let Some(table) = &self.table {
            builder.table(table);
        }
        builder.labels(&self.labels).unwrap();
        builder.finish_with(7, self_test_crc).unwrap();
        memory
    }
}

pub fn self_test_crc(seed: u32, image: &ModelView<'_>) -> Result<u32, Error> {
    let outputs = image.header().outputs();
    if image.header().dtype().is_integer() {
        let mut scratch = vec![0; integer::Engine::scratch_words(image.header())];
        integer::Engine::new(image.clone())?.self_test_crc(seed, &mut scratch, &mut vec![0; outputs])
    } else {
        let mut scratch = vec![0.0; float::Engine::scratch_words(image.header())];
        float::Engine::new(image.clone())?.self_test_crc(seed, &mut scratch, &mut vec![0.0; outputs])
    }
}

/// Every type in every packing it comes in.
pub fn kinds() -> impl Iterator<Item = (Dtype, Packing)> {
    let packed = |dtype| Packing::ALL.into_iter().map(move |p| (dtype, p));
    let floats = Dtype::ALL.into_iter().filter(|d| !d.is_integer()).map(|d| (d, Packing::Generic));
    floats.chain(packed(Dtype::I8)).chain(packed(Dtype::I4))
}

/// The logits of an image, of whichever engine.
macro_rules! logits {
    ($engine:ident, $zero:literal, $file:expr, $pixels:expr) => {{
        let engine = $engine::Engine::new(ModelView::parse($file).unwrap()).unwrap();
        let header = engine.view().header();
        let mut logits = vec![$zero; header.outputs()];
        engine
            .logits($pixels, &mut vec![$zero; $engine::Engine::scratch_words(header)], &mut logits)
            .unwrap();
        logits
    }};
}

/// The integer logits of an image.
pub fn integer_logits(file: &[u8], pixels: &[u8]) -> Vec<i32> {
    logits!(integer, 0, file, pixels)
}

/// The float logits of an image.
pub fn float_logits(file: &[u8], pixels: &[u8]) -> Vec<f32> {
    logits!(float, 0.0, file, pixels)
}

/// `i8-cortex-m4.selv`; the generic packing has no name of its own.
pub fn file_name(dtype: Dtype, packing: Packing) -> String {
    match packing {
        Packing::Generic => format!("{}.selv", dtype.name()),
        _ => format!("{}-{}.selv", dtype.name(), packing.name()),
    }
}

/// `file` with some bytes overwritten and the CRC set right again, where its version has it.
pub fn forged(file: &Aligned, changes: &[(usize, &[u8])]) -> Aligned {
    let mut forged = file.clone();
    let bytes = forged.get_mut();
    for &(at, change) in changes {
        bytes[at..at + change.len()].copy_from_slice(change);
    }
    let at = if bytes[4] == 1 { 36 } else { 12 };
    let crc = Crc::new().of(&bytes[..at]).of(&bytes[at + 4..]).value();
    bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    forged
}
