//! The exported C as a program: this machine's compiler, without a warning, and images on its stdin.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints the bytes of the logits of each image on stdin, and their class.
const MAIN: &str = r#"
#include "NAME.h"
#include <stdio.h>
int main(void)
{
    static uint8_t pixels[UPPER_INPUTS];
    VALUE logits[UPPER_OUTPUTS];
    while (fread(pixels, 1, UPPER_INPUTS, stdin) == UPPER_INPUTS) {
        uint32_t class = NAME_classify(pixels);
        NAME_logits(pixels, logits);
        if (fwrite(logits, sizeof logits[0], UPPER_OUTPUTS, stdout) != UPPER_OUTPUTS) {
            return 1;
        }
        if (fwrite(&class, sizeof class, 1, stdout) != 1) {
            return 1;
        }
    }
    return 0;
}
"#;

/// Compiles `NAME.c` with a main program and feeds it `pixels`; the logits' four bytes, and the classes.
pub fn run(
    folder: &Path,
    name: &str,
    value: &str,
    outputs: usize,
    pixels: &[u8],
) -> (Vec<[u8; 4]>, Vec<u32>) {
    let main = MAIN.replace("UPPER", &name.to_uppercase()).replace("NAME", name).replace("VALUE", value);
    fs::write(folder.join("main.c"), main).unwrap();
    fs::write(folder.join("pixels"), pixels).unwrap();
    let source = format!("{name}.c");
    let words =
        ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-std=c99", "-pedantic", "-O2", "-o", "program"];
    let compiled =
        Command::new("cc").current_dir(folder).args(words).args(["main.c", &source]).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let stdin = fs::File::open(folder.join("pixels")).unwrap();
    let ran = Command::new(folder.join("program")).stdin(stdin).output().unwrap();
    assert!(ran.status.success());
    let words: Vec<[u8; 4]> = ran.stdout.chunks_exact(4).map(|w| w.try_into().unwrap()).collect();
    let rows = words.chunks_exact(outputs + 1);
    let classes = rows.clone().map(|row| u32::from_ne_bytes(row[outputs])).collect();
    (rows.flat_map(|row| row[..outputs].to_vec()).collect(), classes)
}
