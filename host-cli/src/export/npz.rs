//! npz: a zip of `.npy` files, each a line of Python about an array and its bytes. LayerView, not deflated, so that numpy
//! can map them and the bytes depend on the model alone.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Clause;
use super::tensors::{Kind, Tensor};

/// The file.
pub(super) fn write(tensors: &[Tensor]) -> Clause<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for tensor in tensors {
        zip.start_file(format!("{}.npy", tensor.name), options).map_err(|e| e.to_string())?;
        zip.write_all(&header(tensor)).map_err(|e| e.to_string())?;
        zip.write_all(&tensor.bytes).map_err(|e| e.to_string())?;
    }
    Ok(zip.finish().map_err(|e| e.to_string())?.into_inner())
}

/// Version 1.0: magic, the length of the description, the description, padded so that the data start on 64 bytes.
fn header(tensor: &Tensor) -> Vec<u8> {
    let kind = match tensor.kind {
        Kind::F32 => "<f4",
        Kind::I32 => "<i4",
        Kind::U16 => "<u2",
        Kind::I8 => "|i1",
        Kind::U8 => "|u1",
    };
    // A tuple of one needs its comma.
    let dims: String = tensor.dims.iter().map(|d| format!("{d}, ")).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    let whole = (10 + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', whole - 11 - text.len()));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("a few dozen characters");
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::{Kind, Tensor, header};

    #[test]
    fn headers_are_python_and_whole_lines() {
        let of = |dims: &[usize]| {
            let tensor = Tensor { name: "a".into(), kind: Kind::F32, dims: dims.to_vec(), bytes: Vec::new() };
            header(&tensor)
        };
        for (dims, shape) in [(&[3][..], "(3,)"), (&[10, 128], "(10, 128,)")] {
            let bytes = of(dims);
            assert_eq!(bytes.len() % 64, 0);
            assert_eq!(usize::from(bytes[8]) + 256 * usize::from(bytes[9]), bytes.len() - 10);
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            assert!(text.contains(&format!("'shape': {shape}, }}")) && text.ends_with(" \n"), "{text}");
        }
    }
}
