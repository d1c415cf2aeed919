//! What a linked program takes of flash and RAM, and whether a panic is in it.

use std::path::Path;

use host_cli::error::{Error, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, SymbolKind, elf};

use crate::{read, write};

/// Prints `flash=` (everything that is programmed), `ram=` (statics), `infer=` (the code that an inference runs) and
/// `panics=`; fails where a panic is linked.
pub fn report(path: &Path, model: Option<&Path>) -> Result<()> {
    let bytes = read(path)?;
    let unreadable = |e| Error::failed(format!("{}: {e}", path.display()));
    let file = object::File::parse(&*bytes).map_err(unreadable)?;
    let (mut flash, mut ram) = (0, 0);
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        // The RISC-V runtime calls all the memory that is left its stack.
        if sh_flags.0 & elf::SHF_ALLOC.0 == 0 || section.name().is_ok_and(|n| n == ".stack" || n == ".heap") {
            continue;
        }
        let empty = section.kind() == SectionKind::UninitializedData;
        flash += if empty { 0 } else { section.size() };
        ram += if sh_flags.0 & elf::SHF_WRITE.0 == 0 { 0 } else { section.size() };
    }
    let functions: Vec<_> = file.symbols().filter(|s| s.kind() == SymbolKind::Text).collect();
    let inference = |name: &str| name.contains("8selvedge5infer") || name.starts_with("selvedge_");
    let infer: u64 = functions.iter().filter(|s| s.name().is_ok_and(inference)).map(ObjectSymbol::size).sum();
    let names = file.symbols().filter_map(|s| s.name().ok().map(String::from));
    let panics: Vec<_> = names.filter(|n| n.contains("panicking") || n.contains("a_panic_can")).collect();
    let model = model.map(read).transpose()?.map_or(0, |m| m.len());
    println!("flash={flash} model={model} ram={ram} infer={infer} panics={}", panics.len());
    if panics.is_empty() {
        Ok(())
    } else {
        Err(Error::failed(format!("a panic is linked: {}", panics.join(", "))))
    }
}

/// Writes a copy of the program in which one bit of the flash file is another.
pub fn flip(path: &Path, out: &Path, model: &Path) -> Result<()> {
    let (mut program, model) = (read(path)?, read(model)?);
    let at = program.windows(model.len()).position(|w| w == model);
    let at = at.ok_or_else(|| Error::failed(format!("{} does not hold the flash file", path.display())))?;
    program[at + model.len() / 2] ^= 0x10;
    write(out, &program)
}
