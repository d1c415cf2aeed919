//! Files of other formats given as a data set: names the format, and says how to convert it. For tables and pictures that is
//! a line of Python that writes IDX files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::FILES;
use super::find::entries;
use super::folder::ADVICE;
use crate::error::{Error, ErrorKind, Result, typed};
use crate::files::kind::{self, Kind};

/// The number of bytes at the start of a file that are examined.
const HEAD_BYTES: u64 = 64 << 10;
/// The maximum number of entries of a folder that are examined.
const MAX_ENTRIES: usize = 1000;

/// Python that defines `w(file, array)`, which writes an array of whole numbers of 0 to 255 as IDX and stops at any other.
const WRITE: &str = "w=lambda f,a:(np.testing.assert_array_equal(a,a.astype('u1')),open(f,'wb').write(bytes([0,0,8,a.ndim])+\
                     np.array(a.shape,'>u4').tobytes()+a.astype('u1').tobytes()))";

/// What the file at `path` is, and what to type instead; a clause that follows `is`.
///
/// # Errors
/// `Data` where it cannot be read.
pub fn of_file(path: &Path) -> Result<String> {
    let kind = kind_of(path).map_err(|e| Error::unreadable(ErrorKind::Data, path, &e))?;
    if let Some(clause) = clause(kind, path) {
        return Ok(clause);
    }
    Ok(match kind {
        Kind::Idx | Kind::Gzip => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            format!("a file, not a folder; --data takes the folder of all four: `--data {}`", typed(folder))
        }
        Kind::Png | Kind::Picture => {
            format!(
                "a picture, not a folder of data; `selvedge predict MODEL {}` names its class",
                typed(path)
            )
        }
        _ => format!("a file, not a folder: {}; {ADVICE}", kind.name()),
    })
}

/// What a folder holds instead of IDX files, if its format is known; a clause that follows its name.
pub fn in_folder(folder: &Path) -> Option<String> {
    if let Some(train) = class_folders(folder) {
        return Some(format!("holds a folder of pictures for each class; {}", convert_pictures(&train)));
    }
    let files = entries(folder, &mut { MAX_ENTRIES }).into_iter().filter(|path| path.is_file());
    files.filter_map(|path| Some((kind_of(&path).ok()?, path))).find_map(|(kind, path)| {
        let clause = clause(kind, &path)?;
        Some(format!("has no IDX files; {} is {clause}", path.file_name()?.to_string_lossy()))
    })
}

/// What a file is and how to convert it, where that is possible.
fn clause(kind: Kind, path: &Path) -> Option<String> {
    let file = typed(path);
    let is = kind.name();
    Some(match kind {
        Kind::Text if is_table(path) => {
            format!("a CSV table; write it as IDX files: {}", convert_table(path))
        }
        Kind::Npz => format!(
            "{is}; write it as IDX files: python3 -c \"import numpy as np;z=np.load({});{WRITE};\
             w('{}',z['x_train']);w('{}',z['y_train']);w('{}',z['x_test']);w('{}',z['y_test'])\"",
            quoted(path),
            FILES[0],
            FILES[1],
            FILES[2],
            FILES[3]
        ),
        Kind::Npy => format!(
            "{is}; write each of the four arrays as an IDX file: python3 -c \"import numpy as np;{WRITE};w('{}',np.load({}))\"",
            FILES[0],
            quoted(path)
        ),
        Kind::Zip => format!("{is}; unpack it: unzip {file} -d data, then --data data"),
        Kind::Archive => format!("{is}; unpack it: tar -xf {file}, then --data with the folder that it made"),
        Kind::Hdf5 | Kind::Parquet | Kind::Matlab | Kind::Pickle | Kind::Torch => format!(
            "{is}; load it in Python and write four arrays of unsigned bytes as IDX files with {WRITE} (np is numpy): \
             w('{}', images) with images of N x rows x columns, and likewise {}, {} and {}",
            FILES[0], FILES[1], FILES[2], FILES[3]
        ),
        _ => format!("{is}; {}", kind.fetch_again()?),
    })
}

/// The kind of a file by its first bytes.
fn kind_of(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(kind::of(&head))
}

fn is_table(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["csv", "tsv"].contains(&&ending[..])
}

/// The folder of training pictures, with a folder for each class: `folder` itself, or `train` in it.
fn class_folders(folder: &Path) -> Option<PathBuf> {
    let holds_pictures = |folder: &PathBuf| {
        let first = entries(folder, &mut { MAX_ENTRIES }).into_iter().find(|path| path.is_file());
        first
            .and_then(|file| kind_of(&file).ok())
            .is_some_and(|kind| matches!(kind, Kind::Png | Kind::Picture))
    };
    let is_one = |folder: &PathBuf| {
        let below: Vec<_> =
            entries(folder, &mut { MAX_ENTRIES }).into_iter().filter(|path| path.is_dir()).collect();
        below.len() >= 2 && below.iter().any(holds_pictures)
    };
    ["train", "training", "."]
        .iter()
        .map(|name| folder.join(name))
        .find(is_one)
        .map(|found| if found.ends_with(".") { folder.into() } else { found })
}

/// A path as a Python string inside the double quotes of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let escape = |c: char| match c {
        '\\' => r"\\\\".into(),
        '\'' => r"\\'".into(),
        '"' | '$' | '`' => format!("\\{c}"),
        c => c.to_string(),
    };
    format!("'{}'", text.chars().map(escape).collect::<String>())
}

/// The command that converts a table, with a header and a label before the pixels in each row, to two of the four files.
fn convert_table(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let of_test = name.contains("test");
    let [images, labels] = if of_test { [FILES[2], FILES[3]] } else { [FILES[0], FILES[1]] };
    let (other, other_files) = if of_test { ("training", "train-..") } else { ("test", "t10k-..") };
    format!(
        "python3 -c \"import csv;r=[[int(v) for v in x] for x in csv.reader(open({})) if x[0].isdigit()];\
         s=int((len(r[0])-1)**.5);h=lambda*d:bytes([0,0,8,len(d)])+b''.join(n.to_bytes(4,'big') for n in d);\
         open('{labels}','wb').write(h(len(r))+bytes(x[0] for x in r));\
         open('{images}','wb').write(h(len(r),s,s)+b''.join(bytes(x[1:]) for x in r))\" (label first, then pixels), and the \
         same for the {other} table, with {other_files} in place of these names",
        quoted(path)
    )
}

/// The command that converts folders of pictures to the four files and the file of class names.
fn convert_pictures(train: &Path) -> String {
    let test = train.with_file_name("test");
    let [train_folder, test_folder] = [train, &test].map(quoted);
    let first_step = if test.is_dir() {
        String::new()
    } else {
        format!("put those to test on into {}, and ", typed(&test))
    };
    format!(
        "{first_step}write them as IDX files: python3 -c \"import os,numpy as np;from PIL import Image;{WRITE};l=os.listdir;\
         c=sorted(k for k in set(l({train_folder}))|set(l({test_folder})) if k[0]>'.');\
         g=lambda d,i,t:(lambda p:(w(i,np.stack([np.array(Image.open(f).convert('L')) for f,_ in p])),\
         w(t,np.array([n for _,n in p]))))([(d+'/'+k+'/'+f,n) for n,k in enumerate(c) if os.path.isdir(d+'/'+k) \
         for f in sorted(l(d+'/'+k)) if f[0]>'.']);\
         g({train_folder},'{}','{}');g({test_folder},'{}','{}');\
         open('labels.txt','w',encoding='utf-8').write(chr(10).join(c))\"",
        FILES[0], FILES[1], FILES[2], FILES[3]
    )
}
